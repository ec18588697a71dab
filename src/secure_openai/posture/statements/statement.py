"""What a statement is, and what can come out of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from secure_openai.posture.estate import UNKNOWN, Resource
from secure_openai.posture.hcl import argument, literal
from secure_openai.posture.topology import Topology

LEAST_DAYS: Final = 7
"""For how long what is deleted must be kept."""

LEAST_LOG_DAYS: Final = 30
"""For how long what happened must be kept."""


class Severity(StrEnum):
    """How much a finding matters."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Finding:
    """Where a statement fails.

    Attributes:
        address: The resource at fault.
        attribute: Its attribute at fault; empty where something is missing altogether.
        says: What is wrong, in a sentence without a full stop.
        mend: The change that mends it, as HCL.
        severity: Its own severity, where it differs from the statement's.
    """

    address: str
    attribute: str
    says: str
    mend: str
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Doubt:
    """What cannot be told, and why."""

    address: str
    says: str


@dataclass(frozen=True, slots=True)
class Note:
    """What a reviewer should know although it is no finding: a declared door, an exception."""

    address: str
    says: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What was looked at and found to hold: the evidence of a proven statement."""

    address: str
    says: str


Outcome = Finding | Doubt | Note | Seen
Check = Callable[[Topology], Iterable[Outcome]]


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that is proven of an estate.

    Attributes:
        id: Stable, such as `REACH-01`.
        title: The statement itself, true of a good estate.
        severity: How much a finding matters.
        reason: Why it matters, for the reviewer.
        controls: What it answers: Microsoft cloud security benchmark, Azure Policy, checkov.
        check: Looks for where it fails.
        relations: Whether it needs to know what refers to what.
        covers: The resource types that it looks at.
        everything: Whether it says something of every resource, so that a type that no statement
            looks at leaves it in doubt.
    """

    id: str
    title: str
    severity: Severity
    reason: str
    controls: tuple[str, ...]
    check: Check = field(repr=False)
    covers: tuple[str, ...] = ()
    relations: bool = False
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """An argument that must have one of some values.

    Attributes:
        kinds: Resource types.
        path: Where it stands, such as `site_config.0.ftps_state`.
        accepted: The values that are safe.
        default: What the provider does where it is absent.
    """

    kinds: tuple[str, ...]
    path: str
    accepted: tuple[Any, ...]
    default: Any = None


@dataclass(frozen=True, slots=True)
class Settings:
    """A check that every resource has some settings."""

    wanted: tuple[Setting, ...]

    def __call__(self, topology: Topology) -> Iterator[Outcome]:
        """Yield where a resource has another."""
        for one in self.wanted:
            for resource in topology.estate.every(*one.kinds):
                yield from held(resource, one.path, one.accepted, one.default)


def settings(*wanted: Setting) -> Settings:
    """Return a check that every resource has these settings."""
    return Settings(wanted)


def held(
    resource: Resource, path: str, accepted: tuple[Any, ...], default: Any = None
) -> Iterator[Outcome]:
    """Yield whether a resource has one of the accepted values; `Setting` says what they mean."""
    value = resource.get(path)
    if value is UNKNOWN:
        yield Doubt(resource.address, f"{path} is not known yet")
        return
    effective = default if value is None else value
    if value is None:
        says = f"{path} is absent, and the provider's default is {shown(default)}"
    elif resource.hides(path):
        says = f"{path} is sensitive and not shown"
    else:
        says = f"{path} is {shown(value)}"
    if any(
        effective is one or (effective == one and type(effective) is type(one)) for one in accepted
    ):
        yield Seen(resource.address, says)
    else:
        yield Finding(resource.address, path, says, argument(path, accepted[0]))


def witnessed(outcomes: Iterable[Outcome], *seen: Seen) -> Iterator[Outcome]:
    """Yield outcomes, and then what was seen where nothing among them is said against it."""
    against = set()
    for one in outcomes:
        if isinstance(one, Finding | Doubt):
            against.add(one.address)
        yield one
    yield from (one for one in seen if one.address not in against)


def kept(
    resource: Resource, path: str, least: int, mend: str, *, default: int
) -> Iterator[Outcome]:
    """Yield whether a resource keeps something for a number of days."""
    value = resource.get(path)
    days = default if value is None else value
    if value is UNKNOWN:
        yield Doubt(resource.address, f"{path} is not known yet")
    elif isinstance(days, bool) or not isinstance(days, int):
        yield Doubt(resource.address, f"{path} is no number of days")
    elif days < least:
        says = f"{path} is {days} days, and what is older is lost"
        yield Finding(resource.address, path, says, mend)
    else:
        yield Seen(resource.address, f"{path} is {days} days")


def shown(value: Any) -> str:
    """Return a value as HCL writes it, if it is one that can be no secret."""
    if value is None or isinstance(value, bool | int | float):
        return literal(value)
    if isinstance(value, str) and len(value) <= 40:
        return f'"{value}"'
    return "something else"
