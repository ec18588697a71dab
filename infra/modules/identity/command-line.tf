# The command line signs people in as a public client of its own, by their browser with PKCE (RFC 8252) or
# with a device code (RFC 8628): it has no secret, and may ask for nothing but our scope. Codes go to no other
# machine than the one that asked: Entra ID ignores the port of this address, and nothing else of it.
resource "azuread_application" "command_line" {
  count = var.client_ids == null ? 1 : 0

  display_name                   = "${var.prefix} command line"
  description                    = "The command line of the framework: a public client without a secret."
  sign_in_audience               = "AzureADMyOrg"
  prevent_duplicate_names        = true
  fallback_public_client_enabled = true
  owners                         = var.owners

  public_client {
    redirect_uris = ["http://localhost"]
  }

  required_resource_access {
    resource_app_id = azuread_application.this["production"].client_id

    resource_access {
      id   = local._scope_id
      type = "Scope"
    }
  }
}

resource "azuread_service_principal" "command_line" {
  count = var.client_ids == null ? 1 : 0

  client_id                    = azuread_application.command_line[0].client_id
  app_role_assignment_required = false
  owners                       = var.owners
}

resource "azuread_application_pre_authorized" "command_line" {
  count = var.client_ids == null ? 1 : 0

  application_id       = azuread_application.this["production"].id
  authorized_client_id = azuread_application.command_line[0].client_id
  permission_ids       = [local._scope_id]
}
