"""`secure-openai audit` on an estate in Azure, as a reviewer types it."""

from __future__ import annotations

import pytest

from secure_openai.store.cosmos.audit_items import item_id
from secure_openai.store.cosmos.container import Container
from secure_openai.testing.audit_contract import event
from secure_openai.types import utc_now
from tests.hosted.application import stores_of
from tests.hosted.command import typed
from tests.hosted.estate import Estate

pytestmark = pytest.mark.process

READING = {"read", "query"}


async def audit(estate: Estate, *arguments: str, **changes: str) -> tuple[int, str]:
    """Type a command about the audit; return its exit code and what it says."""
    return await typed(estate, "audit", *arguments, **changes)


async def recorded(estate: Estate, *numbers: int) -> None:
    """Record events as an instance of its own does, and end it."""
    async with stores_of(estate) as stores:
        for number in numbers:
            stores.audit.append(event(number, at=utc_now()))
        await stores.audit.flush()


async def test_an_estate_is_sealed_shown_and_verified(estate: Estate) -> None:
    """Every instance's records are there; who verifies or shows writes nothing anywhere."""
    await recorded(estate, 1, 2, 3)
    await recorded(estate, 4, 5)
    code, said = await audit(estate, "seal")
    assert (code, said) == (0, "Seal 1 reaches up to record 5.\n")
    estate.cosmos.calls.clear()

    code, said = await audit(estate, "verify")
    assert code == 0, said
    assert "5 records hold together; 1 seals, the last up to record 5." in said
    assert f"{estate.database} at https://cosmos-test.documents.azure.com" in said
    code, said = await audit(estate, "show", "--last", "3")
    assert code == 0, said
    assert [line.split()[0] for line in said.splitlines()[1:]] == ["3", "1", "2"]
    assert {call.kind for call in estate.cosmos.calls} <= READING


async def test_what_was_changed_in_cosmos_is_named(estate: Estate) -> None:
    """A record that somebody changed in the database is found against the vault's seal."""
    async with stores_of(estate) as stores:
        for number in range(3):
            stores.audit.append(event(number, at=utc_now()))
        await stores.audit.flush()
        (head,) = await stores.audit.heads()
        container: Container = stores.audit._container  # type: ignore[attr-defined]
        assert (await audit(estate, "seal"))[0] == 0
        place = f"{head.chain}.0"
        item = await container.read(item_id(2), place)
        assert item is not None
        changed = item["document"].replace("allowed", "refused")
        await container.upsert({**item, "document": changed})

    code, said = await audit(estate, "verify")
    assert code == 1, said
    assert "changed: " in said
    assert "Record 2" in said


async def test_what_cannot_be_looked_at_is_said(estate: Estate) -> None:
    """A vault that refuses, and an estate half named: one sentence, exit 2, no traceback."""
    estate.vault.refuses = True
    refused = await audit(estate, "verify")
    estate.vault.refuses = False
    half = await audit(estate, "verify", SECURE_OPENAI_SEAL_KEY_URL="")
    other = await audit(estate, "verify", SECURE_OPENAI_COSMOS_URL="")

    for (code, said), sentence in (
        (refused, "Key Vault answers 403"),
        (half, "SECURE_OPENAI_SEAL_KEY_URL is missing"),
        (other, "SECURE_OPENAI_COSMOS_URL is missing"),
    ):
        assert code == 2, said
        assert sentence in said
        assert "Traceback" not in said
