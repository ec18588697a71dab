# Everything through azapi: bodies of Azure's own API, which no azurerm argument describes.
terraform {
  required_providers {
    azapi = {
      source = "Azure/azapi"
    }
  }
}

locals {
  location = "eastus"
}

resource "azapi_resource" "group" {
  type     = "Microsoft.Resources/resourceGroups@2024-03-01"
  name     = "rg-azapi"
  location = local.location
}

resource "azapi_resource" "foundry" {
  type      = "Microsoft.CognitiveServices/accounts@2025-06-01"
  parent_id = azapi_resource.group.id
  name      = "ais-azapi"
  location  = local.location

  identity {
    type = "SystemAssigned"
  }
  body = {
    kind = "AIServices"
    sku  = { name = "S0" }
    properties = {
      allowProjectManagement = true
      customSubDomainName    = "ais-azapi"
      publicNetworkAccess    = "Enabled"
    }
  }
}

resource "azapi_resource" "deployment" {
  type      = "Microsoft.CognitiveServices/accounts/deployments@2025-06-01"
  parent_id = azapi_resource.foundry.id
  name      = "chat"

  body = {
    sku = { name = "GlobalStandard", capacity = 10 }
    properties = {
      model         = { format = "OpenAI", name = "gpt-4o" }
      raiPolicyName = "Microsoft.DefaultV2"
    }
  }
}

resource "azapi_resource" "project" {
  type      = "Microsoft.CognitiveServices/accounts/projects@2025-06-01"
  parent_id = azapi_resource.foundry.id
  name      = "chat"
  location  = local.location

  body = { properties = {} }
}

resource "azapi_resource" "files" {
  type      = "Microsoft.Storage/storageAccounts@2024-01-01"
  parent_id = azapi_resource.group.id
  name      = "stazapifiles"
  location  = local.location

  body = {
    kind = "StorageV2"
    sku  = { name = "Standard_LRS" }
    properties = {
      allowBlobPublicAccess    = false
      allowSharedKeyAccess     = false
      isLocalUserEnabled       = false
      minimumTlsVersion        = "TLS1_2"
      networkAcls              = { defaultAction = "Deny", bypass = "None" }
      publicNetworkAccess      = "Disabled"
      supportsHttpsTrafficOnly = true
    }
  }
}

# Opens again, behind the account's back, what is closed above.
resource "azapi_update_resource" "files" {
  type        = "Microsoft.Storage/storageAccounts@2024-01-01"
  resource_id = azapi_resource.files.id

  body = { properties = { publicNetworkAccess = "Enabled" } }
}

resource "azapi_resource" "vault" {
  type      = "Microsoft.KeyVault/vaults@2023-07-01"
  parent_id = azapi_resource.group.id
  name      = "kv-azapi"
  location  = local.location

  body = {
    properties = {
      enableRbacAuthorization = true
      publicNetworkAccess     = "Disabled"
      sku                     = { family = "A", name = "standard" }
      tenantId                = "11111111-1111-1111-1111-111111111111"
    }
  }
}

resource "azapi_resource" "site" {
  type      = "Microsoft.Web/sites@2024-04-01"
  parent_id = azapi_resource.group.id
  name      = "app-azapi"
  location  = local.location

  body = {
    kind = "app,linux"
    properties = {
      siteConfig = {
        appSettings = [{ name = "OPENAI_API_KEY", value = "3f2a9c1be5d04c7790aa4be1f0c2d3e4" }]
      }
    }
  }
}

# Contributor, by its number, on the whole group.
resource "azapi_resource" "contributor" {
  type      = "Microsoft.Authorization/roleAssignments@2022-04-01"
  parent_id = azapi_resource.group.id
  name      = "0e4a3b7c-98f1-4a1c-8a2e-1a5d1f0f7d21"

  body = {
    properties = {
      principalId      = "7d9f1f0e-2f52-4d7f-b8a6-7a4f3f1d2c11"
      principalType    = "ServicePrincipal"
      roleDefinitionId = "/providers/Microsoft.Authorization/roleDefinitions/b24988ac-6180-42a0-ab88-20f7382dd24c"
    }
  }
}

# A template that deploys whatever it holds.
resource "azapi_resource" "template" {
  type      = "Microsoft.Resources/deployments@2024-03-01"
  parent_id = azapi_resource.group.id
  name      = "more"

  body = {
    properties = {
      mode         = "Incremental"
      templateLink = { uri = "https://example.com/template.json" }
    }
  }
}
