# A private link scope changes how a whole DNS realm reaches Azure Monitor, so there is one a realm:
# made here, or named by id.
locals {
  # Two shapes of endpoint: with its zones here, or with zones that an Azure Policy attaches.
  attached = var.private_network.zone_ids != null
  _scopes  = var.private_link_scope_id != null ? {} : { here = true }
  _scope = (
    var.private_link_scope_id == null
    ? { name = azurerm_monitor_private_link_scope.this["here"].name, resource_group_name = var.resource_group_name }
    : { name = split("/", var.private_link_scope_id)[8], resource_group_name = split("/", var.private_link_scope_id)[4] }
  )
}

resource "azurerm_monitor_private_link_scope" "this" {
  for_each = local._scopes

  name                  = "ampls-${var.prefix}"
  resource_group_name   = var.resource_group_name
  ingestion_access_mode = "PrivateOnly"
  query_access_mode     = "PrivateOnly"
  tags                  = var.tags
}

resource "azurerm_monitor_private_link_scoped_service" "this" {
  for_each = {
    insights  = azurerm_application_insights.this.id
    workspace = azurerm_log_analytics_workspace.this.id
  }

  name                = "${each.key}-${var.prefix}"
  resource_group_name = local._scope.resource_group_name
  scope_name          = local._scope.name
  linked_resource_id  = each.value
}

resource "azurerm_private_endpoint" "monitor" {
  for_each = local.attached ? local._scopes : {}

  name                = "pe-${var.prefix}-monitor"
  resource_group_name = var.resource_group_name
  location            = var.private_network.location
  subnet_id           = var.private_network.subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = "monitor"
    private_connection_resource_id = azurerm_monitor_private_link_scope.this["here"].id
    subresource_names              = ["azuremonitor"]
    is_manual_connection           = false
  }
  private_dns_zone_group {
    name                 = "zones"
    private_dns_zone_ids = var.private_network.zone_ids["monitor"]
  }

  depends_on = [azurerm_monitor_private_link_scoped_service.this]
}

resource "azurerm_private_endpoint" "monitor_by_policy" {
  for_each = local.attached ? {} : local._scopes

  name                = "pe-${var.prefix}-monitor"
  resource_group_name = var.resource_group_name
  location            = var.private_network.location
  subnet_id           = var.private_network.subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = "monitor"
    private_connection_resource_id = azurerm_monitor_private_link_scope.this["here"].id
    subresource_names              = ["azuremonitor"]
    is_manual_connection           = false
  }

  lifecycle {
    ignore_changes = [private_dns_zone_group]
  }
  depends_on = [azurerm_monitor_private_link_scoped_service.this]
}
