terraform {
  required_version = ">= 1.11"

  # Where state is kept comes from bootstrap: terraform init -backend-config=backend.json
  backend "azurerm" {
    use_azuread_auth = true
    use_oidc         = true
  }

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
  resource_providers_to_register  = []
  resource_provider_registrations = "none"
  storage_use_azuread             = true
  subscription_id                 = var.subscription_id
  tenant_id                       = var.entra.tenant_id

  features {
    key_vault {
      purge_soft_delete_on_destroy = false
    }
    resource_group {
      prevent_deletion_if_contains_resources = true
    }
  }
}

provider "azuread" {
  environment = local.cloud.azuread_environment
  tenant_id   = var.entra.tenant_id
}

provider "azapi" {
  environment     = var.cloud
  subscription_id = var.subscription_id
  tenant_id       = var.entra.tenant_id
}
