# Locks stand on what cannot be made again. They are named in a second apply, once the estate exists.
# Never on an OpenAI account: a lock would stop deployments from being changed.
resource "azurerm_management_lock" "estate" {
  for_each = var.lock_ids

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
