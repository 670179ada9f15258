output "destination" {
  description = "What to write into spec.replication.logShipping.destination and spec.backup.destination."
  value = {
    type   = "s3"
    bucket = aws_s3_bucket.archive.id
    region = data.aws_region.this.id
    path   = "/${var.path}"
  }
}

output "kms_key_id" {
  description = "What to write into spec.replication.logShipping.encryption.kmsKeyId: the whole ARN."
  value       = aws_kms_key.archive.arn
}
