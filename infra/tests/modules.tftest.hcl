# Modules by themselves: here their resources can be looked at, flag by flag.
mock_provider "azurerm" {}
mock_provider "azuread" {}
mock_provider "azapi" {}
mock_provider "random" {}

variables {
  diagnostics         = { workspace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/log" }
  location            = "swedencentral"
  prefix              = "chat"
  resource_group_name = "rg-chat"
  suffix              = "abcde"
  tenant_id           = "11111111-1111-1111-1111-111111111111"
  containers          = { audit = { indexed = ["/sequence/?"], partition_key = "/chain" } }
  models              = { "gpt-5.1" = { retires = "2999-01-01", stage = "GA", version = "2025-11-13" } }
  model_domain        = "openai.azure.com"
  accounts = {
    main = {
      location    = "swedencentral"
      deployments = { chat = { model = "gpt-5.1" } }
    }
  }
  private_network = {
    location  = "swedencentral"
    subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/vnet/subnets/endpoints"
    zone_ids = {
      blob   = ["/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/privateDnsZones/privatelink.blob.core.windows.net"]
      cosmos = ["/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/privateDnsZones/privatelink.documents.azure.com"]
      model  = ["/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/privateDnsZones/privatelink.openai.azure.com"]
      queue  = ["/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/privateDnsZones/privatelink.queue.core.windows.net"]
      table  = ["/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/privateDnsZones/privatelink.table.core.windows.net"]
      vault  = ["/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/privateDnsZones/privatelink.vaultcore.azure.net"]
    }
  }
}

run "stores_are_closed_and_keyless" {
  command = plan

  module {
    source = "./modules/store"
  }

  assert {
    condition = alltrue([
      azurerm_cosmosdb_account.this.public_network_access_enabled == false,
      azurerm_key_vault.this.public_network_access_enabled == false,
      azurerm_storage_account.host.public_network_access_enabled == false,
      azurerm_storage_account.records.public_network_access_enabled == false,
    ])
    error_message = "A store can be reached from the Internet."
  }
  assert {
    condition = alltrue([
      azurerm_cosmosdb_account.this.local_authentication_enabled == false,
      azurerm_storage_account.host.shared_access_key_enabled == false,
      azurerm_storage_account.records.shared_access_key_enabled == false,
      azurerm_key_vault.this.rbac_authorization_enabled == true,
    ])
    error_message = "A store accepts a key."
  }
  assert {
    condition     = length(azurerm_private_endpoint.host) == 3 && length(azurerm_private_endpoint.records) == 1
    error_message = "Storage has an endpoint for each subresource in use."
  }
  assert {
    condition     = length(azurerm_private_endpoint.vault) == 1 && length(azurerm_private_endpoint.vault_by_policy) == 0
    error_message = "The vault has one endpoint, with its zone."
  }
}

run "stores_of_a_trial_are_open_to_a_list_and_keyless" {
  command = plan

  module {
    source = "./modules/store"
  }
  variables {
    address_allow_list = ["203.0.113.7/32"]
  }

  assert {
    condition     = length(azurerm_private_endpoint.vault) == 1 && length(azurerm_private_endpoint.host) == 3
    error_message = "The applications of a trial go on by the endpoints."
  }
  assert {
    condition     = azurerm_key_vault.this.public_network_access_enabled == true && azurerm_cosmosdb_account.this.ip_range_filter == toset(["203.0.113.7/32"])
    error_message = "Whoever is on the list of a trial comes in."
  }
  assert {
    condition     = azurerm_cosmosdb_account.this.local_authentication_enabled == false && azurerm_storage_account.host.shared_access_key_enabled == false
    error_message = "A trial is keyless too."
  }
  assert {
    condition     = azurerm_storage_account.host.network_rules[0].default_action == "Deny" && azurerm_key_vault.this.network_acls[0].default_action == "Deny"
    error_message = "A trial is open to its list only."
  }
}

run "a_customer_managed_key_reaches_every_store" {
  command = plan

  module {
    source = "./modules/store"
  }
  variables {
    customer_managed_key = {
      identity_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/key"
      key_id      = "https://kv.vault.azure.net/keys/estate"
    }
  }

  assert {
    condition     = azurerm_cosmosdb_account.this.key_vault_key_id == "https://kv.vault.azure.net/keys/estate" && length(azurerm_storage_account.records.customer_managed_key) == 1
    error_message = "A store is without the key."
  }
}

run "models_are_closed_keyless_and_shielded" {
  command = plan

  module {
    source = "./modules/model"
  }

  assert {
    condition = alltrue([
      azurerm_cognitive_account.this["main"].public_network_access_enabled == false,
      azurerm_cognitive_account.this["main"].local_auth_enabled == false,
      azurerm_cognitive_account.this["main"].outbound_network_access_restricted == true,
    ])
    error_message = "The account is open, takes keys, or calls out."
  }
  assert {
    condition     = length([for one in azurerm_cognitive_account_rai_policy.this["main"].content_filter : one if contains(["Jailbreak", "Indirect Attack"], one.name) && one.block_enabled]) == 2
    error_message = "A prompt shield is off."
  }
}

run "a_retired_model_is_refused" {
  command = plan

  module {
    source = "./modules/model"
  }
  variables {
    models = { "gpt-5.1" = { retires = "2020-01-01", stage = "retired", version = "2025-11-13" } }
  }
  expect_failures = [var.accounts]
}
