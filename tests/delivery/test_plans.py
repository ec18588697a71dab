"""Plans: kept by their digest, compared by what they do, refused where they differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from secure_openai.delivery.azure.rest import Rest
from secure_openai.delivery.plans import container_url, differing, fetch, keep, read_plan
from secure_openai.errors import DeliveryError
from secure_openai.outbound import Outbound
from tests.delivery.conftest import Tokens
from tests.delivery.plans_container import Plans, serving

PLAN: dict[str, Any] = {
    "format_version": "1.2",
    "timestamp": "2026-01-01T00:00:00Z",
    "planned_values": {},
    "resource_changes": [
        {
            "address": "azurerm_resource_group.application",
            "mode": "managed",
            "change": {"actions": ["create"], "after": {"name": "rg-chat"}},
        },
        {
            "address": "data.azurerm_client_config.this",
            "mode": "data",
            "change": {"actions": ["read"], "after": {"id": "MTIz"}},
        },
    ],
    "output_changes": {"names": {"actions": ["create"], "after": {"web": "app-chat"}}},
    "configuration": {"root_module": {"resources": []}},
}


@pytest.fixture
def kept() -> Plans:
    """Return the container's state."""
    return Plans()


@pytest.fixture
async def container(kept: Plans) -> AsyncIterator[str]:
    """Return its address."""
    async with serving(kept) as url:
        yield url


@pytest.fixture
async def rest() -> AsyncIterator[Rest]:
    """Return what asks it."""
    asking = Rest(Tokens(), Outbound(), base_url="http://127.0.0.1:1", scope="arm", poll_seconds=0)
    yield asking
    await asking.aclose()


async def test_what_was_kept_comes_back_by_its_digest(
    tmp_path: Path, container: str, rest: Rest, kept: Plans
) -> None:
    """Kept twice it is there once; the digest is of the very bytes."""
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(PLAN))
    digests = {await keep(path, container, rest) for _ in range(2)}

    assert digests == {hashlib.sha256(path.read_bytes()).hexdigest()}
    assert len(kept.blobs) == 1
    assert await fetch(digests.pop(), container, rest) == PLAN


async def test_a_plan_that_differs_from_its_digest_is_not_taken(
    tmp_path: Path, container: str, rest: Rest, kept: Plans
) -> None:
    """Whoever may write there cannot change what was approved."""
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(PLAN))
    digest = await keep(path, container, rest)
    kept.blobs[f"{digest}.json"] = json.dumps(PLAN | {"output_changes": {}}).encode()

    with pytest.raises(DeliveryError, match="differs from its digest: do not apply it"):
        await fetch(digest, container, rest)


@pytest.mark.parametrize("digest", ["", "../state", "0" * 63, "A" * 64])
async def test_what_is_no_digest_is_not_asked_for(digest: str, container: str, rest: Rest) -> None:
    """It becomes part of an address."""
    with pytest.raises(DeliveryError, match="is no digest"):
        await fetch(digest, container, rest)


def test_when_it_was_planned_and_what_was_read_make_no_difference() -> None:
    """The same commit, planned again, does the same."""
    again = deepcopy(PLAN)
    again["timestamp"] = "2026-01-02T00:00:00Z"
    again["prior_state"] = {"values": {}}
    again["resource_changes"][1]["change"]["after"]["id"] = "NDU2"

    assert differing(PLAN, again) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda p: p["resource_changes"][0]["change"].update(actions=["delete"]), "azurerm_resource_group.application"),
        (lambda p: p["resource_changes"][0]["change"]["after"].update(name="rg-other"), "azurerm_resource_group.application"),
        (lambda p: p["resource_changes"].pop(0), "azurerm_resource_group.application"),
        (lambda p: p["resource_changes"].append({"address": "azurerm_key_vault.added", "change": {"actions": ["create"]}}), "azurerm_key_vault.added"),
        (lambda p: p["output_changes"].clear(), "output.names"),
        (lambda p: p.update(action_invocations=[{"address": "action.azapi_resource_action.restart"}]), "action_invocations"),
        (lambda p: p.update(deferred_changes=[{"reason": "provider_config_unknown"}]), "deferred_changes"),
        (lambda p: p["configuration"]["root_module"]["resources"].append({"provisioners": []}), "configuration"),
    ],
)  # fmt: skip
def test_whatever_is_done_otherwise_is_named(change: Any, named: str) -> None:
    """An action, a value, something more, something less, an output, the configuration itself."""
    other = deepcopy(PLAN)
    change(other)

    assert differing(PLAN, other) == [named]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"values": {}}', '{"resource_changes": 1}'])
def test_what_is_no_plan_is_refused(text: str, tmp_path: Path) -> None:
    """A state is none, and neither is an empty file."""
    (tmp_path / "plan.json").write_text(text)

    with pytest.raises(DeliveryError, match="is no plan"):
        read_plan(tmp_path / "plan.json")


@pytest.mark.parametrize(
    "url",
    [
        "plans",
        "http://a.blob.core.windows.net/plans",
        "https://a.blob.core.windows.net",
        "https://a.blob.core.windows.net/b/c",
        "https://a.example/plans",
        "https://blob.core.windows.net.evil.example/plans",
        "https://evilblob.core.windows.net/plans",
        "https://user@a.blob.core.windows.net/plans",
        "https://a.blob.core.windows.net:8443/plans",
    ],
)
def test_what_is_no_container_is_refused(url: str) -> None:
    """Our token goes over TLS, to a container of Azure's own storage."""
    with pytest.raises(DeliveryError, match="is no container"):
        container_url(url)
