variable "bastion" {
  description = "A Bastion host; null makes none. Without a public address it is reached by VPN or ExpressRoute."
  type        = object({ public_address = optional(bool, false), sku = optional(string, "Premium"), source_prefixes = optional(list(string), []) })
  default     = null

  validation {
    condition     = var.bastion == null || try(var.bastion.public_address ? contains(["Standard", "Premium"], var.bastion.sku) : var.bastion.sku == "Premium", false)
    error_message = "A Bastion without a public address is a Premium one; with one it is Standard or Premium, because people tunnel through it."
  }
  validation {
    condition     = var.bastion == null || try(var.bastion.public_address, false) == (length(try(var.bastion.source_prefixes, [])) > 0)
    error_message = "A Bastion with a public address lets nobody in until source_prefixes says whom, and one without takes nobody from outside: write public_address = true and source_prefixes together, or neither."
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
  validation {
    condition     = var.jump_machine == null || try(length(var.jump_machine.administrators) > 0 && alltrue([for id in var.jump_machine.administrators : can(regex("^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$", id))]), false)
    error_message = "administrators are object ids of groups, GUIDs in lower case, not names: az ad group show --group NAME --query id."
  }
  validation {
    condition     = var.jump_machine == null || can(regex("^(ssh-rsa|ssh-ed25519) [A-Za-z0-9+/]+={0,2}( [^\\r\\n]*)?$", trimspace(var.jump_machine.ssh_public_key)))
    error_message = "The jump machine's ssh_public_key is the content of a .pub file on one line, beginning with ssh-rsa or ssh-ed25519."
  }
  validation {
    condition     = var.jump_machine == null || can(regex("^Standard_[A-Za-z0-9_-]+$", var.jump_machine.size))
    error_message = "The jump machine's size is one that az vm list-sizes names, such as Standard_D2s_v5."
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
    machine       = optional(object({ group = optional(string, "default"), organization = string, package_sha256 = string, package_version = string, size = optional(string, "Standard_D2s_v5"), ssh_public_key = string }))
  })
  default = null

  # These words become part of a script that runs as root.
  validation {
    condition     = try(var.runner.machine, null) == null || can(regex("^[A-Za-z0-9](-?[A-Za-z0-9]){0,38}$", var.runner.machine.organization))
    error_message = "A runner machine's organization is written as in github.com/ORGANIZATION."
  }
  validation {
    condition     = try(var.runner.machine, null) == null || can(regex("^[A-Za-z0-9][A-Za-z0-9 _-]{0,63}$", var.runner.machine.group))
    error_message = "A runner machine's group is the name of a runner group of the organisation: letters, digits, spaces, - and _."
  }
  validation {
    condition     = try(var.runner.machine, null) == null || can(regex("^[0-9a-f]{64}$", var.runner.machine.package_sha256))
    error_message = "package_sha256 is 64 lower-case hexadecimal digits: the release page of github.com/actions/runner names it."
  }
  validation {
    condition     = try(var.runner.machine, null) == null || can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+$", var.runner.machine.package_version))
    error_message = "package_version is a version of github.com/actions/runner without a v, such as 2.330.0."
  }
  validation {
    condition     = try(var.runner.machine, null) == null || can(regex("^(ssh-rsa|ssh-ed25519) [A-Za-z0-9+/]+={0,2}( [^\\r\\n]*)?$", trimspace(var.runner.machine.ssh_public_key)))
    error_message = "The runner machine's ssh_public_key is the content of a .pub file on one line, beginning with ssh-rsa or ssh-ed25519."
  }
  validation {
    condition     = try(var.runner.machine, null) == null || can(regex("^Standard_[A-Za-z0-9_-]+$", var.runner.machine.size))
    error_message = "The runner machine's size is one that az vm list-sizes names, such as Standard_D2s_v5."
  }
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
