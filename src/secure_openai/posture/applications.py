"""What an application of an estate says about itself."""

from __future__ import annotations

from typing import Any

from secure_openai.posture.estate import Resource, Values, fold


def settings_of(app: Resource) -> Values:
    """Return the settings of an application or slot by name."""
    found: Any = app.values.get("app_settings")
    return found or {}


def is_ours(app: Resource) -> bool:
    """Return whether an application is this framework's, which signs its users in itself."""
    return "SECURE_OPENAI_AUTHORITY" in settings_of(app)


def identities_of(holder: Resource) -> list[str]:
    """Return the ids of the user-assigned identities of an application or machine."""
    return [
        fold(one) for block in holder.blocks("identity") for one in block.get("identity_ids") or ()
    ]
