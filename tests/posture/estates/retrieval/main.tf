# Questions over one's own documents: a Windows site, a search service and an account of kind
# AIServices behind a list of addresses, joined by keys.
provider "azurerm" {
  features {}
}

locals {
  name = "northwind-rag"
}

resource "azurerm_resource_group" "all" {
  name     = "rg-${local.name}"
  location = "westeurope"
}

resource "azurerm_log_analytics_workspace" "all" {
  name                = "log-${local.name}"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  retention_in_days   = 30
}

resource "azurerm_application_insights" "all" {
  name                = "appi-${local.name}"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  application_type    = "web"
  workspace_id        = azurerm_log_analytics_workspace.all.id
}

resource "azurerm_cognitive_account" "foundry" {
  name                  = "ais-${local.name}"
  custom_subdomain_name = "ais-${local.name}"
  resource_group_name   = azurerm_resource_group.all.name
  location              = azurerm_resource_group.all.location
  kind                  = "AIServices"
  sku_name              = "S0"
  local_auth_enabled    = false

  identity {
    type = "SystemAssigned"
  }
  network_acls {
    default_action = "Deny"
    ip_rules       = ["203.0.113.0/24"]
  }
}

resource "azurerm_cognitive_deployment" "chat" {
  name                 = "chat"
  cognitive_account_id = azurerm_cognitive_account.foundry.id

  model {
    format = "OpenAI"
    name   = "gpt-4o"
  }
  sku {
    name = "GlobalStandard"
  }
}

resource "azurerm_search_service" "documents" {
  name                = "srch-${local.name}"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  sku                 = "standard"

  identity {
    type = "SystemAssigned"
  }
}

resource "azurerm_storage_account" "documents" {
  name                     = "stnorthwindrag"
  resource_group_name      = azurerm_resource_group.all.name
  location                 = azurerm_resource_group.all.location
  account_tier             = "Standard"
  account_replication_type = "LRS"
}

# The firewall stands beside the account, not in it.
resource "azurerm_storage_account_network_rules" "documents" {
  storage_account_id = azurerm_storage_account.documents.id
  default_action     = "Deny"
  bypass             = ["AzureServices"]
  ip_rules           = ["203.0.113.0/24"]
}

resource "azurerm_storage_container" "documents" {
  name                  = "documents"
  storage_account_id    = azurerm_storage_account.documents.id
  container_access_type = "blob"
}

resource "azurerm_service_plan" "all" {
  name                = "asp-${local.name}"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  os_type             = "Windows"
  sku_name            = "S1"
}

resource "azurerm_windows_web_app" "site" {
  name                = "app-${local.name}"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  service_plan_id     = azurerm_service_plan.all.id

  app_settings = {
    APPLICATIONINSIGHTS_CONNECTION_STRING = azurerm_application_insights.all.connection_string
    AZURE_OPENAI_ENDPOINT                 = azurerm_cognitive_account.foundry.endpoint
    DOCUMENTS                             = azurerm_storage_account.documents.primary_connection_string
    SEARCH_ADMIN                          = azurerm_search_service.documents.primary_key
    SEARCH_URL                            = "https://${azurerm_search_service.documents.name}.search.windows.net"
  }
  identity {
    type = "SystemAssigned"
  }
  auth_settings_v2 {
    auth_enabled           = true
    require_authentication = true

    # Everybody's tenant.
    active_directory_v2 {
      client_id            = "2f3e5b3a-7f1e-4a1f-8f0e-5f2c8a0d9b11"
      tenant_auth_endpoint = "https://login.microsoftonline.com/common/v2.0"
    }
    login {}
  }
  site_config {
    minimum_tls_version = "1.0"

    ip_restriction {
      service_tag = "AzureCloud"
      priority    = 100
    }
  }
}

resource "azurerm_role_assignment" "site" {
  scope                = azurerm_resource_group.all.id
  role_definition_name = "Cognitive Services User"
  principal_id         = azurerm_windows_web_app.site.identity[0].principal_id
}

resource "azurerm_role_assignment" "search" {
  scope                = azurerm_storage_account.documents.id
  role_definition_name = "Storage Blob Data Reader"
  principal_id         = azurerm_search_service.documents.identity[0].principal_id
}
