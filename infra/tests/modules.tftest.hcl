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
  applications_subnet_id    = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/vnet/subnets/applications"
  client_ids                = { production = "66666666-6666-6666-6666-666666666666", staging = "77777777-7777-7777-7777-777777777777" }
  host_storage_account_name = "stchathostabcde"
  identities = {
    for name in ["functions-production", "functions-staging", "web-production", "web-staging"] : name => {
      client_id    = "88888888-8888-8888-8888-888888888888"
      id           = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}"
      principal_id = "99999999-9999-9999-9999-999999999999"
    }
  }
  names                = { functions = "func-chat-abcde", web = "app-chat-abcde" }
  settings             = { functions = { production = {}, staging = {} }, web = { production = {}, staging = {} } }
  settings_table       = {}
  tenant_auth_endpoint = "https://login.microsoftonline.com/11111111-1111-1111-1111-111111111111/v2.0"
  timers               = ["seal"]
  protected_group_ids  = { application = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-chat" }
  subnet_ids = {
    for name in ["administration", "bastion", "runner"] : name =>
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/vnet/subnets/${name}"
  }
  address_space = "10.20.0.0/22"
  zones         = { vault = ["privatelink.vaultcore.azure.net"] }
  private_network = {
    location  = "swedencentral"
    subnet_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/vnet/subnets/endpoints"
    zone_ids = {
      blob   = ["/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/privateDnsZones/privatelink.blob.core.windows.net"]
      cosmos = ["/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/privateDnsZones/privatelink.documents.azure.com"]
      model  = ["/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/privateDnsZones/privatelink.openai.azure.com"]
      sites  = ["/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/privateDnsZones/privatelink.azurewebsites.net"]
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

run "applications_are_closed_and_deployed_without_passwords" {
  command = plan

  module {
    source = "./modules/app"
  }

  assert {
    condition = alltrue([
      azurerm_linux_web_app.this.public_network_access_enabled == false,
      azurerm_linux_web_app_slot.staging.public_network_access_enabled == false,
      azurerm_linux_function_app.this.public_network_access_enabled == false,
      azurerm_linux_function_app_slot.staging.public_network_access_enabled == false,
    ])
    error_message = "An application can be reached from the Internet."
  }
  assert {
    condition = alltrue([
      azurerm_linux_web_app.this.ftp_publish_basic_authentication_enabled == false,
      azurerm_linux_web_app.this.webdeploy_publish_basic_authentication_enabled == false,
      azurerm_linux_web_app_slot.staging.webdeploy_publish_basic_authentication_enabled == false,
      azurerm_linux_function_app.this.webdeploy_publish_basic_authentication_enabled == false,
      azurerm_linux_function_app_slot.staging.webdeploy_publish_basic_authentication_enabled == false,
    ])
    error_message = "Somebody may publish with a password."
  }
  assert {
    condition     = length(azurerm_private_endpoint.web) == 2 && length(azurerm_private_endpoint.functions) == 2
    error_message = "Each application and each slot has an endpoint."
  }
}

run "the_web_application_of_a_trial_takes_a_list" {
  command = plan

  module {
    source = "./modules/app"
  }
  variables {
    address_allow_list = ["203.0.113.7/32"]
  }

  assert {
    condition     = azurerm_linux_web_app.this.public_network_access_enabled == true && azurerm_linux_web_app.this.site_config[0].ip_restriction_default_action == "Deny"
    error_message = "A trial is open to its list only."
  }
  assert {
    condition     = azurerm_linux_function_app.this.public_network_access_enabled == false
    error_message = "Nobody has a reason to call the function app."
  }
}

run "nothing_of_operations_exists_by_default" {
  command = plan

  module {
    source = "./modules/operations"
  }

  assert {
    condition = alltrue([
      length(azurerm_bastion_host.this) == 0, length(azurerm_linux_virtual_machine.this) == 0,
      length(azapi_resource.github_network) == 0, length(azurerm_resource_group_policy_assignment.this) == 0,
    ])
    error_message = "A way in exists that nobody asked for."
  }
}

run "each_way_in_exists_once" {
  command = plan

  module {
    source = "./modules/operations"
  }
  variables {
    bastion = {}
    jump_machine = {
      administrators = ["44444444-4444-4444-4444-444444444444"]
      ssh_public_key = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa= administrator"
    }
    policy = {}
    runner = { github_hosted = { organization_id = "1234567" } }
  }

  assert {
    condition = alltrue([
      length(azurerm_bastion_host.this) == 1, length(azurerm_linux_virtual_machine.this) == 1,
      length(azapi_resource.github_network) == 1, length(azurerm_resource_group_policy_assignment.this) == 14,
    ])
    error_message = "A way in is missing."
  }
  assert {
    condition     = length(azurerm_public_ip.bastion) == 0 && azurerm_linux_virtual_machine.this["jump"].disable_password_authentication == true
    error_message = "A way in has a public address, or takes a password."
  }
}

run "a_network_leaves_by_nat" {
  command = plan

  module {
    source = "./modules/network"
  }

  assert {
    condition     = length(azurerm_nat_gateway.this) == 1 && length(azurerm_private_dns_resolver.this) == 0
    error_message = "There is one way out, and no resolver unless it is asked for."
  }
  assert {
    condition     = alltrue([for subnet in azurerm_subnet.this : subnet.default_outbound_access_enabled == false])
    error_message = "A subnet has Azure's default way out."
  }
}

run "a_network_leaves_by_a_firewall" {
  command = plan

  module {
    source = "./modules/network"
  }
  variables {
    egress_route_table_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/routeTables/out"
    optional_subnets      = ["resolver"]
  }

  assert {
    condition     = length(azurerm_nat_gateway.this) == 0 && length(azurerm_public_ip.nat) == 0 && length(azurerm_private_dns_resolver.this) == 1
    error_message = "A firewall replaces NAT, and a resolver is made where its subnet is."
  }
}
