terraform {
  required_version = ">= 1.11"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }
  }
}

provider "azurerm" {
  subscription_id = "00000000-0000-0000-0000-000000000000"

  features {}
}

resource "azurerm_resource_group" "this" {
  name     = "rg-chat"
  location = "swedencentral"
}

resource "azurerm_log_analytics_workspace" "this" {
  name                = "log-chat"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
}

resource "azurerm_user_assigned_identity" "this" {
  for_each = toset(["functions-production", "functions-staging", "web-production", "web-staging"])

  name                = "id-${each.key}"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
}

module "app" {
  source = "./.."

  applications_subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-network/providers/Microsoft.Network/virtualNetworks/vnet/subnets/applications"
  client_ids = {
    production = "66666666-6666-6666-6666-666666666666"
    staging    = "77777777-7777-7777-7777-777777777777"
  }
  diagnostics               = { workspace_id = azurerm_log_analytics_workspace.this.id }
  host_storage_account_name = "stchathostabcde"
  identities                = azurerm_user_assigned_identity.this
  location                  = azurerm_resource_group.this.location
  prefix                    = "chat"
  resource_group_name       = azurerm_resource_group.this.name
  names                     = { functions = "func-chat-abcde", web = "app-chat-abcde" }
  private_network = {
    location  = "swedencentral"
    subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-network/providers/Microsoft.Network/virtualNetworks/vnet/subnets/endpoints"
    zone_ids = {
      sites = ["/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-network/providers/Microsoft.Network/privateDnsZones/privatelink.azurewebsites.net"]
    }
  }
  settings = {
    functions = { production = {}, staging = {} }
    web       = { production = { GREETING = "Hello" }, staging = { GREETING = "Hello" } }
  }
  settings_table       = { GREETING = { apps = ["web"], source = "app", sticky = false } }
  tenant_auth_endpoint = "https://login.microsoftonline.com/11111111-1111-1111-1111-111111111111/v2.0"
  timers               = ["seal"]
}
