variable "address_allow_list" {
  description = "Public addresses (CIDR) that may reach the services where there is no private network."
  type        = set(string)
  default     = []
}

variable "containers" {
  description = "Cosmos containers by name: what tables/containers.json says."
  type = map(object({
    default_ttl   = optional(number)
    indexed       = list(string)
    partition_key = string
  }))
}

variable "cosmos_failover_locations" {
  description = "Further regions that Cosmos DB fails over to, in order."
  type        = list(string)
  default     = []
}

variable "cosmos_throughput" {
  description = "Largest request units a second by slot; a tenth of it is the least that is paid."
  type        = map(number)
  default     = { production = 4000, staging = 1000 }
}

variable "customer_managed_key" {
  description = "Versionless id of the key and id of the identity that may use it; null lets Microsoft manage keys."
  type        = object({ identity_id = string, key_id = string })
  default     = null
}

variable "diagnostics" {
  description = "Where logs and metrics go."
  type        = object({ workspace_id = string })
}

variable "location" {
  description = "Region."
  type        = string
}

variable "prefix" {
  description = "What every name begins with."
  type        = string
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

variable "seal_retention_days" {
  description = "Days that seals of the audit cannot be changed or deleted."
  type        = number
  default     = 365
}

variable "seals_locked" {
  description = "Whether the seals' immutability can no longer be shortened; cannot be undone."
  type        = bool
  default     = false
}

variable "slots" {
  description = "Slots, each with data of its own."
  type        = set(string)
  default     = ["production", "staging"]
}

variable "suffix" {
  description = "What globally unique names end with."
  type        = string
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}

variable "tenant_id" {
  description = "The vault's tenant."
  type        = string
}

variable "zone_redundant" {
  description = "Whether data is kept in several availability zones."
  type        = bool
  default     = true
}
