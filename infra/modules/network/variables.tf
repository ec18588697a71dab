variable "address_space" {
  description = "Address space of the virtual network, /23 or larger."
  type        = string

  validation {
    condition     = can(cidrnetmask(var.address_space)) && try(tonumber(split("/", var.address_space)[1]) <= 23, false)
    error_message = "The address space must be an IPv4 range of /23 or larger, because seven subnets are derived from it: write for example 10.20.0.0/22."
  }
  validation {
    condition     = try(cidrhost(var.address_space, 0) == split("/", var.address_space)[0], true)
    error_message = "An address space is named after its first address: write ${try(cidrhost(var.address_space, 0), "")}/${try(split("/", var.address_space)[1], "")} instead of ${var.address_space}."
  }
  validation {
    condition     = can(regex("^(10|172\\.(1[6-9]|2[0-9]|3[01])|192\\.168|100\\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7]))\\.", var.address_space))
    error_message = "The address space is a private one, of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10: with another, addresses of the Internet would lead into the network."
  }
}

variable "administrator_address_prefixes" {
  description = "Address ranges from which every endpoint may be reached, for whoever reads logs or asks models from a machine of his own."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.administrator_address_prefixes : can(cidrnetmask(one)) && try(cidrhost(one, 0) == split("/", one)[0] && tonumber(split("/", one)[1]) >= 8, false)])
    error_message = "administrator_address_prefixes are IPv4 ranges of your own networks, /8 or smaller, named after their first address, such as 192.168.7.0/24; no tag, and not everybody."
  }
}

variable "bastion_source_prefixes" {
  description = "Who may reach Bastion: address ranges, or Internet for everybody; empty lets in who is in the network or joined to it."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.bastion_source_prefixes : one == "Internet" || (can(cidrnetmask(one)) && try(cidrhost(one, 0) == split("/", one)[0], false) && !endswith(one, "/0"))])
    error_message = "operations.bastion.source_prefixes are IPv4 ranges named after their first address, such as 203.0.113.0/24, or Internet for everybody."
  }
}

variable "central_zone_ids" {
  description = "Ids of private DNS zones that someone else owns, by zone name; null creates the zones here."
  type        = map(string)
  default     = null
}

variable "diagnostics" {
  description = "Where logs and metrics go; null sends none."
  type        = object({ workspace_id = string })
  default     = null
}

variable "dns_servers" {
  description = "DNS servers of the virtual network; null uses Azure's own."
  type        = list(string)
  default     = null

  validation {
    condition     = var.dns_servers == null || try(length(var.dns_servers) > 0 && alltrue([for one in var.dns_servers : can(cidrnetmask("${one}/32"))]), false)
    error_message = "dns_servers are addresses without a length, such as 10.0.0.4; leave it out where Azure resolves."
  }
}

variable "egress_route_table_id" {
  description = "Route table that leads out through a firewall; null creates a NAT gateway."
  type        = string
  default     = null

  validation {
    condition     = var.egress_route_table_id == null || can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\\.Network/routeTables/[^/]+$", var.egress_route_table_id))
    error_message = "egress_route_table_id is a resource id: /subscriptions/…/resourceGroups/…/providers/Microsoft.Network/routeTables/NAME."
  }
}

variable "gateway_source_prefixes" {
  description = "Who may reach the Application Gateway: address ranges, or Internet for everybody; empty lets in who is in the network or joined to it."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.gateway_source_prefixes : contains(["Internet", "VirtualNetwork"], one) || (can(cidrnetmask(one)) && try(cidrhost(one, 0) == split("/", one)[0], false) && !endswith(one, "/0"))])
    error_message = "edge.source_prefixes are IPv4 ranges named after their first address, such as 203.0.113.0/24, VirtualNetwork for your own networks, or Internet for everybody."
  }
}

variable "github_hosted_runner" {
  description = "Whether the runner subnet is delegated to GitHub."
  type        = bool
  default     = false
}

variable "location" {
  description = "Region of the virtual network."
  type        = string
}

variable "optional_subnets" {
  description = "Which of administration, bastion, gateway, resolver and runner exist."
  type        = set(string)
  default     = []

  validation {
    condition     = length(setsubtract(var.optional_subnets, ["administration", "bastion", "gateway", "resolver", "runner"])) == 0
    error_message = "Optional subnets are administration, bastion, gateway, resolver and runner."
  }
}

variable "prefix" {
  description = "What every name begins with."
  type        = string
}

variable "resource_group_name" {
  description = "The networking resource group."
  type        = string
}

variable "subnet_overrides" {
  description = "Address ranges by subnet, where the derived ones do not suit."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for cidr in values(var.subnet_overrides) : can(cidrnetmask(cidr)) && try(cidrhost(cidr, 0) == split("/", cidr)[0], false)])
    error_message = "Each override must be an IPv4 range named after its first address, such as 10.20.1.0/26."
  }
  validation {
    condition     = alltrue([for name, longest in { bastion = 26, endpoints = 27, gateway = 27 } : try(tonumber(split("/", var.subnet_overrides[name])[1]) <= longest, true)])
    error_message = "An override is too small: Azure wants /26 or larger for bastion, and the estate needs /27 or larger for endpoints and gateway."
  }
  validation {
    condition     = alltrue([for cidr in values(var.subnet_overrides) : try(tonumber(split("/", cidr)[1]) <= 28, true)])
    error_message = "An override is too small: no subnet of the estate is smaller than /28."
  }
  validation {
    condition     = length(setsubtract(keys(var.subnet_overrides), ["administration", "applications", "bastion", "endpoints", "gateway", "resolver", "runner"])) == 0
    error_message = "Overrides name a subnet that does not exist: write administration, applications, bastion, endpoints, gateway, resolver or runner."
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}

variable "user_address_prefixes" {
  description = "Address ranges of people who come by VPN or from on premises; they may reach the web application and the resolver."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.user_address_prefixes : can(cidrnetmask(one)) && try(cidrhost(one, 0) == split("/", one)[0] && tonumber(split("/", one)[1]) >= 8, false)])
    error_message = "user_address_prefixes are IPv4 ranges of your own networks, /8 or smaller, named after their first address, such as 192.168.0.0/16; no tag, and not everybody."
  }
}

variable "zones" {
  description = "Names of the private DNS zones by service."
  type        = map(list(string))
}

variable "zones_by_policy" {
  description = "Whether an Azure Policy attaches zones to endpoints."
  type        = bool
  default     = false
}
