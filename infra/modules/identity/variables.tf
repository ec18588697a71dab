variable "authority" {
  description = "Where Entra ID signs people in, without the tenant."
  type        = string
}

variable "client_ids" {
  description = "Client ids by slot of Entra applications made by someone else; null makes them here."
  type        = map(string)
  default     = null

  validation {
    condition     = var.client_ids == null || length(setsubtract(var.slots, try(keys(var.client_ids), []))) == 0
    error_message = "Name the client id of every slot: ${join(", ", var.slots)}."
  }
  validation {
    condition     = var.client_ids == null || try(length(setsubtract(keys(var.client_ids), var.slots)) == 0, false)
    error_message = "There is no such slot: client ids are named ${join(" and ", var.slots)}."
  }
}

variable "federation_audience" {
  description = "Audience of the assertions that a managed identity vouches with."
  type        = string
}

variable "location" {
  description = "Region of the managed identities."
  type        = string
}

variable "owners" {
  description = "Object ids of the Entra applications' owners."
  type        = set(string)
  default     = []
}

variable "prefix" {
  description = "What every name begins with."
  type        = string
}

variable "public_urls" {
  description = "Origins that people type, by slot."
  type        = map(string)
}

variable "resource_group_name" {
  description = "The application resource group."
  type        = string
}

variable "role_members" {
  description = "Object ids of the groups that hold each role."
  type        = object({ admin = optional(set(string), []), user = optional(set(string), []) })
  default     = {}
}

variable "slots" {
  description = "Slots that have an identity of their own."
  type        = set(string)
  default     = ["production", "staging"]
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}

variable "tenant_id" {
  description = "The tenant whose people sign in."
  type        = string
}
