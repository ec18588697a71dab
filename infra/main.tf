# The estate, from the ground up. Read it with docs/architecture.md, which is drawn from it.

resource "azurerm_resource_group" "application" {
  name     = "rg-${var.prefix}"
  location = var.location
  tags     = local.tags

  lifecycle {
    precondition {
      condition     = length(local.misspelt) == 0
      error_message = "Misspelt: ${join("; ", local.misspelt)}."
    }
  }
}

resource "azurerm_resource_group" "network" {
  count = local.makes_network ? 1 : 0

  name     = "rg-${var.prefix}-network"
  location = var.location
  tags     = local.tags
}

module "network" {
  source = "./modules/network"
  count  = local.makes_network ? 1 : 0

  address_space                  = local.network.address_space
  administrator_address_prefixes = local.network.administrator_address_prefixes
  bastion_source_prefixes        = try(local.operations.bastion.source_prefixes, [])
  central_zone_ids               = local.network.central_zone_ids
  diagnostics                    = module.telemetry.diagnostics
  dns_servers                    = local.network.dns_servers
  egress_route_table_id          = local.network.egress_route_table_id
  gateway_source_prefixes        = try(local.edge.source_prefixes, [])
  github_hosted_runner           = try(local.operations.runner.github_hosted, null) != null
  location                       = var.location
  optional_subnets               = setunion(module.inputs.subnets_in_use, local.network.resolver == null ? [] : ["resolver"])
  prefix                         = var.prefix
  resource_group_name            = azurerm_resource_group.network[0].name
  subnet_overrides               = local.network.subnet_overrides
  tags                           = local.tags
  user_address_prefixes          = local.network.user_address_prefixes
  zones                          = local.cloud.zones
  zones_by_policy                = local.network.zones_by_policy
}

module "identity" {
  source = "./modules/identity"

  authority           = local.cloud.authority
  client_ids          = local.entra.client_ids
  federation_audience = local.cloud.federation_audience
  location            = var.location
  owners              = var.application_owners
  prefix              = var.prefix
  public_urls         = local.public_urls
  resource_group_name = azurerm_resource_group.application.name
  role_members        = local.entra.role_members
  tags                = local.tags
  tenant_id           = local.entra.tenant_id
}

module "telemetry" {
  source = "./modules/telemetry"

  contacts                   = var.contacts
  location                   = var.location
  prefix                     = var.prefix
  private_link_scope_id      = local.network.private_link_scope_id
  private_network            = local.private_network
  public_query_enabled       = var.public_network_access_enabled
  resource_group_name        = azurerm_resource_group.application.name
  retention_days             = var.log_retention_days
  subscription_id            = var.subscription_id
  suffix                     = local.suffix
  tags                       = local.tags
  watched_resource_group_ids = concat([azurerm_resource_group.application.id], azurerm_resource_group.network[*].id)
}

module "store" {
  source = "./modules/store"

  address_allow_list        = var.address_allow_list
  containers                = local.containers
  cosmos_failover_locations = local.cosmos.failover_locations
  cosmos_throughput         = local.cosmos.throughput
  customer_managed_key      = module.inputs.customer_managed_key
  diagnostics               = module.telemetry.diagnostics
  geo_redundant             = var.geo_redundant
  location                  = var.location
  prefix                    = var.prefix
  private_network           = local.private_network
  resource_group_name       = azurerm_resource_group.application.name
  seal_retention_days       = module.inputs.seals.retention_days
  seals_locked              = module.inputs.seals.locked
  suffix                    = local.suffix
  tags                      = local.tags
  tenant_id                 = local.entra.tenant_id
  zone_redundant            = var.zone_redundant
}

module "model" {
  source = "./modules/model"

  accounts             = local.accounts
  address_allow_list   = var.address_allow_list
  content_filter       = module.inputs.content_filter
  customer_managed_key = module.inputs.customer_managed_key
  diagnostics          = module.telemetry.diagnostics
  model_domain         = local.cloud.model_domain
  models               = local.models.models
  prefix               = var.prefix
  private_network      = local.private_network
  resource_group_name  = azurerm_resource_group.application.name
  suffix               = local.suffix
  tags                 = local.tags
}

module "app" {
  source = "./modules/app"

  address_allow_list        = var.address_allow_list
  applications_subnet_id    = local.subnet_ids["applications"]
  client_ids                = module.identity.client_ids
  diagnostics               = module.telemetry.diagnostics
  host_storage_account_name = module.store.host_storage.name
  identities                = module.identity.identities
  location                  = var.location
  names                     = local.app_names
  plan                      = module.inputs.plan
  prefix                    = var.prefix
  private_network           = local.private_network
  resource_group_name       = azurerm_resource_group.application.name
  settings                  = local.app_settings
  settings_table            = local.settings
  tags                      = local.tags
  tenant_auth_endpoint      = "${local.cloud.authority}/${local.entra.tenant_id}/v2.0"
  timers                    = keys(local.jobs)
  web_addresses             = local.makes_network ? module.network[0].web_addresses : {}
  zone_redundant            = var.zone_redundant

  # The function host reads its storage as soon as it starts.
  depends_on = [azurerm_role_assignment.need, azurerm_cosmosdb_sql_role_assignment.need]
}

module "edge" {
  source = "./modules/edge"
  count  = local.edge == null ? 0 : 1

  backend_host        = local.web_hosts.production
  certificate         = local.edge.certificate
  diagnostics         = module.telemetry.diagnostics
  host_name           = local.edge.host_name
  location            = var.location
  prefix              = var.prefix
  private_address     = try(coalesce(local.edge.private_address, cidrhost(module.network[0].prefixes["gateway"], 10)), null)
  public_address      = local.edge.public_address
  resource_group_name = azurerm_resource_group.application.name
  subnet_id           = local.subnet_ids["gateway"]
  tags                = local.tags
  zone_redundant      = var.zone_redundant

  depends_on = [module.app]
}

module "operations" {
  source = "./modules/operations"

  bastion                = local.operations.bastion
  customer_managed_key   = module.inputs.customer_managed_key
  diagnostics            = module.telemetry.diagnostics
  jump_machine           = local.operations.jump_machine
  location               = var.location
  policy                 = local.operations.policy
  prefix                 = var.prefix
  protected_group_ids    = { application = azurerm_resource_group.application.id }
  public_network_allowed = var.public_network_access_enabled
  resource_group_name    = azurerm_resource_group.application.name
  runner                 = local.operations.runner
  subnet_ids             = local.subnet_ids
  tags                   = local.tags
}
