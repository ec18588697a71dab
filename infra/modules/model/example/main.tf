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

module "model" {
  source = "./.."

  accounts = {
    main = {
      location    = "swedencentral"
      deployments = { chat = { model = "gpt-5.1" } }
    }
  }
  diagnostics  = { workspace_id = azurerm_log_analytics_workspace.this.id }
  model_domain = "openai.azure.com"
  models = {
    "gpt-5.1" = { retires = "2027-05-15", stage = "GA", version = "2025-11-13" }
  }
  prefix              = "chat"
  resource_group_name = azurerm_resource_group.this.name
  private_network = {
    location  = "swedencentral"
    subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-network/providers/Microsoft.Network/virtualNetworks/vnet/subnets/endpoints"
    zone_ids = {
      model = ["/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-network/providers/Microsoft.Network/privateDnsZones/privatelink.openai.azure.com"]
    }
  }
  suffix = "abcde"
}
