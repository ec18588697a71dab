# Two identities for pipelines, and no secret: GitHub vouches for each, and only in its own environment.
# `plan` reads; `apply` writes. Neither can be taken by a pull request or from another repository.
locals {
  _issuer = "https://token.actions.githubusercontent.com"
  # Roles that the applying identity may hand out, and to whom: service principals and groups only.
  _delegable_roles = distinct(concat(
    # A row with actions is a role of our own, which is below by its id.
    [for row in local.roles : row.role if row.service != "cosmos" && !can(row.actions)],
    ["Key Vault Secrets User", "Virtual Machine User Login"],
  ))
  _delegable_ids = concat(
    [for name in local._delegable_roles : basename(data.azurerm_role_definition.delegable[name].id)],
    [basename(azurerm_role_definition.deployment_manager.role_definition_resource_id)],
  )
}

data "azurerm_role_definition" "delegable" {
  for_each = toset(local._delegable_roles)

  name  = each.key
  scope = local.subscription
}

resource "azurerm_user_assigned_identity" "deploy" {
  for_each = toset(["apply", "plan"])

  name                = "id-${var.prefix}-${each.key}"
  resource_group_name = azurerm_resource_group.this.name
  location            = var.location
  tags                = local.tags
}

resource "azurerm_federated_identity_credential" "github" {
  for_each = azurerm_user_assigned_identity.deploy

  name                      = "github-${each.key}"
  user_assigned_identity_id = each.value.id
  audience                  = [local.cloud.federation_audience]
  issuer                    = local._issuer
  subject                   = "repo:${var.repository}:environment:${var.prefix}-${each.key}"
}

resource "azurerm_role_assignment" "plan_reads" {
  scope                = local.subscription
  role_definition_name = "Reader"
  principal_id         = azurerm_user_assigned_identity.deploy["plan"].principal_id
  principal_type       = "ServicePrincipal"
  description          = "read the estate, to plan"
}

# Planning asks Azure for account keys, which open nothing here: every service of the estate refuses them.
# There is nothing to refresh before the estate exists.
resource "azurerm_role_assignment" "plan_refreshes" {
  for_each = var.estate.resource_group_ids

  scope              = each.value
  role_definition_id = azurerm_role_definition.refresher.role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.deploy["plan"].principal_id
  principal_type     = "ServicePrincipal"
  description        = "refresh what the provider reads on every plan"
}

resource "azurerm_role_assignment" "apply_writes" {
  scope                = local.subscription
  role_definition_name = "Contributor"
  principal_id         = azurerm_user_assigned_identity.deploy["apply"].principal_id
  principal_type       = "ServicePrincipal"
  description          = "make and change the estate"
}

# It hands out the roles of tables/roles.json and no other, so it cannot make itself an owner, and none to
# itself or to `plan`. What it deploys acts as the estate's identities all the same: the reviewers of its
# environment stand before that, and people are told of every role (modules/telemetry/alerts.tf).
# Source: Microsoft Learn, "Delegate Azure role assignment management to others with conditions".
resource "azurerm_role_assignment" "apply_delegates" {
  scope                = local.subscription
  role_definition_name = "Role Based Access Control Administrator"
  principal_id         = azurerm_user_assigned_identity.deploy["apply"].principal_id
  principal_type       = "ServicePrincipal"
  description          = "hand out the roles that the estate's identities need"
  condition_version    = "2.0"
  condition            = <<-CONDITION
    (
      (
        !(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})
      )
      OR
      (
        @Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {${join(", ", local._delegable_ids)}}
        AND
        @Request[Microsoft.Authorization/roleAssignments:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {'ServicePrincipal', 'Group'}
        AND
        @Request[Microsoft.Authorization/roleAssignments:PrincipalId] ForAnyOfAllValues:GuidNotEquals {${join(", ", [for one in azurerm_user_assigned_identity.deploy : one.principal_id])}}
      )
    )
    AND
    (
      (
        !(ActionMatches{'Microsoft.Authorization/roleAssignments/delete'})
      )
      OR
      (
        @Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {${join(", ", local._delegable_ids)}}
      )
    )
  CONDITION
}

resource "azurerm_role_assignment" "apply_assigns_policy" {
  count = var.policy_assignments ? 1 : 0

  scope                = local.subscription
  role_definition_name = "Resource Policy Contributor"
  principal_id         = azurerm_user_assigned_identity.deploy["apply"].principal_id
  principal_type       = "ServicePrincipal"
  description          = "assign the policies that keep the estate closed"
}

# Whoever may write state decides what the next apply destroys. A plan takes the state's lock, which is a
# write, unless it is told not to: terraform plan -lock=false.
resource "azurerm_role_assignment" "state" {
  for_each = { apply = "Storage Blob Data Contributor", plan = "Storage Blob Data Reader" }

  scope                = azurerm_storage_container.state.id
  role_definition_name = each.value
  principal_id         = azurerm_user_assigned_identity.deploy[each.key].principal_id
  principal_type       = "ServicePrincipal"
  description          = each.key == "apply" ? "keep state" : "read state, to plan"
}

resource "azurerm_role_assignment" "plans" {
  for_each = { apply = "Storage Blob Data Reader", plan = "Storage Blob Data Contributor" }

  scope                = azurerm_storage_container.plans.id
  role_definition_name = each.value
  principal_id         = azurerm_user_assigned_identity.deploy[each.key].principal_id
  principal_type       = "ServicePrincipal"
  description          = each.key == "apply" ? "apply the plan that was approved" : "keep plans"
}

# People who apply by hand.
resource "azurerm_role_assignment" "operator" {
  for_each = var.operators

  scope                = azurerm_storage_container.state.id
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = each.value
  principal_type       = "Group"
  description          = "keep state, applying by hand"
}

resource "azurerm_role_assignment" "packages" {
  scope                = azurerm_storage_container.packages.id
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = azurerm_user_assigned_identity.deploy["apply"].principal_id
  principal_type       = "ServicePrincipal"
  description          = "leave packages of the applications"
}
