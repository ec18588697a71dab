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

module "network" {
  source = "./.."

  address_space       = "10.20.0.0/22"
  location            = azurerm_resource_group.this.location
  optional_subnets    = ["bastion", "runner"]
  prefix              = "chat"
  resource_group_name = azurerm_resource_group.this.name
  zones = {
    blob  = ["privatelink.blob.core.windows.net"]
    vault = ["privatelink.vaultcore.azure.net"]
  }
}
