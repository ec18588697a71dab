variable "address_allow_list" {
  description = "Public addresses (CIDR) that may reach the estate while public_network_access_enabled is true."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.address_allow_list : can(cidrhost(cidr, 0)) && try(tonumber(split("/", cidr)[1]) >= 8, false)])
    error_message = "Each address is a range of /8 or smaller, such as 203.0.113.7/32; the whole Internet is not an allow-list."
  }
  validation {
    condition     = var.public_network_access_enabled ? length(var.address_allow_list) > 0 : length(var.address_allow_list) == 0
    error_message = "With public_network_access_enabled = true, name the addresses that may come in; with false, nobody can, so leave the list empty."
  }
}

variable "cloud" {
  description = "The Azure cloud: public or usgovernment."
  type        = string
  default     = "public"

  validation {
    condition     = contains(["public", "usgovernment"], var.cloud)
    error_message = "The cloud is public or usgovernment: Azure OpenAI is in no other."
  }
}

variable "contacts" {
  description = "Email addresses by name of the people who are told when the estate is weakened."
  type        = map(string)
}

variable "content_filter" {
  description = "From which severity on harm is stopped in prompts and answers."
  type        = object({ severity = optional(string, "Low") })
  default     = {}
}

variable "cosmos" {
  description = "Regions that Cosmos DB fails over to, and its largest request units a second by slot."
  type = object({
    failover_locations = optional(list(string), [])
    throughput         = optional(map(number), { production = 4000, staging = 1000 })
  })
  default = {}
}

variable "customer_managed_key" {
  description = "The key that encrypts OpenAI, Cosmos DB, storage and disks, and the identity that may use it (from bootstrap); null lets Microsoft manage keys. Choose before the first apply: Cosmos DB cannot change its mind."
  type = object({
    identity_client_id = optional(string)
    identity_id        = optional(string)
    key_id             = optional(string)
  })
  default = null

  validation {
    condition     = var.customer_managed_key == null || try(alltrue([for one in values(var.customer_managed_key) : one != null]), false)
    error_message = "A customer-managed key needs key_id, identity_id and identity_client_id: all three are outputs of bootstrap."
  }
}

variable "deployment_manager_role_id" {
  description = "Id of bootstrap's custom role for managing deployments; null leaves deployments to Terraform."
  type        = string
  default     = null
}

variable "edge" {
  description = "An Application Gateway with a web application firewall in front of the private web application; null leaves users to VPN or Bastion."
  type = object({
    certificate     = object({ secret_id = string, vault_id = string })
    host_name       = string
    public_address  = optional(bool, false)
    source_prefixes = optional(list(string), ["VirtualNetwork"])
  })
  default = null

  validation {
    condition     = var.edge == null || !var.public_network_access_enabled
    error_message = "The edge stands in front of a private estate: leave edge out, or set public_network_access_enabled = false."
  }
  validation {
    condition     = var.edge == null || can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.edge.host_name))
    error_message = "The edge's host_name is the name that people type, such as chat.contoso.com."
  }
}

variable "entra" {
  description = "Who signs in: the tenant, the groups that hold each role, whom people without a role ask, and optionally Entra applications made by someone else."
  type = object({
    client_ids   = optional(map(string))
    contact      = string
    owners       = optional(set(string), [])
    role_members = optional(object({ admin = optional(set(string), []), user = optional(set(string), []) }), {})
    tenant_id    = string
  })

  validation {
    condition     = can(regex("^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$", var.entra.tenant_id))
    error_message = "tenant_id is a GUID in lower case: az account show --query tenantId."
  }
}

variable "location" {
  description = "Region of everything but OpenAI accounts elsewhere."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]+$", var.location))
    error_message = "A region is written in lower case without spaces, such as westeurope."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 90
}

variable "model_accounts" {
  description = "Azure OpenAI accounts by name: region, turn, and deployments by name."
  type = map(object({
    location = string
    priority = optional(number, 1)
    deployments = map(object({
      capacity = optional(number, 50)
      model    = string
      sku      = optional(string, "DataZoneStandard")
      version  = optional(string)
    }))
  }))
}

variable "network" {
  description = "The virtual network that is made, or an existing one by id; read while public_network_access_enabled is false."
  type = object({
    address_space         = optional(string, "10.20.0.0/22")
    central_zone_ids      = optional(map(string))
    dns_servers           = optional(list(string))
    egress_route_table_id = optional(string)
    existing              = optional(object({ location = optional(string), subnet_ids = map(string) }))
    private_link_scope_id = optional(string)
    resolver              = optional(object({}))
    subnet_overrides      = optional(map(string), {})
    user_address_prefixes = optional(list(string), [])
    zones_by_policy       = optional(bool, false)
  })
  default = {}

  validation {
    condition     = var.network.existing == null || length(setsubtract(setunion(["applications", "endpoints"], local.subnets_in_use), try(keys(var.network.existing.subnet_ids), []))) == 0
    error_message = "An existing network needs the ids of these subnets: ${join(", ", setunion(["applications", "endpoints"], local.subnets_in_use))}."
  }
  validation {
    condition     = var.network.existing == null || var.network.zones_by_policy || var.network.central_zone_ids != null
    error_message = "An existing network needs central_zone_ids, or zones_by_policy = true where an Azure Policy attaches the zones."
  }
  validation {
    condition     = var.network.central_zone_ids == null || var.network.zones_by_policy || length(setsubtract(flatten(values(local.cloud.zones)), try(keys(var.network.central_zone_ids), []))) == 0
    error_message = "central_zone_ids lacks ${join(", ", setsubtract(flatten(values(local.cloud.zones)), try(keys(var.network.central_zone_ids), [])))}."
  }
  validation {
    condition     = var.network.existing == null || var.network.resolver == null
    error_message = "A resolver belongs to the network that is made here; in an existing network its owner resolves."
  }
}

variable "operations" {
  description = "Ways in for people and pipelines, and policy that keeps the estate closed; each null by default."
  type = object({
    bastion      = optional(object({ public_address = optional(bool, false), sku = optional(string, "Premium") }))
    jump_machine = optional(object({ administrators = set(string), shutdown_at = optional(string, "1900"), size = optional(string, "Standard_D2s_v5"), ssh_public_key = string, time_zone = optional(string, "UTC") }))
    policy       = optional(object({ enforce = optional(bool, true) }))
    runner = optional(object({
      github_hosted = optional(object({ organization_id = optional(string) }))
      machine       = optional(object({ organization = optional(string), package_sha256 = string, package_version = string, size = optional(string, "Standard_D2s_v5"), ssh_public_key = string }))
    }))
  })
  default = {}

  validation {
    condition     = !var.public_network_access_enabled || alltrue([var.operations.bastion == null, var.operations.jump_machine == null, var.operations.runner == null])
    error_message = "Bastion, jump machine and runner stand in the private network: leave them out, or set public_network_access_enabled = false."
  }
  validation {
    condition     = var.operations.runner == null || try((var.operations.runner.github_hosted == null) != (var.operations.runner.machine == null), false)
    error_message = "A runner is either github_hosted or a machine: write one of the two."
  }
  validation {
    condition     = try(var.operations.runner.github_hosted, null) == null || can(regex("^[0-9]+$", var.operations.runner.github_hosted.organization_id))
    error_message = "A GitHub-hosted runner needs organization_id, the number of a Team or Enterprise organisation: gh api graphql -f query='{organization(login:\"NAME\"){databaseId}}'."
  }
  validation {
    condition     = try(var.operations.runner.machine, null) == null || try(var.operations.runner.machine.organization != null && var.operations.runner.machine.organization != "", false)
    error_message = "A runner machine needs organization, the GitHub organisation that it works for."
  }
  validation {
    condition     = try(var.operations.runner.github_hosted, null) == null || local.cloud.github_network
    error_message = "GitHub-hosted runners reach no network in this cloud: write runner = { machine = { … } }."
  }
}

variable "plan" {
  description = "Size of the App Service plan and how many workers it has."
  type        = object({ sku = optional(string, "P0v3"), workers = optional(number, 2) })
  default     = {}
}

variable "prefix" {
  description = "What every name begins with: the estate's own name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,11}$", var.prefix)) && !endswith(var.prefix, "-") && !strcontains(var.prefix, "--")
    error_message = "The prefix is 2 to 12 lower-case letters, digits and single hyphens, beginning with a letter: Key Vault and storage names take no more once prefixed."
  }
}

variable "public_network_access_enabled" {
  description = "false: every service in a virtual network, behind private endpoints, resolved by private DNS. true: the same estate reachable from address_allow_list, for a trial."
  type        = bool
  default     = false
}

variable "seals" {
  description = "Days that seals of the audit cannot be changed or deleted, and whether that can no longer be shortened."
  type        = object({ locked = optional(bool, false), retention_days = optional(number, 365) })
  default     = {}
}

variable "subscription_id" {
  description = "The subscription that the estate stands in."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$", var.subscription_id))
    error_message = "subscription_id is a GUID in lower case: az account show --query id."
  }
}

variable "tags" {
  description = "Tags of every resource, added to our own."
  type        = map(string)
  default     = {}
}

variable "zone_redundant" {
  description = "Whether services span availability zones; false where a region has none."
  type        = bool
  default     = true
}
