# Locks stand on what cannot be made again. They are named in a second apply, once the estate exists.
# Never on an OpenAI account: a lock would stop deployments from being changed.
resource "azurerm_management_lock" "estate" {
  for_each = var.estate.lock_ids

  name       = "kept-${var.prefix}"
  scope      = each.value
  lock_level = "CanNotDelete"
  notes      = "Holds data or opens the way to it; remove the lock in bootstrap before removing this."
}

resource "azurerm_management_lock" "state" {
  name       = "kept-${var.prefix}"
  scope      = azurerm_storage_account.state.id
  lock_level = "CanNotDelete"
  notes      = "Terraform's state."
}

# Without the key nothing that it encrypts can be read.
resource "azurerm_management_lock" "key" {
  count = var.customer_managed_key == null ? 0 : 1

  name       = "kept-${var.prefix}"
  scope      = azurerm_key_vault.key[0].id
  lock_level = "CanNotDelete"
  notes      = "The key that encrypts the estate's data."
}

# The applying identity may change whatever stands in the subscription. Whom the two deployment
# identities trust is beyond it: a lock can be removed by an owner only.
resource "azurerm_management_lock" "deploy" {
  for_each = azurerm_user_assigned_identity.deploy

  name       = "kept-${var.prefix}"
  scope      = each.value.id
  lock_level = "ReadOnly"
  notes      = "Whom GitHub vouches for; remove the lock before changing the federated credential."

  depends_on = [azurerm_federated_identity_credential.github]
}

locals {
  _defender_plans = ["AI", "AppServices", "Arm", "CloudPosture", "ContainerRegistry", "Containers", "CosmosDbs", "KeyVaults", "StorageAccounts", "VirtualMachines"]
}

resource "azurerm_security_center_subscription_pricing" "this" {
  for_each = setsubtract(var.defender_plans, local.cloud.defender_for_ai ? [] : ["AI"])

  tier          = "Standard"
  resource_type = each.key
  subplan       = each.key == "StorageAccounts" ? "DefenderForStorageV2" : null
}

resource "azurerm_security_center_contact" "this" {
  # checkov:skip=CKV_AZURE_20:alerts are mailed; a telephone number would be a person's.
  count = length(var.defender_plans) > 0 ? 1 : 0

  name                = "default"
  email               = var.contact
  alert_notifications = true
  alerts_to_admins    = true
}

resource "azurerm_consumption_budget_subscription" "this" {
  count = var.budget == null ? 0 : 1

  name            = "budget-${var.prefix}"
  subscription_id = local.subscription
  amount          = var.budget.monthly
  time_grain      = "Monthly"

  time_period {
    start_date = var.budget.start_date
  }
  dynamic "notification" {
    for_each = { 80 = "Actual", 100 = "Actual", 110 = "Forecasted" }
    content {
      operator       = "GreaterThanOrEqualTo"
      threshold      = tonumber(notification.key)
      threshold_type = notification.value
      contact_emails = [var.contact]
    }
  }
}
