resource "azurerm_cognitive_account" "this" {
  # checkov:skip=CKV2_AZURE_22:a customer-managed key is the estate's option (customer_managed_key), set in the block below.
  for_each = var.accounts

  name                               = local.names[each.key]
  resource_group_name                = var.resource_group_name
  location                           = each.value.location
  kind                               = "OpenAI"
  sku_name                           = "S0"
  custom_subdomain_name              = local.names[each.key]
  local_auth_enabled                 = false
  public_network_access_enabled      = local.public
  outbound_network_access_restricted = true
  # The only host that the account may call is itself: nothing makes it fetch for someone else.
  fqdns = ["${local.names[each.key]}.${var.model_domain}"]
  tags  = var.tags

  network_acls {
    default_action = "Deny"
    bypass         = "None"
    ip_rules       = var.address_allow_list
  }
  identity {
    type         = var.customer_managed_key == null ? "SystemAssigned" : "SystemAssigned, UserAssigned"
    identity_ids = var.customer_managed_key == null ? null : [var.customer_managed_key.identity_id]
  }
  dynamic "customer_managed_key" {
    for_each = var.customer_managed_key == null ? [] : [var.customer_managed_key]
    content {
      key_vault_key_id   = customer_managed_key.value.key_id
      identity_client_id = customer_managed_key.value.identity_client_id
    }
  }
}

resource "azurerm_private_endpoint" "model" {
  for_each = local.attached ? var.accounts : {}

  name                = "pe-${var.prefix}-model-${each.key}"
  resource_group_name = var.resource_group_name
  # The endpoint stands in the virtual network's region, whichever region the account is in.
  location  = var.private_network.location
  subnet_id = var.private_network.subnet_id
  tags      = var.tags

  private_service_connection {
    name                           = "model"
    private_connection_resource_id = azurerm_cognitive_account.this[each.key].id
    subresource_names              = ["account"]
    is_manual_connection           = false
  }
  private_dns_zone_group {
    name                 = "zones"
    private_dns_zone_ids = var.private_network.zone_ids["model"]
  }

  # An account takes one change at a time.
  depends_on = [azurerm_cognitive_deployment.this]
}

resource "azurerm_private_endpoint" "model_by_policy" {
  for_each = local.by_policy ? var.accounts : {}

  name                = "pe-${var.prefix}-model-${each.key}"
  resource_group_name = var.resource_group_name
  location            = var.private_network.location
  subnet_id           = var.private_network.subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = "model"
    private_connection_resource_id = azurerm_cognitive_account.this[each.key].id
    subresource_names              = ["account"]
    is_manual_connection           = false
  }

  lifecycle {
    ignore_changes = [private_dns_zone_group]
  }
  depends_on = [azurerm_cognitive_deployment.this]
}

resource "azurerm_monitor_diagnostic_setting" "model" {
  for_each = var.accounts

  name                       = "diagnostics"
  target_resource_id         = azurerm_cognitive_account.this[each.key].id
  log_analytics_workspace_id = var.diagnostics.workspace_id

  # Who called what and when; neither group holds prompts or answers.
  enabled_log {
    category_group = "audit"
  }
  enabled_log {
    category = "RequestResponse"
  }
  enabled_metric {
    category = "AllMetrics"
  }
}
