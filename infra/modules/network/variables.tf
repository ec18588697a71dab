variable "address_space" {
  description = "Address space of the virtual network, /23 or larger."
  type        = string

  validation {
    condition     = can(cidrhost(var.address_space, 0)) && try(tonumber(split("/", var.address_space)[1]) <= 23, false)
    error_message = "The address space must be an IPv4 range of /23 or larger, because seven subnets are derived from it: write for example 10.20.0.0/22."
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
}

variable "egress_route_table_id" {
  description = "Route table that leads out through a firewall; null creates a NAT gateway."
  type        = string
  default     = null
}

variable "gateway_source_prefixes" {
  description = "Who may reach the Application Gateway: address ranges or service tags."
  type        = list(string)
  default     = []
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
    condition     = alltrue([for cidr in values(var.subnet_overrides) : can(cidrhost(cidr, 0))])
    error_message = "Each override must be an IPv4 range, such as 10.20.1.0/26."
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
  description = "Address ranges of people who come by VPN or from on premises; they may reach the endpoints and the resolver."
  type        = list(string)
  default     = []
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
