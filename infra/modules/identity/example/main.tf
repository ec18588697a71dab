terraform {
  required_version = ">= 1.11"

  required_providers {
    azuread = {
      source  = "hashicorp/azuread"
      version = "~> 3.9"
    }
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

module "identity" {
  source = "./.."

  authority           = "https://login.microsoftonline.com"
  federation_audience = "api://AzureADTokenExchange"
  location            = azurerm_resource_group.this.location
  prefix              = "chat"
  resource_group_name = azurerm_resource_group.this.name
  public_urls = {
    production = "https://chat.contoso.com"
    staging    = "https://chat-staging.contoso.com"
  }
  role_members = { user = ["33333333-3333-3333-3333-333333333333"] }
  tenant_id    = "11111111-1111-1111-1111-111111111111"
}
