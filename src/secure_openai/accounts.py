"""The Azure OpenAI accounts that settings name, read strictly from the JSON that Terraform writes.

    {"main": {"url": "https://NAME.openai.azure.com/", "priority": 1,
              "deployments": {"chat": "gpt-5.4-mini"}, "id": "/subscriptions/…"}}

Everything that is wrong is said at once, each with what to write instead. The id is what
deployments are managed by; without it they are only used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from secure_openai.types import JsonObject

REQUIRED = frozenset({"deployments", "priority", "url"})
MEMBERS = REQUIRED | {"id"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
ACCOUNT_ID = re.compile(
    r"/subscriptions/(?P<subscription>[0-9a-f-]{36})/resourceGroups/(?P<group>[\w.()-]{1,90})"
    r"/providers/Microsoft\.CognitiveServices/accounts/(?P<name>[A-Za-z0-9][A-Za-z0-9-]{1,63})/?\Z",
    re.IGNORECASE | re.ASCII,
)
_SHAPE = (
    'write {"NAME": {"url": "https://…", "priority": 1, "deployments": {"DEPLOYMENT": "MODEL"}}}'
)


@dataclass(frozen=True, slots=True)
class ModelAccount:
    """One account.

    Attributes:
        name: What it is called here.
        url: Its address.
        priority: Its turn, smallest first.
        deployments: Pairs of a deployment's name and its model.
        id: Its resource id; empty where it is not managed.
    """

    name: str
    url: str
    priority: int
    deployments: tuple[tuple[str, str], ...]
    id: str = ""


def read_accounts(text: str) -> tuple[ModelAccount, ...]:
    """Read the accounts.

    Raises:
        ValueError: Everything that is wrong, one sentence a line.
    """
    try:
        document = json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError(f"it is nested too deeply: {_SHAPE}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON (at character {error.pos}): {_SHAPE}") from None
    if not isinstance(document, dict) or not document:
        raise ValueError(f"it names no account: {_SHAPE}")
    problems = [sentence for name, one in document.items() for sentence in _problems(name, one)]
    problems += [] if problems else _contradictions(document)
    if problems:
        raise ValueError("\n".join(problems))
    return tuple(
        ModelAccount(
            name=name,
            url=one["url"].rstrip("/"),
            priority=one["priority"],
            deployments=tuple(one["deployments"].items()),
            id=one.get("id", ""),
        )
        for name, one in document.items()
    )


def _once(pairs: list[tuple[str, Any]]) -> JsonObject:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name} is written twice")
    return dict(pairs)


def _problems(name: str, account: object) -> Iterator[str]:
    if not _NAME.match(name):
        yield "the name of an account is up to 64 letters, digits, dots and dashes"
        return
    if not isinstance(account, dict):
        yield f"{name} is no account: {_SHAPE}"
        return
    for member in sorted(REQUIRED - account.keys()):
        yield f"{name} has no {member}"
    for member in sorted(account.keys() - MEMBERS):
        yield f"{name} has {member}, which is no member: write only {', '.join(sorted(MEMBERS))}"
    priority = account.get("priority", 1)
    if not isinstance(priority, int) or isinstance(priority, bool) or priority < 0:
        yield f"{name}'s priority is a whole number, smallest first"
    if "id" in account and not (isinstance(account["id"], str) and ACCOUNT_ID.match(account["id"])):
        yield (
            f"{name}'s id is its resource id: /subscriptions/…/resourceGroups/…/providers/"
            "Microsoft.CognitiveServices/accounts/…"
        )
    yield from _problems_of_url(name, account.get("url", "https://x"))
    yield from _problems_of_deployments(name, account.get("deployments", {"x": "x"}))


def _problems_of_url(name: str, url: object) -> Iterator[str]:
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        yield f"{name}'s url is the account's address, such as https://NAME.openai.azure.com"
    elif parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username:
        yield f"{name}'s url is the account's address alone, without path, query or user"


def _problems_of_deployments(name: str, deployments: object) -> Iterator[str]:
    if not isinstance(deployments, dict) or not deployments:
        yield f'{name} has no deployment: write {{"DEPLOYMENT": "MODEL"}}'
        return
    for deployment, model in deployments.items():
        if not _NAME.match(deployment):
            yield f"a deployment of {name} has a name that Azure would not take"
        elif not isinstance(model, str) or not _NAME.match(model):
            yield f"{name}'s deployment {deployment} names its model, such as gpt-5.4-mini"


def _contradictions(document: JsonObject) -> list[str]:
    """Say where one name means two models: whoever asks must get the same one from everybody."""
    models: dict[str, tuple[str, str]] = {}
    problems = []
    for account, one in document.items():
        for deployment, model in one["deployments"].items():
            first, known = models.setdefault(deployment, (account, model))
            if known != model:
                problems.append(
                    f"{deployment} is {known} in {first} and {model} in {account}: "
                    "give the same model the same name"
                )
    return problems
