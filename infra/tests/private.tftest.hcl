# Runs with the real providers' schemas and no credentials: everything is mocked, nothing is applied.
# Unset arguments are null here, not their default: flags are compared with false, never with "not true".
mock_provider "azurerm" {
  mock_data "azurerm_client_config" {
    defaults = {
      client_id       = "99999999-9999-9999-9999-999999999999"
      object_id       = "99999999-9999-9999-9999-999999999999"
      subscription_id = "00000000-0000-0000-0000-000000000000"
      tenant_id       = "11111111-1111-1111-1111-111111111111"
    }
  }
}
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

run "private_is_the_default" {
  command = plan

  assert {
    condition     = length(module.network) == 1
    error_message = "A private estate makes its network."
  }
  assert {
    condition     = length(module.network[0].zone_ids) == 13
    error_message = "The public cloud has thirteen zones."
  }
  assert {
    condition     = output.public_urls != null
    error_message = "People need an address to type."
  }
}

run "bootstraps_role_is_given_to_production" {
  command = plan

  override_data {
    target = data.azurerm_role_definition.deployment_manager
    values = {
      type        = "CustomRole"
      permissions = [{ actions = ["Microsoft.CognitiveServices/accounts/deployments/write"], condition = "", condition_version = "", data_actions = [], not_actions = [], not_data_actions = [] }]
    }
  }
  variables {
    deployment_manager_role_id = "/subscriptions/00000000-0000-0000-0000-000000000000/providers/Microsoft.Authorization/roleDefinitions/88888888-8888-8888-8888-888888888888"
  }

  assert {
    condition     = keys(azurerm_role_assignment.manage_deployments) == ["production-main"]
    error_message = "Production's web application manages deployments of each account, and nobody else."
  }
}

run "a_trial_keeps_its_network" {
  command = plan

  variables {
    public_network_access_enabled = true
    address_allow_list            = ["203.0.113.7/32"]
  }

  assert {
    condition     = length(module.network) == 1 && length(module.network[0].zone_ids) == 13
    error_message = "A trial is the same estate."
  }
}

run "an_edge_is_one_module" {
  command = plan

  variables {
    edge = {
      certificate = {
        secret_id = "https://kv-c.vault.azure.net/secrets/chat"
        vault_id  = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-c/providers/Microsoft.KeyVault/vaults/kv-c"
      }
      host_name = "chat.contoso.com"
    }
  }

  assert {
    condition     = length(module.edge) == 1 && output.public_urls["production"] == "https://chat.contoso.com"
    error_message = "The edge's name is what people type."
  }
}

run "an_existing_network_is_not_made_again" {
  command = plan

  variables {
    network = {
      existing = {
        subnet_ids = {
          applications = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/vnet/subnets/applications"
          endpoints    = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/vnet/subnets/endpoints"
        }
      }
      zones_by_policy = true
    }
  }

  assert {
    condition     = length(module.network) == 0 && output.network.virtual_network_id == null
    error_message = "The network is somebody else's."
  }
}

run "zones_that_a_policy_attaches_are_not_made" {
  command = plan

  variables {
    network = { zones_by_policy = true }
  }

  assert {
    condition     = length(module.network[0].zone_ids) == 0
    error_message = "Zones belong to the policy."
  }
}

run "government_has_a_sixth_monitor_zone" {
  command = plan

  variables {
    cloud    = "usgovernment"
    location = "usgovvirginia"
    model_accounts = {
      main = {
        location    = "usgovvirginia"
        deployments = { chat = { model = "gpt-5.1" } }
      }
    }
  }

  assert {
    condition     = contains(keys(module.network[0].zone_ids), "privatelink.adx.monitor.azure.us")
    error_message = "Azure Government's monitor has a zone more."
  }
  assert {
    condition     = length([for name in keys(module.network[0].zone_ids) : name if endswith(name, ".com") || endswith(name, ".net") && !endswith(name, "usgovcloudapi.net")]) == 0
    error_message = "No zone of the public cloud belongs here."
  }
}
