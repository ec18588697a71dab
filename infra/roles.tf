# Every need in tables/roles.json becomes one assignment for each identity, slot and scope: no identity
# holds a role that no row asks for.
locals {
  _scopes = {
    for slot in ["production", "staging"] : slot => {
      application_insights = { "" = module.telemetry.application_insights_id }
      cosmos_database      = { "" = "${module.store.cosmos.id}/dbs/${module.store.cosmos.databases[slot]}" }
      exports_container    = { "" = module.store.records.exports[slot] }
      host_storage         = { "" = module.store.host_storage.id }
      # Package storage is bootstrap's, and so are the rights to it.
      packages_container = {}
      model_account      = { for key, account in module.model.accounts : "-${key}" => account.id }
      seal_key           = { "" = module.store.seal_keys[slot].id }
      seals_container    = { "" = module.store.records.seals[slot] }
    }
  }
  _needs = merge(flatten([
    for need, row in local.roles : [
      for app in row.identities : [
        for slot in ["production", "staging"] : {
          for key, scope in local._scopes[slot][row.scope] : "${need}-${app}-${slot}${key}" => {
            principal_id = module.identity.identities["${app}-${slot}"].principal_id
            role         = row.role
            scope        = scope
            service      = row.service
            why          = row.why
          }
        }
      ]
    ]
  ])...)
}

resource "azurerm_role_assignment" "need" {
  for_each = { for key, need in local._needs : key => need if need.service != "cosmos" }

  scope                = each.value.scope
  role_definition_name = each.value.role
  principal_id         = each.value.principal_id
  principal_type       = "ServicePrincipal"
  description          = each.value.why
}

# Cosmos DB has roles of its own for data; Azure's give none.
resource "azurerm_cosmosdb_sql_role_assignment" "need" {
  for_each = { for key, need in local._needs : key => need if need.service == "cosmos" }

  resource_group_name = azurerm_resource_group.application.name
  account_name        = module.store.cosmos.account_name
  # Cosmos DB Built-in Data Contributor
  role_definition_id = "${module.store.cosmos.id}/sqlRoleDefinitions/00000000-0000-0000-0000-000000000002"
  principal_id       = each.value.principal_id
  scope              = each.value.scope
}

# The custom role from bootstrap: deploy models and nothing else on the account.
resource "azurerm_role_assignment" "manage_deployments" {
  for_each = var.deployment_manager_role_id == null ? {} : local.accounts

  scope              = module.model.accounts[each.key].id
  role_definition_id = var.deployment_manager_role_id
  principal_id       = module.identity.identities["web-production"].principal_id
  principal_type     = "ServicePrincipal"
  description        = "deploy models from the administrator's desk"
}
