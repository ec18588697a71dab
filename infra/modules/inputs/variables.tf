variable "cloud" {
  description = "What tables/clouds.json says of the cloud."
  type        = object({ github_network = bool, zones = map(list(string)) })
}

variable "content_filter" {
  description = "From which severity on harm is stopped in prompts and answers: Low, Medium or High."
  type        = object({ severity = optional(string, "Low") })
  default     = {}
  nullable    = false
}

variable "cosmos" {
  description = "Regions that Cosmos DB fails over to, and its largest request units a second by slot."
  type = object({
    failover_locations = optional(list(string), [])
    throughput         = optional(object({ production = optional(number, 4000), staging = optional(number, 1000) }), {})
  })
  default  = {}
  nullable = false
}

variable "customer_managed_key" {
  description = "The key that encrypts what is kept, and the identity that may use it; null lets Microsoft manage keys."
  type = object({
    identity_client_id = optional(string)
    identity_id        = optional(string)
    key_id             = optional(string)
  })
  default = null

  validation {
    condition     = var.customer_managed_key == null || try(alltrue([for one in values(var.customer_managed_key) : one != null]), false)
    error_message = "A customer-managed key needs key_id, identity_id and identity_client_id: bootstrap's output for_estate holds all three."
  }
  validation {
    condition     = try(var.customer_managed_key.key_id, null) == null || can(regex("^https://[^/]+/keys/[^/]+/?$", var.customer_managed_key.key_id))
    error_message = "key_id is the key's id without a version, https://VAULT.vault.azure.net/keys/NAME: with a version, the key could never be renewed."
  }
  validation {
    condition     = try(var.customer_managed_key.identity_id, null) == null || can(regex("${local._group}/Microsoft\\.ManagedIdentity/userAssignedIdentities/[^/]+$", var.customer_managed_key.identity_id))
    error_message = "identity_id is a resource id: /subscriptions/…/resourceGroups/…/providers/Microsoft.ManagedIdentity/userAssignedIdentities/NAME."
  }
  validation {
    condition     = try(var.customer_managed_key.identity_client_id, null) == null || can(regex(local._guid, var.customer_managed_key.identity_client_id))
    error_message = "identity_client_id is a GUID in lower case: az identity show --query clientId."
  }
}

variable "edge" {
  description = "An Application Gateway with a web application firewall in front of the web application; null leaves users to VPN or Bastion."
  type = object({
    certificate     = object({ secret_id = string, vault_id = string })
    host_name       = string
    private_address = optional(string)
    public_address  = optional(bool, false)
    source_prefixes = optional(list(string), [])
  })
  default = null

  validation {
    condition     = var.edge == null || !var.public_network_access_enabled
    error_message = "The edge stands in front of a private estate: leave edge out, or set public_network_access_enabled = false."
  }
  validation {
    condition     = var.edge == null || can(regex("^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$", var.edge.host_name))
    error_message = "The edge's host_name is the name that people type, such as chat.contoso.com: lower case, without https:// and without a path."
  }
  validation {
    condition     = var.edge == null || can(regex("${local._group}/Microsoft\\.KeyVault/vaults/[^/]+$", var.edge.certificate.vault_id))
    error_message = "The edge's certificate.vault_id is a resource id: /subscriptions/…/resourceGroups/…/providers/Microsoft.KeyVault/vaults/NAME."
  }
  validation {
    condition     = var.edge == null || !try(var.edge.public_address, false) || length(try(var.edge.source_prefixes, [])) > 0
    error_message = "An edge with a public address lets nobody in until source_prefixes says whom: address ranges, or [\"Internet\"] for everybody."
  }
  validation {
    condition     = var.edge == null || try(var.edge.public_address, false) || !contains(try(var.edge.source_prefixes, []), "Internet")
    error_message = "Nobody comes from the Internet to an edge without a public address: set public_address = true, or name ranges of your own networks."
  }
}

variable "entra" {
  description = "Who signs in: the tenant, whom people without a role ask, optionally the groups that hold each role, and Entra applications made by someone else."
  type = object({
    client_ids   = optional(map(string))
    contact      = string
    role_members = optional(object({ admin = optional(set(string), []), user = optional(set(string), []) }), {})
    tenant_id    = string
  })

  validation {
    condition     = can(regex(local._guid, var.entra.tenant_id))
    error_message = "tenant_id is a GUID in lower case: az account show --query tenantId."
  }
  validation {
    condition     = var.entra.client_ids == null || try(alltrue([for id in values(var.entra.client_ids) : can(regex(local._guid, id))]), false)
    error_message = "entra.client_ids are client ids, GUIDs in lower case, not names: az ad app list --display-name NAME --query [].appId."
  }
  validation {
    condition     = var.entra.client_ids == null || try(length(distinct(values(var.entra.client_ids))) == length(var.entra.client_ids), false)
    error_message = "Each slot has an Entra application of its own in entra.client_ids: with one for both, a release candidate could sign in as production."
  }
  validation {
    condition     = var.entra.client_ids == null || length(setunion(var.entra.role_members.admin, var.entra.role_members.user)) == 0
    error_message = "Whoever made the Entra applications assigns groups to them: leave entra.role_members out where entra.client_ids is given."
  }
  validation {
    condition     = alltrue([for id in setunion(var.entra.role_members.admin, var.entra.role_members.user) : can(regex(local._guid, id))])
    error_message = "entra.role_members are object ids of groups, GUIDs in lower case, not names: az ad group show --group NAME --query id."
  }
  validation {
    condition     = can(regex("^[^\\r\\n<>]{1,200}$", var.entra.contact))
    error_message = "entra.contact is one line of up to 200 characters, such as \"the service desk (servicedesk@contoso.com)\": people without a role are shown it."
  }
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
  description = "The virtual network that is made, or an existing one by id."
  type = object({
    address_space                  = optional(string, "10.20.0.0/22")
    administrator_address_prefixes = optional(list(string), [])
    central_zone_ids               = optional(map(string))
    dns_servers                    = optional(list(string))
    egress_route_table_id          = optional(string)
    existing                       = optional(object({ location = optional(string), subnet_ids = map(string) }))
    private_link_scope_id          = optional(string)
    resolver                       = optional(object({}))
    subnet_overrides               = optional(map(string), {})
    user_address_prefixes          = optional(list(string), [])
    zones_by_policy                = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.network.existing == null || length(setsubtract(local._needed_subnets, try(keys(var.network.existing.subnet_ids), []))) == 0
    error_message = "An existing network needs the ids of these subnets: ${join(", ", local._needed_subnets)}."
  }
  validation {
    condition     = var.network.existing == null || try(alltrue([for id in values(var.network.existing.subnet_ids) : can(regex("${local._group}/Microsoft\\.Network/virtualNetworks/[^/]+/subnets/[^/]+$", id))]), false)
    error_message = "network.existing.subnet_ids are resource ids: /subscriptions/…/resourceGroups/…/providers/Microsoft.Network/virtualNetworks/NAME/subnets/NAME."
  }
  validation {
    condition     = var.network.existing == null || var.network.zones_by_policy || var.network.central_zone_ids != null
    error_message = "An existing network needs central_zone_ids, or zones_by_policy = true where an Azure Policy attaches the zones."
  }
  validation {
    condition     = var.network.central_zone_ids == null || !var.network.zones_by_policy
    error_message = "Zones are attached by an Azure Policy (zones_by_policy) or named here (central_zone_ids): write one of the two."
  }
  validation {
    condition     = var.network.central_zone_ids == null || length(setsubtract(local._zones, try(keys(var.network.central_zone_ids), []))) == 0
    error_message = "central_zone_ids lacks ${join(", ", setsubtract(local._zones, try(keys(var.network.central_zone_ids), [])))}."
  }
  validation {
    condition     = var.network.central_zone_ids == null || try(alltrue([for name, id in var.network.central_zone_ids : can(regex("${local._group}/Microsoft\\.Network/privateDnsZones/[^/]+$", id)) && lower(basename(id)) == lower(name)]), false)
    error_message = "Each of central_zone_ids is the id of the zone that it is named after: \"NAME\" = \"/subscriptions/…/resourceGroups/…/providers/Microsoft.Network/privateDnsZones/NAME\"."
  }
  validation {
    condition     = var.network.existing == null || var.network.resolver == null
    error_message = "A resolver belongs to the network that is made here; in an existing network its owner resolves."
  }
  validation {
    condition = var.network.existing == null || alltrue([
      var.network.dns_servers == null, var.network.egress_route_table_id == null,
      length(var.network.subnet_overrides) == 0, length(var.network.user_address_prefixes) == 0,
      length(var.network.administrator_address_prefixes) == 0,
    ])
    error_message = "administrator_address_prefixes, dns_servers, egress_route_table_id, subnet_overrides and user_address_prefixes are of the network that is made here: in an existing one its owner decides them, so leave them out."
  }
  validation {
    condition     = var.network.existing != null || var.operations.bastion != null || alltrue([var.operations.jump_machine == null, try(var.operations.runner.machine, null) == null])
    error_message = "A jump machine and a runner machine are reached through Bastion only, also to register the runner: write operations.bastion too."
  }
  validation {
    condition     = var.network.existing == null || var.edge == null || try(var.edge.public_address, false) || try(var.edge.private_address, null) != null
    error_message = "In an existing network an edge without a public address needs private_address, a free address of the gateway's subnet."
  }
}

variable "operations" {
  description = "Ways in for people and pipelines, and policy that keeps the estate closed; each null by default."
  type = object({
    bastion = optional(object({
      public_address  = optional(bool, false)
      sku             = optional(string, "Premium")
      source_prefixes = optional(list(string), [])
    }))
    jump_machine = optional(object({
      administrators = set(string)
      shutdown_at    = optional(string, "1900")
      size           = optional(string, "Standard_D2s_v5")
      ssh_public_key = string
      time_zone      = optional(string, "UTC")
    }))
    policy = optional(object({ enforce = optional(bool, true) }))
    runner = optional(object({
      github_hosted = optional(object({ organization_id = optional(string) }))
      machine = optional(object({
        group           = optional(string, "default")
        organization    = optional(string)
        package_sha256  = string
        package_version = string
        size            = optional(string, "Standard_D2s_v5")
        ssh_public_key  = string
      }))
    }))
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.operations.runner == null || try((var.operations.runner.github_hosted == null) != (var.operations.runner.machine == null), false)
    error_message = "A runner is either github_hosted or a machine: write one of the two."
  }
  validation {
    condition     = try(var.operations.runner.github_hosted, null) == null || can(regex("^[0-9]+$", var.operations.runner.github_hosted.organization_id))
    error_message = "A GitHub-hosted runner needs organization_id, the number of a Team or Enterprise organisation: gh api graphql -f query='{organization(login:\"NAME\"){databaseId}}'."
  }
  validation {
    condition     = try(var.operations.runner.machine, null) == null || can(regex("^[A-Za-z0-9](-?[A-Za-z0-9]){0,38}$", var.operations.runner.machine.organization))
    error_message = "A runner machine needs organization, the GitHub organisation that it works for, as it stands in github.com/ORGANIZATION."
  }
  validation {
    condition     = try(var.operations.runner.github_hosted, null) == null || var.cloud.github_network
    error_message = "GitHub-hosted runners reach no network in this cloud: write runner = { machine = { … } }."
  }
}

variable "plan" {
  description = "Size of the App Service plan and how many workers it has."
  type        = object({ sku = optional(string, "P0v3"), workers = optional(number, 2) })
  default     = {}
  nullable    = false
}

variable "public_network_access_enabled" {
  description = "Whether the estate is a trial that can be reached from listed addresses."
  type        = bool
  default     = false
}

variable "seals" {
  description = "Days that seals of the audit cannot be changed or deleted, and whether that can no longer be shortened."
  type        = object({ locked = optional(bool, false), retention_days = optional(number, 365) })
  default     = {}
  nullable    = false
}
