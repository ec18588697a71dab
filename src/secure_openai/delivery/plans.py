"""Terraform's plans between planning and applying: what was approved is what is applied.

A plan file brings its own configuration along, so whoever may leave one there could have anything
applied. What is kept is therefore a plan as JSON, named by its digest; whoever applies plans the
same commit again and applies that, if it does the same. Both hold what is sensitive: they go to the
container of bootstrap's output `plans`, and to no log and no artifact.
"""

from __future__ import annotations

import hashlib
import json
import re
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from secure_openai.delivery.azure.rest import Rest, may_have_storage_token
from secure_openai.errors import DeliveryError

STORAGE_SCOPE: Final = "https://storage.azure.com/.default"
STORAGE_VERSION: Final = "2023-11-03"
_WHOLE: Final = (
    "action_invocations",
    "configuration",
    "deferred_action_invocations",
    "deferred_changes",
)
"""What else applying does, or leaves for a second time (Terraform, "JSON Output Format")."""

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def read_plan(path: Path) -> dict[str, Any]:
    """Read a plan of `terraform show -json`.

    Raises:
        DeliveryError: It is none.
    """
    try:
        plan = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        plan = None
    if not isinstance(plan, dict) or not isinstance(plan.get("resource_changes", []), list):
        raise DeliveryError(f"{path} is no plan: terraform show -json PLAN writes one.")
    if "format_version" not in plan or "planned_values" not in plan:
        raise DeliveryError(f"{path} is no plan: terraform show -json PLAN writes one.")
    return plan


def done_by(plan: dict[str, Any]) -> dict[str, Any]:
    """Return what applying a plan does, by address: everything that it changes, and how."""
    changes = {
        ":".join(filter(None, (str(one.get("address")), one.get("deposed")))): one.get("change")
        for one in plan.get("resource_changes") or ()
        if one.get("mode", "managed") == "managed"
    }
    outputs = {f"output.{k}": v for k, v in (plan.get("output_changes") or {}).items()}
    whole = {name: plan.get(name) for name in _WHOLE if plan.get(name)}
    return {**changes, **outputs, **whole}


def differing(approved: dict[str, Any], fresh: dict[str, Any]) -> list[str]:
    """Return the address of everything that two plans do not do alike; never a value."""
    one, other = done_by(approved), done_by(fresh)
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def container_url(url: str) -> str:
    """Return a container's address, without a slash at its end.

    Raises:
        DeliveryError: It is none that our token may go to.
    """
    parts = urlsplit(url.rstrip("/"))
    if not may_have_storage_token(url) or parts.path.count("/") != 1 or parts.query:
        raise DeliveryError(
            f"{url!r} is no container: write https://ACCOUNT.blob.core.windows.net/plans, from "
            "bootstrap's output plans."
        )
    return url.rstrip("/")


def _plan_text(path: Path) -> str:
    read_plan(path)
    return path.read_bytes().decode()


async def keep(path: Path, container: str, rest: Rest) -> str:
    """Keep a plan; return its digest.

    Raises:
        DeliveryError: It is none, or it could not be kept.
    """
    data = _plan_text(path)
    digest = hashlib.sha256(data.encode()).hexdigest()
    await rest.send(
        "PUT",
        f"{container}/{digest}.json",
        scope=STORAGE_SCOPE,
        data=data,
        headers={
            "x-ms-blob-type": "BlockBlob",
            "x-ms-version": STORAGE_VERSION,
            "Content-Type": "application/json",
            "If-None-Match": "*",
        },
        # Named by its digest: what is there already is the same.
        expected=frozenset({HTTPStatus.CONFLICT}),
    )
    return digest


async def fetch(digest: str, container: str, rest: Rest) -> dict[str, Any]:
    """Return the plan of a digest.

    Raises:
        DeliveryError: There is none, or it differs from its digest.
    """
    if _DIGEST.fullmatch(digest) is None:
        raise DeliveryError(f"{digest!r} is no digest: secure-openai plans keep printed it.")
    told = await rest.send(
        "GET",
        f"{container}/{digest}.json",
        scope=STORAGE_SCOPE,
        headers={"x-ms-version": STORAGE_VERSION},
    )
    if hashlib.sha256(told.text.encode()).hexdigest() != digest:
        raise DeliveryError("The plan that was kept differs from its digest: do not apply it.")
    if not isinstance(told.body, dict):
        raise DeliveryError("What was kept is no plan.")
    return told.body
