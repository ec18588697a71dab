# One zone a name: storage and Azure Monitor share the blob zone.
locals {
  _names_of_zones = var.central_zone_ids == null && !var.zones_by_policy ? toset(flatten(values(var.zones))) : toset([])
}

resource "azurerm_private_dns_zone" "this" {
  for_each = local._names_of_zones

  name                = each.key
  resource_group_name = var.resource_group_name
  tags                = var.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "this" {
  for_each = local._names_of_zones

  name                 = "link-${var.prefix}"
  private_dns_zone_id  = azurerm_private_dns_zone.this[each.key].id
  virtual_network_id   = azurerm_virtual_network.this.id
  registration_enabled = false
  tags                 = var.tags
}

# People on premises reach the private zones by forwarding to this address.
resource "azurerm_private_dns_resolver" "this" {
  count = contains(local.subnets, "resolver") ? 1 : 0

  name                = "dnspr-${var.prefix}"
  resource_group_name = var.resource_group_name
  location            = var.location
  virtual_network_id  = azurerm_virtual_network.this.id
  tags                = var.tags
}

resource "azurerm_private_dns_resolver_inbound_endpoint" "this" {
  count = contains(local.subnets, "resolver") ? 1 : 0

  name                    = "in-${var.prefix}"
  private_dns_resolver_id = azurerm_private_dns_resolver.this[0].id
  location                = var.location
  tags                    = var.tags

  ip_configurations {
    subnet_id                    = azurerm_subnet.this["resolver"].id
    private_ip_allocation_method = "Dynamic"
  }
}
