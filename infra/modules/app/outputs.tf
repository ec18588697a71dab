output "functions" {
  description = "The function app."
  value       = { host_name = azurerm_linux_function_app.this.default_hostname, id = azurerm_linux_function_app.this.id, name = azurerm_linux_function_app.this.name }
}

output "web" {
  description = "The web application."
  value       = { host_name = azurerm_linux_web_app.this.default_hostname, id = azurerm_linux_web_app.this.id, name = azurerm_linux_web_app.this.name }
}
