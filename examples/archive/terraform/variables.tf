variable "bucket" {
  description = "Name of the bucket: for archives alone, and not that of the witness."
  type        = string
}

variable "path" {
  description = "The destination's path, without slashes at its ends. The archive of a resource lies below <path>/<namespace>/<name>/."
  type        = string
  default     = "transaction-logs"

  validation {
    condition     = length(var.path) > 0 && trim(var.path, "/") == var.path
    error_message = "A path without slashes at its ends."
  }
}

variable "operator_role" {
  description = "Name of the role that the operator's service account takes (IRSA or Pod Identity): it ships, backs up and audits."
  type        = string
}

variable "restore_role" {
  description = "Name of a role that only reads. It has to be there when everything else is gone: best of another cluster."
  type        = string
}

variable "admin_arn" {
  description = "Who may delete versions, change the bucket's rules, disable the key. Terraform has to run as this one."
  type        = string
}

variable "kept_days" {
  description = "Days for which what was deleted or overwritten can still be had back."
  type        = number
  default     = 30

  validation {
    condition     = var.kept_days >= 1
    error_message = "At least one day."
  }
}

variable "locked_days" {
  description = "Days for which no version can be deleted by anybody without s3:BypassGovernanceRetention; 0: no object lock. Can be set for a new bucket only."
  type        = number
  default     = 0
}
