# A private chat with a staging slot, whose names somebody wrote by hand: a zone of another cloud, a
# record named after the account, a deployment record of the slot that points at production.
provider "azurerm" {
  features {}
}

data "azurerm_client_config" "current" {}

locals {
  project = "contoso-gpt"
  zones = {
    cosmos = "privatelink.documents.azure.us"
    model  = "privatelink.openai.azure.com"
    sites  = "privatelink.azurewebsites.net"
  }
  endpoints = {
    cosmos = { target = azurerm_cosmosdb_account.history.id, part = "Sql" }
    model  = { target = azurerm_cognitive_account.model.id, part = "account" }
    site   = { target = azurerm_linux_web_app.chat.id, part = "sites" }
    slot   = { target = azurerm_linux_web_app.chat.id, part = "sites-qa" }
  }
  address = { for name, one in azurerm_private_endpoint.by_hand : name => one.private_service_connection[0].private_ip_address }
  records = {
    cosmos   = { zone = "cosmos", name = azurerm_cosmosdb_account.history.name, address = local.address["cosmos"] }
    model    = { zone = "model", name = azurerm_cognitive_account.model.name, address = local.address["model"] }
    site     = { zone = "sites", name = azurerm_linux_web_app.chat.name, address = local.address["site"] }
    site_scm = { zone = "sites", name = "${azurerm_linux_web_app.chat.name}.scm", address = local.address["site"] }
    slot     = { zone = "sites", name = "${azurerm_linux_web_app.chat.name}-qa", address = local.address["slot"] }
    slot_scm = { zone = "sites", name = "${azurerm_linux_web_app.chat.name}-qa.scm", address = local.address["site"] }
  }
  settings = {
    AZURE_OPENAI_ENDPOINT = azurerm_cognitive_account.model.endpoint
    COSMOS_ENDPOINT       = azurerm_cosmosdb_account.history.endpoint
  }
}

resource "azurerm_resource_group" "all" {
  name     = "rg-${local.project}"
  location = "eastus"
}

resource "azurerm_virtual_network" "all" {
  name                = "vnet-${local.project}"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  address_space       = ["10.20.0.0/16"]
}

resource "azurerm_subnet" "all" {
  for_each = { endpoints = "10.20.2.0/24", web = "10.20.1.0/24" }

  name                 = each.key
  resource_group_name  = azurerm_resource_group.all.name
  virtual_network_name = azurerm_virtual_network.all.name
  address_prefixes     = [each.value]
}

resource "azurerm_cognitive_account" "model" {
  name                          = "oai-${local.project}"
  custom_subdomain_name         = local.project
  resource_group_name           = azurerm_resource_group.all.name
  location                      = azurerm_resource_group.all.location
  kind                          = "OpenAI"
  sku_name                      = "S0"
  public_network_access_enabled = false
}

resource "azurerm_cognitive_deployment" "chat" {
  name                 = "chat"
  cognitive_account_id = azurerm_cognitive_account.model.id

  model {
    format = "OpenAI"
    name   = "gpt-4o"
  }
  sku {
    name = "Standard"
  }
}

resource "azurerm_cosmosdb_account" "history" {
  name                          = "cosmos-${local.project}"
  resource_group_name           = azurerm_resource_group.all.name
  location                      = azurerm_resource_group.all.location
  offer_type                    = "Standard"
  public_network_access_enabled = false

  consistency_policy {
    consistency_level = "Session"
  }
  geo_location {
    location          = "eastus"
    failover_priority = 0
  }
}

# Closed, and forgotten: no endpoint stands for it.
resource "azurerm_storage_account" "files" {
  name                          = "stcontosogptfiles"
  resource_group_name           = azurerm_resource_group.all.name
  location                      = azurerm_resource_group.all.location
  account_tier                  = "Standard"
  account_replication_type      = "LRS"
  public_network_access_enabled = false
}

resource "azurerm_service_plan" "all" {
  name                = "asp-${local.project}"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  os_type             = "Linux"
  sku_name            = "P1v3"
}

resource "azurerm_linux_web_app" "chat" {
  name                          = "app-${local.project}"
  resource_group_name           = azurerm_resource_group.all.name
  location                      = azurerm_resource_group.all.location
  service_plan_id               = azurerm_service_plan.all.id
  app_settings                  = local.settings
  public_network_access_enabled = false
  virtual_network_subnet_id     = azurerm_subnet.all["web"].id

  identity {
    type = "SystemAssigned"
  }
  auth_settings_v2 {
    auth_enabled           = true
    require_authentication = true

    active_directory_v2 {
      client_id            = "6f1a8b52-1c1e-4f3b-9a55-0d6c3c1b7f10"
      tenant_auth_endpoint = "https://login.microsoftonline.com/${data.azurerm_client_config.current.tenant_id}/v2.0"
    }
    login {}
  }
  site_config {}
}

resource "azurerm_linux_web_app_slot" "qa" {
  name           = "qa"
  app_service_id = azurerm_linux_web_app.chat.id
  app_settings   = local.settings

  site_config {}
}

resource "azurerm_private_dns_zone" "by_hand" {
  for_each = local.zones

  name                = each.value
  resource_group_name = azurerm_resource_group.all.name
}

resource "azurerm_private_dns_zone_virtual_network_link" "by_hand" {
  for_each = local.zones

  name                = each.key
  private_dns_zone_id = azurerm_private_dns_zone.by_hand[each.key].id
  virtual_network_id  = azurerm_virtual_network.all.id
}

resource "azurerm_private_endpoint" "by_hand" {
  for_each = local.endpoints

  name                = "pe-${each.key}"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  subnet_id           = azurerm_subnet.all["endpoints"].id

  private_service_connection {
    name                           = each.key
    is_manual_connection           = false
    private_connection_resource_id = each.value.target
    subresource_names              = [each.value.part]
  }
}

resource "azurerm_private_dns_a_record" "by_hand" {
  for_each = local.records

  name                = each.value.name
  private_dns_zone_id = azurerm_private_dns_zone.by_hand[each.value.zone].id
  ttl                 = 300
  records             = [each.value.address]
}

resource "azurerm_role_assignment" "chat" {
  scope                = azurerm_cognitive_account.model.id
  role_definition_name = "Cognitive Services OpenAI User"
  principal_id         = azurerm_linux_web_app.chat.identity[0].principal_id
}
