output "cosmos" {
  description = "The Cosmos DB account, and its databases by slot."
  value = {
    account_name = azurerm_cosmosdb_account.this.name
    databases    = { for slot, database in azurerm_cosmosdb_sql_database.this : slot => database.name }
    id           = azurerm_cosmosdb_account.this.id
    url          = azurerm_cosmosdb_account.this.endpoint
  }
  # A database is of use once its containers are there.
  depends_on = [azurerm_cosmosdb_sql_container.this]
}

output "evidence_keys" {
  description = "The keys that sign evidence of verifications, by slot."
  value = {
    for slot, key in azapi_resource.evidence_key : slot => {
      id  = key.id
      url = "${azurerm_key_vault.this.vault_uri}keys/${key.name}"
    }
  }
}

output "host_storage" {
  description = "The function host's storage account."
  value       = { id = azurerm_storage_account.host.id, name = azurerm_storage_account.host.name }
}

output "records" {
  description = "The storage account of seals, exports and attachments, and its containers by slot."
  value = {
    attachment_names = { for slot, container in azurerm_storage_container.attachments : slot => container.name }
    attachments      = { for slot, container in azurerm_storage_container.attachments : slot => container.id }
    export_names     = { for slot, container in azurerm_storage_container.exports : slot => container.name }
    exports          = { for slot, container in azurerm_storage_container.exports : slot => container.id }
    id               = azurerm_storage_account.records.id
    name             = azurerm_storage_account.records.name
    seal_names       = { for slot, container in azurerm_storage_container.seals : slot => container.name }
    seals            = { for slot, container in azurerm_storage_container.seals : slot => container.id }
    url              = azurerm_storage_account.records.primary_blob_endpoint
  }
}

output "seal_keys" {
  description = "The keys that sign the audit's seals, by slot."
  value = {
    for slot, key in azapi_resource.seal_key : slot => {
      id  = key.id
      url = "${azurerm_key_vault.this.vault_uri}keys/${key.name}"
    }
  }
}

output "vault" {
  description = "The Key Vault."
  value       = { id = azurerm_key_vault.this.id, name = azurerm_key_vault.this.name }
}
