# What is kept: Cosmos DB, storage for the function host, storage with an immutable container for
# seals, and the vault with the key that signs them.
terraform {
  required_version = ">= 1.11"

  required_providers {
    azapi = {
      source  = "azure/azapi"
      version = "~> 2.12"
    }
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }
  }
}
