"""Roles that reach further than they look."""

from __future__ import annotations

from tests.posture.attacks.changes import (
    APPLICATION,
    CONTRIBUTOR,
    CREDENTIAL,
    GROUP,
    OWNER,
    ROLES,
    SOMEBODY,
    SUBSCRIPTION,
    WEB,
    assigned,
    at,
    both,
    resource,
)
from tests.posture.mutants import Change, added, put

CONDITION = """(
  (!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'}))
  OR
  (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {%s})
)"""
ADMINISTRATOR = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"

ROLES_HELD: dict[str, tuple[str, Change]] = {
    "a role by its number": ("ROLES-03", assigned(CONTRIBUTOR, f"{GROUP}/providers/Microsoft.Storage/storageAccounts/s")),
    "a role by its number under a harmless name": (
        "ROLES-03",
        assigned(OWNER, f"{GROUP}/providers/Microsoft.Storage/storageAccounts/s", role_definition_name="Reader"),
    ),
    "a role in other letters": ("ROLES-03", added("azurerm_role_assignment", scope=f"{GROUP}/providers/x/y/z", principal_id=SOMEBODY, role_definition_name="owner")),
    "a role that nobody knows": ("ROLES-03", assigned("12345678-1234-1234-1234-123456789012", f"{GROUP}/providers/x/y/z")),
    "a role by name that nobody knows": ("ROLES-03", added("azurerm_role_assignment", scope=f"{GROUP}/providers/x/y/z", principal_id=SOMEBODY, role_definition_name="Data Factory Contributor")),
    "a role that lists keys under a modest name": ("ROLES-03", added("azurerm_role_assignment", scope=f"{GROUP}/providers/Microsoft.CognitiveServices/accounts/a", principal_id=SOMEBODY, role_definition_name="Cognitive Services User")),
    "a role for a while": ("ROLES-03", added("azurerm_pim_active_role_assignment", scope=f"{GROUP}/providers/x/y/z", principal_id=SOMEBODY, role_definition_id=f"{ROLES}/{OWNER}")),
    "a role to be asked for": ("ROLES-03", added("azurerm_pim_eligible_role_assignment", scope=f"{GROUP}/providers/x/y/z", principal_id=SOMEBODY, role_definition_id=f"{ROLES}/{OWNER}")),
    "a data role on a management group": (
        "ROLES-03",
        added("azurerm_role_assignment", scope="/providers/Microsoft.Management/managementGroups/root", principal_id=SOMEBODY, role_definition_name="Storage Blob Data Reader"),
    ),
    "a data role on a group": ("ROLES-03", added("azurerm_role_assignment", scope=GROUP, principal_id=SOMEBODY, role_definition_name="Storage Blob Data Reader")),
    "a role of one service on another's scope": (
        "ROLES-02",
        added("azurerm_role_assignment", scope=f"{GROUP}/providers/Microsoft.Storage/storageAccounts/s", principal_id=SOMEBODY, role_definition_name="Key Vault Secrets User"),
    ),
    "a condition that is none": ("ROLES-03", assigned(ADMINISTRATOR, GROUP, condition="1 == 1")),
    "a condition with a way around": ("ROLES-03", assigned(ADMINISTRATOR, GROUP, condition=CONDITION % CONTRIBUTOR + " OR (@Principal[x] StringEquals 'y')")),
    "a condition that allows too much": ("ROLES-03", assigned(ADMINISTRATOR, GROUP, condition=CONDITION % OWNER)),
    "a condition about removing only": ("ROLES-03", assigned(ADMINISTRATOR, GROUP, condition=CONDITION.replace("write", "delete") % SOMEBODY)),
    "a condition on a role that does more": ("ROLES-03", assigned(OWNER, GROUP, condition=CONDITION % "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd")),
    "a role of one's own that assigns roles": ("ROLES-03", added("azurerm_role_definition", id="/r", name="r", permissions=[{"actions": ["Microsoft.Authorization/roleAssignments/write"]}])),
    "a role of one's own with a star inside": ("ROLES-03", added("azurerm_role_definition", id="/r", name="r", permissions=[{"actions": ["Microsoft.*/roleAssignments/write"]}])),
    "a role of one's own that vouches": ("ROLES-03", added("azurerm_role_definition", id="/r", name="r", permissions=[{"actions": ["Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write"]}])),
    "a role of one's own that lists keys": (
        "ROLES-03",
        both(
            resource("azurerm_role_definition", "a", id="/r", name="r", role_definition_resource_id=f"{ROLES}/12345678-1234-1234-1234-123456789012", permissions=[{"actions": ["Microsoft.Storage/storageAccounts/list*/action"]}]),
            resource("azurerm_role_assignment", "a", scope=f"{GROUP}/providers/x/y/z", principal_id=SOMEBODY, role_definition_id=f"{ROLES}/12345678-1234-1234-1234-123456789012"),
        ),
    ),
    "a role of Cosmos for everything": ("ROLES-03", added("azurerm_cosmosdb_sql_role_definition", id="/r", name="r", permissions=[{"data_actions": ["Microsoft.DocumentDB/databaseAccounts/*"]}])),
    "an application that calls itself a deployer": (
        "ROLES-03",
        lambda found: both(
            resource("azurerm_federated_identity_credential", "a", user_assigned_identity_id=at(found, WEB)["identity"][0]["identity_ids"][0], audience=["api://AzureADTokenExchange"], issuer="https://token.actions.githubusercontent.com", subject="repo:a/b:environment:c"),
            resource("azurerm_role_assignment", "a", scope=GROUP, role_definition_name="Contributor", principal_id=at(found, 'module.identity.azurerm_user_assigned_identity.this["web-production"]')["principal_id"]),
        )(found),
    ),
    "a data role for somebody outside": (
        "ROLES-02",
        assigned("5e0bd9bd-7b93-4f28-af87-19fc36ad61bd", f"{GROUP}/providers/Microsoft.CognitiveServices/accounts/oai-chat-main-qdf84"),
    ),
    "an application that signs seals of what it writes": (
        "ROLES-02",
        lambda found: added(
            "azurerm_role_assignment",
            scope=at(found, 'module.store.azapi_resource.seal_key["production"]')["id"],
            role_definition_name="Key Vault Crypto User",
            principal_id=at(found, 'module.identity.azurerm_user_assigned_identity.this["web-production"]')["principal_id"],
        )(found),
    ),
    "an application that signs with every key of the vault": (
        "ROLES-02",
        lambda found: put(
            'azurerm_role_assignment.need["evidence_key-web-production"]',
            "scope",
            at(found, 'module.store.azapi_resource.evidence_key["production"]')["id"].rpartition("/keys/")[0],
        )(found),
    ),
    "a database for somebody outside": (
        "ROLES-02",
        added("azurerm_cosmosdb_sql_role_assignment", principal_id=SOMEBODY, role_definition_id=f"{GROUP}/providers/Microsoft.DocumentDB/databaseAccounts/c/sqlRoleDefinitions/00000000-0000-0000-0000-000000000001", scope=f"{GROUP}/providers/Microsoft.DocumentDB/databaseAccounts/c/dbs/d"),
    ),
    "a pipeline that acts as the application": (
        "ROLES-05",
        lambda found: added("azurerm_federated_identity_credential", user_assigned_identity_id=at(found, WEB)["identity"][0]["identity_ids"][0], audience=["api://AzureADTokenExchange"], issuer="https://token.actions.githubusercontent.com", subject="repo:a/b:environment:c")(found),
    ),
    "an identity that a cluster shares": (
        "ROLES-04",
        lambda found: added("azurerm_container_app", id="/c", name="c", identity=[{"type": "UserAssigned", "identity_ids": [at(found, WEB)["identity"][0]["identity_ids"][0].upper()]}])(found),
    ),
    "a stranger's identity beside one's own": (
        "ROLES-04",
        lambda found: at(found, WEB)["identity"][0]["identity_ids"].append(f"{SUBSCRIPTION}/resourceGroups/rg-other/providers/Microsoft.ManagedIdentity/userAssignedIdentities/owner"),
    ),
    "an environment without a name": ("ROLES-05", both(put(CREDENTIAL, "issuer", "https://token.actions.githubusercontent.com"), put(CREDENTIAL, "subject", "repo:a/b:environment:"))),
    "a repository without a name": ("ROLES-05", both(put(CREDENTIAL, "issuer", "https://token.actions.githubusercontent.com"), put(CREDENTIAL, "subject", "repo::environment:production"))),
    "a pipeline that signs in as the application": ("ROLES-05", both(put(CREDENTIAL, "issuer", "https://token.actions.githubusercontent.com"), put(CREDENTIAL, "subject", "repo:evil/app:pull_request"))),
    "a client that nobody asks": ("SIGNIN-03", put("module.identity.azuread_application_pre_authorized.command_line[0]", "authorized_client_id", SOMEBODY)),
    "a right on Microsoft Graph": ("SIGNIN-03", added("azuread_app_role_assignment", app_role_id="9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8", principal_object_id=SOMEBODY, resource_object_id=SOMEBODY)),
    "an application without roles that everybody may use": (
        "SIGNIN-03",
        both(
            put(APPLICATION, "app_role", []),
            put('module.identity.azuread_service_principal.this["production"]', "app_role_assignment_required", False),
        ),
    ),
    "an application whose people are nobody's": (
        "SIGNIN-03",
        lambda found: found.remove(next(o for o in found if o["address"] == 'module.identity.azuread_service_principal.this["production"]')),
    ),
}  # fmt: skip
