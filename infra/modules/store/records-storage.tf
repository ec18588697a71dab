# Seals of the audit, which nobody can change or delete; exports, which are deleted by themselves; and what
# people attach to messages, of which nothing stays once it is deleted but what the account keeps for 30 days.
resource "azurerm_storage_account" "records" {
  # checkov:skip=CKV_AZURE_206:the check cannot follow local.replication, which is GZRS unless the region lacks zones or a pair.
  # checkov:skip=CKV_AZURE_43:the check cannot follow replace(); the prefix's validation keeps names within the rules.
  # checkov:skip=CKV_AZURE_33:queue_properties left the provider with version 5; queues log through the diagnostic setting.
  # checkov:skip=CKV2_AZURE_1:a customer-managed key is the estate's option (customer_managed_key), set in the block below.
  # checkov:skip=CKV2_AZURE_20:storage insights demand an account key; tables log through the diagnostic setting.
  # checkov:skip=CKV2_AZURE_21:storage insights demand an account key; blobs log through the diagnostic setting.
  name                              = "st${replace(var.prefix, "-", "")}rec${var.suffix}"
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

resource "azurerm_storage_container" "seals" {
  # checkov:skip=CKV2_AZURE_21:storage insights demand an account key; blobs log through the diagnostic setting.
  for_each = var.slots

  name               = "seals-${each.key}"
  storage_account_id = azurerm_storage_account.records.id
}

# Append-only for the time that the audit is kept. It is left unlocked so that a trial can be taken
# down; locking it is a documented step and cannot be undone.
resource "azurerm_storage_container_immutability_policy" "seals" {
  for_each = var.slots

  storage_container_resource_manager_id = azurerm_storage_container.seals[each.key].id
  immutability_period_in_days           = var.seal_retention_days
  locked                                = var.seals_locked
}

resource "azurerm_storage_container" "exports" {
  # checkov:skip=CKV2_AZURE_21:storage insights demand an account key; blobs log through the diagnostic setting.
  for_each = var.slots

  name               = "exports-${each.key}"
  storage_account_id = azurerm_storage_account.records.id
}

resource "azurerm_storage_container" "attachments" {
  # checkov:skip=CKV2_AZURE_21:storage insights demand an account key; blobs log through the diagnostic setting.
  for_each = var.slots

  name               = "attachments-${each.key}"
  storage_account_id = azurerm_storage_account.records.id
}

resource "azurerm_storage_management_policy" "exports" {
  storage_account_id = azurerm_storage_account.records.id

  rule {
    name    = "exports-are-short-lived"
    enabled = true

    filters {
      blob_types   = ["blockBlob"]
      prefix_match = [for slot in var.slots : "exports-${slot}/"]
    }
    actions {
      base_blob {
        delete_after_days_since_creation_greater_than = 1
      }
      version {
        delete_after_days_since_creation = 1
      }
    }
  }
  # A deletion leaves a version: without this rule it would be there for ever.
  rule {
    name    = "attachments-leave-no-versions"
    enabled = true

    filters {
      blob_types   = ["blockBlob"]
      prefix_match = [for slot in var.slots : "attachments-${slot}/"]
    }
    actions {
      version {
        delete_after_days_since_creation = 1
      }
    }
  }
}

resource "azurerm_private_endpoint" "records" {
  for_each = local.attached ? toset(["blob"]) : []

  name                = "pe-${var.prefix}-records-${each.key}"
  resource_group_name = var.resource_group_name
  location            = var.private_network.location
  subnet_id           = var.private_network.subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = each.key
    private_connection_resource_id = azurerm_storage_account.records.id
    subresource_names              = [each.key]
    is_manual_connection           = false
  }
  private_dns_zone_group {
    name                 = "zones"
    private_dns_zone_ids = var.private_network.zone_ids[each.key]
  }
}

resource "azurerm_private_endpoint" "records_by_policy" {
  for_each = local.by_policy ? toset(["blob"]) : []

  name                = "pe-${var.prefix}-records-${each.key}"
  resource_group_name = var.resource_group_name
  location            = var.private_network.location
  subnet_id           = var.private_network.subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = each.key
    private_connection_resource_id = azurerm_storage_account.records.id
    subresource_names              = [each.key]
    is_manual_connection           = false
  }

  lifecycle {
    ignore_changes = [private_dns_zone_group]
  }
}

resource "azurerm_monitor_diagnostic_setting" "records" {
  for_each = toset(["blob"])

  name                       = "diagnostics"
  target_resource_id         = "${azurerm_storage_account.records.id}/${each.key}Services/default"
  log_analytics_workspace_id = var.diagnostics.workspace_id

  enabled_log {
    category_group = "allLogs"
  }
  enabled_metric {
    category = "AllMetrics"
  }
}
