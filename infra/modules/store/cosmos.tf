# Conversations, usage, the audit chain and sessions: a database a slot, so that a release candidate
# never touches production's.
locals {
  containers = {
    for pair in setproduct(var.slots, keys(var.containers)) : "${pair[0]}-${pair[1]}" => merge(
      var.containers[pair[1]], { slot = pair[0], name = pair[1] }
    )
  }
}

# Whose key encrypts Cosmos DB is decided once, when it is made. What was decided is remembered here: to
# change the key would make the account anew, and lose all that it holds.
resource "terraform_data" "key" {
  input = try(local.key["set"].key_id, "Microsoft's")

  lifecycle {
    ignore_changes = [input]
  }
}

resource "azurerm_cosmosdb_account" "this" {
  # checkov:skip=CKV_AZURE_99:the check cannot follow local.public; access is closed, or opened to an address allow-list.
  # checkov:skip=CKV_AZURE_100:a customer-managed key is the estate's option (customer_managed_key), passed on below.
  # checkov:skip=CKV_AZURE_140:the check reads an argument that version 5 of the provider removed; local authentication is off below.
  name                               = "cosmos-${var.prefix}-${var.suffix}"
  resource_group_name                = var.resource_group_name
  location                           = var.location
  offer_type                         = "Standard"
  local_authentication_enabled       = false
  access_key_metadata_writes_enabled = false
  public_network_access_enabled      = local.public
  ip_range_filter                    = var.address_allow_list
  automatic_failover_enabled         = length(var.cosmos_failover_locations) > 0
  minimal_tls_version                = "Tls12"
  key_vault_key_id                   = try(local.key["set"].key_id, null)
  default_identity_type              = try("UserAssignedIdentity=${local.key["set"].identity_id}", null)
  tags                               = var.tags

  consistency_policy {
    # Reservations and the audit chain read what they wrote.
    consistency_level = "Session"
  }
  geo_location {
    location          = var.location
    failover_priority = 0
    zone_redundant    = var.zone_redundant
  }
  dynamic "geo_location" {
    for_each = var.cosmos_failover_locations
    content {
      location          = geo_location.value
      failover_priority = geo_location.key + 1
      zone_redundant    = var.zone_redundant
    }
  }
  backup {
    type = "Continuous"
    tier = "Continuous30Days"
  }
  dynamic "identity" {
    for_each = local.key
    content {
      type         = "UserAssigned"
      identity_ids = [identity.value.identity_id]
    }
  }

  lifecycle {
    precondition {
      condition     = terraform_data.key.output == try(local.key["set"].key_id, "Microsoft's")
      error_message = "Cosmos DB was made with ${terraform_data.key.output == "Microsoft's" ? "Microsoft's key" : "the key ${terraform_data.key.output}"}, and cannot be given another: it would be made anew, empty. Leave customer_managed_key as it was. To lose what it holds on purpose, name it: terraform apply -replace=module.store.terraform_data.key"
    }
  }
}

resource "azurerm_cosmosdb_sql_database" "this" {
  for_each = var.slots

  name                = "secure-openai-${each.key}"
  resource_group_name = var.resource_group_name
  account_name        = azurerm_cosmosdb_account.this.name

  autoscale_settings {
    max_throughput = var.cosmos_throughput[each.key]
  }
}

resource "azurerm_cosmosdb_sql_container" "this" {
  for_each = local.containers

  name                  = each.value.name
  resource_group_name   = var.resource_group_name
  account_name          = azurerm_cosmosdb_account.this.name
  database_name         = azurerm_cosmosdb_sql_database.this[each.value.slot].name
  partition_key_paths   = [each.value.partition_key]
  partition_key_version = 2
  default_ttl           = each.value.default_ttl

  # What is searched is named; the rest, the text of messages above all, is not indexed.
  indexing_policy {
    indexing_mode = "consistent"

    dynamic "included_path" {
      for_each = each.value.indexed
      content {
        path = included_path.value
      }
    }
    excluded_path {
      path = "/*"
    }
  }
}

resource "azurerm_private_endpoint" "cosmos" {
  count = local.attached ? 1 : 0

  name                = "pe-${var.prefix}-cosmos"
  resource_group_name = var.resource_group_name
  location            = var.private_network.location
  subnet_id           = var.private_network.subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = "cosmos"
    private_connection_resource_id = azurerm_cosmosdb_account.this.id
    subresource_names              = ["Sql"]
    is_manual_connection           = false
  }
  private_dns_zone_group {
    name                 = "zones"
    private_dns_zone_ids = var.private_network.zone_ids["cosmos"]
  }
}

resource "azurerm_private_endpoint" "cosmos_by_policy" {
  count = local.by_policy ? 1 : 0

  name                = "pe-${var.prefix}-cosmos"
  resource_group_name = var.resource_group_name
  location            = var.private_network.location
  subnet_id           = var.private_network.subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = "cosmos"
    private_connection_resource_id = azurerm_cosmosdb_account.this.id
    subresource_names              = ["Sql"]
    is_manual_connection           = false
  }

  lifecycle {
    ignore_changes = [private_dns_zone_group]
  }
}

resource "azurerm_monitor_diagnostic_setting" "cosmos" {
  name                           = "diagnostics"
  target_resource_id             = azurerm_cosmosdb_account.this.id
  log_analytics_workspace_id     = var.diagnostics.workspace_id
  log_analytics_destination_type = "Dedicated"

  # Not "allLogs": the text of queries would come with it.
  dynamic "enabled_log" {
    for_each = ["ControlPlaneRequests", "DataPlaneRequests", "PartitionKeyRUConsumption"]
    content {
      category = enabled_log.value
    }
  }
  enabled_metric {
    category = "Requests"
  }
}
