"""Every route of the application: sign-in is demanded, whatever somebody claims to be."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from secure_openai.delivery.verification.calls import Caller, Reply
from secure_openai.delivery.verification.observation import Check, Observation, Outcome
from secure_openai.delivery.verification.strangers import Stranger, strangers_at_doors
from secure_openai.errors import StartError
from secure_openai.probes.probe import Outcome as Ended
from secure_openai.tables import table

PUBLIC: Final = "public"
NOWHERE: Final = {"tid": "00000000-0000-0000-0000-000000000000", "day": "2000-01-01"}
"""What stands for a part of a path, where a plain word would not: it is nobody's."""

FITTING: Final = {"int": "0", "float": "0.0"}
"""What does where a path takes numbers only (Starlette, "Path parameters")."""

_PART: Final = re.compile(r"\{([A-Za-z_]\w*)(?::([A-Za-z_]\w*))?\}")
_ROUTE: Final = re.compile(r"(GET|HEAD|POST|PUT|PATCH|DELETE) (/\S*)")


def routes_of(path: Path | None) -> dict[str, list[str]]:
    """Return the routes, each with who may call it.

    Args:
        path: A table like `tables/routes.json`, for an application of one's own; None for ours.

    Raises:
        StartError: It is no such table.
    """
    if path is None:
        return table("routes")
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StartError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise StartError(f"{path} is not JSON.") from None
    if not isinstance(found, dict) or not all(map(_ROUTE.fullmatch, found)):
        raise StartError(
            f'{path}: write routes with who may call them, such as {{"GET /": ["signed in"]}}.'
        )
    return found


async def looked_at(
    url: str, caller: Caller, foreign: str, routes: Mapping[str, list[str]]
) -> list[Observation]:
    """Return what each route that is not public says to strangers.

    Args:
        url: The application's origin.
        caller: How.
        foreign: Our token for another audience; `""` where none was had.
        routes: Every route with who may call it.
    """
    doors = [one for one, who in routes.items() if PUBLIC not in who]
    return list(await asyncio.gather(*(_door(url, one, caller, foreign) for one in doors)))


async def _door(url: str, route: str, caller: Caller, foreign: str) -> Observation:
    strangers = list(strangers_at_doors(foreign))
    replies = await asyncio.gather(*(_as(url, route, caller, one) for one in strangers))
    facts = {one.name: reply.status for one, reply in zip(strangers, replies, strict=True)}
    let_in = [
        f"{one.name} ({reply.status})"
        for one, reply in zip(strangers, replies, strict=True)
        if reply.status and not _refused(url, reply) and reply.status not in ABSENT
    ]
    if let_in:
        says = f"it answers {', '.join(let_in)} before it asks who comes"
        return Observation(Check.DOOR, route, Outcome.FINDING, says, facts)
    silent = next((reply for reply in replies if not reply.status), None)
    if silent is not None:
        found = Outcome.FINDING if silent.outcome is Ended.UNTRUSTED else Outcome.UNSEEN
        return Observation(Check.DOOR, route, found, silent.says, facts)
    if any(reply.status in ABSENT for reply in replies):
        says = "there is no such route, or it does not ask who comes: --routes names those of yours"
        return Observation(Check.DOOR, route, Outcome.UNSEEN, says, facts)
    return Observation(Check.DOOR, route, Outcome.HOLDS, "sign-in is demanded", facts)


ABSENT: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})


async def _as(url: str, route: str, caller: Caller, stranger: Stranger) -> Reply:
    method, path = route.split(" ", 1)
    headers = {
        # As a page of ours would ask, so that it is sign-in that refuses.
        "Origin": url,
        "Sec-Fetch-Site": "same-origin",
        "Content-Type": "application/json",
        **stranger.headers,
    }
    body = b"{}" if method in {"POST", "PUT", "PATCH"} else None
    at = url + _PART.sub(_nobodys, path)
    return await caller.call(at, method=method, headers=headers, body=body)


def _nobodys(part: re.Match[str]) -> str:
    """Return what stands for a part of a path: its route has to match, and it is nobody's."""
    name, takes = part.groups()
    return FITTING.get(takes) or NOWHERE.get(name, NOWHERE["tid"])


def _refused(url: str, reply: Reply) -> bool:
    """Return whether an answer demands sign-in: a refusal, or the way to where one signs in."""
    if reply.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return True
    if reply.status not in {HTTPStatus.FOUND, HTTPStatus.SEE_OTHER, HTTPStatus.TEMPORARY_REDIRECT}:
        return False
    to = urlsplit(reply.location)
    own = not to.netloc or to.netloc == urlsplit(url).netloc
    return own and to.path == "/sign-in"
