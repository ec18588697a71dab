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
    condition     = var.private_link_scope_id == null || can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\\.Insights/privateLinkScopes/[^/]+$", var.private_link_scope_id))
    error_message = "Write the id of an Azure Monitor private link scope: /subscriptions/…/resourceGroups/…/providers/Microsoft.Insights/privateLinkScopes/NAME."
  }
}

variable "private_network" {
  description = "Where private endpoints stand. zone_ids null: an Azure Policy attaches the zones."
  type = object({
    location  = string
    subnet_id = string
    zone_ids  = optional(map(list(string)))
  })
}

variable "public_query_enabled" {
  description = "Whether logs may be read from the Internet, with Entra ID; they are taken in privately in any case."
  type        = bool
  default     = false
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
    condition     = var.retention_days >= 30 && var.retention_days <= 730 && floor(var.retention_days) == var.retention_days
    error_message = "Logs are kept 30 to 730 days: write a whole number between."
  }
}

variable "subscription_id" {
  description = "The subscription, in which roles, locks and federated credentials are watched as a whole."
  type        = string
}

variable "suffix" {
  description = "What names end with that Azure keeps after their deletion."
  type        = string
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
