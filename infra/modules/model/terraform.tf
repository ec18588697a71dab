# The deployments that answer: Azure OpenAI accounts with pinned models and a content filter with
# prompt shields.
terraform {
  required_version = ">= 1.11"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }
  }
}
