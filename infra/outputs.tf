output "applications" {
  description = "Ids of both applications, for secure-openai deploy: terraform output -json applications > applications.json."
  value       = { functions = module.app.functions.id, web = module.app.web.id }
}

output "client_ids" {
  description = "Client ids of the Entra applications by slot."
  value       = module.identity.client_ids
}

output "command_line_client_id" {
  description = "Client id that the command line signs in with; null where applications were brought along."
  value       = module.identity.command_line_client_id
}

output "edge_address" {
  description = "Where the DNS record of edge.host_name points to; null without an edge."
  value       = one(module.edge[*].address)
}

output "entra_applications" {
  description = "What the Entra application of each slot must have, for whoever makes them (entra.client_ids)."
  value       = module.identity.contract
}

output "for_bootstrap" {
  description = "What bootstrap takes in its second apply: terraform output -json for_bootstrap > bootstrap/estate.tfvars.json."
  value = {
    estate = {
      lock_ids = merge({
        cosmos  = module.store.cosmos.id
        host    = module.store.host_storage.id
        records = module.store.records.id
        vault   = module.store.vault.id
      }, try(module.network[0].zone_ids, {}))
      package_readers       = { for name, identity in module.identity.identities : name => identity.principal_id }
      private_link_scope_id = module.telemetry.private_link_scope_id
      private_network = {
        blob_zone_id = try(local.private_network.zone_ids["blob"][0], null)
        location     = local.private_network.location
        subnet_id    = local.private_network.subnet_id
      }
      resource_group_ids = merge(
        { application = azurerm_resource_group.application.id },
        { for group in azurerm_resource_group.network : "network" => group.id },
      )
    }
  }
}

output "github_network_id" {
  description = "What GitHub's network configuration asks for; null without GitHub-hosted runners."
  value       = module.operations.github_network_id
}

output "identities" {
  description = "Client and principal ids of the applications' managed identities, by application and slot."
  value = {
    for name, identity in module.identity.identities : name => { client_id = identity.client_id, principal_id = identity.principal_id }
  }
}

output "model_accounts" {
  description = "What SECURE_OPENAI_MODEL_ACCOUNTS holds, for the command line: terraform output -raw model_accounts."
  value       = local.model_accounts
}

output "names" {
  description = "Names that deployment and operation ask for; null for what does not exist."
  value = {
    application_group = azurerm_resource_group.application.name
    bastion           = module.operations.bastion_name
    cosmos_account    = module.store.cosmos.account_name
    functions         = module.app.functions.name
    jump_machine      = module.operations.jump_machine_name
    network_group     = one(azurerm_resource_group.network[*].name)
    runner_machine    = module.operations.runner_machine_name
    vault             = module.store.vault.name
    web               = module.app.web.name
    workspace         = module.telemetry.workspace_name
  }
}

output "network" {
  description = "Ids of the virtual network (null where it is somebody else's) and of the subnets by name."
  value = {
    subnet_ids         = local.subnet_ids
    virtual_network_id = one(module.network[*].virtual_network_id)
  }
}

output "public_urls" {
  description = "What people type, by slot."
  value       = local.public_urls
}

output "resolver_address" {
  description = "Where on-premises DNS forwards to; null without a resolver."
  value       = one(module.network[*].resolver_address)
}

output "settings" {
  description = "The settings of each application by slot, for secure-openai check --live and make test-azure; none is a secret."
  value       = local.app_settings
  # Terraform takes the telemetry connection string for one, which names a place and opens nothing.
  sensitive = true
}
