# One key for OpenAI, Cosmos DB, storage and disks, made through Resource Manager and never out of its
# vault; one identity that may wrap with it. The estate takes both by id.
resource "azurerm_key_vault" "key" {
  # checkov:skip=CKV2_AZURE_32:no application reaches this vault: services unwrap through the trusted-services bypass, and Resource Manager made the key.
  count = var.customer_managed_key == null ? 0 : 1

  name                          = "kv-${var.prefix}-k-${local.suffix}"
  resource_group_name           = azurerm_resource_group.this.name
  location                      = var.location
  tenant_id                     = var.tenant_id
  sku_name                      = "premium"
  rbac_authorization_enabled    = true
  purge_protection_enabled      = true
  soft_delete_retention_days    = 90
  public_network_access_enabled = false
  tags                          = local.tags

  network_acls {
    default_action = "Deny"
    bypass         = "AzureServices"
  }
}

resource "azapi_resource" "key" {
  count = var.customer_managed_key == null ? 0 : 1

  type      = "Microsoft.KeyVault/vaults/keys@2023-07-01"
  name      = "estate"
  parent_id = azurerm_key_vault.key[0].id

  body = {
    properties = {
      kty     = "RSA-HSM"
      keySize = 3072
      keyOps  = ["unwrapKey", "wrapKey"]
      rotationPolicy = {
        lifetimeActions = [{
          action  = { type = "Rotate" }
          trigger = { timeAfterCreate = try(var.customer_managed_key.rotate_after, "P1Y") }
        }]
      }
    }
  }

  lifecycle {
    # Resource Manager can neither change nor delete a key.
    ignore_changes = [body]
  }
}

resource "azurerm_user_assigned_identity" "key" {
  count = var.customer_managed_key == null ? 0 : 1

  name                = "id-${var.prefix}-key"
  resource_group_name = azurerm_resource_group.this.name
  location            = var.location
  tags                = local.tags
}

resource "azurerm_role_assignment" "key" {
  count = var.customer_managed_key == null ? 0 : 1

  scope                = azapi_resource.key[0].id
  role_definition_name = "Key Vault Crypto Service Encryption User"
  principal_id         = azurerm_user_assigned_identity.key[0].principal_id
  principal_type       = "ServicePrincipal"
  description          = "wrap and unwrap the keys of the estate's data"
}

resource "azurerm_monitor_diagnostic_setting" "key" {
  count = var.customer_managed_key == null ? 0 : 1

  name                       = "diagnostics"
  target_resource_id         = azurerm_key_vault.key[0].id
  log_analytics_workspace_id = local.workspace_id

  enabled_log {
    category_group = "allLogs"
  }
  enabled_metric {
    category = "AllMetrics"
  }
}
