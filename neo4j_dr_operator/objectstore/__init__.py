"""Object stores: S3 with conditional puts. The only room that knows boto3."""
