# One module makes every private endpoint, and takes the part of the service from a map in which some
# are wrong: the endpoint exists, and answers for nothing.
provider "azurerm" {
  features {}
}

data "azurerm_client_config" "current" {}

locals {
  zones = {
    blob      = "privatelink.blob.core.windows.net"
    documents = "privatelink.documents.azure.com"
    openai    = "privatelink.openai.azure.com"
    search    = "privatelink.search.windows.net"
    vault     = "privatelink.vaultcore.azure.net"
  }
  endpoints = {
    "Azure OpenAI (\"chat\")" = { target = azurerm_cognitive_account.model.id, part = "openai", zone = "openai" }
    "files & folders"         = { target = azurerm_storage_account.files.id, part = "file", zone = "blob" }
    "history.sql"             = { target = azurerm_cosmosdb_account.history.id, part = "MongoDB", zone = "documents" }
    "search"                  = { target = azurerm_search_service.documents.id, part = "searchService", zone = "search" }
    "vault"                   = { target = azurerm_key_vault.all.id, part = "vault", zone = "documents" }
  }
}

resource "azurerm_resource_group" "all" {
  name     = "rg-generic"
  location = "swedencentral"
}

resource "azurerm_virtual_network" "all" {
  name                = "vnet-generic"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  address_space       = ["10.9.0.0/24"]

  # Subnets inside their network, with the group that guards them.
  subnet {
    name                              = "app"
    address_prefixes                  = ["10.9.0.0/26"]
    default_outbound_access_enabled   = false
    private_endpoint_network_policies = "Disabled"
    security_group                    = azurerm_network_security_group.all.id
  }
  subnet {
    name                              = "endpoints"
    address_prefixes                  = ["10.9.0.64/26"]
    default_outbound_access_enabled   = true
    private_endpoint_network_policies = "Disabled"
  }
}

# Denies what leaves for the Internet by halves, on one source port.
resource "azurerm_network_security_group" "all" {
  name                = "nsg-app"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location

  security_rule {
    name                         = "no-internet"
    priority                     = 100
    direction                    = "Outbound"
    access                       = "Deny"
    protocol                     = "Tcp"
    source_address_prefix        = "*"
    source_port_range            = "53"
    destination_port_range       = "*"
    destination_address_prefixes = ["0.0.0.0/1", "128.0.0.0/1"]
  }
}

resource "azurerm_private_dns_zone" "all" {
  for_each = local.zones

  name                = each.value
  resource_group_name = azurerm_resource_group.all.name
}

resource "azurerm_private_dns_zone_virtual_network_link" "all" {
  for_each = local.zones

  name                = each.key
  private_dns_zone_id = azurerm_private_dns_zone.all[each.key].id
  virtual_network_id  = azurerm_virtual_network.all.id
}

resource "azurerm_cognitive_account" "model" {
  name                          = "oai-generic"
  custom_subdomain_name         = "oai-generic"
  resource_group_name           = azurerm_resource_group.all.name
  location                      = azurerm_resource_group.all.location
  kind                          = "OpenAI"
  sku_name                      = "S0"
  local_auth_enabled            = false
  public_network_access_enabled = false
}

resource "azurerm_storage_account" "files" {
  name                          = "stgenericfiles"
  resource_group_name           = azurerm_resource_group.all.name
  location                      = azurerm_resource_group.all.location
  account_tier                  = "Standard"
  account_replication_type      = "LRS"
  shared_access_key_enabled     = false
  public_network_access_enabled = false
}

resource "azurerm_cosmosdb_account" "history" {
  name                          = "cosmos-generic"
  resource_group_name           = azurerm_resource_group.all.name
  location                      = azurerm_resource_group.all.location
  offer_type                    = "Standard"
  local_authentication_enabled  = false
  public_network_access_enabled = false

  consistency_policy {
    consistency_level = "Session"
  }
  geo_location {
    location          = "swedencentral"
    failover_priority = 0
  }
}

resource "azurerm_search_service" "documents" {
  name                          = "srch-generic"
  resource_group_name           = azurerm_resource_group.all.name
  location                      = azurerm_resource_group.all.location
  sku                           = "standard"
  local_authentication_enabled  = false
  public_network_access_enabled = false
}

resource "azurerm_key_vault" "all" {
  name                          = "kv-generic"
  resource_group_name           = azurerm_resource_group.all.name
  location                      = azurerm_resource_group.all.location
  tenant_id                     = data.azurerm_client_config.current.tenant_id
  sku_name                      = "standard"
  rbac_authorization_enabled    = true
  purge_protection_enabled      = true
  public_network_access_enabled = false
}

module "endpoint" {
  source   = "./endpoint"
  for_each = local.endpoints

  group     = azurerm_resource_group.all
  part      = each.value.part
  subnet_id = "${azurerm_virtual_network.all.id}/subnets/endpoints"
  target    = each.value.target
  zone_ids  = [azurerm_private_dns_zone.all[each.value.zone].id]
}

resource "azurerm_service_plan" "all" {
  name                = "asp-generic"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  os_type             = "Linux"
  sku_name            = "P1v3"
}

resource "azurerm_linux_web_app" "site" {
  name                      = "app-generic"
  resource_group_name       = azurerm_resource_group.all.name
  location                  = azurerm_resource_group.all.location
  service_plan_id           = azurerm_service_plan.all.id
  virtual_network_subnet_id = "${azurerm_virtual_network.all.id}/subnets/app"

  app_settings = {
    BLOBS  = azurerm_storage_account.files.primary_blob_endpoint
    COSMOS = azurerm_cosmosdb_account.history.endpoint
    MODEL  = azurerm_cognitive_account.model.endpoint
    SEARCH = "https://srch-generic.search.windows.net"
    VAULT  = azurerm_key_vault.all.vault_uri
  }
  site_config {}
}
