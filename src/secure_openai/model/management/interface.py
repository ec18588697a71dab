"""What managing deployments means, wherever they stand.

Words are Azure Resource Manager's: an *account* holds *deployments*, each of a *model* in a
*version*, bought as a *SKU* with a *capacity*; a region has a *quota* that capacity is taken from.
Accounts are meant by the key that settings give them, never by a resource id.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from secure_openai.errors import RequestError

NO_DEPLOYMENT = "There is no such deployment."

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")


class Source(enum.StrEnum):
    """Who says a date: Azure itself, or the table that ships with this package."""

    SERVICE = "service"
    TABLE = "table"


class Kind(enum.StrEnum):
    """What a long operation does."""

    CREATE = "create"
    DELETE = "delete"


class State(enum.StrEnum):
    """How a long operation stands."""

    UNDER_WAY = "under_way"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def ended(self) -> bool:
        """Return whether nothing more will happen."""
        return self is not State.UNDER_WAY


@dataclass(frozen=True, slots=True)
class Retirement:
    """When a version stops answering.

    Attributes:
        on: The day, UTC.
        source: Who says so.
        instead: The model to move to, where one is named.
    """

    on: date
    source: Source
    instead: str | None = None


@dataclass(frozen=True, slots=True)
class OfferedSku:
    """A way in which a model's capacity is bought.

    Attributes:
        name: `Standard`, `DataZoneStandard`, `GlobalStandard` …
        quota: Name of the quota that its capacity is taken from, where there is one.
        default: Capacity that Azure suggests.
        smallest: Smallest capacity.
        largest: Largest capacity of one deployment.
        step: What a capacity is a multiple of, counted from `smallest`.
        allowed: The only capacities there are; empty where any within the bounds is.
        ends: When it is no longer sold.
    """

    name: str
    quota: str | None = None
    default: int | None = None
    smallest: int | None = None
    largest: int | None = None
    step: int | None = None
    allowed: tuple[int, ...] = ()
    ends: date | None = None


@dataclass(frozen=True, slots=True)
class OfferedModel:
    """A version of a model that an account's region offers.

    Attributes:
        name: `gpt-5.1` …
        version: `2025-11-13` …
        format: `OpenAI` for Azure OpenAI's own.
        stage: `GenerallyAvailable`, `Preview`, `Deprecated` … as Azure writes it.
        default: Whether Azure takes this version when none is named.
        retirement: When it stops answering, where that is known.
        skus: How it is bought.
    """

    name: str
    version: str
    format: str = "OpenAI"
    stage: str = ""
    default: bool = False
    retirement: Retirement | None = None
    skus: tuple[OfferedSku, ...] = ()


@dataclass(frozen=True, slots=True)
class Quota:
    """What a region's quota of a model and SKU comes to.

    Attributes:
        region: Where.
        name: `OpenAI.DataZoneStandard.gpt-5.1` …; see `OfferedSku.quota`.
        used: Capacity that deployments of the subscription hold.
        limit: Capacity that the subscription may hold.
    """

    region: str
    name: str
    used: float
    limit: float

    @property
    def left(self) -> float:
        """Return what may still be deployed."""
        return max(0.0, self.limit - self.used)


@dataclass(frozen=True, slots=True)
class ManagedDeployment:
    """A deployment as it stands.

    Attributes:
        account: Key of the account.
        name: What requests say in `model`.
        model: The model behind it.
        version: Its version.
        sku: How its capacity is bought.
        capacity: In the SKU's unit: thousands of tokens a minute for the standard ones.
        state: `Succeeded`, `Creating`, `Failed` … as Azure writes it.
        content_filter: Name of the policy that filters it.
        upgrade: Whether Azure moves it to another version by itself.
        etag: Changes whenever it does; a deletion has to give it back.
    """

    account: str
    name: str
    model: str
    version: str
    sku: str
    capacity: int | None
    state: str
    content_filter: str | None
    upgrade: str | None
    etag: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A deployment to create. What is `None` is chosen: see `checks.resolved`.

    Attributes:
        account: Key of the account.
        name: What requests will say in `model`.
        model: The model.
        version: Its version.
        sku: How to buy its capacity.
        capacity: How much.
        content_filter: Name of a content filter policy of the account.
    """

    account: str
    name: str
    model: str
    version: str | None = None
    sku: str | None = None
    capacity: int | None = None
    content_filter: str | None = None

    def require_plain(self) -> None:
        """Return if every part is a name or a number that can be one.

        Raises:
            RequestError: The first part that is not.
        """
        for part in ("account", "name", "model", "version", "sku", "content_filter"):
            value = getattr(self, part)
            if value is not None and not is_name(value):
                raise RequestError(
                    f"Write {part} with up to 64 letters, digits, dots, dashes and underscores, "
                    "beginning and ending with a letter or digit.",
                    pointer=f"/{part}",
                )
        if self.capacity is not None and self.capacity < 1:
            raise RequestError("Write a capacity of at least 1.", pointer="/capacity")


@dataclass(frozen=True, slots=True)
class Progress:
    """How a long operation stands.

    Attributes:
        kind: What it does.
        account: Key of the account.
        name: The deployment's name.
        state: How it stands.
        operation: What `DeploymentManagement.ask` takes, on whatever instance, later too.
        detail: One sentence where it failed: why, and what to do.
        retry_after: Seconds after which asking again makes sense.
    """

    kind: Kind
    account: str
    name: str
    state: State
    operation: str
    detail: str = ""
    retry_after: float = 0.0


class DeploymentManagement(Protocol):
    """Reads and changes the deployments of some accounts.

    Every method may raise `ManagementError` or one of its children, and `NotFound` for an account
    that is none.
    """

    @property
    def accounts(self) -> Sequence[str]:
        """Return the keys of the accounts."""
        ...

    async def models(self, account: str) -> Sequence[OfferedModel]:
        """Return what the account's region offers, by name, the latest version first."""
        ...

    async def quota(self, account: str) -> Sequence[Quota]:
        """Return what the account's region has left, by name."""
        ...

    async def deployments(self, account: str) -> Sequence[ManagedDeployment]:
        """Return the account's deployments, by name."""
        ...

    async def deployment(self, account: str, name: str) -> ManagedDeployment:
        """Return one deployment.

        Raises:
            NotFound: There is none of that name.
        """
        ...

    async def create(self, wanted: Wanted) -> Progress:
        """Check everything that can be checked, then begin to create; nothing is overwritten.

        Raises:
            RequestError: A part is not a name.
            DeploymentRejected: The region does not offer it, or it is retired.
            QuotaInsufficient: The region's quota has too little left.
            ManagementConflict: There is one of that name, or the account is busy.
            NotManaged: Deployments do not change here.
        """
        ...

    async def delete(self, account: str, name: str, *, confirm: str, etag: str) -> Progress:
        """Begin to delete the deployment that was looked at.

        Azure itself compares nothing: a change in the moment between our look and the deletion
        is not seen.

        Raises:
            RequestError: `confirm` is not the name.
            NotFound: There is none of that name.
            PreconditionFailed: It has changed since `etag` was read.
            ManagementConflict: The account is busy.
            NotManaged: Deployments do not change here.
        """
        ...

    async def ask(self, operation: str) -> Progress:
        """Return how an operation stands, asking once.

        Raises:
            NotFound: That is no operation.
        """
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


def is_name(text: str) -> bool:
    """Return whether a text can be the name of a deployment, a model, a version or a SKU."""
    return _NAME.fullmatch(text) is not None
