# API Management before a closed model: the gateway is public, and carries the account's key.
provider "azurerm" {
  features {}
}

locals {
  zones = ["privatelink.cognitiveservices.azure.com", "privatelink.openai.azure.com", "privatelink.services.ai.azure.com"]
}

resource "azurerm_resource_group" "all" {
  name     = "rg-gateway"
  location = "francecentral"
}

resource "azurerm_virtual_network" "all" {
  name                = "vnet-gateway"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  address_space       = ["10.4.0.0/24"]
}

resource "azurerm_subnet" "all" {
  for_each = { endpoints = "10.4.0.0/27", gateway = "10.4.0.32/27" }

  name                              = each.key
  resource_group_name               = azurerm_resource_group.all.name
  virtual_network_name              = azurerm_virtual_network.all.name
  address_prefixes                  = [each.value]
  default_outbound_access_enabled   = false
  private_endpoint_network_policies = "Enabled"
}

resource "azurerm_network_security_group" "all" {
  for_each = azurerm_subnet.all

  name                = "nsg-${each.key}"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
}

# The last two rules share a priority: which of them counts, nobody can say.
resource "azurerm_network_security_rule" "all" {
  for_each = {
    gateway = { group = "endpoints", priority = 100, access = "Allow", from = "10.4.0.32/27", ports = "443" }
    nobody  = { group = "endpoints", priority = 200, access = "Deny", from = "*", ports = "*" }
    people  = { group = "gateway", priority = 100, access = "Allow", from = "Internet", ports = "443" }
    control = { group = "gateway", priority = 110, access = "Allow", from = "ApiManagement", ports = "3443" }
    no_ssh  = { group = "gateway", priority = 120, access = "Deny", from = "*", ports = "22" }
    ssh     = { group = "gateway", priority = 120, access = "Allow", from = "*", ports = "22" }
  }

  name                        = each.key
  resource_group_name         = azurerm_resource_group.all.name
  network_security_group_name = azurerm_network_security_group.all[each.value.group].name
  priority                    = each.value.priority
  direction                   = "Inbound"
  access                      = each.value.access
  protocol                    = "Tcp"
  source_port_range           = "*"
  source_address_prefix       = each.value.from
  destination_port_range      = each.value.ports
  destination_address_prefix  = "*"
}

resource "azurerm_subnet_network_security_group_association" "all" {
  for_each = azurerm_subnet.all

  subnet_id                 = each.value.id
  network_security_group_id = azurerm_network_security_group.all[each.key].id
}

resource "azurerm_private_dns_zone" "all" {
  for_each = toset(local.zones)

  name                = each.key
  resource_group_name = azurerm_resource_group.all.name
}

resource "azurerm_private_dns_zone_virtual_network_link" "all" {
  for_each = azurerm_private_dns_zone.all

  name                = "all"
  private_dns_zone_id = each.value.id
  virtual_network_id  = azurerm_virtual_network.all.id
}

resource "azurerm_cognitive_account" "model" {
  name                               = "oai-gateway"
  custom_subdomain_name              = "oai-gateway"
  resource_group_name                = azurerm_resource_group.all.name
  location                           = azurerm_resource_group.all.location
  kind                               = "OpenAI"
  sku_name                           = "S0"
  outbound_network_access_restricted = true
  public_network_access_enabled      = false

  network_acls {
    default_action = "Deny"
  }
}

resource "azurerm_private_endpoint" "model" {
  name                = "pe-model"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  subnet_id           = azurerm_subnet.all["endpoints"].id

  private_service_connection {
    name                           = "model"
    is_manual_connection           = false
    private_connection_resource_id = azurerm_cognitive_account.model.id
    subresource_names              = ["account"]
  }
  private_dns_zone_group {
    name                 = "model"
    private_dns_zone_ids = [for zone in azurerm_private_dns_zone.all : zone.id]
  }
}

resource "azurerm_api_management" "all" {
  name                 = "apim-gateway"
  resource_group_name  = azurerm_resource_group.all.name
  location             = azurerm_resource_group.all.location
  publisher_name       = "Contoso"
  publisher_email      = "apis@contoso.com"
  sku_name             = "Developer_1"
  virtual_network_type = "External"

  identity {
    type = "SystemAssigned"
  }
  virtual_network_configuration {
    subnet_id = azurerm_subnet.all["gateway"].id
  }
}

resource "azurerm_api_management_named_value" "model" {
  name                = "model-key"
  display_name        = "model-key"
  resource_group_name = azurerm_resource_group.all.name
  api_management_name = azurerm_api_management.all.name
  secret              = true
  value               = azurerm_cognitive_account.model.primary_access_key
}

resource "azurerm_api_management_backend" "model" {
  name                = "model"
  resource_group_name = azurerm_resource_group.all.name
  api_management_name = azurerm_api_management.all.name
  protocol            = "http"
  url                 = "${azurerm_cognitive_account.model.endpoint}openai"
}
