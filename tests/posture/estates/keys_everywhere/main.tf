# A function that opens everything with keys, beside a jump machine with a password and a public
# address; the security group that should guard it is attached to nothing.
provider "azurerm" {
  features {}
}

data "azurerm_client_config" "current" {}

resource "azurerm_resource_group" "all" {
  name     = "rg-fabrikam-ai"
  location = "eastus2"
}

resource "azurerm_virtual_network" "all" {
  name                = "vnet-fabrikam-ai"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  address_space       = ["10.0.0.0/16"]
}

resource "azurerm_subnet" "jump" {
  name                 = "jump"
  resource_group_name  = azurerm_resource_group.all.name
  virtual_network_name = azurerm_virtual_network.all.name
  address_prefixes     = ["10.0.0.0/24"]
}

resource "azurerm_network_security_group" "jump" {
  name                = "nsg-jump"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
}

resource "azurerm_public_ip" "jump" {
  name                = "pip-jump"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  allocation_method   = "Static"
}

resource "azurerm_network_interface" "jump" {
  name                = "nic-jump"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location

  ip_configuration {
    name                          = "public"
    subnet_id                     = azurerm_subnet.jump.id
    private_ip_address_allocation = "Dynamic"
    public_ip_address_id          = azurerm_public_ip.jump.id
  }
}

resource "azurerm_windows_virtual_machine" "jump" {
  name                  = "vmjump"
  resource_group_name   = azurerm_resource_group.all.name
  location              = azurerm_resource_group.all.location
  size                  = "Standard_B2s"
  admin_username        = "jumpadmin"
  admin_password        = "Sommer-2023-Jump!"
  network_interface_ids = [azurerm_network_interface.jump.id]

  os_disk {
    caching              = "ReadWrite"
    storage_account_type = "Standard_LRS"
  }
  source_image_reference {
    publisher = "MicrosoftWindowsServer"
    offer     = "WindowsServer"
    sku       = "2016-Datacenter"
    version   = "latest"
  }
}

resource "azurerm_cognitive_account" "model" {
  name                = "oai-fabrikam"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  kind                = "OpenAI"
  sku_name            = "S0"
}

resource "azurerm_cosmosdb_account" "history" {
  name                = "cosmos-fabrikam"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  offer_type          = "Standard"

  consistency_policy {
    consistency_level = "Session"
  }
  geo_location {
    location          = "eastus2"
    failover_priority = 0
  }
}

resource "azurerm_storage_account" "host" {
  name                     = "stfabrikamhost"
  resource_group_name      = azurerm_resource_group.all.name
  location                 = azurerm_resource_group.all.location
  account_tier             = "Standard"
  account_replication_type = "LRS"
}

resource "azurerm_key_vault" "all" {
  name                       = "kv-fabrikam"
  resource_group_name        = azurerm_resource_group.all.name
  location                   = azurerm_resource_group.all.location
  tenant_id                  = data.azurerm_client_config.current.tenant_id
  sku_name                   = "standard"
  rbac_authorization_enabled = false
}

resource "azurerm_key_vault_access_policy" "function" {
  key_vault_id       = azurerm_key_vault.all.id
  tenant_id          = data.azurerm_client_config.current.tenant_id
  object_id          = azurerm_linux_function_app.jobs.identity[0].principal_id
  secret_permissions = ["Get", "List", "Set"]
}

resource "azurerm_key_vault_secret" "model" {
  name         = "openai"
  value        = azurerm_cognitive_account.model.primary_access_key
  key_vault_id = azurerm_key_vault.all.id
}

resource "azurerm_service_plan" "all" {
  name                = "asp-fabrikam"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  os_type             = "Linux"
  sku_name            = "EP1"
}

resource "azurerm_linux_function_app" "jobs" {
  name                       = "func-fabrikam"
  resource_group_name        = azurerm_resource_group.all.name
  location                   = azurerm_resource_group.all.location
  service_plan_id            = azurerm_service_plan.all.id
  storage_account_name       = azurerm_storage_account.host.name
  storage_account_access_key = azurerm_storage_account.host.primary_access_key

  app_settings = {
    COSMOS       = azurerm_cosmosdb_account.history.primary_key
    COSMOS_URL   = azurerm_cosmosdb_account.history.endpoint
    OPENAI_LOGIN = "@Microsoft.KeyVault(SecretUri=${azurerm_key_vault_secret.model.versionless_id})"
  }
  identity {
    type = "SystemAssigned"
  }
  site_config {}
}

# May change the account, and list its keys, where "Cognitive Services OpenAI User" would do.
resource "azurerm_role_assignment" "model" {
  scope                = azurerm_cognitive_account.model.id
  role_definition_name = "Contributor"
  principal_id         = azurerm_linux_function_app.jobs.identity[0].principal_id
}

# A role of Cosmos DB on a storage account.
resource "azurerm_role_assignment" "history" {
  scope                = azurerm_storage_account.host.id
  role_definition_name = "DocumentDB Account Contributor"
  principal_id         = azurerm_linux_function_app.jobs.identity[0].principal_id
}
