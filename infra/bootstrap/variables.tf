variable "budget" {
  description = "Monthly amount in the subscription's currency, from the first of a month on; null sets none."
  type        = object({ monthly = number, start_date = string })
  default     = null

  validation {
    condition     = var.budget == null || can(regex("^[0-9]{4}-(0[1-9]|1[0-2])-01T00:00:00Z$", var.budget.start_date))
    error_message = "A budget starts on the first of a month: 2026-12-01T00:00:00Z."
  }
  validation {
    condition     = var.budget == null || try(var.budget.monthly > 0, false)
    error_message = "A budget is more than nothing: leave budget out to set none."
  }
}

variable "cloud" {
  description = "The Azure cloud: public or usgovernment."
  type        = string
  default     = "public"

  validation {
    condition     = contains(["public", "usgovernment"], var.cloud)
    error_message = "The cloud is public or usgovernment."
  }
}

variable "contact" {
  description = "Email address that Defender and the budget write to."
  type        = string

  validation {
    condition     = can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", var.contact))
    error_message = "The contact is one email address, such as security@contoso.com."
  }
}

variable "customer_managed_key" {
  description = "Makes a key of yours for the estate's data; rotate_after says how often it is renewed (ISO 8601, P1Y by default); null leaves keys to Microsoft."
  type        = any
  default     = null

  validation {
    condition     = var.customer_managed_key == null || length(setsubtract(try(keys(var.customer_managed_key), []), ["rotate_after"])) == 0
    error_message = "customer_managed_key has no ${join(", ", setsubtract(try(keys(var.customer_managed_key), []), ["rotate_after"]))}: it takes rotate_after."
  }
  validation {
    condition     = can(regex("^P([0-9]+Y|[0-9]+M|(2[89]|[3-9][0-9]|[0-9]{3,})D)$", try(var.customer_managed_key.rotate_after, "P1Y")))
    error_message = "rotate_after is a time of at least 28 days in ISO 8601, such as P1Y, P6M or P90D."
  }
}

variable "defender_plans" {
  description = "Microsoft Defender for Cloud plans to switch on; empty leaves the subscription as it is."
  type        = set(string)
  default     = ["AI", "AppServices", "Arm", "CosmosDbs", "KeyVaults", "StorageAccounts"]

  validation {
    condition     = length(setsubtract(var.defender_plans, local._defender_plans)) == 0
    error_message = "There is no Defender plan ${join(", ", setsubtract(var.defender_plans, local._defender_plans))}: write ${join(", ", local._defender_plans)}."
  }
}

variable "entra_applications" {
  description = "Whether the pipelines make the estate's Entra applications; false where someone else does (entra.client_ids of the estate)."
  type        = bool
  default     = true
}

variable "estate" {
  description = "What the estate says of itself once it exists: its output for_bootstrap, for the second apply. Locks, readers of packages and what planning refreshes come from it."
  type = object({
    lock_ids              = optional(map(string), {})
    package_readers       = optional(map(string), {})
    private_link_scope_id = optional(string)
    private_network       = optional(object({ blob_zone_id = optional(string), location = string, subnet_id = string }))
    resource_group_ids    = optional(map(string), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for id in values(var.estate.lock_ids) : startswith(id, "/subscriptions/")])
    error_message = "What is locked is named by its id, /subscriptions/…: the estate's output for_bootstrap holds them."
  }
  validation {
    condition     = alltrue([for id in values(var.estate.lock_ids) : !strcontains(lower(id), "/providers/microsoft.cognitiveservices/")])
    error_message = "An OpenAI account is never locked: a lock stops deployments from being changed."
  }
  validation {
    condition     = alltrue([for id in values(var.estate.package_readers) : can(regex(local._guid, id))])
    error_message = "Whoever reads packages is named by principal id, a GUID in lower case: the estate's output for_bootstrap holds them."
  }
}

variable "geo_redundant" {
  description = "Whether state and packages are kept in the paired region too; false where a region has no pair."
  type        = bool
  default     = true
}

variable "github_network" {
  description = "Whether GitHub-hosted runners will stand in the estate's network."
  type        = bool
  default     = false

  validation {
    condition     = !var.github_network || var.cloud == "public"
    error_message = "GitHub-hosted runners reach networks of the public cloud only."
  }
}

variable "location" {
  description = "Region."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]+$", var.location))
    error_message = "A region is written in lower case without spaces, such as westeurope."
  }
}

variable "log_workspace_id" {
  description = "Id of the Log Analytics workspace that keeps who touched state, packages and the key; null makes one here."
  type        = string
  default     = null

  validation {
    condition     = var.log_workspace_id == null || can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\\.OperationalInsights/workspaces/[^/]+$", var.log_workspace_id))
    error_message = "log_workspace_id is a resource id: /subscriptions/…/resourceGroups/…/providers/Microsoft.OperationalInsights/workspaces/NAME."
  }
}

variable "operators" {
  description = "Object ids of groups whose members may read and write the estate's state, to apply by hand; empty leaves that to the pipelines."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.operators : can(regex(local._guid, id))])
    error_message = "operators are object ids of groups, GUIDs in lower case, not names: az ad group show --group NAME --query id."
  }
}

variable "packages" {
  description = "Who reaches package storage, with Entra ID in any case: address_allow_list, or everybody for the reason public_because; neither closes it to the Internet. private is a subnet and blob zone to reach it through."
  type        = any

  validation {
    condition     = length(setsubtract(keys(var.packages), ["address_allow_list", "private", "public_because"])) == 0
    error_message = "packages has no ${join(", ", setsubtract(keys(var.packages), ["address_allow_list", "private", "public_because"]))}: it takes address_allow_list, private and public_because."
  }
  validation {
    condition     = length(setsubtract(try(keys(var.packages.private), []), ["blob_zone_id", "location", "subnet_id"])) == 0
    error_message = "packages.private has no ${join(", ", setsubtract(try(keys(var.packages.private), []), ["blob_zone_id", "location", "subnet_id"]))}: it takes blob_zone_id, location and subnet_id."
  }
  validation {
    condition     = anytrue([length(try(var.packages.address_allow_list, [])) > 0, try(var.packages.private, null) != null, try(var.packages.public_because, null) != null])
    error_message = "packages says who reaches package storage: write address_allow_list, public_because or private."
  }
  validation {
    condition     = length(try(var.packages.address_allow_list, [])) == 0 || try(var.packages.public_because, null) == null
    error_message = "packages is open to a list (address_allow_list) or to everybody (public_because): write one of the two."
  }
  validation {
    condition     = alltrue([for cidr in try(var.packages.address_allow_list, []) : can(cidrnetmask(cidr)) && try(cidrhost(cidr, 0) == split("/", cidr)[0] && tonumber(split("/", cidr)[1]) >= 8 && !endswith(cidr, "/31"), false) && !can(regex(local._nobodys, cidr))])
    error_message = "packages.address_allow_list are public IPv4 ranges named after their first address, of /8 or smaller and not /31, such as 203.0.113.0/24 or 203.0.113.7/32."
  }
  validation {
    condition     = try(var.packages.public_because, null) == null || can(regex("^.{10,256}$", var.packages.public_because))
    error_message = "packages.public_because is the reason, in 10 to 256 characters: the proof lists it."
  }
  validation {
    condition     = try(var.packages.private, null) == null || can(regex("(?i)/Microsoft\\.Network/virtualNetworks/[^/]+/subnets/[^/]+$", var.packages.private.subnet_id))
    error_message = "packages.private needs subnet_id, a resource id: /subscriptions/…/resourceGroups/…/providers/Microsoft.Network/virtualNetworks/NAME/subnets/NAME."
  }
}

variable "policy_assignments" {
  description = "Whether the applying pipeline may assign policies (operations.policy of the estate)."
  type        = bool
  default     = false
}

variable "prefix" {
  description = "The estate's own name, the same as the estate's prefix."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,11}$", var.prefix)) && !endswith(var.prefix, "-") && !strcontains(var.prefix, "--")
    error_message = "The prefix is 2 to 12 lower-case letters, digits and single hyphens, beginning with a letter."
  }
}

variable "repository" {
  description = "GitHub repository whose pipelines deploy, as OWNER/NAME."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "The repository is written OWNER/NAME, without wildcards."
  }
}

variable "state" {
  description = "Who reaches state storage, with Entra ID in any case: address_allow_list, or everybody for the reason public_because; neither closes it to the Internet. private is a subnet and blob zone to reach it through."
  type        = any

  validation {
    condition     = length(setsubtract(keys(var.state), ["address_allow_list", "private", "public_because"])) == 0
    error_message = "state has no ${join(", ", setsubtract(keys(var.state), ["address_allow_list", "private", "public_because"]))}: it takes address_allow_list, private and public_because."
  }
  validation {
    condition     = length(setsubtract(try(keys(var.state.private), []), ["blob_zone_id", "location", "subnet_id"])) == 0
    error_message = "state.private has no ${join(", ", setsubtract(try(keys(var.state.private), []), ["blob_zone_id", "location", "subnet_id"]))}: it takes blob_zone_id, location and subnet_id."
  }
  validation {
    condition     = anytrue([length(try(var.state.address_allow_list, [])) > 0, try(var.state.private, null) != null, try(var.state.public_because, null) != null])
    error_message = "state says who reaches Terraform's state: write address_allow_list, public_because or private."
  }
  validation {
    condition     = length(try(var.state.address_allow_list, [])) == 0 || try(var.state.public_because, null) == null
    error_message = "state is open to a list (address_allow_list) or to everybody (public_because): write one of the two."
  }
  validation {
    condition     = alltrue([for cidr in try(var.state.address_allow_list, []) : can(cidrnetmask(cidr)) && try(cidrhost(cidr, 0) == split("/", cidr)[0] && tonumber(split("/", cidr)[1]) >= 8 && !endswith(cidr, "/31"), false) && !can(regex(local._nobodys, cidr))])
    error_message = "state.address_allow_list are public IPv4 ranges named after their first address, of /8 or smaller and not /31, such as 203.0.113.0/24 or 203.0.113.7/32."
  }
  validation {
    condition     = try(var.state.public_because, null) == null || can(regex("^.{10,256}$", var.state.public_because))
    error_message = "state.public_because is the reason, in 10 to 256 characters: the proof lists it."
  }
  validation {
    condition     = try(var.state.private, null) == null || can(regex("(?i)/Microsoft\\.Network/virtualNetworks/[^/]+/subnets/[^/]+$", var.state.private.subnet_id))
    error_message = "state.private needs subnet_id, a resource id: /subscriptions/…/resourceGroups/…/providers/Microsoft.Network/virtualNetworks/NAME/subnets/NAME."
  }
}

variable "subscription_id" {
  description = "The subscription that the estate stands in."
  type        = string

  validation {
    condition     = can(regex(local._guid, var.subscription_id))
    error_message = "subscription_id is a GUID in lower case: az account show --query id."
  }
}

variable "tags" {
  description = "Tags of every resource, added to our own."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(setintersection(keys(var.tags), ["application", "estate", "public-door"])) == 0
    error_message = "The tags application, estate and public-door are set here: choose other names."
  }
}

variable "tenant_id" {
  description = "The subscription's tenant."
  type        = string

  validation {
    condition     = can(regex(local._guid, var.tenant_id))
    error_message = "tenant_id is a GUID in lower case: az account show --query tenantId."
  }
}

variable "zone_redundant" {
  description = "Whether state and packages are kept in several availability zones; false where a region has none."
  type        = bool
  default     = true
}
