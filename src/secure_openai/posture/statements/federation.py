"""Federation: whose word is taken for an identity or an application."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from secure_openai.posture.estate import Resource, fold
from secure_openai.posture.private_link import FEDERATION, LOGIN
from secure_openai.posture.statements.statement import (
    Finding,
    Outcome,
    Seen,
    Severity,
    Statement,
    witnessed,
)
from secure_openai.posture.topology import Topology

_CREDENTIALS: Final = (
    "azuread_application_federated_identity_credential",
    "azurerm_federated_identity_credential",
)
_GITHUB: Final = "https://token.actions.githubusercontent.com"
_OWN: Final = "# an identity of its own for what deploys"
_ENVIRONMENT: Final = re.compile(r"repo:[\w.-]+/[\w.-]+:environment:[^*:]+")
_BOUND: Final = 'subject = "repo:owner/name:environment:production"'


def _bound(subject: str) -> bool:
    """Return whether a subject is one environment of one repository."""
    return _ENVIRONMENT.fullmatch(subject) is not None


def _federated(topology: Topology) -> Iterator[Outcome]:
    audience = FEDERATION[topology.cloud]
    identities = {
        fold(one.values.get("principal_id")): one
        for one in topology.estate.every("azurerm_user_assigned_identity")
    }
    issuers = {
        f"https://{LOGIN[topology.cloud]}/{one.values.get('tenant_id')}/v2.0"
        for one in identities.values()
    }
    bound: dict[str, list[Resource]] = defaultdict(list)
    for one in topology.estate.every("azuread_application_federated_identity_credential"):
        if one.values.get("audiences") != [audience]:
            yield Finding(
                one.address,
                "audiences",
                "its audience is not this cloud's",
                f'audiences = ["{audience}"]',
            )
        if one.values.get("issuer") not in issuers and one.values.get("issuer") != _GITHUB:
            yield Finding(
                one.address,
                "issuer",
                "its issuer is not this tenant in this cloud",
                f'issuer = "https://{LOGIN[topology.cloud]}/${{var.tenant_id}}/v2.0"',
            )
        subject = str(one.values.get("subject") or "")
        bound[subject].append(one)
        if one.values.get("issuer") == _GITHUB:
            if not _bound(subject):
                says = "its subject is not bound to one environment of one repository"
                yield Finding(one.address, "subject", says, _BOUND)
        elif fold(subject) not in identities:
            yield Finding(
                one.address,
                "subject",
                "its subject is no identity of the estate",
                "subject = azurerm_user_assigned_identity.this.principal_id",
            )
    for one in topology.estate.every("azurerm_federated_identity_credential"):
        identity = topology.estate.known(
            one.values.get("user_assigned_identity_id") or one.values.get("parent_id")
        )
        principal = fold(identity.values.get("principal_id")) if identity else ""
        for app in topology.acting.get(principal, ()):
            says = f"whoever it trusts acts as {app.name}"
            yield Finding(one.address, "user_assigned_identity_id", says, _OWN)
        subject = str(one.values.get("subject") or "")
        bound[subject].append(one)
        if one.values.get("audience") not in ([audience], audience):
            yield Finding(
                one.address,
                "audience",
                "its audience is not this cloud's",
                f'audience = ["{audience}"]',
            )
        if one.values.get("issuer") != _GITHUB:
            yield Finding(
                one.address, "issuer", "its issuer is not GitHub's", f'issuer = "{_GITHUB}"'
            )
        if not _bound(subject):
            says = "its subject is not bound to one environment of one repository"
            yield Finding(one.address, "subject", says, _BOUND)
    for _, found in sorted(bound.items()):
        if len(found) > 1:
            yield Finding(
                found[1].address,
                "subject",
                "two identities trust one subject",
                "# an environment for each identity",
            )


def _trusted(topology: Topology) -> Iterator[Outcome]:
    seen = (
        Seen(one.address, f"it trusts {one.values.get('subject')} of {one.values.get('issuer')}")
        for one in topology.estate.every(*_CREDENTIALS)
    )
    return witnessed(_federated(topology), *seen)


STATEMENTS: Final = (
    Statement(
        "ROLES-05",
        "Each federated credential trusts exactly one identity or one environment",
        Severity.CRITICAL,
        "A wildcard, a pull request or another cloud's audience lets a stranger in, or nobody.",
        ("MCSB IM-3", "checkov CKV_AZURE_249"),
        _trusted,
        _CREDENTIALS,
        relations=True,
    ),
)  # fmt: skip
