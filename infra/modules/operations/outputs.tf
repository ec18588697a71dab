output "bastion_name" {
  description = "Name of the Bastion host; null without one."
  value       = one(azurerm_bastion_host.this[*].name)
}

output "github_network_id" {
  description = "What GitHub's network configuration asks for; null without GitHub-hosted runners."
  value       = try(azapi_resource.github_network[0].output.tags.GitHubId, null)
}

output "jump_machine_name" {
  description = "Name of the jump machine; null without one."
  value       = try(azurerm_linux_virtual_machine.this["jump"].name, null)
}

output "runner_machine_name" {
  description = "Name of the runner machine; null without one."
  value       = try(azurerm_linux_virtual_machine.this["runner"].name, null)
}
