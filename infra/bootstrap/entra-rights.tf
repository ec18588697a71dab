# The applying identity makes the estate's Entra applications and may change those only that it owns; the
# planning identity reads them. Neither gets the right to hand out application roles: whoever has that can
# give himself any other. Groups are put into roles by a person (docs/deployment.md). To grant what stands
# here takes a Privileged Role Administrator.
locals {
  _graph = var.entra_applications ? { graph = "00000003-0000-0000-c000-000000000000" } : {}
}

data "azuread_service_principal" "graph" {
  for_each = local._graph

  client_id = each.value
}

resource "azuread_app_role_assignment" "applications_read" {
  for_each = local._graph

  # Application.Read.All (Microsoft Graph permissions reference).
  app_role_id         = "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30"
  principal_object_id = azurerm_user_assigned_identity.deploy["plan"].principal_id
  resource_object_id  = data.azuread_service_principal.graph[each.key].object_id
}

resource "azuread_app_role_assignment" "applications_owned_by" {
  for_each = local._graph

  # Application.ReadWrite.OwnedBy (Microsoft Graph permissions reference).
  app_role_id         = "18a4783c-866b-4cc7-a460-3d5e5662c884"
  principal_object_id = azurerm_user_assigned_identity.deploy["apply"].principal_id
  resource_object_id  = data.azuread_service_principal.graph[each.key].object_id
}
