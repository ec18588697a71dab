"""The accounts that are managed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from secure_openai.accounts import read_accounts
from secure_openai.model.management.accounts import AccountId, account_ids
from tests.model.management.resource_manager import ACCOUNT, ACCOUNT_ID, GROUP, SUBSCRIPTION

MAIN = {"url": "https://x.openai.azure.com/", "priority": 1, "deployments": {"chat": "gpt-5.1"}}


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        1,
        None,
        [],
        "/subscriptions/x",
        ACCOUNT_ID.replace("CognitiveServices", "Storage"),
        ACCOUNT_ID + "/../../x",
        ACCOUNT_ID + "/deployments/x",
        ACCOUNT_ID + "\n",
        "https://management.azure.com" + ACCOUNT_ID,
    ],
)
def test_what_is_no_id_is_refused(wrong: Any) -> None:
    """The setting says which account, and what an id looks like."""
    with pytest.raises(ValueError, match="main's id is its resource id: /subscriptions/"):
        read_accounts(json.dumps({"main": MAIN | {"id": wrong}}))


def test_accounts_with_an_id_are_managed() -> None:
    """Azure writes its own words in several cases; names are kept. Without an id: used only."""
    accounts = {
        "main": MAIN | {"id": ACCOUNT_ID.replace("resourceGroups", "RESOURCEGROUPS") + "/"},
        "second": MAIN,
    }

    assert account_ids(read_accounts(json.dumps(accounts))) == {
        "main": AccountId(SUBSCRIPTION, GROUP, ACCOUNT)
    }


def test_an_id_is_parsed_or_refused() -> None:
    """Nothing but an account's id names one."""
    with pytest.raises(ValueError, match="not the id"):
        AccountId.parse("/subscriptions/x")
