# The same estate in a network, with zones and a monitor scope, that a platform team owns.
# Replace the ids, the region and the people; docs/deployment.md says where each comes from.
contacts        = { security = "security@contoso.com" }
location        = "swedencentral"
prefix          = "chat"
subscription_id = "00000000-0000-0000-0000-000000000000"

# Groups are put into the roles afterwards, by a person (docs/deployment.md).
entra = {
  contact   = "the service desk (servicedesk@contoso.com)"
  tenant_id = "11111111-1111-1111-1111-111111111111"
}

model_accounts = {
  main = {
    location = "swedencentral"
    deployments = {
      chat       = { model = "gpt-5.4-mini", capacity = 100 }
      embeddings = { model = "text-embedding-3-small" }
      reasoning  = { model = "gpt-5.1" }
    }
  }
  second = {
    location = "germanywestcentral"
    priority = 2
    deployments = {
      chat = { model = "gpt-5.4-mini" }
    }
  }
}

network = {
  existing = {
    subnet_ids = {
      applications = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/vnet-spoke/subnets/applications"
      endpoints    = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/vnet-spoke/subnets/endpoints"
    }
  }
  private_link_scope_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Insights/privateLinkScopes/ampls-hub"
  # Where an Azure Policy attaches the zones instead: zones_by_policy = true, and no ids.
  central_zone_ids = {
    "privatelink.agentsvc.azure-automation.net" = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Network/privateDnsZones/privatelink.agentsvc.azure-automation.net"
    "privatelink.azurewebsites.net"             = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Network/privateDnsZones/privatelink.azurewebsites.net"
    "privatelink.blob.core.windows.net"         = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Network/privateDnsZones/privatelink.blob.core.windows.net"
    "privatelink.cognitiveservices.azure.com"   = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Network/privateDnsZones/privatelink.cognitiveservices.azure.com"
    "privatelink.documents.azure.com"           = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Network/privateDnsZones/privatelink.documents.azure.com"
    "privatelink.monitor.azure.com"             = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Network/privateDnsZones/privatelink.monitor.azure.com"
    "privatelink.ods.opinsights.azure.com"      = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Network/privateDnsZones/privatelink.ods.opinsights.azure.com"
    "privatelink.oms.opinsights.azure.com"      = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Network/privateDnsZones/privatelink.oms.opinsights.azure.com"
    "privatelink.openai.azure.com"              = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Network/privateDnsZones/privatelink.openai.azure.com"
    "privatelink.queue.core.windows.net"        = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Network/privateDnsZones/privatelink.queue.core.windows.net"
    "privatelink.services.ai.azure.com"         = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Network/privateDnsZones/privatelink.services.ai.azure.com"
    "privatelink.table.core.windows.net"        = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Network/privateDnsZones/privatelink.table.core.windows.net"
    "privatelink.vaultcore.azure.net"           = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-hub/providers/Microsoft.Network/privateDnsZones/privatelink.vaultcore.azure.net"
  }
}
