terraform {
  required_version = ">= 1.11"
  required_providers {
    azapi   = { source = "azure/azapi", version = "~> 2.12" }
    azuread = { source = "hashicorp/azuread", version = "~> 3.9" }
    azurerm = { source = "hashicorp/azurerm", version = "~> 5.2" }
    random  = { source = "hashicorp/random" }
  }
  backend "azurerm" {}
}

provider "azurerm" {
  features {
    key_vault {
      purge_soft_delete_on_destroy = false
    }
  }
  storage_use_azuread = true
}

variable "prefix" {
  type    = string
  default = "demo"
}

variable "public" {
  type    = bool
  default = false
}

data "azurerm_client_config" "this" {}
data "azurerm_subscription" "this" {}

resource "azurerm_resource_group" "net" {
  name     = "${var.prefix}-net"
  location = "westeurope"
}

resource "azurerm_resource_group" "app" {
  name     = "${var.prefix}-app"
  location = "westeurope"
}

resource "azurerm_virtual_network" "this" {
  name                = "${var.prefix}-vnet"
  location            = azurerm_resource_group.net.location
  resource_group_name = azurerm_resource_group.net.name
  address_space       = ["10.0.0.0/16"]
}

resource "azurerm_subnet" "endpoints" {
  name                              = "endpoints"
  resource_group_name               = azurerm_resource_group.net.name
  virtual_network_name              = azurerm_virtual_network.this.name
  address_prefixes                  = ["10.0.1.0/24"]
  private_endpoint_network_policies = "Enabled"
  default_outbound_access_enabled   = false
}

resource "azurerm_subnet" "apps" {
  name                 = "apps"
  resource_group_name  = azurerm_resource_group.net.name
  virtual_network_name = azurerm_virtual_network.this.name
  address_prefixes     = ["10.0.2.0/24"]
  delegation {
    name = "web"
    service_delegation {
      name    = "Microsoft.Web/serverFarms"
      actions = ["Microsoft.Network/virtualNetworks/subnets/action"]
    }
  }
}

resource "azurerm_network_security_group" "endpoints" {
  name                = "endpoints"
  location            = azurerm_resource_group.net.location
  resource_group_name = azurerm_resource_group.net.name
  security_rule {
    name                       = "apps"
    priority                   = 100
    direction                  = "Inbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_port_range          = "*"
    destination_port_range     = "443"
    source_address_prefix      = "10.0.2.0/24"
    destination_address_prefix = "*"
  }
  security_rule {
    name                       = "deny"
    priority                   = 4096
    direction                  = "Inbound"
    access                     = "Deny"
    protocol                   = "*"
    source_port_range          = "*"
    destination_port_range     = "*"
    source_address_prefix      = "*"
    destination_address_prefix = "*"
  }
}

resource "azurerm_subnet_network_security_group_association" "endpoints" {
  subnet_id                 = azurerm_subnet.endpoints.id
  network_security_group_id = azurerm_network_security_group.endpoints.id
}

resource "azurerm_public_ip" "nat" {
  name                = "nat"
  location            = azurerm_resource_group.net.location
  resource_group_name = azurerm_resource_group.net.name
  allocation_method   = "Static"
  sku                 = "Standard"
}

resource "azurerm_nat_gateway" "this" {
  name                = "nat"
  location            = azurerm_resource_group.net.location
  resource_group_name = azurerm_resource_group.net.name
}

resource "azurerm_nat_gateway_public_ip_association" "this" {
  nat_gateway_id       = azurerm_nat_gateway.this.id
  public_ip_address_id = azurerm_public_ip.nat.id
}

locals {
  zones = {
    openai = "privatelink.openai.azure.com"
    vault  = "privatelink.vaultcore.azure.net"
    blob   = "privatelink.blob.core.windows.net"
    cosmos = "privatelink.documents.azure.com"
    sites  = "privatelink.azurewebsites.net"
  }
  endpoints = var.public ? {} : {
    openai = { id = azurerm_cognitive_account.this.id, sub = "account", zone = "openai" }
    vault  = { id = azurerm_key_vault.this.id, sub = "vault", zone = "vault" }
    blob   = { id = azurerm_storage_account.this.id, sub = "blob", zone = "blob" }
    cosmos = { id = azurerm_cosmosdb_account.this.id, sub = "Sql", zone = "cosmos" }
    web    = { id = azurerm_linux_web_app.this.id, sub = "sites", zone = "sites" }
    slot   = { id = azurerm_linux_web_app.this.id, sub = "sites-staging", zone = "sites" }
  }
}

resource "azurerm_private_dns_zone" "this" {
  for_each            = local.zones
  name                = each.value
  resource_group_name = azurerm_resource_group.net.name
}

resource "azurerm_private_dns_zone_virtual_network_link" "this" {
  for_each            = local.zones
  name                = each.key
  private_dns_zone_id = azurerm_private_dns_zone.this[each.key].id
  virtual_network_id  = azurerm_virtual_network.this.id
}

resource "azurerm_private_endpoint" "this" {
  for_each            = local.endpoints
  name                = each.key
  location            = azurerm_resource_group.net.location
  resource_group_name = azurerm_resource_group.net.name
  subnet_id           = azurerm_subnet.endpoints.id
  private_service_connection {
    name                           = each.key
    is_manual_connection           = false
    private_connection_resource_id = each.value.id
    subresource_names              = [each.value.sub]
  }
  private_dns_zone_group {
    name                 = "default"
    private_dns_zone_ids = [azurerm_private_dns_zone.this[each.value.zone].id]
  }
}

resource "azurerm_user_assigned_identity" "web" {
  name                = "web"
  location            = azurerm_resource_group.app.location
  resource_group_name = azurerm_resource_group.app.name
}

resource "azurerm_service_plan" "this" {
  name                = "plan"
  location            = azurerm_resource_group.app.location
  resource_group_name = azurerm_resource_group.app.name
  os_type             = "Linux"
  sku_name            = "P1v3"
}

resource "azurerm_linux_web_app" "this" {
  name                          = "${var.prefix}-web"
  location                      = azurerm_resource_group.app.location
  resource_group_name           = azurerm_resource_group.app.name
  service_plan_id               = azurerm_service_plan.this.id
  public_network_access_enabled = var.public
  https_only                    = true
  virtual_network_subnet_id     = azurerm_subnet.apps.id
  app_settings = {
    ENDPOINT = azurerm_cognitive_account.this.endpoint
    COSMOS   = azurerm_cosmosdb_account.this.endpoint
    CLIENT   = azuread_application.this.client_id
    INSIGHTS = azurerm_application_insights.this.connection_string
  }
  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.web.id]
  }
  site_config {
    minimum_tls_version = "1.3"
    ftps_state          = "Disabled"
    application_stack {
      python_version = "3.12"
    }
  }
  sticky_settings {
    app_setting_names = ["CLIENT"]
  }
}

resource "azurerm_linux_web_app_slot" "staging" {
  name           = "staging"
  app_service_id = azurerm_linux_web_app.this.id
  site_config {}
  identity {
    type = "SystemAssigned"
  }
}

resource "azurerm_linux_function_app" "this" {
  name                          = "${var.prefix}-jobs"
  location                      = azurerm_resource_group.app.location
  resource_group_name           = azurerm_resource_group.app.name
  service_plan_id               = azurerm_service_plan.this.id
  storage_account_name          = azurerm_storage_account.this.name
  storage_uses_managed_identity = true
  site_config {}
}

resource "azurerm_key_vault" "this" {
  name                          = "${var.prefix}-kv"
  location                      = azurerm_resource_group.app.location
  resource_group_name           = azurerm_resource_group.app.name
  tenant_id                     = data.azurerm_client_config.this.tenant_id
  sku_name                      = "standard"
  rbac_authorization_enabled    = true
  purge_protection_enabled      = true
  public_network_access_enabled = var.public
  network_acls {
    bypass         = "AzureServices"
    default_action = "Deny"
  }
}

resource "azurerm_storage_account" "this" {
  name                          = "${var.prefix}store"
  location                      = azurerm_resource_group.app.location
  resource_group_name           = azurerm_resource_group.app.name
  account_tier                  = "Standard"
  account_replication_type      = "GZRS"
  shared_access_key_enabled     = false
  public_network_access_enabled = var.public
  blob_properties {
    versioning_enabled = true
    delete_retention_policy {
      days = 30
    }
  }
}

resource "azurerm_storage_container" "seals" {
  name               = "seals"
  storage_account_id = azurerm_storage_account.this.id
}

resource "azurerm_storage_container_immutability_policy" "seals" {
  storage_container_resource_manager_id = azurerm_storage_container.seals.id
  immutability_period_in_days           = 30
}

resource "azurerm_cosmosdb_account" "this" {
  name                          = "${var.prefix}-cosmos"
  location                      = azurerm_resource_group.app.location
  resource_group_name           = azurerm_resource_group.app.name
  offer_type                    = "Standard"
  local_authentication_enabled  = false
  public_network_access_enabled = var.public
  consistency_policy {
    consistency_level = "Session"
  }
  geo_location {
    location          = azurerm_resource_group.app.location
    failover_priority = 0
  }
  backup {
    type = "Continuous"
    tier = "Continuous30Days"
  }
}

resource "azurerm_cosmosdb_sql_database" "this" {
  name                = "chat"
  resource_group_name = azurerm_resource_group.app.name
  account_name        = azurerm_cosmosdb_account.this.name
}

resource "azurerm_cosmosdb_sql_container" "this" {
  for_each            = toset(["conversations", "usage", "audit"])
  name                = each.key
  resource_group_name = azurerm_resource_group.app.name
  account_name        = azurerm_cosmosdb_account.this.name
  database_name       = azurerm_cosmosdb_sql_database.this.name
  partition_key_paths = ["/owner"]
}

resource "azurerm_cosmosdb_sql_role_assignment" "web" {
  resource_group_name = azurerm_resource_group.app.name
  account_name        = azurerm_cosmosdb_account.this.name
  role_definition_id  = "${azurerm_cosmosdb_account.this.id}/sqlRoleDefinitions/00000000-0000-0000-0000-000000000002"
  principal_id        = azurerm_user_assigned_identity.web.principal_id
  scope               = "${azurerm_cosmosdb_account.this.id}/dbs/chat"
}

resource "azurerm_cognitive_account" "this" {
  name                               = "${var.prefix}-openai"
  location                           = azurerm_resource_group.app.location
  resource_group_name                = azurerm_resource_group.app.name
  kind                               = "OpenAI"
  sku_name                           = "S0"
  custom_subdomain_name              = "${var.prefix}-openai"
  local_auth_enabled                 = false
  public_network_access_enabled      = var.public
  outbound_network_access_restricted = true
  fqdns                              = ["example.com"]
  network_acls {
    default_action = "Deny"
  }
}

resource "azurerm_cognitive_deployment" "this" {
  name                 = "gpt-5.4-mini"
  cognitive_account_id = azurerm_cognitive_account.this.id
  model {
    format  = "OpenAI"
    name    = "gpt-5.4-mini"
    version = "2026-03-17"
  }
  sku {
    name     = "DataZoneStandard"
    capacity = 10
  }
}

resource "azurerm_role_assignment" "openai" {
  scope                = azurerm_cognitive_account.this.id
  role_definition_name = "Cognitive Services OpenAI User"
  principal_id         = azurerm_user_assigned_identity.web.principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_assignment" "vault" {
  scope                = azurerm_key_vault.this.id
  role_definition_name = "Key Vault Secrets User"
  principal_id         = azurerm_user_assigned_identity.web.principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_log_analytics_workspace" "this" {
  name                = "logs"
  location            = azurerm_resource_group.app.location
  resource_group_name = azurerm_resource_group.app.name
}

resource "azurerm_application_insights" "this" {
  name                = "insights"
  location            = azurerm_resource_group.app.location
  resource_group_name = azurerm_resource_group.app.name
  application_type    = "web"
  workspace_id        = azurerm_log_analytics_workspace.this.id
}

resource "azurerm_monitor_diagnostic_setting" "this" {
  for_each = {
    vault  = azurerm_key_vault.this.id
    cosmos = azurerm_cosmosdb_account.this.id
    openai = azurerm_cognitive_account.this.id
  }
  name                       = "logs"
  target_resource_id         = each.value
  log_analytics_workspace_id = azurerm_log_analytics_workspace.this.id
  enabled_log {
    category_group = "allLogs"
  }
  enabled_metric {
    category = "AllMetrics"
  }
}

resource "azurerm_monitor_private_link_scope" "this" {
  name                  = "ampls"
  resource_group_name   = azurerm_resource_group.app.name
  ingestion_access_mode = "PrivateOnly"
  query_access_mode     = "PrivateOnly"
}

resource "azurerm_monitor_private_link_scoped_service" "logs" {
  name                = "logs"
  resource_group_name = azurerm_resource_group.app.name
  scope_name          = azurerm_monitor_private_link_scope.this.name
  linked_resource_id  = azurerm_log_analytics_workspace.this.id
}

resource "random_uuid" "scope" {
  keepers = { name = "scope" }
}
resource "random_uuid" "role" {
  for_each = toset(["admin", "user"])
  keepers  = { name = each.key }
}

resource "azuread_application" "this" {
  display_name     = "${var.prefix}-web"
  sign_in_audience = "AzureADMyOrg"
  api {
    requested_access_token_version = 2
    oauth2_permission_scope {
      id                         = random_uuid.scope.result
      value                      = "access"
      admin_consent_description  = "Access"
      admin_consent_display_name = "Access"
    }
  }
  dynamic "app_role" {
    for_each = random_uuid.role
    content {
      id                   = app_role.value.result
      value                = app_role.key
      allowed_member_types = ["User"]
      description          = app_role.key
      display_name         = app_role.key
    }
  }
  web {
    redirect_uris = ["https://${var.prefix}-web.azurewebsites.net/signin/callback"]
  }
}

resource "azuread_service_principal" "this" {
  client_id                    = azuread_application.this.client_id
  app_role_assignment_required = true
}

resource "azuread_application_federated_identity_credential" "this" {
  application_id = azuread_application.this.id
  display_name   = "web"
  audiences      = ["api://AzureADTokenExchange"]
  issuer         = "https://login.microsoftonline.com/${data.azurerm_client_config.this.tenant_id}/v2.0"
  subject        = azurerm_user_assigned_identity.web.principal_id
}

resource "azuread_group" "admins" {
  display_name     = "admins"
  security_enabled = true
}

resource "azuread_app_role_assignment" "admins" {
  app_role_id         = azuread_service_principal.this.app_role_ids["admin"]
  principal_object_id = azuread_group.admins.object_id
  resource_object_id  = azuread_service_principal.this.object_id
}

resource "azapi_resource" "key" {
  type      = "Microsoft.KeyVault/vaults/keys@2023-07-01"
  name      = "cmk"
  parent_id = azurerm_key_vault.this.id
  body = {
    properties = { kty = "RSA", keySize = 3072 }
  }
  response_export_values = ["properties.kty", "properties.keyUri"]
}

resource "azapi_update_resource" "web" {
  type        = "Microsoft.Web/sites@2024-04-01"
  resource_id = azurerm_linux_web_app.this.id
  body        = { properties = { endToEndEncryptionEnabled = true } }
}

output "web" { value = azurerm_linux_web_app.this.default_hostname }
output "kty" { value = azapi_resource.key.output.properties.kty }
output "roles" { value = azuread_service_principal.this.app_role_ids }
output "fn" { value = provider::azurerm::parse_resource_id(azurerm_key_vault.this.id).resource_name }
output "host" { value = [azurerm_cosmosdb_account.this.endpoint, azurerm_cognitive_account.this.endpoint, try(azurerm_private_endpoint.this["vault"].private_service_connection[0].private_ip_address, null), azurerm_linux_web_app_slot.staging.default_hostname, azurerm_linux_web_app_slot.staging.identity[0].principal_id, azurerm_storage_account.this.primary_blob_endpoint] }
