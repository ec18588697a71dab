output "content_filter" {
  description = "The content filter, with its defaults."
  value       = var.content_filter
}

output "cosmos" {
  description = "Cosmos DB, with its defaults."
  value       = var.cosmos
}

output "customer_managed_key" {
  description = "The key; null where Microsoft manages keys."
  value       = var.customer_managed_key == null ? null : merge(var.customer_managed_key, { key_id = trimsuffix(var.customer_managed_key.key_id, "/") })
}

output "edge" {
  description = "The edge, with its defaults; null without one."
  value       = var.edge
}

output "entra" {
  description = "Who signs in, with defaults."
  value       = var.entra
}

output "model_accounts" {
  description = "The model accounts, with their defaults."
  value       = var.model_accounts
}

output "network" {
  description = "The network, with its defaults."
  value       = var.network
}

output "operations" {
  description = "Ways in and policy, with their defaults."
  value       = var.operations
}

output "plan" {
  description = "The plan, with its defaults."
  value       = var.plan
}

output "seals" {
  description = "The seals, with their defaults."
  value       = var.seals
}

output "subnets_in_use" {
  description = "Names of the subnets that options need beside those of the applications and the endpoints."
  value       = local.subnets_in_use
}
