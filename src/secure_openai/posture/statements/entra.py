"""Sign-in: the applications that Entra ID knows, and what they may ask of others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from secure_openai.posture.estate import Resource
from secure_openai.posture.hcl import argument
from secure_openai.posture.statements.statement import (
    Doubt,
    Finding,
    Note,
    Outcome,
    Seen,
    Severity,
    Statement,
    held,
)
from secure_openai.posture.topology import Topology

_DEPLOYING: Final = {
    "18a4783c-866b-4cc7-a460-3d5e5662c884": "it may change the Entra applications that it owns",
    "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30": "it may read every Entra application of the tenant",
}
"""What whoever deploys Entra applications, or plans to, must hold: Application.ReadWrite.OwnedBy and
Application.Read.All (Microsoft Graph permissions reference). Neither hands out a right."""

_LOOPBACK: Final = "http://localhost"
"""The one address that a program on somebody's own machine needs: Entra ID ignores its port, as RFC
8252 asks ("Redirect URI (reply URL) restrictions and limitations": localhost exceptions)."""

_SECRETS: Final = (
    "azuread_application_certificate",
    "azuread_application_federated_identity_credential",
    "azuread_application_password",
)
_ASSIGNMENT: Final = "azuread_app_role_assignment"
_PRE_AUTHORIZED: Final = "azuread_application_pre_authorized"


def _entra(topology: Topology) -> Iterator[Outcome]:
    for one in topology.estate.every("azuread_application"):
        yield from held(one, "sign_in_audience", ("AzureADMyOrg",), "AzureADMyOrg")
        for uri in [
            uri
            for kind in ("web", "single_page_application")
            for block in one.blocks(kind)
            for uri in block.get("redirect_uris") or ()
        ]:
            if uri is None:
                yield Doubt(one.address, "its redirect addresses are not known yet")
                continue
            if not uri.startswith("https://") or "localhost" in uri or "*" in uri:
                yield Finding(
                    one.address,
                    "web.0.redirect_uris",
                    f"{uri} is no address of the estate",
                    "# https and the hostname only",
                )
        yield from _native(topology, one)
        for name in ("access_token_issuance_enabled", "id_token_issuance_enabled"):
            yield from held(one, f"web.0.implicit_grant.0.{name}", (False,), False)
        if one.blocks("app_role") or one.blocks("web"):
            yield from held(one, "fallback_public_client_enabled", (False,), False)
            if one.get("api.0.requested_access_token_version") != 2:
                yield Finding(
                    one.address,
                    "api.0.requested_access_token_version",
                    "its tokens are of version 1, which say less about who asks",
                    "requested_access_token_version = 2",
                )
            claims = [
                claim.get("name")
                for block in one.blocks("optional_claims")
                for claim in block.get("access_token") or ()
            ]
            if "idtyp" not in claims:
                yield Finding(
                    one.address,
                    "optional_claims.0.access_token",
                    "its tokens do not say whether a person or an application asks",
                    'optional_claims {\n  access_token {\n    name = "idtyp"\n  }\n}',
                )
        for role in one.blocks("app_role"):
            if str(role.get("value")).casefold() in (
                "admin",
                "administrator",
            ) and "Application" in (role.get("allowed_member_types") or ()):
                yield Finding(
                    one.address,
                    "app_role",
                    "an application can be an administrator",
                    'allowed_member_types = ["User"]',
                )
    yield from _assigned(topology)
    yield from _trusted(topology)


def _native(topology: Topology, one: Resource) -> Iterator[Outcome]:
    """Yield where a program on somebody's machine could be handed more than it may have."""
    path = "public_client.0.redirect_uris"
    for block in one.blocks("public_client"):
        for uri in block.get("redirect_uris") or ():
            if uri is None:
                yield Doubt(one.address, "where programs are handed tokens is not known yet")
            elif uri != _LOOPBACK:
                says = f"whoever answers at {uri} is handed tokens"
                yield Finding(one.address, path, says, argument(path, [_LOOPBACK]))
            elif (why := _more_than_a_program(topology, one)) is not None:
                says = f"any program of a machine is handed its tokens, and {why}"
                yield Finding(one.address, path, says, "# remove the block public_client")
            elif topology.estate.relations:
                yield Seen(one.address, "a program on the machine that asked is handed its tokens")


def _more_than_a_program(topology: Topology, one: Resource) -> str | None:
    """Return what an application has that a public client may not have, or `None`."""
    served = (*one.blocks("app_role"), *one.blocks("web"), *one.blocks("single_page_application"))
    scopes = [
        scope for api in one.blocks("api") for scope in api.get("oauth2_permission_scope") or ()
    ]
    if served or scopes:
        return "it is more than a program"
    if one.blocks("password") or any(
        topology.estate.naming(kind, "application_id", one.id) for kind in _SECRETS
    ):
        return "it can prove itself by more than who signs in"
    clients = {
        other.values.get("client_id") for other in topology.estate.every("azuread_application")
    }
    for asked in one.blocks("required_resource_access"):
        if any(right.get("type") != "Scope" for right in asked.get("resource_access") or ()):
            return "it asks for rights of its own"
        if topology.estate.relations and asked.get("resource_app_id") not in clients:
            return "it asks for rights outside the estate"
    return None


def _assigned(topology: Topology) -> Iterator[Outcome]:
    """Yield where people of the tenant are let in without being assigned."""
    clients = {
        one.values.get("client_id"): one for one in topology.estate.every("azuread_application")
    }
    present = set()
    for one in topology.estate.every("azuread_service_principal"):
        client = one.values.get("client_id")
        if client is None:
            yield Doubt(one.address, "its Entra application is not known yet")
            continue
        present.add(client)
        application = clients.get(client)
        if application and (application.blocks("app_role") or application.blocks("web")):
            yield from held(one, "app_role_assignment_required", (True,), False)
    for client, one in clients.items():
        if client and client not in present and one.blocks("app_role"):
            says = (
                "its service principal lies outside: whether people must be assigned cannot be told"
            )
            yield Doubt(one.address, says)


def _trusted(topology: Topology) -> Iterator[Outcome]:
    """Yield where another application is believed, or one of ours is given rights elsewhere."""
    if not topology.estate.relations:
        others = topology.estate.every(_PRE_AUTHORIZED, _ASSIGNMENT)
        yield from (Doubt(one.address, "whom it trusts is not known yet") for one in others)
        return
    clients = {one.values.get("client_id") for one in topology.estate.every("azuread_application")}
    own = {
        one.values.get("object_id") for one in topology.estate.every("azuread_service_principal")
    }
    for one in topology.estate.every(_PRE_AUTHORIZED):
        if one.values.get("authorized_client_id") not in clients:
            says = "a client outside the estate may ask in people's name without asking them"
            mend = "authorized_client_id = azuread_application.command_line.client_id"
            yield Finding(one.address, "authorized_client_id", says, mend)
    for one in topology.estate.every(_ASSIGNMENT):
        if one.values.get("resource_object_id") in own:
            continue
        known = _DEPLOYING.get(str(one.values.get("app_role_id")))
        if known:
            yield Note(one.address, known)
        else:
            says = "it is given a right on an application outside the estate: which cannot be told"
            yield Doubt(one.address, says)


STATEMENTS: Final = (
    Statement(
        "SIGNIN-03",
        "Entra applications take this tenant's people, by assignment, without shortcuts",
        Severity.HIGH,
        "Without assignment every guest of the tenant is a user.",
        ("MCSB IM-6", "MCSB PA-1"),
        _entra,
        ("azuread_application", "azuread_service_principal", _ASSIGNMENT, _PRE_AUTHORIZED, *_SECRETS),
    ),
)  # fmt: skip
