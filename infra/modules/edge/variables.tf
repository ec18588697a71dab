variable "backend_host" {
  description = "Host name of the web application's private endpoint."
  type        = string
}

variable "certificate" {
  description = "The certificate people see: its versionless secret id in a Key Vault, and that vault's id."
  type        = object({ secret_id = string, vault_id = string })

  validation {
    condition     = can(regex("^https://[^/]+/secrets/[^/]+/?$", var.certificate.secret_id))
    error_message = "Write the certificate's versionless secret id, https://VAULT.vault.azure.net/secrets/NAME, so that renewals are picked up."
  }
}

variable "diagnostics" {
  description = "Where logs and metrics go."
  type        = object({ workspace_id = string })
}

variable "host_name" {
  description = "The name that people type."
  type        = string
}

variable "location" {
  description = "Region."
  type        = string
}

variable "prefix" {
  description = "What every name begins with."
  type        = string
}

variable "private_address" {
  description = "The gateway's own address in its subnet; read where it has no public one. Azure takes no address by chance here."
  type        = string
  default     = null

  validation {
    condition     = var.public_address || can(cidrnetmask("${var.private_address}/32"))
    error_message = "A gateway without a public address needs private_address, a free address of its subnet such as 10.20.1.10."
  }
}

variable "public_address" {
  description = "Whether the gateway has a public address: a declared public door."
  type        = bool
  default     = false
}

variable "resource_group_name" {
  description = "The application resource group."
  type        = string
}

variable "subnet_id" {
  description = "The gateway's own subnet."
  type        = string
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}

variable "zone_redundant" {
  description = "Whether the gateway stands in several availability zones."
  type        = bool
  default     = true
}
