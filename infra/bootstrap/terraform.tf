terraform {
  required_version = ">= 1.11"

  required_providers {
    azapi = {
      source  = "azure/azapi"
      version = "~> 2.12"
    }
    azuread = {
      source  = "hashicorp/azuread"
      version = "~> 3.9"
    }
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }
    random = {
      source  = "hashicorp/random"
      version = "~> 3.9"
    }
  }
}

provider "azurerm" {
  environment                     = var.cloud
  resource_provider_registrations = "none"
  # Registered here, with an owner's rights; the estate registers nothing.
  resource_providers_to_register = concat(
    [
      "Microsoft.AlertsManagement", "Microsoft.CognitiveServices", "Microsoft.Compute", "Microsoft.Consumption",
      "Microsoft.DevTestLab", "Microsoft.DocumentDB", "Microsoft.Insights", "Microsoft.KeyVault",
      "Microsoft.ManagedIdentity", "Microsoft.Network", "Microsoft.OperationalInsights", "Microsoft.PolicyInsights",
      "Microsoft.Security", "Microsoft.Storage", "Microsoft.Web",
    ],
    var.github_network ? ["GitHub.Network"] : [],
  )
  storage_use_azuread = true
  subscription_id     = var.subscription_id
  tenant_id           = var.tenant_id

  features {
    key_vault {
      purge_soft_delete_on_destroy = false
    }
  }
}

provider "azuread" {
  environment = local.cloud.azuread_environment
  tenant_id   = var.tenant_id
}

provider "azapi" {
  environment     = var.cloud
  subscription_id = var.subscription_id
  tenant_id       = var.tenant_id
}
