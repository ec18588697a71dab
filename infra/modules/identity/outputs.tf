output "client_ids" {
  description = "Client ids of the web application by slot."
  value       = var.client_ids == null ? { for slot, application in azuread_application.this : slot => application.client_id } : var.client_ids
  # An application can be signed in to once its principal exists and someone vouches for it.
  depends_on = [
    azuread_application_federated_identity_credential.this,
    azuread_service_principal.this,
  ]
}

output "command_line_client_id" {
  description = "Client id of the command line; null where applications were brought along."
  value       = try(azuread_application.command_line[0].client_id, null)
}

output "contract" {
  description = "What the Entra application of each slot must have, made here or by someone else."
  value = {
    for slot in var.slots : slot => {
      access_token_version = 2
      assignment_required  = true
      federated_credential = {
        audience = var.federation_audience
        issuer   = "${var.authority}/${var.tenant_id}/v2.0"
        subject  = azurerm_user_assigned_identity.this["web-${slot}"].principal_id
      }
      optional_claims  = ["idtyp"]
      redirect_address = "${var.public_urls[slot]}/auth/callback"
      roles            = { for name, role in local._roles : name => role.members }
      scope            = "access_as_user"
    }
  }
}

output "identities" {
  description = "Managed identities by application and slot, such as web-production."
  value = {
    for name, identity in azurerm_user_assigned_identity.this : name => {
      client_id    = identity.client_id
      id           = identity.id
      principal_id = identity.principal_id
    }
  }
}
