"""Long operations: what to ask about one later, and following one to its end.

An operation is named by a token that says all there is to know, so that any instance can be asked,
after a restart too. It carries the path of Azure's own status resource but never its host: whoever
makes tokens up cannot send our credential elsewhere.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import enum
import json
import re
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from secure_openai.errors import (
    ManagementThrottled,
    ManagementUnavailable,
    NotFound,
)
from secure_openai.model.management.interface import (
    DeploymentManagement,
    Kind,
    Progress,
    is_name,
)

LARGEST_TOKEN = 16_384
"""Azure's own addresses come to 4 KiB and more ("Track asynchronous Azure operations")."""

LEAST_PAUSE_SECONDS = 0.2
"""Azure may say `Retry-After: 0`; it is not asked in a tight loop all the same."""

LONGEST_PAUSE_SECONDS = 60.0

_STATUS_PATH = re.compile(
    r"/subscriptions/(?P<subscription>[0-9a-f-]{36})/providers/Microsoft\.CognitiveServices"
    r"/locations/[A-Za-z0-9]+/[A-Za-z]+/[A-Za-z0-9][A-Za-z0-9_.-]*(?:\?[!-\"$-~]*)?",
    re.IGNORECASE | re.ASCII,
)


class Way(enum.StrEnum):
    """How to ask about an operation (Azure Resource Manager, "Track asynchronous operations").

    `OPERATION` reads the status resource of `Azure-AsyncOperation`, `LOCATION` that of `Location`,
    `RESOURCE` the deployment itself.
    """

    OPERATION = "operation"
    LOCATION = "location"
    RESOURCE = "resource"


@dataclass(frozen=True, slots=True)
class Operation:
    """What a token says.

    Attributes:
        kind: What the operation does.
        account: Key of the account.
        name: The deployment's name.
        way: How to ask.
        path: Path and query of the status resource; empty where the deployment itself is asked.
    """

    kind: Kind
    account: str
    name: str
    way: Way = Way.RESOURCE
    path: str = ""

    @property
    def token(self) -> str:
        """Return the operation as a token for `read`."""
        parts = [self.kind, self.account, self.name, self.way, self.path]
        text = json.dumps(parts, separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()

    @classmethod
    def read(cls, token: str) -> Operation:
        """Read a token.

        Raises:
            NotFound: It names no operation.
        """
        if len(token) > LARGEST_TOKEN:
            raise NotFound("There is no such operation.")
        try:
            padded = token.encode("ascii") + b"=" * (-len(token) % 4)
            kind, account, name, way, path = json.loads(
                base64.b64decode(padded, altchars=b"-_", validate=True)
            )
            operation = cls(Kind(kind), account, name, Way(way), path)
        except (ValueError, TypeError, binascii.Error, RecursionError):
            raise NotFound("There is no such operation.") from None
        if not (
            isinstance(account, str)
            and isinstance(name, str)
            and isinstance(path, str)
            and is_name(account)
            and is_name(name)
            and (way == Way.RESOURCE) == (path == "")
            and (path == "" or _STATUS_PATH.fullmatch(path))
        ):
            raise NotFound("There is no such operation.")
        return operation

    def belongs_to(self, subscription: str) -> bool:
        """Return whether the status resource, if one is named, is of a subscription."""
        found = _STATUS_PATH.fullmatch(self.path)
        return self.path == "" or (
            found is not None and found["subscription"].lower() == subscription
        )


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to follow an operation.

    Attributes:
        seconds: In all; the operation itself goes on.
        failures: How often in a row asking may fail.
    """

    seconds: float = 1800.0
    failures: int = 5


async def follow(
    management: DeploymentManagement, begun: Progress, patience: Patience | None = None
) -> AsyncGenerator[Progress, None]:
    """Yield how an operation stands, as often as Azure wants to be asked, until it has ended.

    Closing or cancelling stops the asking and not the operation.

    Args:
        management: Whom to ask.
        begun: Where it stood; yielded first.
        patience: How long to go on.

    Raises:
        ManagementUnavailable: It has not ended within the time; it can be asked about again.
        ManagementError: Asking failed too often in a row, or for good.
    """
    patience = patience or Patience()
    until = time.monotonic() + patience.seconds
    progress, pause, failures = begun, begun.retry_after, 0
    yield progress
    while not progress.state.ended:
        if time.monotonic() >= until:
            raise ManagementUnavailable(
                f"Azure is still at it: ask again later how {progress.name} stands."
            )
        await asyncio.sleep(min(max(pause, LEAST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS))
        try:
            progress = await management.ask(progress.operation)
        except (ManagementUnavailable, ManagementThrottled) as error:
            failures += 1
            if failures > patience.failures:
                raise
            pause = error.retry_after or LEAST_PAUSE_SECONDS * 2**failures
            continue
        pause, failures = progress.retry_after, 0
        yield progress


async def finished(
    management: DeploymentManagement, begun: Progress, patience: Patience | None = None
) -> Progress:
    """Follow an operation to its end, and return it; raises as `follow` does."""
    steps = [begun]
    async with aclosing(follow(management, begun, patience)) as following:
        async for step in following:
            steps[:] = [step]
    return steps[0]
