# Where a pipeline leaves the applications' packages for App Service to fetch: the second declared door.
# Only the applying pipeline writes; the applications' own identities read.
locals {
  _packages = merge({ address_allow_list = [], private = null, public_because = null }, var.packages)
  # Nobody named is nobody let in.
  _packages_open    = local._packages.public_because != null || length(local._packages.address_allow_list) > 0
  _packages_because = coalesce(local._packages.public_because, "pipelines run at listed addresses outside the network")
  _packages_private = local._packages.private == null ? var.estate.private_network : merge({ blob_zone_id = null, location = null }, local._packages.private)

  # tables/roles.json says which applications need it; the estate says who they are, such as web-production.
  _package_readers = merge([
    for need, row in local.roles : {
      for name, id in var.estate.package_readers : "${need}-${name}" => { principal_id = id, role = row.role, why = row.why }
      if contains(row.identities, split("-", name)[0])
    } if row.scope == "packages_container"
  ]...)
}

resource "azurerm_storage_account" "packages" {
  # checkov:skip=CKV_AZURE_206:the check cannot follow local.replication, which is GZRS unless the region lacks zones or a pair.
  # checkov:skip=CKV_AZURE_33:queue_properties left the provider with version 5; nothing here uses queues.
  # checkov:skip=CKV_AZURE_59:a declared public door; Entra ID only, and closed where packages names nobody.
  # checkov:skip=CKV_AZURE_35:a declared public door; denied by default unless packages.public_because gives the reason.
  # checkov:skip=CKV2_AZURE_1:Microsoft's keys encrypt what is kept here; the estate's own data takes a key of yours.
  # checkov:skip=CKV2_AZURE_20:storage insights demand an account key.
  # checkov:skip=CKV2_AZURE_21:storage insights demand an account key.
  # checkov:skip=CKV2_AZURE_33:the endpoint exists once a subnet is named.
  name                              = "st${replace(var.prefix, "-", "")}pkg${local.suffix}"
  resource_group_name               = azurerm_resource_group.this.name
  location                          = var.location
  account_tier                      = "Standard"
  account_replication_type          = local.replication
  public_network_access_enabled     = local._packages_open
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
  tags                              = merge(local.tags, local._packages_open ? { public-door = local._packages_because } : {})

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
    default_action = local._packages.public_because == null ? "Deny" : "Allow"
    bypass         = ["AzureServices"]
    ip_rules       = [for cidr in local._packages.address_allow_list : trimsuffix(cidr, "/32")]
  }
  sas_policy {
    expiration_period = "00.01:00:00"
    expiration_action = "Block"
  }
}

resource "azurerm_storage_container" "packages" {
  # checkov:skip=CKV2_AZURE_21:storage insights demand an account key.
  name               = "packages"
  storage_account_id = azurerm_storage_account.packages.id
}

# The applications come from inside the network, whoever else the door lets in.
resource "azurerm_private_endpoint" "packages" {
  count = local._packages_private == null ? 0 : 1

  name                = "pe-${var.prefix}-packages"
  resource_group_name = azurerm_resource_group.this.name
  location            = coalesce(local._packages_private.location, var.location)
  subnet_id           = local._packages_private.subnet_id
  tags                = local.tags

  private_service_connection {
    name                           = "blob"
    private_connection_resource_id = azurerm_storage_account.packages.id
    subresource_names              = ["blob"]
    is_manual_connection           = false
  }
  dynamic "private_dns_zone_group" {
    for_each = local._packages_private.blob_zone_id == null ? [] : [local._packages_private.blob_zone_id]
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

resource "azurerm_role_assignment" "package_reader" {
  for_each = local._package_readers

  scope                = azurerm_storage_container.packages.id
  role_definition_name = each.value.role
  principal_id         = each.value.principal_id
  principal_type       = "ServicePrincipal"
  description          = each.value.why
}

resource "azurerm_monitor_diagnostic_setting" "packages" {
  name                       = "diagnostics"
  target_resource_id         = "${azurerm_storage_account.packages.id}/blobServices/default"
  log_analytics_workspace_id = local.workspace_id

  enabled_log {
    category_group = "allLogs"
  }
  enabled_metric {
    category = "AllMetrics"
  }
}
