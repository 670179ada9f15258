# A bucket for archives: versions kept, one key, nothing expired that a restore needs. The policies are the files
# beside this directory, which can be used without Terraform too.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

data "aws_caller_identity" "this" {}

data "aws_region" "this" {}

data "aws_iam_role" "operator" {
  name = var.operator_role
}

data "aws_iam_role" "restore" {
  name = var.restore_role
}

locals {
  names = {
    account      = data.aws_caller_identity.this.account_id
    admin_arn    = var.admin_arn
    bucket       = var.bucket
    operator_arn = data.aws_iam_role.operator.arn
    path         = var.path
    region       = data.aws_region.this.id
    restore_arn  = data.aws_iam_role.restore.arn
  }
  policies = "${path.module}/../policies"
  rights = {
    audit   = var.operator_role
    backup  = var.operator_role
    restore = var.restore_role
    ship    = var.operator_role
  }
}

# -- the key ----------------------------------------------------------------------------------------------------------

resource "aws_kms_key" "archive" {
  description             = "Archives of Neo4j in ${var.bucket}"
  deletion_window_in_days = 30
  enable_key_rotation     = true
  policy                  = templatefile("${local.policies}/key.json", local.names)

  lifecycle {
    prevent_destroy = true
  }
}

# -- the bucket -------------------------------------------------------------------------------------------------------

resource "aws_s3_bucket" "archive" {
  bucket              = var.bucket
  object_lock_enabled = var.locked_days > 0

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_public_access_block" "archive" {
  bucket                  = aws_s3_bucket.archive.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "archive" {
  bucket = aws_s3_bucket.archive.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "archive" {
  bucket = aws_s3_bucket.archive.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "archive" {
  bucket = aws_s3_bucket.archive.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      kms_master_key_id = aws_kms_key.archive.arn
      sse_algorithm     = "aws:kms"
    }
  }
}

resource "aws_s3_bucket_object_lock_configuration" "archive" {
  count      = var.locked_days > 0 ? 1 : 0
  bucket     = aws_s3_bucket.archive.id
  depends_on = [aws_s3_bucket_versioning.archive]

  rule {
    default_retention {
      mode = "GOVERNANCE"
      days = var.locked_days
    }
  }
}

# No rule here expires what is current: the operator alone knows what a point in time needs.
resource "aws_s3_bucket_lifecycle_configuration" "archive" {
  bucket     = aws_s3_bucket.archive.id
  depends_on = [aws_s3_bucket_versioning.archive]

  rule {
    id     = "parts-of-uploads-that-never-ended"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }

  rule {
    id     = "what-was-deleted-or-overwritten"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.kept_days
    }
  }

  rule {
    id     = "markers-of-what-is-gone"
    status = "Enabled"

    filter {}

    expiration {
      expired_object_delete_marker = true
    }
  }
}

resource "aws_s3_bucket_policy" "archive" {
  bucket     = aws_s3_bucket.archive.id
  depends_on = [aws_s3_bucket_public_access_block.archive]
  policy     = templatefile("${local.policies}/bucket.json", merge(local.names, { key_arn = aws_kms_key.archive.arn }))
}

# -- who may what -----------------------------------------------------------------------------------------------------

resource "aws_iam_policy" "archive" {
  for_each = local.rights
  name     = "${var.bucket}-${each.key}"
  policy   = templatefile("${local.policies}/${each.key}.json", merge(local.names, { key_arn = aws_kms_key.archive.arn }))
}

resource "aws_iam_role_policy_attachment" "archive" {
  for_each   = local.rights
  role       = each.value
  policy_arn = aws_iam_policy.archive[each.key].arn
}
