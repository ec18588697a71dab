# One Entra application a slot. It has no secret: the slot's managed identity vouches for it.
locals {
  _made = var.client_ids == null ? var.slots : toset([])
  # Ids of roles and scopes are chosen by us and must never change: they come from their names.
  _scope_id = uuidv5("url", "urn:secure-openai:scope:access_as_user")
  _roles = {
    admin   = { id = uuidv5("url", "urn:secure-openai:role:admin"), display_name = "Administrator", description = "Reads the audit, sees usage and ends sessions.", members = ["User"] }
    service = { id = uuidv5("url", "urn:secure-openai:role:service"), display_name = "Service", description = "An application that asks for completions.", members = ["Application"] }
    user    = { id = uuidv5("url", "urn:secure-openai:role:user"), display_name = "User", description = "A person who may chat.", members = ["User"] }
  }
}

resource "azuread_application" "this" {
  for_each = local._made

  display_name            = "${var.prefix} ${each.key}"
  description             = "Signs people in to the chat application and the gateway (${each.key})."
  sign_in_audience        = "AzureADMyOrg"
  prevent_duplicate_names = true
  owners                  = var.owners

  api {
    # Version 2 tokens carry our client id as their audience.
    requested_access_token_version = 2

    oauth2_permission_scope {
      id                         = local._scope_id
      value                      = "access_as_user"
      type                       = "User"
      admin_consent_display_name = "Ask for completions as the person who signed in"
      admin_consent_description  = "Lets an application ask for completions in the name of the person who signed in."
      user_consent_display_name  = "Ask for completions in your name"
      user_consent_description   = "Lets the application ask for completions in your name."
    }
  }

  dynamic "app_role" {
    for_each = local._roles
    content {
      id                   = app_role.value.id
      value                = app_role.key
      display_name         = app_role.value.display_name
      description          = app_role.value.description
      allowed_member_types = app_role.value.members
    }
  }

  # `idtyp` tells an application's own token from a person's.
  optional_claims {
    access_token {
      name = "idtyp"
    }
  }

  web {
    homepage_url  = var.public_urls[each.key]
    redirect_uris = ["${var.public_urls[each.key]}/auth/callback"]

    implicit_grant {
      access_token_issuance_enabled = false
      id_token_issuance_enabled     = false
    }
  }

  lifecycle {
    # The identifier carries the client id, which is known afterwards only.
    ignore_changes = [identifier_uris]
  }
}

resource "azuread_application_identifier_uri" "this" {
  for_each = local._made

  application_id = azuread_application.this[each.key].id
  identifier_uri = "api://${azuread_application.this[each.key].client_id}"
}

resource "azuread_application_federated_identity_credential" "this" {
  # checkov:skip=CKV_AZURE_249:the check is about GitHub; this subject is a managed identity.
  for_each = local._made

  application_id = azuread_application.this[each.key].id
  display_name   = "managed-identity"
  description    = "The web application's managed identity vouches for this application; there is no secret."
  audiences      = [var.federation_audience]
  issuer         = "${var.authority}/${var.tenant_id}/v2.0"
  subject        = azurerm_user_assigned_identity.this["web-${each.key}"].principal_id
}

resource "azuread_service_principal" "this" {
  for_each = local._made

  client_id                    = azuread_application.this[each.key].client_id
  app_role_assignment_required = true
  owners                       = var.owners
}

resource "azuread_app_role_assignment" "this" {
  for_each = {
    for pair in flatten([
      for slot in local._made : [
        for role, groups in var.role_members : [
          for group in groups : { key = "${slot}-${role}-${group}", slot = slot, role = role, group = group }
        ]
      ]
    ]) : pair.key => pair
  }

  app_role_id         = local._roles[each.value.role].id
  principal_object_id = each.value.group
  resource_object_id  = azuread_service_principal.this[each.value.slot].object_id
}
