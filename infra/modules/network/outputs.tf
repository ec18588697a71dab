output "prefixes" {
  description = "Address ranges of the subnets by name."
  value       = { for name in local.subnets : name => local.prefixes[name] }
}

output "private_network" {
  description = "What every service needs to stand behind private endpoints here."
  value = {
    location  = var.location
    subnet_id = azurerm_subnet.this["endpoints"].id
    zone_ids = var.zones_by_policy ? null : tomap({
      for service, names in var.zones : service => tolist([
        for name in names : var.central_zone_ids == null ? azurerm_private_dns_zone.this[name].id : var.central_zone_ids[name]
      ])
    })
  }
  # Whoever uses this finds names resolvable and rules in force.
  depends_on = [
    azurerm_private_dns_zone_virtual_network_link.this,
    azurerm_subnet_network_security_group_association.this,
  ]
}

output "resolver_address" {
  description = "Where on-premises DNS forwards to; null without a resolver."
  value       = try(azurerm_private_dns_resolver_inbound_endpoint.this[0].ip_configurations[0].private_ip_address, null)
}

output "subnet_ids" {
  description = "Ids of the subnets by name."
  value       = { for name, subnet in azurerm_subnet.this : name => subnet.id }
  depends_on = [
    azurerm_subnet_nat_gateway_association.this,
    azurerm_subnet_network_security_group_association.this,
    azurerm_subnet_route_table_association.this,
  ]
}

output "virtual_network_id" {
  description = "Id of the virtual network."
  value       = azurerm_virtual_network.this.id
}

output "web_addresses" {
  description = "Addresses of the endpoint subnet that the web application's endpoints take, by slot: people and the edge reach these."
  value       = local.web_addresses
}

output "zone_ids" {
  description = "Ids of the private DNS zones made here, by name."
  value       = { for name, zone in azurerm_private_dns_zone.this : name => zone.id }
}
