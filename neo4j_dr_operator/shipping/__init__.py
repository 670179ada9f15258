"""Log shipping: committed transactions of a source as chained, immutable segments in S3. See docs/archive-format.md."""
