mock_provider "azurerm" {}
mock_provider "azuread" {}
mock_provider "azapi" {}
mock_provider "random" {}

variables {
  contacts        = { security = "security@contoso.com" }
  location        = "swedencentral"
  prefix          = "chat"
  subscription_id = "00000000-0000-0000-0000-000000000000"
  entra = {
    contact   = "the service desk"
    tenant_id = "11111111-1111-1111-1111-111111111111"
  }
  model_accounts = {
    main = {
      location    = "swedencentral"
      deployments = { chat = { model = "gpt-5.1" } }
    }
  }
}

run "a_long_prefix_is_refused" {
  command = plan
  variables {
    prefix = "a-very-long-prefix"
  }
  expect_failures = [var.prefix]
}

run "an_open_trial_names_who_may_come" {
  command = plan
  variables {
    public_network_access_enabled = true
  }
  expect_failures = [var.address_allow_list]
}

run "a_misspelling_is_refused" {
  command = plan
  variables {
    network = { egress_rout_table_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/routeTables/out" }
  }
  expect_failures = [azurerm_resource_group.application]
}

run "a_key_needs_its_identity" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    cloud                = { github_network = true, zones = {} }
    customer_managed_key = { key_id = "https://kv.vault.azure.net/keys/estate" }
  }
  expect_failures = [var.customer_managed_key]
}

run "a_runner_needs_an_organisation" {
  command = plan
  module {
    source = "./modules/inputs"
  }
  variables {
    cloud      = { github_network = true, zones = {} }
    operations = { runner = { github_hosted = {} } }
  }
  expect_failures = [var.operations]
}

run "a_role_that_may_do_more_is_refused" {
  command = plan
  override_data {
    target = data.azurerm_role_definition.deployment_manager
    values = {
      type        = "CustomRole"
      permissions = [{ actions = ["Microsoft.CognitiveServices/accounts/listKeys/action"], condition = "", condition_version = "", data_actions = [], not_actions = [], not_data_actions = [] }]
    }
  }
  variables {
    deployment_manager_role_id = "/subscriptions/00000000-0000-0000-0000-000000000000/providers/Microsoft.Authorization/roleDefinitions/88888888-8888-8888-8888-888888888888"
  }
  expect_failures = [data.azurerm_role_definition.deployment_manager]
}

run "a_role_of_azures_own_is_refused" {
  command = plan
  override_data {
    target = data.azurerm_role_definition.deployment_manager
    values = { type = "BuiltInRole" }
  }
  variables {
    deployment_manager_role_id = "/subscriptions/00000000-0000-0000-0000-000000000000/providers/Microsoft.Authorization/roleDefinitions/25fbc0a9-bd7c-42a3-aa1a-3b75d497ee68"
  }
  expect_failures = [data.azurerm_role_definition.deployment_manager]
}

run "an_unknown_cloud_is_refused" {
  command = plan
  variables {
    cloud = "china"
  }
  expect_failures = [var.cloud]
}
