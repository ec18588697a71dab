# The vault holds the keys that sign the audit's seals and evidence, and certificates of the edge. The estate has
# no secret to put into it.
resource "azurerm_key_vault" "this" {
  # checkov:skip=CKV_AZURE_189:the check cannot follow local.public; access is closed, or opened to an address allow-list.
  name                          = "kv-${var.prefix}-${var.suffix}"
  resource_group_name           = var.resource_group_name
  location                      = var.location
  tenant_id                     = var.tenant_id
  sku_name                      = "premium"
  rbac_authorization_enabled    = true
  purge_protection_enabled      = true
  soft_delete_retention_days    = 90
  public_network_access_enabled = local.public
  tags                          = var.tags

  network_acls {
    default_action = "Deny"
    # Resource Manager writes the key below from outside the network.
    bypass   = "AzureServices"
    ip_rules = var.address_allow_list
  }
}

locals {
  _signing_key = {
    properties = {
      kty       = "EC-HSM"
      curveName = "P-256"
      keyOps    = ["sign", "verify"]
      # A version is never lost: what it signed is verified by it for good.
      rotationPolicy = {
        lifetimeActions = [{
          action  = { type = "Rotate" }
          trigger = { timeAfterCreate = "P1Y" }
        }]
      }
    }
  }
}

# Keys are made through Resource Manager: the vault's own address is closed to whoever applies this.
# Source: Microsoft Learn, "Configure Azure Key Vault networking settings" (ARM is not affected).
resource "azapi_resource" "seal_key" {
  for_each = var.slots

  type      = "Microsoft.KeyVault/vaults/keys@2023-07-01"
  name      = "audit-seal-${each.key}"
  parent_id = azurerm_key_vault.this.id
  body      = local._signing_key

  lifecycle {
    # Resource Manager can neither change nor delete a key; a seal must stay verifiable.
    ignore_changes = [body]
  }
}

# The web application signs what a verification from inside saw. It writes what seals are of, so that it may
# not sign those: a key of its own.
resource "azapi_resource" "evidence_key" {
  for_each = var.slots

  type      = "Microsoft.KeyVault/vaults/keys@2023-07-01"
  name      = "estate-evidence-${each.key}"
  parent_id = azurerm_key_vault.this.id
  body      = local._signing_key

  lifecycle {
    # As above: evidence must stay verifiable, too.
    ignore_changes = [body]
  }
}

resource "azurerm_private_endpoint" "vault" {
  count = local.attached ? 1 : 0

  name                = "pe-${var.prefix}-vault"
  resource_group_name = var.resource_group_name
  location            = var.private_network.location
  subnet_id           = var.private_network.subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = "vault"
    private_connection_resource_id = azurerm_key_vault.this.id
    subresource_names              = ["vault"]
    is_manual_connection           = false
  }
  private_dns_zone_group {
    name                 = "zones"
    private_dns_zone_ids = var.private_network.zone_ids["vault"]
  }
}

resource "azurerm_private_endpoint" "vault_by_policy" {
  count = local.by_policy ? 1 : 0

  name                = "pe-${var.prefix}-vault"
  resource_group_name = var.resource_group_name
  location            = var.private_network.location
  subnet_id           = var.private_network.subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = "vault"
    private_connection_resource_id = azurerm_key_vault.this.id
    subresource_names              = ["vault"]
    is_manual_connection           = false
  }

  lifecycle {
    ignore_changes = [private_dns_zone_group]
  }
}

resource "azurerm_monitor_diagnostic_setting" "vault" {
  name                       = "diagnostics"
  target_resource_id         = azurerm_key_vault.this.id
  log_analytics_workspace_id = var.diagnostics.workspace_id

  enabled_log {
    category_group = "allLogs"
  }
  enabled_metric {
    category = "AllMetrics"
  }
}
