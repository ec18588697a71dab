output "application_insights_id" {
  description = "Id of Application Insights."
  value       = azurerm_application_insights.this.id
}

output "connection_string" {
  description = "Where applications send telemetry. With local authentication off it names an address and opens nothing."
  value       = azurerm_application_insights.this.connection_string
  sensitive   = true
}

output "diagnostics" {
  description = "What every other module takes to send its logs and metrics here."
  value       = { workspace_id = azurerm_log_analytics_workspace.this.id }
}

output "private_link_scope_id" {
  description = "Id of the private link scope that the workspace is read through."
  value       = var.private_link_scope_id == null ? azurerm_monitor_private_link_scope.this["here"].id : var.private_link_scope_id
}

output "workspace_name" {
  description = "Name of the Log Analytics workspace."
  value       = azurerm_log_analytics_workspace.this.name
}
