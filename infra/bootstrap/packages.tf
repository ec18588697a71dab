# Where a pipeline leaves the applications' packages for App Service to fetch: the second declared door.
# Only the applying pipeline writes.
resource "azurerm_storage_account" "packages" {
  # checkov:skip=CKV_AZURE_33:queue_properties left the provider with version 5; nothing here uses queues.
  # checkov:skip=CKV_AZURE_59:a declared public door; Entra ID only, and closed once packages.private is set.
  # checkov:skip=CKV_AZURE_35:a declared public door; denied by default once addresses are named or packages.private is set.
  # checkov:skip=CKV2_AZURE_1:Microsoft's keys encrypt what is kept here; the estate's own data takes a key of yours.
  # checkov:skip=CKV2_AZURE_20:storage insights demand an account key.
  # checkov:skip=CKV2_AZURE_21:storage insights demand an account key.
  # checkov:skip=CKV2_AZURE_33:the endpoint exists once packages.private is set.
  name                              = "st${replace(var.prefix, "-", "")}pkg${local.suffix}"
  resource_group_name               = azurerm_resource_group.this.name
  location                          = var.location
  account_tier                      = "Standard"
  account_replication_type          = "GRS"
  public_network_access_enabled     = var.packages.private == null
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
  tags                              = merge(local.tags, var.packages.private == null ? { public-door = "pipelines run on machines whose addresses nobody can list; Entra ID is the lock" } : {})

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
    # GitHub's machines come from addresses nobody can list: the door's lock is Entra ID.
    default_action = var.packages.private == null && length(var.packages.address_allow_list) == 0 ? "Allow" : "Deny"
    bypass         = ["AzureServices"]
    ip_rules       = [for cidr in var.packages.address_allow_list : trimsuffix(cidr, "/32")]
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

resource "azurerm_private_endpoint" "packages" {
  count = var.packages.private == null ? 0 : 1

  name                = "pe-${var.prefix}-packages"
  resource_group_name = azurerm_resource_group.this.name
  location            = coalesce(var.packages.private.location, var.location)
  subnet_id           = var.packages.private.subnet_id
  tags                = local.tags

  private_service_connection {
    name                           = "blob"
    private_connection_resource_id = azurerm_storage_account.packages.id
    subresource_names              = ["blob"]
    is_manual_connection           = false
  }
  private_dns_zone_group {
    name                 = "zones"
    private_dns_zone_ids = [var.packages.private.blob_zone_id]
  }
}
