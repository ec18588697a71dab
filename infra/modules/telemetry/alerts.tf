# Acts that weaken the estate are told to people, whoever does them.
locals {
  _watched = {
    cosmos-data-role      = { operation = "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments/write", says = "Someone was given access to data in Cosmos DB." }
    cosmos-firewall       = { operation = "Microsoft.DocumentDB/databaseAccounts/write", says = "Cosmos DB's settings, its firewall among them, were changed." }
    lock-removed          = { operation = "Microsoft.Authorization/locks/delete", says = "A lock was removed." }
    model-firewall        = { operation = "Microsoft.CognitiveServices/accounts/write", says = "Azure OpenAI's settings, its firewall among them, were changed." }
    role-assigned         = { operation = "Microsoft.Authorization/roleAssignments/write", says = "Someone was given a role." }
    security-group        = { operation = "Microsoft.Network/networkSecurityGroups/write", says = "A network security group was changed." }
    security-rule         = { operation = "Microsoft.Network/networkSecurityGroups/securityRules/write", says = "A rule of a network security group was changed." }
    storage-firewall      = { operation = "Microsoft.Storage/storageAccounts/write", says = "A storage account's settings, its firewall among them, were changed." }
    vault-firewall        = { operation = "Microsoft.KeyVault/vaults/write", says = "The vault's settings, its firewall among them, were changed." }
    web-application-write = { operation = "Microsoft.Web/sites/config/write", says = "An application's settings were changed." }
  }
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
  scopes              = var.watched_resource_group_ids
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
