# A custom role's name is taken in the whole tenant: the suffix keeps estates of one name apart.

# Deploy models on an account, and nothing else on it: neither its keys nor its network. The estate refuses
# a role that may do more than this row of tables/roles.json.
resource "azurerm_role_definition" "deployment_manager" {
  name              = "${local.roles.manage_deployments.role} (${var.prefix}-${local.suffix})"
  scope             = local.subscription
  description       = "Makes, changes and removes model deployments of Azure OpenAI accounts."
  assignable_scopes = [local.subscription]

  permissions {
    actions     = local.roles.manage_deployments.actions
    not_actions = []
  }
}

# What the provider reads whenever it plans. The keys among it are refused by every service of the estate;
# elsewhere in the subscription they might open something, so the role is given on the estate's groups only.
resource "azurerm_role_definition" "refresher" {
  name              = "Secure OpenAI Plan Refresher (${var.prefix}-${local.suffix})"
  scope             = local.subscription
  description       = "Reads what Terraform refreshes beyond Reader."
  assignable_scopes = [local.subscription]

  permissions {
    actions = [
      "Microsoft.DocumentDB/databaseAccounts/listConnectionStrings/action",
      "Microsoft.DocumentDB/databaseAccounts/listKeys/action",
      "Microsoft.DocumentDB/databaseAccounts/readonlykeys/action",
      "Microsoft.Storage/storageAccounts/listKeys/action",
      "Microsoft.Web/sites/config/list/action",
      "Microsoft.Web/sites/publishxml/action",
      "Microsoft.Web/sites/slots/config/list/action",
      "Microsoft.Web/sites/slots/publishxml/action",
    ]
    not_actions = []
  }
}
