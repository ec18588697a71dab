resource "azurerm_log_analytics_workspace" "this" {
  # Azure keeps a deleted workspace for two weeks and gives its name, region and data to the next one.
  name                           = "log-${var.prefix}-${var.suffix}"
  resource_group_name            = var.resource_group_name
  location                       = var.location
  sku                            = "PerGB2018"
  retention_in_days              = var.retention_days
  local_authentication_enabled   = false
  internet_ingestion_access_type = "Disabled"
  internet_query_access_type     = var.public_query_enabled ? "Enabled" : "Disabled"
  tags                           = var.tags
}

resource "azurerm_application_insights" "this" {
  name                         = "appi-${var.prefix}"
  resource_group_name          = var.resource_group_name
  location                     = var.location
  application_type             = "web"
  workspace_id                 = azurerm_log_analytics_workspace.this.id
  local_authentication_enabled = false
  internet_ingestion_enabled   = false
  internet_query_enabled       = var.public_query_enabled
  ip_masking_enabled           = true
  tags                         = var.tags
}

resource "azurerm_monitor_diagnostic_setting" "workspace" {
  name                       = "diagnostics"
  target_resource_id         = azurerm_log_analytics_workspace.this.id
  log_analytics_workspace_id = azurerm_log_analytics_workspace.this.id

  enabled_log {
    category_group = "allLogs"
  }
  enabled_metric {
    category = "AllMetrics"
  }
}
