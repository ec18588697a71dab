# Without a public address Bastion is reached by VPN or ExpressRoute only (private-only, Premium).
resource "azurerm_public_ip" "bastion" {
  count = try(var.bastion.public_address, false) ? 1 : 0

  name                = "pip-${var.prefix}-bastion"
  resource_group_name = var.resource_group_name
  location            = var.location
  allocation_method   = "Static"
  sku                 = "Standard"
  tags                = var.tags
}

resource "azurerm_bastion_host" "this" {
  count = var.bastion == null ? 0 : 1

  name                   = "bas-${var.prefix}"
  resource_group_name    = var.resource_group_name
  location               = var.location
  sku                    = var.bastion.sku
  copy_paste_enabled     = false
  file_copy_enabled      = false
  ip_connect_enabled     = false
  shareable_link_enabled = false
  tunneling_enabled      = true
  tags                   = var.tags

  ip_configuration {
    name                 = "bastion"
    subnet_id            = var.subnet_ids["bastion"]
    public_ip_address_id = one(azurerm_public_ip.bastion[*].id)
  }
}

resource "azurerm_monitor_diagnostic_setting" "bastion" {
  count = var.bastion == null ? 0 : 1

  name                       = "diagnostics"
  target_resource_id         = azurerm_bastion_host.this[0].id
  log_analytics_workspace_id = var.diagnostics.workspace_id

  enabled_log {
    category_group = "allLogs"
  }
  enabled_metric {
    category = "AllMetrics"
  }
}

resource "azurerm_monitor_diagnostic_setting" "bastion_address" {
  count = length(azurerm_public_ip.bastion)

  name                       = "diagnostics"
  target_resource_id         = azurerm_public_ip.bastion[0].id
  log_analytics_workspace_id = var.diagnostics.workspace_id

  enabled_log {
    category_group = "allLogs"
  }
  enabled_metric {
    category = "AllMetrics"
  }
}
