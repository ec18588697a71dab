# Where Terraform keeps state: Entra ID only, every version kept, each reading and writing logged. Whoever
# may read it learns what the estate is made of, so only the two deployment identities may.
locals {
  _state = merge({ address_allow_list = [], private = null, public_because = null }, var.state)
  # Nobody named is nobody let in.
  _state_open    = local._state.public_because != null || length(local._state.address_allow_list) > 0
  _state_private = local._state.private == null ? null : merge({ blob_zone_id = null, location = null }, local._state.private)
  _state_because = coalesce(local._state.public_because, "Terraform runs at listed addresses outside the network")
}

resource "azurerm_storage_account" "state" {
  # checkov:skip=CKV_AZURE_206:the check cannot follow local.replication, which is GZRS unless the region lacks zones or a pair.
  # checkov:skip=CKV_AZURE_33:queue_properties left the provider with version 5; nothing here uses queues.
  # checkov:skip=CKV_AZURE_59:a declared public door; Entra ID only, and closed where state names nobody.
  # checkov:skip=CKV_AZURE_35:a declared public door; denied by default unless state.public_because gives the reason.
  # checkov:skip=CKV2_AZURE_1:Microsoft's keys encrypt what is kept here; the estate's own data takes a key of yours.
  # checkov:skip=CKV2_AZURE_20:storage insights demand an account key.
  # checkov:skip=CKV2_AZURE_21:blobs log through the diagnostic setting; storage insights demand an account key.
  # checkov:skip=CKV2_AZURE_33:the endpoint exists once a subnet is named.
  name                              = "st${replace(var.prefix, "-", "")}tf${local.suffix}"
  resource_group_name               = azurerm_resource_group.this.name
  location                          = var.location
  account_tier                      = "Standard"
  account_replication_type          = local.replication
  public_network_access_enabled     = local._state_open
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
  tags                              = merge(local.tags, local._state_open ? { public-door = local._state_because } : {})

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
    # Whoever comes from an address that nobody can list still needs a token of Entra ID.
    default_action = local._state.public_because == null ? "Deny" : "Allow"
    bypass         = ["AzureServices"]
    ip_rules       = [for cidr in local._state.address_allow_list : trimsuffix(cidr, "/32")]
  }
  sas_policy {
    expiration_period = "00.01:00:00"
    expiration_action = "Block"
  }
}

resource "azurerm_storage_container" "state" {
  # checkov:skip=CKV2_AZURE_21:blobs log through the diagnostic setting; storage insights demand an account key.
  name               = "estate"
  storage_account_id = azurerm_storage_account.state.id
}

# A plan is kept where the planning identity may leave it and the applying one finds it.
resource "azurerm_storage_container" "plans" {
  # checkov:skip=CKV2_AZURE_21:blobs log through the diagnostic setting; storage insights demand an account key.
  name               = "plans"
  storage_account_id = azurerm_storage_account.state.id
}

resource "azurerm_private_endpoint" "state" {
  count = local._state_private == null ? 0 : 1

  name                = "pe-${var.prefix}-state"
  resource_group_name = azurerm_resource_group.this.name
  location            = coalesce(local._state_private.location, var.location)
  subnet_id           = local._state_private.subnet_id
  tags                = local.tags

  private_service_connection {
    name                           = "blob"
    private_connection_resource_id = azurerm_storage_account.state.id
    subresource_names              = ["blob"]
    is_manual_connection           = false
  }
  dynamic "private_dns_zone_group" {
    for_each = local._state_private.blob_zone_id == null ? [] : [local._state_private.blob_zone_id]
    content {
      name                 = "zones"
      private_dns_zone_ids = [private_dns_zone_group.value]
    }
  }

  lifecycle {
    # Where no zone is named, an Azure Policy attaches one.
    ignore_changes = [private_dns_zone_group]
  }
}

resource "azurerm_monitor_diagnostic_setting" "state" {
  name                       = "diagnostics"
  target_resource_id         = "${azurerm_storage_account.state.id}/blobServices/default"
  log_analytics_workspace_id = local.workspace_id

  enabled_log {
    category_group = "allLogs"
  }
  enabled_metric {
    category = "AllMetrics"
  }
}
