# Every need in tables/roles.json becomes one assignment for each identity, slot and scope: no identity
# holds a role that no row asks for.
locals {
  _scopes = {
    for slot in ["production", "staging"] : slot => {
      application_insights  = { "" = module.telemetry.application_insights_id }
      attachments_container = { "" = module.store.records.attachments[slot] }
      cosmos_database       = { "" = "${module.store.cosmos.id}/dbs/${module.store.cosmos.databases[slot]}" }
      evidence_key          = { "" = module.store.evidence_keys[slot].id }
      exports_container     = { "" = module.store.records.exports[slot] }
      host_storage          = { "" = module.store.host_storage.id }
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
    ] if !can(row.actions)
  ])...)
  # What a role of our own may do at most, and whoever holds it; bootstrap defines it, an owner hands it over.
  _manage = local.roles.manage_deployments
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

# The custom role from bootstrap, looked up: whichever id was handed over, it may do no more than the table
# says.
data "azurerm_role_definition" "deployment_manager" {
  count = var.deployment_manager_role_id == null ? 0 : 1

  role_definition_id = basename(var.deployment_manager_role_id)
  scope              = "/subscriptions/${var.subscription_id}"

  lifecycle {
    # Azure knows two types of role: its own, and those that somebody defined.
    postcondition {
      condition     = self.type != "BuiltInRole"
      error_message = "deployment_manager_role_id is a role of Azure's own, which may do more than manage deployments: hand over bootstrap's output for_estate."
    }
    postcondition {
      condition = self.type != "CustomRole" || (
        length(setsubtract([for action in flatten(self.permissions[*].actions) : lower(action)], [for action in local._manage.actions : lower(action)])) == 0
        && length(flatten(self.permissions[*].data_actions)) == 0
      )
      error_message = "deployment_manager_role_id may do more than manage deployments (manage_deployments in tables/roles.json): hand over bootstrap's output for_estate."
    }
  }
}

resource "azurerm_role_assignment" "manage_deployments" {
  for_each = merge([
    for slot in var.deployment_manager_role_id == null ? [] : local._manage.slots : {
      for key, scope in local._scopes[slot][local._manage.scope] : "${slot}${key}" => { scope = scope, slot = slot }
    }
  ]...)

  scope              = each.value.scope
  role_definition_id = var.deployment_manager_role_id
  principal_id       = module.identity.identities["web-${each.value.slot}"].principal_id
  principal_type     = "ServicePrincipal"
  description        = local._manage.why

  depends_on = [data.azurerm_role_definition.deployment_manager]
}
