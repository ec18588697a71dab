resource "azurerm_service_plan" "this" {
  name                   = "asp-${var.prefix}"
  resource_group_name    = var.resource_group_name
  location               = var.location
  os_type                = "Linux"
  sku_name               = var.plan.sku
  worker_count           = var.plan.workers
  zone_balancing_enabled = var.zone_redundant
  tags                   = var.tags
}

resource "azurerm_monitor_diagnostic_setting" "plan" {
  name                       = "diagnostics"
  target_resource_id         = azurerm_service_plan.this.id
  log_analytics_workspace_id = var.diagnostics.workspace_id

  enabled_metric {
    category = "AllMetrics"
  }
}

locals {
  # Whom the public door lets in is the switch: with nobody on the list there is no door.
  public    = length(var.address_allow_list) > 0
  attached  = var.private_network.zone_ids != null
  by_policy = !local.attached
  # A slot's endpoint is a subresource of the application that owns the slot.
  _sites = { production = "sites", staging = "sites-staging" }

  sticky = { for app in ["functions", "web"] : app => sort([for name, one in var.settings_table : name if one.sticky && contains(one.apps, app)]) }
}
