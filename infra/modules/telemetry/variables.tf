variable "contacts" {
  description = "Email addresses by name of the people who are told."
  type        = map(string)

  validation {
    condition     = length(var.contacts) > 0 && alltrue([for address in values(var.contacts) : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", address))])
    error_message = "Name at least one person to tell, with an email address: contacts = { security = \"security@contoso.com\" }."
  }
}

variable "location" {
  description = "Region."
  type        = string
}

variable "prefix" {
  description = "What every name begins with."
  type        = string
}

variable "private_link_scope_id" {
  description = "Id of the DNS realm's existing Azure Monitor private link scope; null makes one."
  type        = string
  default     = null

  validation {
    condition     = var.private_link_scope_id == null || can(regex("(?i)/resourceGroups/[^/]+/providers/Microsoft\\.Insights/privateLinkScopes/[^/]+$", var.private_link_scope_id))
    error_message = "Write the id of an Azure Monitor private link scope: /subscriptions/…/resourceGroups/…/providers/Microsoft.Insights/privateLinkScopes/NAME."
  }
}

variable "private_network" {
  description = "Where private endpoints stand; null leaves the services reachable from the Internet. zone_ids null: an Azure Policy attaches the zones."
  type = object({
    location  = string
    subnet_id = string
    zone_ids  = optional(map(list(string)))
  })
  default = null
}

variable "resource_group_name" {
  description = "The application resource group."
  type        = string
}

variable "retention_days" {
  description = "Days that logs are kept, 30 to 730."
  type        = number
  default     = 90

  validation {
    condition     = var.retention_days >= 30 && var.retention_days <= 730
    error_message = "Logs are kept 30 to 730 days: write a number between."
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}

variable "watched_resource_group_ids" {
  description = "Resource groups whose activity is watched."
  type        = set(string)
}
