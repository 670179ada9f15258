"""Who may write: the failover machine (pure), its votes and lease, its requests, and the report it projects."""
