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

module "edge" {
  source = "./.."

  backend_host = "app-chat-abcde.azurewebsites.net"
  certificate = {
    secret_id = "https://kv-certificates.vault.azure.net/secrets/chat"
    vault_id  = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-certificates/providers/Microsoft.KeyVault/vaults/kv-certificates"
  }
  diagnostics         = { workspace_id = azurerm_log_analytics_workspace.this.id }
  host_name           = "chat.contoso.com"
  location            = azurerm_resource_group.this.location
  prefix              = "chat"
  private_address     = "10.20.1.10"
  resource_group_name = azurerm_resource_group.this.name
  subnet_id           = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-network/providers/Microsoft.Network/virtualNetworks/vnet/subnets/gateway"
}
