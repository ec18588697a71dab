resource "azurerm_virtual_network" "this" {
  # checkov:skip=CKV_AZURE_182:Azure's own resolver serves the private zones; custom servers are an option (dns_servers).
  # checkov:skip=CKV_AZURE_183:Azure's own resolver serves the private zones; custom servers are an option (dns_servers).
  name                = "vnet-${var.prefix}"
  resource_group_name = var.resource_group_name
  location            = var.location
  address_space       = [var.address_space]
  dns_servers         = var.dns_servers
  tags                = var.tags

  lifecycle {
    precondition {
      condition     = length(local.overlaps) == 0
      error_message = "Subnets overlap: ${join("; ", local.overlaps)}. Choose ranges that do not, or leave the override out."
    }
    precondition {
      condition     = length(local.outside) == 0
      error_message = "Outside the address space ${var.address_space}: ${join("; ", local.outside)}. Choose ranges inside it."
    }
  }
}

resource "azurerm_monitor_diagnostic_setting" "network" {
  count = var.diagnostics == null ? 0 : 1

  name                       = "diagnostics"
  target_resource_id         = azurerm_virtual_network.this.id
  log_analytics_workspace_id = var.diagnostics.workspace_id

  enabled_log {
    category_group = "allLogs"
  }
  enabled_metric {
    category = "AllMetrics"
  }
}
