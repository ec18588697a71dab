"""Access tokens of as many principals as are wanted, signed with the laptop's issuer's own key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from secure_openai.local.identity_provider.directory import PEOPLE, WEB_CLIENT_ID
from secure_openai.local.identity_provider.issuance import Issuance
from secure_openai.local.identity_provider.signing_keys import SigningKeys


def issuance(issuer: str, data: Path) -> Issuance:
    """Return what signs like the running issuer.

    Args:
        issuer: `iss`, as the application was told.
        data: The system's data folder.
    """
    return Issuance(issuer, SigningKeys(data / "identity"))


def tokens(made_by: Issuance, count: int) -> list[str]:
    """Return tokens that the gateway has never seen, each of a principal of its own."""
    user = PEOPLE[1]
    return [
        made_by.access_token(replace(user, oid=str(uuid4())), WEB_CLIENT_ID, for_api=True)
        for _ in range(count)
    ]
