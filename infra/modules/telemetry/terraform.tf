# What is observed: a workspace and Application Insights that take Entra ID only, a private link
# scope, and alerts on acts that weaken the estate.
terraform {
  required_version = ">= 1.11"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }
  }
}
