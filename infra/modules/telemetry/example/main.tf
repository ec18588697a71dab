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

module "telemetry" {
  source = "./.."

  contacts            = { security = "security@contoso.com" }
  location            = azurerm_resource_group.this.location
  prefix              = "chat"
  resource_group_name = azurerm_resource_group.this.name
  private_network = {
    location  = "swedencentral"
    subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-network/providers/Microsoft.Network/virtualNetworks/vnet/subnets/endpoints"
    zone_ids = {
      monitor = ["/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-network/providers/Microsoft.Network/privateDnsZones/privatelink.monitor.azure.com"]
    }
  }
  subscription_id            = "00000000-0000-0000-0000-000000000000"
  suffix                     = "abcde"
  watched_resource_group_ids = [azurerm_resource_group.this.id]
}
