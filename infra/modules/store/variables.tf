variable "address_allow_list" {
  description = "Public addresses (CIDR) that may reach the services beside the private network; empty closes the door to the Internet."
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

  validation {
    condition     = length(distinct(concat([var.location], var.cosmos_failover_locations))) == 1 + length(var.cosmos_failover_locations)
    error_message = "cosmos.failover_locations are further regions, each once: leave out ${var.location}, where Cosmos DB is already."
  }
  validation {
    condition     = alltrue([for one in var.cosmos_failover_locations : can(regex("^[a-z0-9]+$", one))])
    error_message = "A region is written in lower case without spaces, such as germanywestcentral."
  }
}

variable "cosmos_throughput" {
  description = "Largest request units a second by slot; a tenth of it is the least that is paid."
  type        = map(number)
  default     = { production = 4000, staging = 1000 }

  validation {
    condition     = length(setsubtract(var.slots, keys(var.cosmos_throughput))) == 0
    error_message = "cosmos.throughput names every slot: ${join(", ", var.slots)}."
  }
  validation {
    condition     = alltrue([for one in values(var.cosmos_throughput) : one >= 1000 && one <= 1000000 && one % 1000 == 0])
    error_message = "cosmos.throughput is a multiple of 1000 from 1000 to 1000000 for each slot: Cosmos DB scales between a tenth of it and all of it."
  }
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

variable "geo_redundant" {
  description = "Whether storage keeps a copy in the paired region; false where a region has no pair."
  type        = bool
  default     = true
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
  description = "Where private endpoints stand. zone_ids null: an Azure Policy attaches the zones."
  type = object({
    location  = string
    subnet_id = string
    zone_ids  = optional(map(list(string)))
  })
}

variable "resource_group_name" {
  description = "The application resource group."
  type        = string
}

variable "seal_retention_days" {
  description = "Days that seals of the audit cannot be changed or deleted."
  type        = number
  default     = 365

  validation {
    condition     = var.seal_retention_days >= 30 && var.seal_retention_days <= 146000 && floor(var.seal_retention_days) == var.seal_retention_days
    error_message = "seals.retention_days is a whole number of days from 30 to 146000: a seal that can be replaced sooner proves nothing."
  }
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
