"""Who may write: the failover machine (pure), its votes and lease, its requests, and the witness that is kept."""
