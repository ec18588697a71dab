variable "address_allow_list" {
  description = "Public addresses (CIDR) that may reach the web application beside the private network; empty closes the door to the Internet."
  type        = set(string)
  default     = []
}

variable "applications_subnet_id" {
  description = "Subnet that the applications reach out through."
  type        = string
}

variable "client_ids" {
  description = "Client ids of the Entra applications by slot."
  type        = map(string)
}

variable "diagnostics" {
  description = "Where logs and metrics go."
  type        = object({ workspace_id = string })
}

variable "host_storage_account_name" {
  description = "Name of the function host's storage account."
  type        = string
}

variable "identities" {
  description = "Managed identities by application and slot, such as web-production."
  type        = map(object({ client_id = string, id = string, principal_id = string }))
}

variable "location" {
  description = "Region."
  type        = string
}

variable "names" {
  description = "Globally unique names of the two applications."
  type        = object({ functions = string, web = string })
}

variable "plan" {
  description = "Size of the App Service plan and how many workers it has."
  type        = object({ sku = optional(string, "P0v3"), workers = optional(number, 2) })
  default     = {}

  validation {
    condition     = can(regex("^P[0-9]m?v[34]$", var.plan.sku))
    error_message = "The plan is a Premium v3 or v4, such as P0v3: other plans lack slots, private endpoints or network integration."
  }
  validation {
    condition     = var.plan.workers >= 2 && var.plan.workers <= 30 && floor(var.plan.workers) == var.plan.workers
    error_message = "The plan needs at least 2 workers, so that one may fail, and takes no more than 30."
  }
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

variable "python_version" {
  description = "Version of Python that both applications run on."
  type        = string
  default     = "3.13"
}

variable "resource_group_name" {
  description = "The application resource group."
  type        = string
}

variable "settings" {
  description = "Settings by application and slot; tables/settings.json names them."
  type = object({
    functions = map(map(string))
    web       = map(map(string))
  })
}

variable "settings_table" {
  description = "What tables/settings.json says of each setting."
  type        = map(object({ apps = list(string), source = string, sticky = bool }))
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}

variable "tenant_auth_endpoint" {
  description = "Issuer that the function app believes."
  type        = string
}

variable "timers" {
  description = "Names of the functions that run on a timer; disabled in staging."
  type        = set(string)
}

variable "web_addresses" {
  description = "Addresses that the web application's endpoints take, by slot; empty leaves them to Azure."
  type        = map(string)
  default     = {}
}

variable "web_command" {
  description = "What starts the web application."
  type        = string
  default     = "python -m secure_openai.cli serve"
}

variable "zone_redundant" {
  description = "Whether workers stand in several availability zones."
  type        = bool
  default     = true
}
