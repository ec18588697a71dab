"""Which accounts are managed, and where they stand in Azure Resource Manager."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from secure_openai.accounts import ACCOUNT_ID, ModelAccount


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
        found = ACCOUNT_ID.match(text)
        if found is None:
            raise ValueError("not the id of a Cognitive Services account")
        return cls(found["subscription"].lower(), found["group"], found["name"])


def account_ids(accounts: Iterable[ModelAccount]) -> dict[str, AccountId]:
    """Return, by key, the accounts that have an id."""
    return {one.name: AccountId.parse(one.id) for one in accounts if one.id}
