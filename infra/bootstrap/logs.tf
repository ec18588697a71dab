# Who touched state, packages and the key. The workspace is one that watchers already have, or one made
# here: it takes logs from the first day on, and is read from inside the network once the second apply has
# put it into the estate's private link scope.
locals {
  _workspace   = var.log_workspace_id == null ? { here = true } : {}
  workspace_id = var.log_workspace_id == null ? azurerm_log_analytics_workspace.this["here"].id : var.log_workspace_id
}

resource "azurerm_log_analytics_workspace" "this" {
  for_each = local._workspace

  name                           = "log-${var.prefix}-bootstrap-${local.suffix}"
  resource_group_name            = azurerm_resource_group.this.name
  location                       = var.location
  sku                            = "PerGB2018"
  retention_in_days              = 365
  local_authentication_enabled   = false
  internet_ingestion_access_type = "Disabled"
  internet_query_access_type     = "Disabled"
  tags                           = local.tags
}

resource "azurerm_monitor_diagnostic_setting" "workspace" {
  for_each = local._workspace

  name                       = "diagnostics"
  target_resource_id         = azurerm_log_analytics_workspace.this[each.key].id
  log_analytics_workspace_id = azurerm_log_analytics_workspace.this[each.key].id

  enabled_log {
    category_group = "allLogs"
  }
  enabled_metric {
    category = "AllMetrics"
  }
}

resource "azurerm_monitor_private_link_scoped_service" "workspace" {
  for_each = var.estate.private_link_scope_id == null ? {} : local._workspace

  name                = "bootstrap-${var.prefix}"
  resource_group_name = split("/", var.estate.private_link_scope_id)[4]
  scope_name          = basename(var.estate.private_link_scope_id)
  linked_resource_id  = azurerm_log_analytics_workspace.this[each.key].id
}
