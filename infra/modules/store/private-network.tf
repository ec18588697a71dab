locals {
  public = var.private_network == null
  # Two shapes of endpoint: with its zones here, or with zones that an Azure Policy attaches.
  attached  = local.public ? false : var.private_network.zone_ids != null
  by_policy = !local.public && !local.attached

  key = var.customer_managed_key == null ? {} : { set = var.customer_managed_key }
  # Storage refuses a /32 and a /31: single addresses are written without a length.
  _storage_ip_rules = [for cidr in var.address_allow_list : trimsuffix(cidr, "/32")]
}
