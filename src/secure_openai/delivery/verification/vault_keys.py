"""The keys of seals and of evidence: whether they could ever leave their vault.

Source: Azure Key Vault REST API, "Get Key": `attributes.exportable`, `release_policy`.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from secure_openai.delivery.verification.calls import Caller
from secure_openai.delivery.verification.observation import Check, Observation, Outcome
from secure_openai.errors import CredentialUnavailable
from secure_openai.probes.asks import VAULT_VERSION
from secure_openai.probes.probe import Bearer


async def looked_at(url: str, scope: str, caller: Caller, bearer: Bearer | None) -> Observation:
    """Return what the vault says of a key.

    Args:
        url: Of the key.
        scope: Of a token for the vault.
        caller: How.
        bearer: Our credential.
    """
    if bearer is None:
        return Observation(Check.KEY, url, Outcome.UNSEEN, "there is no credential to ask with")
    try:
        headers = {"Authorization": await bearer(scope)}
    except CredentialUnavailable as error:
        return Observation(Check.KEY, url, Outcome.UNSEEN, error.detail.removesuffix("."))
    reply = await caller.call(f"{url}?api-version={VAULT_VERSION}", headers=headers)
    if reply.status != HTTPStatus.OK:
        refused = f"the vault answers {reply.status}: it takes Key Vault Reader on the key"
        says = reply.says or refused
        return Observation(Check.KEY, url, Outcome.UNSEEN, says, {"status": reply.status})
    try:
        bundle: Any = json.loads(reply.text)
        exportable = bundle["attributes"].get("exportable") is True or "release_policy" in bundle
        facts = {"kid": str(bundle["key"]["kid"]), "exportable": exportable}
    except (KeyError, TypeError, ValueError, AttributeError):
        return Observation(Check.KEY, url, Outcome.UNSEEN, "what the vault says is no key")
    if exportable:
        says = "it may be exported: whoever holds a copy signs with it in secret; make another one"
        return Observation(Check.KEY, url, Outcome.FINDING, says, facts)
    return Observation(Check.KEY, url, Outcome.HOLDS, "it cannot leave its vault", facts)
