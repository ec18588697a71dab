# A door for people without VPN: Application Gateway with a web application firewall in front of the
# private web application.
terraform {
  required_version = ">= 1.11"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }
  }
}
