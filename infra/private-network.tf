# The network that is made here, or the parts of somebody else's.
locals {
  makes_network = local.network.existing == null

  _existing = local.makes_network ? null : {
    location  = coalesce(local.network.existing.location, var.location)
    subnet_id = local.network.existing.subnet_ids["endpoints"]
    zone_ids = local.network.zones_by_policy ? null : tomap({
      for service, names in local.cloud.zones : service => tolist([for name in names : local.network.central_zone_ids[name]])
    })
  }
  private_network = local.makes_network ? module.network[0].private_network : local._existing
  subnet_ids      = local.makes_network ? tomap(module.network[0].subnet_ids) : local.network.existing.subnet_ids
}
