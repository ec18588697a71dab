locals {
  _guid  = "^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$"
  _group = "(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers"
  _zones = distinct(flatten(values(var.cloud.zones)))

  # Subnets beside those of the applications and the endpoints.
  subnets_in_use = setunion(
    var.operations.bastion == null ? [] : ["bastion"],
    var.operations.jump_machine == null ? [] : ["administration"],
    var.operations.runner == null ? [] : ["runner"],
    var.edge == null ? [] : ["gateway"],
  )
  _needed_subnets = setunion(["applications", "endpoints"], local.subnets_in_use)
}
