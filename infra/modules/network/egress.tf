# Subnets have no default way out: those that need one get a NAT gateway, or the route table of a
# firewall. Only sign-in (Entra ID), Resource Manager and a runner's or administrator's downloads
# leave; the services are reached inside.
locals {
  _leaving = setintersection(local.subnets, ["administration", "applications", "runner"])
  _nat     = var.egress_route_table_id == null ? { nat = true } : {}
}

resource "azurerm_public_ip" "nat" {
  for_each = local._nat

  name                = "pip-${var.prefix}-nat"
  resource_group_name = var.resource_group_name
  location            = var.location
  allocation_method   = "Static"
  sku                 = "Standard"
  tags                = var.tags
}

resource "azurerm_nat_gateway" "this" {
  for_each = local._nat

  name                = "ng-${var.prefix}"
  resource_group_name = var.resource_group_name
  location            = var.location
  # Not StandardV2, which spans zones: it cannot serve a subnet that is delegated to App Service. Azure
  # places this one in a zone; what a zone's failure stops is sign-in, not the services inside.
  sku_name = "Standard"
  tags     = var.tags
}

resource "azurerm_nat_gateway_public_ip_association" "this" {
  for_each = local._nat

  nat_gateway_id       = azurerm_nat_gateway.this[each.key].id
  public_ip_address_id = azurerm_public_ip.nat[each.key].id
}

resource "azurerm_subnet_nat_gateway_association" "this" {
  for_each = toset(var.egress_route_table_id == null ? local._leaving : [])

  subnet_id      = azurerm_subnet.this[each.key].id
  nat_gateway_id = azurerm_nat_gateway.this["nat"].id
}

resource "azurerm_subnet_route_table_association" "this" {
  for_each = toset(var.egress_route_table_id == null ? [] : local._leaving)

  subnet_id      = azurerm_subnet.this[each.key].id
  route_table_id = var.egress_route_table_id
}

resource "azurerm_monitor_diagnostic_setting" "nat" {
  for_each = var.diagnostics == null ? {} : local._nat

  name                       = "diagnostics"
  target_resource_id         = azurerm_public_ip.nat[each.key].id
  log_analytics_workspace_id = var.diagnostics.workspace_id

  enabled_log {
    category_group = "allLogs"
  }
  enabled_metric {
    category = "AllMetrics"
  }
}
