# Applied once by an owner, from outside: what the estate and its pipelines stand on. Everything here
# that needs an owner's rights is here so that nothing in the estate does.
locals {
  cloud        = jsondecode(file("${path.module}/../../src/secure_openai/tables/clouds.json"))[var.cloud]
  subscription = "/subscriptions/${var.subscription_id}"
  suffix       = random_string.suffix.result
  replication  = var.geo_redundant ? (var.zone_redundant ? "GZRS" : "GRS") : (var.zone_redundant ? "ZRS" : "LRS")
  roles        = jsondecode(file("${path.module}/../../src/secure_openai/tables/roles.json"))
  # Private addresses, and those that nobody comes from.
  _nobodys = "^(0|10|127|169\\.254|172\\.(1[6-9]|2[0-9]|3[01])|192\\.168|100\\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])|22[4-9]|2[3-5][0-9])\\."
  _guid    = "^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$"
  tags     = merge({ application = "azure-secure-openai", estate = var.prefix }, var.tags)
}

resource "random_string" "suffix" {
  length  = 5
  upper   = false
  special = false
}

resource "azurerm_resource_group" "this" {
  name     = "rg-${var.prefix}-bootstrap"
  location = var.location
  tags     = local.tags
}
