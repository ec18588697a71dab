# A cluster with a registry, a cache and a database beside the model: types that no statement knows, and
# whose public doors and keys can be told all the same.
provider "azurerm" {
  features {}
}

variable "database_password" {
  type      = string
  default   = "correct-horse-battery"
  sensitive = true
}

locals {
  name = "aks-chat"
}

resource "azurerm_resource_group" "all" {
  name     = "rg-${local.name}"
  location = "northeurope"
}

resource "azurerm_cognitive_account" "model" {
  name                  = "oai-${local.name}"
  custom_subdomain_name = "oai-${local.name}"
  resource_group_name   = azurerm_resource_group.all.name
  location              = azurerm_resource_group.all.location
  kind                  = "OpenAI"
  sku_name              = "S0"
  local_auth_enabled    = false
}

resource "azurerm_container_registry" "images" {
  name                = "craksc"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  sku                 = "Standard"
  admin_enabled       = true
}

resource "azurerm_redis_cache" "sessions" {
  name                = "redis-${local.name}"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
  capacity            = 1
  family              = "C"
  sku_name            = "Standard"
}

resource "azurerm_postgresql_flexible_server" "history" {
  name                   = "psql-${local.name}"
  resource_group_name    = azurerm_resource_group.all.name
  location               = azurerm_resource_group.all.location
  administrator_login    = "chat"
  administrator_password = var.database_password
  sku_name               = "B_Standard_B1ms"
  storage_mb             = 32768
  version                = "16"
}

# 0.0.0.0 to 0.0.0.0 is every customer of Azure.
resource "azurerm_postgresql_flexible_server_firewall_rule" "azure" {
  name             = "azure"
  server_id        = azurerm_postgresql_flexible_server.history.id
  start_ip_address = "0.0.0.0"
  end_ip_address   = "0.0.0.0"
}

resource "azurerm_kubernetes_cluster" "chat" {
  name                      = local.name
  resource_group_name       = azurerm_resource_group.all.name
  location                  = azurerm_resource_group.all.location
  dns_prefix                = "chat"
  oidc_issuer_enabled       = true
  workload_identity_enabled = true

  default_node_pool {
    name       = "system"
    node_count = 2
    vm_size    = "Standard_D2s_v5"

    upgrade_settings {
      max_surge = "10%"
    }
  }
  identity {
    type = "SystemAssigned"
  }
  node_provisioning_profile {
    mode = "Manual"
  }
}

resource "azurerm_user_assigned_identity" "chat" {
  name                = "id-chat"
  resource_group_name = azurerm_resource_group.all.name
  location            = azurerm_resource_group.all.location
}

# The cluster vouches for whoever runs as this service account.
resource "azurerm_federated_identity_credential" "chat" {
  name                      = "chat"
  user_assigned_identity_id = azurerm_user_assigned_identity.chat.id
  audience                  = ["api://AzureADTokenExchange"]
  issuer                    = azurerm_kubernetes_cluster.chat.oidc_issuer_url
  subject                   = "system:serviceaccount:chat:chat"
}

# By its number instead of its name: Cognitive Services Contributor.
resource "azurerm_role_assignment" "chat" {
  scope              = azurerm_cognitive_account.model.id
  role_definition_id = "/providers/Microsoft.Authorization/roleDefinitions/25fbc0a9-bd7c-42a3-aa1a-3b75d497ee68"
  principal_id       = azurerm_user_assigned_identity.chat.principal_id
}

resource "azurerm_role_assignment" "images" {
  scope                = azurerm_container_registry.images.id
  role_definition_name = "AcrPull"
  principal_id         = azurerm_kubernetes_cluster.chat.identity[0].principal_id
}
