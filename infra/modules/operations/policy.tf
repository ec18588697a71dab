# Azure itself refuses what the proof forbids: built-in policies with the effect Deny, whoever deploys.
# Ids are Microsoft's (Azure/azure-policy, read 2026-04-29); reaching them needs no definition of ours.
locals {
  _keyless = {
    cosmos-keyless  = { id = "5450f5bd-9c72-4390-a9c4-a7aba4edfdd2", says = "Cosmos DB accepts Entra ID only." }
    model-keyless   = { id = "71ef260a-8f18-47b7-abcb-62d0673d94dc", says = "Azure OpenAI accepts Entra ID only." }
    storage-blobs   = { id = "4fa4b6c0-31ca-4c0d-b10d-24b96f62a751", says = "No blob is public." }
    storage-keyless = { id = "8c6a50c6-9ffd-4ae7-986f-5fa6111f9a54", says = "Storage accepts Entra ID only." }
    vault-kept      = { id = "0b60c0b2-2dc2-4e1c-b5c9-abbed971de53", says = "A vault cannot be purged." }
    vault-roles     = { id = "12d4fa5e-1f9f-4c21-97a9-b99b3c6611b5", says = "A vault is opened by roles." }
  }
  _private = {
    cosmos-private    = { id = "797b37f7-06b8-444c-b1ad-fc62867f335a", says = "Cosmos DB is reached by private endpoint only." }
    functions-private = { id = "969ac98b-88a8-449f-883c-2e9adb123127", says = "Function apps are reached by private endpoint only." }
    insights-private  = { id = "1bc02227-0cb6-4e11-8f53-eb0b22eab7e8", says = "Application Insights is reached privately only." }
    model-private     = { id = "037eea7a-bd0a-46c5-9a66-03aea78705d3", says = "Azure OpenAI restricts its network." }
    storage-private   = { id = "b2982f36-99f2-4db5-8eff-283140c09693", says = "Storage is reached by private endpoint only." }
    vault-private     = { id = "405c5871-3e91-4644-8a63-58e19d68ff5b", says = "The vault is reached by private endpoint only." }
    web-private       = { id = "1b5ef780-c53c-4a64-87f3-bb9c8c8094ba", says = "Web applications are reached by private endpoint only." }
    workspace-private = { id = "6c53d030-cc64-46f0-906d-2bc061cd1334", says = "The workspace is reached privately only." }
  }
}

resource "azurerm_resource_group_policy_assignment" "this" {
  for_each = var.policy == null ? {} : merge(local._keyless, var.public_network_allowed ? {} : local._private)

  name                 = each.key
  display_name         = each.value.says
  resource_group_id    = var.protected_group_ids["application"]
  policy_definition_id = "/providers/Microsoft.Authorization/policyDefinitions/${each.value.id}"
  enforce              = var.policy.enforce
  parameters           = jsonencode({ effect = { value = "Deny" } })

  non_compliance_message {
    content = each.value.says
  }
}
