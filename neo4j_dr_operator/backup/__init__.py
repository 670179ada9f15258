"""Backups: consistent snapshots of a live graph as content-addressed chunks in S3. See docs/archive-format.md."""
