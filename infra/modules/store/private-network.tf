locals {
  # Whom the public door lets in is the switch: with nobody on the list there is no door.
  public = length(var.address_allow_list) > 0
  # Two shapes of endpoint: with its zones here, or with zones that an Azure Policy attaches.
  attached  = var.private_network.zone_ids != null
  by_policy = !local.attached

  # What storage is kept in: several zones, one zone, and the paired region with either.
  replication = var.geo_redundant ? (var.zone_redundant ? "GZRS" : "GRS") : (var.zone_redundant ? "ZRS" : "LRS")

  key = var.customer_managed_key == null ? {} : { set = var.customer_managed_key }
  # Storage refuses a /32 and a /31: single addresses are written without a length.
  _storage_ip_rules = [for cidr in var.address_allow_list : trimsuffix(cidr, "/32")]
}
