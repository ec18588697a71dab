# A spoke whose zones live in the hub and are linked there only; its way out goes through a firewall
# that nothing here describes. The services themselves are closed well.
provider "azurerm" {
  features {}
}

data "azurerm_client_config" "current" {}

locals {
  zones = {
    model    = "privatelink.openai.azure.com"
    model_ai = "privatelink.services.ai.azure.com"
    model_cs = "privatelink.cognitiveservices.azure.com"
    vault    = "privatelink.vaultcore.azure.net"
  }
  subnets = {
    app       = { network = "spoke", prefix = "10.1.1.0/26" }
    endpoints = { network = "spoke", prefix = "10.1.2.0/26" }
    firewall  = { network = "hub", prefix = "10.0.0.0/26", name = "AzureFirewallSubnet" }
  }
}

resource "azurerm_resource_group" "all" {
  name     = "rg-landing"
  location = "uksouth"
}

resource "azurerm_virtual_network" "all" {
  for_each = { hub = "10.0.0.0/22", spoke = "10.1.0.0/22" }

  name                = "vnet-${each.key}"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  address_space       = [each.value]
}

resource "azurerm_virtual_network_peering" "all" {
  for_each = { hub = "spoke", spoke = "hub" }

  name                      = "to-${each.value}"
  resource_group_name       = azurerm_resource_group.all.name
  virtual_network_name      = azurerm_virtual_network.all[each.key].name
  remote_virtual_network_id = azurerm_virtual_network.all[each.value].id
  allow_forwarded_traffic   = true
}

resource "azurerm_subnet" "all" {
  for_each = local.subnets

  name                              = try(each.value.name, each.key)
  resource_group_name               = azurerm_resource_group.all.name
  virtual_network_name              = azurerm_virtual_network.all[each.value.network].name
  address_prefixes                  = [each.value.prefix]
  default_outbound_access_enabled   = false
  private_endpoint_network_policies = "Enabled"
}

resource "azurerm_network_security_group" "all" {
  for_each = toset(["app", "endpoints"])

  name                = "nsg-${each.key}"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
}

resource "azurerm_network_security_rule" "out" {
  name                        = "https"
  resource_group_name         = azurerm_resource_group.all.name
  network_security_group_name = azurerm_network_security_group.all["app"].name
  priority                    = 100
  direction                   = "Outbound"
  access                      = "Allow"
  protocol                    = "Tcp"
  source_port_range           = "*"
  source_address_prefix       = "*"
  destination_port_range      = "443"
  destination_address_prefix  = "Internet"
}

resource "azurerm_subnet_network_security_group_association" "all" {
  for_each = azurerm_network_security_group.all

  subnet_id                 = azurerm_subnet.all[each.key].id
  network_security_group_id = each.value.id
}

resource "azurerm_public_ip" "firewall" {
  name                = "pip-firewall"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  allocation_method   = "Static"
}

resource "azurerm_firewall" "hub" {
  name                = "afw-hub"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  sku_name            = "AZFW_VNet"
  sku_tier            = "Standard"

  ip_configuration {
    name                 = "hub"
    subnet_id            = azurerm_subnet.all["firewall"].id
    public_ip_address_id = azurerm_public_ip.firewall.id
  }
}

resource "azurerm_route_table" "app" {
  name                = "rt-app"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location

  route {
    name                   = "out"
    address_prefix         = "0.0.0.0/0"
    next_hop_type          = "VirtualAppliance"
    next_hop_in_ip_address = "10.0.0.4"
  }
}

resource "azurerm_subnet_route_table_association" "app" {
  subnet_id      = azurerm_subnet.all["app"].id
  route_table_id = azurerm_route_table.app.id
}

resource "azurerm_private_dns_zone" "all" {
  for_each = local.zones

  name                = each.value
  resource_group_name = azurerm_resource_group.all.name
}

resource "azurerm_private_dns_zone_virtual_network_link" "hub" {
  for_each = local.zones

  name                = "hub"
  private_dns_zone_id = azurerm_private_dns_zone.all[each.key].id
  virtual_network_id  = azurerm_virtual_network.all["hub"].id
}

resource "azurerm_cognitive_account" "model" {
  name                               = "oai-landing"
  custom_subdomain_name              = "oai-landing"
  resource_group_name                = azurerm_resource_group.all.name
  location                           = azurerm_resource_group.all.location
  kind                               = "OpenAI"
  sku_name                           = "S0"
  local_auth_enabled                 = false
  outbound_network_access_restricted = true
  public_network_access_enabled      = false

  network_acls {
    default_action = "Deny"
  }
}

resource "azurerm_key_vault" "all" {
  name                          = "kv-landing"
  resource_group_name           = azurerm_resource_group.all.name
  location                      = azurerm_resource_group.all.location
  tenant_id                     = data.azurerm_client_config.current.tenant_id
  sku_name                      = "standard"
  rbac_authorization_enabled    = true
  purge_protection_enabled      = true
  public_network_access_enabled = false

  network_acls {
    bypass         = "None"
    default_action = "Deny"
  }
}

resource "azurerm_private_endpoint" "all" {
  for_each = {
    model = { target = azurerm_cognitive_account.model.id, part = "account", zones = ["model", "model_ai", "model_cs"] }
    vault = { target = azurerm_key_vault.all.id, part = "vault", zones = ["vault"] }
  }

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
  private_dns_zone_group {
    name                 = "central"
    private_dns_zone_ids = [for zone in each.value.zones : azurerm_private_dns_zone.all[zone].id]
  }
}

resource "azurerm_user_assigned_identity" "site" {
  name                = "id-site"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
}

resource "azurerm_role_assignment" "site" {
  for_each = {
    "Cognitive Services OpenAI User" = azurerm_cognitive_account.model.id
    "Key Vault Secrets User"         = azurerm_key_vault.all.id
  }

  scope                = each.value
  role_definition_name = each.key
  principal_id         = azurerm_user_assigned_identity.site.principal_id
}

resource "azurerm_service_plan" "all" {
  name                = "asp-landing"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  os_type             = "Linux"
  sku_name            = "P1v3"
}

resource "azurerm_linux_web_app" "site" {
  name                                           = "app-landing"
  resource_group_name                            = azurerm_resource_group.all.name
  location                                       = azurerm_resource_group.all.location
  service_plan_id                                = azurerm_service_plan.all.id
  https_only                                     = true
  public_network_access_enabled                  = false
  virtual_network_subnet_id                      = azurerm_subnet.all["app"].id
  key_vault_reference_identity_id                = azurerm_user_assigned_identity.site.id
  ftp_publish_basic_authentication_enabled       = false
  webdeploy_publish_basic_authentication_enabled = false

  app_settings = {
    AZURE_OPENAI_ENDPOINT = azurerm_cognitive_account.model.endpoint
    PARTNER               = "@Microsoft.KeyVault(VaultName=kv-landing;SecretName=partner)"
  }
  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.site.id]
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
  site_config {
    ip_restriction_default_action     = "Deny"
    scm_ip_restriction_default_action = "Deny"
    vnet_route_all_enabled            = true
  }
}

resource "azurerm_log_analytics_workspace" "all" {
  name                = "log-landing"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  retention_in_days   = 30
}

resource "azurerm_monitor_diagnostic_setting" "all" {
  for_each = {
    model = azurerm_cognitive_account.model.id
    site  = azurerm_linux_web_app.site.id
    vault = azurerm_key_vault.all.id
  }

  name                       = "all"
  target_resource_id         = each.value
  log_analytics_workspace_id = azurerm_log_analytics_workspace.all.id

  enabled_log {
    category_group = "allLogs"
  }
}
