"""Warn of deployments whose model's version retires, while there is time to move.

Azure says when, as long as our identity may look at the accounts. Where it may not, the settings
say which model a deployment has, and `tables/models.json` when that retires.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from secure_openai.accounts import ModelAccount
from secure_openai.errors import ManagementError, StoreError
from secure_openai.jobs.recording import record
from secure_openai.model.management.checks import retirement_of
from secure_openai.model.management.interface import (
    DeploymentManagement,
    ManagedDeployment,
    OfferedModel,
    Retirement,
)
from secure_openai.store.audit import AuditStore
from secure_openai.store.notes import NoteStore
from secure_openai.tables import table
from secure_openai.types import Clock, JsonObject, utc_now

logger = logging.getLogger(__name__)

STEPS = (30, 14, 7, 1, 0)
"""Days left at which a warning is recorded again; the first is recorded when warning begins."""


@dataclass(frozen=True, slots=True)
class Retiring:
    """A deployment whose model retires.

    Attributes:
        account: Key of its account.
        deployment: Its name.
        model: Its model.
        version: The model's version; empty where it is not known.
        retirement: When, and what to move to.
        left: Days until then; 0 where it has retired.
    """

    account: str
    deployment: str
    model: str
    version: str
    retirement: Retirement
    left: int


async def warn(
    management: DeploymentManagement,
    accounts: Iterable[ModelAccount],
    audit: AuditStore,
    notes: NoteStore,
    *,
    days: int,
    clock: Clock = utc_now,
) -> JsonObject:
    """Log each deployment that retires within `days`, and record each step of it once.

    Args:
        management: Looks at the accounts.
        accounts: What the settings say of them, where they cannot be looked at.
        audit: Where warnings are recorded.
        notes: Where it is noted which warnings have been.
        days: How long before its model retires a deployment is warned of.
        clock: Tells the time.

    Returns:
        How many deployments were looked at, how many are `retiring`, how many warnings were
        `recorded` for the first time, and how many accounts were `unread`.

    Raises:
        AuditUnavailable: Nothing can be recorded.
        StoreError: Notes cannot be read or written.
    """
    report = {"deployments": 0, "retiring": 0, "recorded": 0, "unread": 0}
    said = {account.name: account for account in accounts}
    for key in management.accounts:
        try:
            models = await management.models(key)
            deployments = list(await management.deployments(key))
        except ManagementError as error:
            logger.warning("the account %s cannot be looked at: %s", key, error.slug)
            report["unread"] += 1
            models, deployments = [], [*_as_said(said.get(key))]
        report["deployments"] += len(deployments)
        for one in _retiring(deployments, models, days, clock().date()):
            report["retiring"] += 1
            logger.warning(
                "%s in %s is %s %s, which retires on %s: move it to %s",
                one.deployment,
                one.account,
                one.model,
                one.version,
                one.retirement.on,
                one.retirement.instead or "another model",
            )
            report["recorded"] += await _recorded(one, days, audit, notes, clock)
    return report


def _retiring(
    deployments: Sequence[ManagedDeployment],
    models: Sequence[OfferedModel],
    days: int,
    today: date,
) -> Iterator[Retiring]:
    offered = {(one.name, one.version): one.retirement for one in models}
    for one in deployments:
        retirement = offered.get((one.model, one.version)) or _by_table(one)
        if retirement is None:
            continue
        left = (retirement.on - today).days
        if left <= days:
            yield Retiring(one.account, one.name, one.model, one.version, retirement, max(0, left))


def _by_table(deployment: ManagedDeployment) -> Retirement | None:
    """Return what the table says; of a version that nobody names, the one that it knows."""
    known = table("models")["models"].get(deployment.model, {}).get("version", "")
    return retirement_of(deployment.model, deployment.version or known, None, None)


def _as_said(account: ModelAccount | None) -> Iterable[ManagedDeployment]:
    """Yield an account's deployments as the settings name them."""
    for name, model in () if account is None else account.deployments:
        yield ManagedDeployment(
            account=account.name if account else "",
            name=name,
            model=model,
            version="",
            sku="",
            capacity=None,
            state="",
            content_filter=None,
            upgrade=None,
            etag="",
        )


async def _recorded(
    one: Retiring, days: int, audit: AuditStore, notes: NoteStore, clock: Clock
) -> bool:
    """Record a warning unless its step was; return whether it was recorded."""
    step = min((step for step in (*STEPS, days) if one.left <= step), default=days)
    on = one.retirement.on.isoformat()
    name = f"retirement {one.account} {one.deployment} {one.model} {one.version} {on} {step}"
    audit.ensure_writable()
    if not await notes.note(name):
        return False
    try:
        record(
            audit,
            "deployment.retires",
            reason="retirement",
            deployment=one.deployment,
            facts={
                "account": one.account,
                "model": one.model,
                "version": one.version,
                "on": on,
                "days_left": one.left,
                "source": one.retirement.source.value,
                "instead": one.retirement.instead,
            },
            clock=clock,
        )
        await audit.flush()
    except StoreError:
        # Not recorded: the next run does it.
        await notes.forget(name)
        raise
    return True
