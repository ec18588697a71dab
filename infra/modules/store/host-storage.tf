# What the function host itself needs: locks and the state of its timers; nothing of people's is kept here.
# Both slots share it, each under a host id of its own (AzureFunctionsWebHost__hostid), and staging's timers
# are off. A job may run twice without harm, so what a release candidate could do to production here is to
# make one run again or wait.
resource "azurerm_storage_account" "host" {
  # checkov:skip=CKV_AZURE_206:the check cannot follow local.replication, which is GZRS unless the region lacks zones or a pair.
  # checkov:skip=CKV_AZURE_43:the check cannot follow replace(); the prefix's validation keeps names within the rules.
  # checkov:skip=CKV_AZURE_33:queue_properties left the provider with version 5; queues log through the diagnostic setting.
  # checkov:skip=CKV2_AZURE_1:a customer-managed key is the estate's option (customer_managed_key), set in the block below.
  # checkov:skip=CKV2_AZURE_20:storage insights demand an account key; tables log through the diagnostic setting.
  # checkov:skip=CKV2_AZURE_21:storage insights demand an account key; blobs log through the diagnostic setting.
  name                              = "st${replace(var.prefix, "-", "")}host${var.suffix}"
  resource_group_name               = var.resource_group_name
  location                          = var.location
  account_tier                      = "Standard"
  account_replication_type          = local.replication
  public_network_access_enabled     = local.public
  shared_access_key_enabled         = false
  default_to_oauth_authentication   = true
  allow_nested_items_to_be_public   = false
  allowed_copy_scope                = "AAD"
  cross_tenant_replication_enabled  = false
  https_traffic_only_enabled        = true
  infrastructure_encryption_enabled = true
  local_user_enabled                = false
  min_tls_version                   = "TLS1_2"
  queue_encryption_key_type         = "Account"
  table_encryption_key_type         = "Account"
  tags                              = var.tags

  blob_properties {
    versioning_enabled = true

    delete_retention_policy {
      days = 30
    }
    container_delete_retention_policy {
      days = 30
    }
  }
  network_rules {
    default_action = "Deny"
    bypass         = ["AzureServices"]
    ip_rules       = local._storage_ip_rules
  }
  # No shared key exists to sign one with; should one be switched on, its signatures live an hour.
  sas_policy {
    expiration_period = "00.01:00:00"
    expiration_action = "Block"
  }

  dynamic "identity" {
    for_each = local.key
    content {
      type         = "UserAssigned"
      identity_ids = [identity.value.identity_id]
    }
  }
  dynamic "customer_managed_key" {
    for_each = local.key
    content {
      key_vault_key_id          = customer_managed_key.value.key_id
      user_assigned_identity_id = customer_managed_key.value.identity_id
    }
  }
}

resource "azurerm_private_endpoint" "host" {
  for_each = local.attached ? toset(["blob", "queue", "table"]) : []

  name                = "pe-${var.prefix}-host-${each.key}"
  resource_group_name = var.resource_group_name
  location            = var.private_network.location
  subnet_id           = var.private_network.subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = each.key
    private_connection_resource_id = azurerm_storage_account.host.id
    subresource_names              = [each.key]
    is_manual_connection           = false
  }
  private_dns_zone_group {
    name                 = "zones"
    private_dns_zone_ids = var.private_network.zone_ids[each.key]
  }
}

resource "azurerm_private_endpoint" "host_by_policy" {
  for_each = local.by_policy ? toset(["blob", "queue", "table"]) : []

  name                = "pe-${var.prefix}-host-${each.key}"
  resource_group_name = var.resource_group_name
  location            = var.private_network.location
  subnet_id           = var.private_network.subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = each.key
    private_connection_resource_id = azurerm_storage_account.host.id
    subresource_names              = [each.key]
    is_manual_connection           = false
  }

  lifecycle {
    ignore_changes = [private_dns_zone_group]
  }
}

resource "azurerm_monitor_diagnostic_setting" "host" {
  for_each = toset(["blob", "queue", "table"])

  name                       = "diagnostics"
  target_resource_id         = "${azurerm_storage_account.host.id}/${each.key}Services/default"
  log_analytics_workspace_id = var.diagnostics.workspace_id

  enabled_log {
    category_group = "allLogs"
  }
  enabled_metric {
    category = "AllMetrics"
  }
}
