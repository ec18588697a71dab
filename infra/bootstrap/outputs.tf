output "backend" {
  description = "The estate's backend configuration."
  value = {
    container_name       = azurerm_storage_container.state.name
    environment          = var.cloud
    key                  = "${var.prefix}.tfstate"
    resource_group_name  = azurerm_resource_group.this.name
    storage_account_name = azurerm_storage_account.state.name
  }
}

output "customer_managed_key" {
  description = "The estate's variable of the same name; null without a key."
  value = var.customer_managed_key == null ? null : {
    identity_client_id = azurerm_user_assigned_identity.key[0].client_id
    identity_id        = azurerm_user_assigned_identity.key[0].id
    key_id             = azapi_resource.key[0].output.properties.keyUri
  }
  # The key is of use once the identity may use it.
  depends_on = [azurerm_role_assignment.key]
}

output "deployment_identities" {
  description = "Client ids that the pipelines sign in with, by GitHub environment."
  value       = { for name, identity in azurerm_user_assigned_identity.deploy : "${var.prefix}-${name}" => identity.client_id }
}

output "deployment_manager_role_id" {
  description = "The estate's variable of the same name."
  value       = azurerm_role_definition.deployment_manager.role_definition_resource_id
}

output "owners" {
  description = "The estate's entra.owners: what the applying pipeline makes, it must own to change."
  value       = [azurerm_user_assigned_identity.deploy["apply"].principal_id]
}

output "packages" {
  description = "Where pipelines leave packages."
  value       = { container_name = azurerm_storage_container.packages.name, storage_account_name = azurerm_storage_account.packages.name }
}
