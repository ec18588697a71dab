output "command_line_client_id" {
  description = "Client id that the command line signs in with."
  value       = module.identity.command_line_client_id
}

output "lockable_ids" {
  description = "Ids that bootstrap locks in its second apply."
  value = merge({
    cosmos  = module.store.cosmos.id
    host    = module.store.host_storage.id
    records = module.store.records.id
    vault   = module.store.vault.id
  }, try(module.network[0].zone_ids, {}))
}

output "model_accounts" {
  description = "What SECURE_OPENAI_MODEL_ACCOUNTS holds, for the command line: terraform output -raw model_accounts."
  value       = local.model_accounts
}

output "names" {
  description = "Names that deployment and operation ask for."
  value = {
    application_group = azurerm_resource_group.application.name
    cosmos_account    = module.store.cosmos.account_name
    functions         = module.app.functions.name
    vault             = module.store.vault.name
    web               = module.app.web.name
    workspace         = module.telemetry.workspace_name
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
