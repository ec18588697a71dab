# The virtual network: subnets derived from one address space, each with its own rules; private DNS
# zones, linked; a way out for what needs one; a resolver for people on premises.
terraform {
  required_version = ">= 1.11"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }
  }
}
