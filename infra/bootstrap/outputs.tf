output "backend" {
  description = "The estate's backend configuration: terraform output -json backend > ../backend.json."
  value = {
    container_name       = azurerm_storage_container.state.name
    environment          = var.cloud
    key                  = "${var.prefix}.tfstate"
    resource_group_name  = azurerm_resource_group.this.name
    storage_account_name = azurerm_storage_account.state.name
  }
}

output "deployment_identities" {
  description = "Client ids that the pipelines sign in with, by GitHub environment."
  value       = { for name, identity in azurerm_user_assigned_identity.deploy : "${var.prefix}-${name}" => identity.client_id }
}

output "for_estate" {
  description = "Variables of the estate that come from here: terraform output -json for_estate > ../environments/bootstrap.tfvars.json."
  value = {
    # What the applying pipeline makes, it must own to change.
    application_owners = [azurerm_user_assigned_identity.deploy["apply"].principal_id]
    customer_managed_key = var.customer_managed_key == null ? null : {
      identity_client_id = azurerm_user_assigned_identity.key[0].client_id
      identity_id        = azurerm_user_assigned_identity.key[0].id
      key_id             = "${azurerm_key_vault.key[0].vault_uri}keys/${azapi_resource.key[0].name}"
    }
    deployment_manager_role_id = azurerm_role_definition.deployment_manager.role_definition_resource_id
  }
  # The key is of use once the identity may use it.
  depends_on = [azurerm_role_assignment.key]
}

output "packages" {
  description = "Where pipelines leave packages."
  value = {
    container_name       = azurerm_storage_container.packages.name
    container_url        = "${azurerm_storage_account.packages.primary_blob_endpoint}${azurerm_storage_container.packages.name}"
    storage_account_name = azurerm_storage_account.packages.name
  }
}

output "plans" {
  description = "Where pipelines keep plans between planning and applying."
  value       = { container_name = azurerm_storage_container.plans.name, storage_account_name = azurerm_storage_account.state.name }
}

output "workspace_id" {
  description = "Where the logs of state, packages and the key are kept."
  value       = local.workspace_id
}
