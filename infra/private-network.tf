# Presence is the switch: null is an estate that can be reached from the Internet for a trial.
locals {
  makes_network = !var.public_network_access_enabled && var.network.existing == null
  subnets_in_use = setunion(
    var.operations.bastion == null ? [] : ["bastion"],
    var.operations.jump_machine == null ? [] : ["administration"],
    var.operations.runner == null ? [] : ["runner"],
    var.edge == null ? [] : ["gateway"],
  )

  _existing = var.network.existing == null ? null : {
    location  = coalesce(var.network.existing.location, var.location)
    subnet_id = var.network.existing.subnet_ids["endpoints"]
    zone_ids = var.network.zones_by_policy ? null : tomap({
      for service, names in local.cloud.zones : service => tolist([for name in names : var.network.central_zone_ids[name]])
    })
  }
  private_network = var.public_network_access_enabled ? null : (local.makes_network ? module.network[0].private_network : local._existing)
  subnet_ids      = var.public_network_access_enabled ? null : (local.makes_network ? tomap(module.network[0].subnet_ids) : var.network.existing.subnet_ids)
}
