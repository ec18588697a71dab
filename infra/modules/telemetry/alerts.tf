# Acts that weaken the estate are told to people, whoever does them. What is given or taken away above
# the estate, or in bootstrap beside it, is watched in the whole subscription.
locals {
  _everywhere = {
    federated-credential = { operation = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write", says = "Someone else may now act as a managed identity." }
    lock-removed         = { operation = "Microsoft.Authorization/locks/delete", says = "A lock was removed." }
    role-assigned        = { operation = "Microsoft.Authorization/roleAssignments/write", says = "Someone was given a role." }
    role-defined         = { operation = "Microsoft.Authorization/roleDefinitions/write", says = "What a role may do was changed." }
  }
  _here = {
    alert-changed         = { operation = "Microsoft.Insights/activityLogAlerts/write", says = "One of these alerts was changed, which may have switched it off." }
    alert-removed         = { operation = "Microsoft.Insights/activityLogAlerts/delete", says = "One of these alerts was removed." }
    cosmos-data-role      = { operation = "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments/write", says = "Someone was given access to data in Cosmos DB." }
    cosmos-firewall       = { operation = "Microsoft.DocumentDB/databaseAccounts/write", says = "Cosmos DB's settings, its firewall among them, were changed." }
    diagnostics-removed   = { operation = "Microsoft.Insights/diagnosticSettings/delete", says = "A service no longer sends its logs." }
    model-firewall        = { operation = "Microsoft.CognitiveServices/accounts/write", says = "Azure OpenAI's settings, its firewall among them, were changed." }
    people-told           = { operation = "Microsoft.Insights/actionGroups/write", says = "Whom these alerts are sent to was changed." }
    public-address        = { operation = "Microsoft.Network/publicIPAddresses/write", says = "A public address was made or changed." }
    seals-unprotected     = { operation = "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies/delete", says = "Seals of the audit may now be changed or deleted." }
    security-group        = { operation = "Microsoft.Network/networkSecurityGroups/write", says = "A network security group was changed." }
    security-rule         = { operation = "Microsoft.Network/networkSecurityGroups/securityRules/write", says = "A rule of a network security group was changed." }
    storage-firewall      = { operation = "Microsoft.Storage/storageAccounts/write", says = "A storage account's settings, its firewall among them, were changed." }
    vault-firewall        = { operation = "Microsoft.KeyVault/vaults/write", says = "The vault's settings, its firewall among them, were changed." }
    web-application-door  = { operation = "Microsoft.Web/sites/write", says = "An application was changed, its public door among it." }
    web-application-write = { operation = "Microsoft.Web/sites/config/write", says = "An application's settings were changed." }
    web-slot-door         = { operation = "Microsoft.Web/sites/slots/write", says = "An application's staging slot was changed, its public door among it." }
    web-slot-write        = { operation = "Microsoft.Web/sites/slots/config/write", says = "The settings of an application's staging slot were changed." }
    workspace-door        = { operation = "Microsoft.OperationalInsights/workspaces/write", says = "The workspace's settings, who may read logs from where among them, were changed." }
  }
  _watched = merge(
    { for name, one in local._everywhere : name => merge(one, { scopes = ["/subscriptions/${var.subscription_id}"] }) },
    { for name, one in local._here : name => merge(one, { scopes = var.watched_resource_group_ids }) },
  )
}

resource "azurerm_monitor_action_group" "this" {
  name                = "ag-${var.prefix}"
  resource_group_name = var.resource_group_name
  short_name          = substr(replace(var.prefix, "-", ""), 0, 12)
  tags                = var.tags

  dynamic "email_receiver" {
    for_each = var.contacts
    content {
      name                    = email_receiver.key
      email_address           = email_receiver.value
      use_common_alert_schema = true
    }
  }
}

resource "azurerm_monitor_activity_log_alert" "this" {
  for_each = local._watched

  name                = "alert-${var.prefix}-${each.key}"
  resource_group_name = var.resource_group_name
  location            = "global"
  scopes              = each.value.scopes
  description         = each.value.says
  tags                = var.tags

  criteria {
    category       = "Administrative"
    operation_name = each.value.operation
    status         = "Succeeded"
  }
  action {
    action_group_id = azurerm_monitor_action_group.this.id
  }
}
