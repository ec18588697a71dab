# Objects are taken as they were written; their types, defaults and rules stand in
# modules/inputs/variables.tf, and what is misspelt in them is refused (inputs.tf).

variable "address_allow_list" {
  description = "Public addresses (CIDR) that may reach the estate while public_network_access_enabled is true."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.address_allow_list : can(cidrnetmask(cidr)) && try(tonumber(split("/", cidr)[1]) >= 8, false)])
    error_message = "Each address is an IPv4 range of /8 or smaller, such as 203.0.113.7/32; the whole Internet is not an allow-list."
  }
  validation {
    condition     = alltrue([for cidr in var.address_allow_list : try(cidrhost(cidr, 0) == split("/", cidr)[0], true)])
    error_message = "A range is named after its first address: ${join(", ", [for cidr in var.address_allow_list : "write ${try(cidrhost(cidr, 0), "")}/${try(split("/", cidr)[1], "")} instead of ${cidr}" if try(cidrhost(cidr, 0) != split("/", cidr)[0], false)])}."
  }
  validation {
    condition     = alltrue([for cidr in var.address_allow_list : !endswith(cidr, "/31")])
    error_message = "Storage takes no range of /31: write its two addresses with /32."
  }
  validation {
    condition     = alltrue([for cidr in var.address_allow_list : !can(regex("^(10|127|169\\.254|172\\.(1[6-9]|2[0-9]|3[01])|192\\.168|100\\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7]))\\.", cidr))])
    error_message = "Nobody comes from the Internet with a private address: name the public address that your network shows (curl https://api.ipify.org), or network.user_address_prefixes."
  }
  # 0.0.0.0 is how Cosmos DB writes "every customer of Azure"; from 224 on nobody has an address.
  validation {
    condition     = alltrue([for cidr in var.address_allow_list : !can(regex("^(0|22[4-9]|2[3-5][0-9])\\.", cidr))])
    error_message = "No one comes from an address that begins with 0, or with 224 and above; Cosmos DB takes 0.0.0.0 for every customer of Azure. Name the public address that your network shows (curl https://api.ipify.org)."
  }
  validation {
    condition     = var.public_network_access_enabled ? length(var.address_allow_list) > 0 : length(var.address_allow_list) == 0
    error_message = "With public_network_access_enabled = true, name the addresses that may come in; with false, nobody can, so leave the list empty."
  }
}

variable "appearance_file" {
  description = "The appearance file inside the web application's package, as a path from its root: name, logo, colours, notice and prompts of your own. null: everything looks as it ships."
  type        = string
  default     = null

  validation {
    condition     = var.appearance_file == null || can(regex("^([A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*\\.toml$", var.appearance_file))
    error_message = "appearance_file is where a TOML file lies in the package, from its root, such as appearance.toml: no leading slash, and no name in it begins with a dot."
  }
}

variable "application_owners" {
  description = "Object ids that own the Entra applications, from bootstrap: what the applying pipeline makes, it must own to change."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.application_owners : can(regex("^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$", id))])
    error_message = "Owners are object ids, GUIDs in lower case: bootstrap's output for_estate holds them."
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
  type        = any
  default     = {}
}

variable "cosmos" {
  description = "Regions that Cosmos DB fails over to, and its largest request units a second by slot."
  type        = any
  default     = {}
}

variable "customer_managed_key" {
  description = "The key that encrypts OpenAI, Cosmos DB, storage and disks, and the identity that may use it (from bootstrap); null lets Microsoft manage keys. Choose before the first apply: Cosmos DB cannot change its mind."
  type        = any
  default     = null
}

variable "deployment_manager_role_id" {
  description = "Id of bootstrap's custom role for managing deployments; null leaves deployments to Terraform."
  type        = string
  default     = null

  validation {
    condition     = var.deployment_manager_role_id == null || can(regex("^/subscriptions/[^/]+/providers/Microsoft\\.Authorization/roleDefinitions/[0-9a-f-]{36}$", var.deployment_manager_role_id))
    error_message = "deployment_manager_role_id is a role's id, not its name: /subscriptions/…/providers/Microsoft.Authorization/roleDefinitions/GUID, from bootstrap's output for_estate."
  }
}

variable "edge" {
  description = "An Application Gateway with a web application firewall in front of the private web application; null leaves users to VPN or Bastion."
  type        = any
  default     = null
}

variable "entra" {
  description = "Who signs in: the tenant, whom people without a role ask, optionally the groups that hold each role, and Entra applications made by someone else."
  type        = any
}

variable "geo_redundant" {
  description = "Whether storage keeps a copy in the paired region; false where a region has no pair."
  type        = bool
  default     = true
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
  type        = any
}

variable "network" {
  description = "The virtual network that is made, or an existing one by id."
  type        = any
  default     = {}
}

variable "operations" {
  description = "Ways in for people and pipelines, and policy that keeps the estate closed; each null by default."
  type        = any
  default     = {}
}

variable "plan" {
  description = "Size of the App Service plan and how many workers it has."
  type        = any
  default     = {}
}

variable "policy_file" {
  description = "The policy file inside both packages, as a path from their root: who may ask which deployment how much, and how long conversations are kept. null: the policy that ships with the application, which deletes nothing by age."
  type        = string
  default     = null

  validation {
    condition     = var.policy_file == null || can(regex("^([A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*\\.toml$", var.policy_file))
    error_message = "policy_file is where a TOML file lies in both packages, from their root, such as policy.toml: no leading slash, and no name in it begins with a dot."
  }
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
  description = "false: every service in a virtual network, behind private endpoints, resolved by private DNS, and nothing else reaches it. true: the same estate, reachable also from address_allow_list, for a trial."
  type        = bool
  default     = false
}

variable "seals" {
  description = "Days that seals of the audit cannot be changed or deleted, and whether that can no longer be shortened."
  type        = any
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

  validation {
    condition     = length(setintersection(keys(var.tags), ["application", "estate", "public-door"])) == 0
    error_message = "The tags application and estate are set here, and public-door would declare a door that does not exist: choose other names."
  }
}

variable "zone_redundant" {
  description = "Whether services span availability zones; false where a region has none."
  type        = bool
  default     = true
}
