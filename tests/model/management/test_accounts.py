"""The setting that says which accounts are managed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from secure_openai.errors import SettingsError
from secure_openai.model.management.accounts import AccountId, account_ids
from tests.model.management.resource_manager import ACCOUNT, ACCOUNT_ID, GROUP, SUBSCRIPTION


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", "1", '"x"', "[" * 100_000, '{"main": {"id"'])
def test_what_is_no_object_is_said(text: str) -> None:
    """The sentence shows what to write."""
    with pytest.raises(SettingsError, match="write an object by account"):
        account_ids(text)


def test_every_account_without_an_id_is_named() -> None:
    """All problems at once, each by the account's key."""
    accounts: dict[str, Any] = {
        "good": {"id": ACCOUNT_ID},
        "none": {"url": "https://x"},
        "list": [],
        "null": None,
        "number": {"id": 1},
        "other": {"id": ACCOUNT_ID.replace("CognitiveServices", "Storage")},
        "path": {"id": ACCOUNT_ID + "/../../x"},
        "short": {"id": "/subscriptions/x"},
    }
    with pytest.raises(SettingsError) as caught:
        account_ids(json.dumps(accounts))

    named = [problem.split("account ")[1].split()[0] for problem in caught.value.problems]
    assert named == ["none", "list", "null", "number", "other", "path", "short"]


def test_ids_are_read_without_regard_to_case() -> None:
    """Azure writes its own words in several cases; names are kept as they are."""
    text = json.dumps({"main": {"id": ACCOUNT_ID.replace("resourceGroups", "RESOURCEGROUPS")}})

    assert account_ids(text) == {"main": AccountId(SUBSCRIPTION, GROUP, ACCOUNT)}
