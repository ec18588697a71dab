"""Which accounts are managed, read from the setting that Terraform writes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from secure_openai.errors import SettingsError

SETTING = "SECURE_OPENAI_MODEL_ACCOUNTS"

_ID = re.compile(
    r"/subscriptions/(?P<subscription>[0-9a-f-]{36})/resourceGroups/(?P<group>[\w.()-]{1,90})"
    r"/providers/Microsoft\.CognitiveServices/accounts/(?P<name>[A-Za-z0-9][A-Za-z0-9-]{1,63})",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class AccountId:
    """Where an account stands in Azure Resource Manager.

    Attributes:
        subscription: Id of the subscription.
        group: Name of the resource group.
        name: Name of the account.
    """

    subscription: str
    group: str
    name: str

    @classmethod
    def parse(cls, text: str) -> AccountId:
        """Read a resource id.

        Raises:
            ValueError: It is not the id of a Cognitive Services account.
        """
        found = _ID.fullmatch(text.rstrip("/"))
        if found is None:
            raise ValueError("not the id of a Cognitive Services account")
        return cls(found["subscription"].lower(), found["group"], found["name"])


def account_ids(text: str) -> dict[str, AccountId]:
    """Return the accounts by key.

    Args:
        text: The setting's JSON: an object by key, each with the member `id`; others are not read.

    Raises:
        SettingsError: Each account without a usable id, or a text that is not such an object.
    """
    try:
        accounts = json.loads(text)
    except (ValueError, RecursionError):
        accounts = None
    if not isinstance(accounts, dict) or not accounts:
        raise SettingsError(
            SETTING + ': write an object by account, such as {"main": {"id": "/subscriptions/…"}}'
        )
    found: dict[str, AccountId] = {}
    problems = []
    for key, account in accounts.items():
        try:
            found[key] = AccountId.parse(account["id"])
        except (KeyError, TypeError, ValueError, AttributeError):
            problems.append(
                f"{SETTING}: the account {key} needs its id to be managed: "
                "/subscriptions/…/resourceGroups/…/providers/Microsoft.CognitiveServices/accounts/…"
            )
    if problems:
        raise SettingsError(*problems)
    return found
