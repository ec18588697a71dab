variable "bastion" {
  description = "A Bastion host; null makes none. Without a public address it is reached by VPN or ExpressRoute."
  type        = object({ public_address = optional(bool, false), sku = optional(string, "Premium") })
  default     = null

  validation {
    condition     = var.bastion == null || try(var.bastion.public_address ? contains(["Standard", "Premium"], var.bastion.sku) : var.bastion.sku == "Premium", false)
    error_message = "A Bastion without a public address is a Premium one; with one it is Standard or Premium, because people tunnel through it."
  }
}

variable "customer_managed_key" {
  description = "The key that encrypts the machines' disks, and the identity that may use it; null lets Microsoft manage keys."
  type        = object({ identity_id = string, key_id = string })
  default     = null
}

variable "diagnostics" {
  description = "Where logs and metrics go."
  type        = object({ workspace_id = string })
}

variable "jump_machine" {
  description = "A machine inside the network for administrators, signed in to with Entra ID; null makes none. administrators are object ids of groups; shutdown_at is HHMM."
  type        = object({ administrators = set(string), shutdown_at = optional(string, "1900"), size = optional(string, "Standard_D2s_v5"), ssh_public_key = string, time_zone = optional(string, "UTC") })
  default     = null

  validation {
    condition     = var.jump_machine == null || can(regex("^([01][0-9]|2[0-3])[0-5][0-9]$", var.jump_machine.shutdown_at))
    error_message = "shutdown_at is an hour and a minute without a colon, such as 1900."
  }
}

variable "location" {
  description = "Region."
  type        = string
}

variable "policy" {
  description = "Policy assignments that deny what the proof forbids; null makes none. enforce = false only reports."
  type        = object({ enforce = optional(bool, true) })
  default     = null
}

variable "prefix" {
  description = "What every name begins with."
  type        = string
}

variable "protected_group_ids" {
  description = "Resource groups by name that policies govern."
  type        = map(string)
}

variable "public_network_allowed" {
  description = "Whether this is a trial that can be reached from the Internet."
  type        = bool
  default     = false
}

variable "resource_group_name" {
  description = "The application resource group."
  type        = string
}

variable "runner" {
  description = "Where pipelines run inside the network: GitHub's machines in our subnet, or a machine of ours; null makes none."
  type = object({
    github_hosted = optional(object({ organization_id = string }))
    machine       = optional(object({ organization = string, package_sha256 = string, package_version = string, size = optional(string, "Standard_D2s_v5"), ssh_public_key = string }))
  })
  default = null
}

variable "subnet_ids" {
  description = "Ids of subnets by name: administration, bastion and runner where they are used."
  type        = map(string)
  default     = {}
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
