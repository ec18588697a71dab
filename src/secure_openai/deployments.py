"""Managing deployments under audit: where model management and the audit meet.

Every act leaves two records: that it was asked for, before anything is sent, and how it ended.
They say who, which deployment of which account, of which model, version, SKU and capacity, and the
outcome; never more. What is only looked at leaves none.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

from secure_openai.errors import SecureOpenAIError, StoreError
from secure_openai.model.management.interface import (
    DeploymentManagement,
    Kind,
    Progress,
    Quota,
    Wanted,
    is_name,
)
from secure_openai.model.management.operations import Patience, finished
from secure_openai.store.audit import AuditEvent, AuditStore
from secure_openai.types import Clock, JsonObject, Principal, utc_now

logger = logging.getLogger(__name__)

T = TypeVar("T")

QUOTA_SECONDS = 900.0
"""How old the quota that is observed may be."""


@dataclass(frozen=True, slots=True)
class _Act:
    kind: Kind
    principal: Principal
    name: str
    facts: JsonObject
    request_id: str


class Deployments:
    """Creates and deletes deployments for administrators, and records what became of it.

    Args:
        management: Does it. Whoever only looks may use it directly.
        audit: Where it is recorded.
        patience: How long an operation is followed for its record's sake.
    """

    def __init__(
        self,
        *,
        management: DeploymentManagement,
        audit: AuditStore,
        patience: Patience | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.management = management
        self._audit = audit
        self._patience = patience or Patience()
        self._clock = clock
        self._tasks: set[asyncio.Task[Any]] = set()
        self._quota: dict[tuple[str, str], Quota] = {}

    async def create(self, principal: Principal, wanted: Wanted, *, request_id: str) -> Progress:
        """Begin to create.

        Raises:
            SecureOpenAIError: As `DeploymentManagement.create` does; the refusal is recorded.
            AuditUnavailable: It cannot be recorded, so it is not done.
        """
        facts = {
            name: value
            for name in ("account", "model", "version", "sku", "capacity", "content_filter")
            if (value := getattr(wanted, name)) is not None
            and (not isinstance(value, str) or is_name(value))
        }
        act = _Act(Kind.CREATE, principal, wanted.name, facts, request_id)
        return await self._do(act, self.management.create(wanted))

    async def delete(
        self,
        principal: Principal,
        account: str,
        name: str,
        *,
        confirm: str,
        etag: str,
        request_id: str,
    ) -> Progress:
        """Begin to delete.

        Raises:
            SecureOpenAIError: As `DeploymentManagement.delete` does; the refusal is recorded.
            AuditUnavailable: It cannot be recorded, so it is not done.
        """
        facts = {"account": account} if is_name(account) else {}
        act = _Act(Kind.DELETE, principal, name, facts, request_id)
        return await self._do(
            act, self.management.delete(account, name, confirm=confirm, etag=etag)
        )

    @property
    def quota(self) -> Sequence[Quota]:
        """Return the quotas that are in use, as `keep_quota` last read them."""
        return [one for one in self._quota.values() if one.used > 0]

    async def keep_quota(self) -> None:
        """Read what is left now and then, for ever, for whoever observes it. Cancel it to stop."""
        while True:
            read: dict[tuple[str, str], Quota] = {}
            for account in self.management.accounts:
                try:
                    found = await self.management.quota(account)
                except SecureOpenAIError as error:
                    # What could not be read is not observed: an old figure would be believed.
                    logger.warning("the quota of an account could not be read: %s", error.slug)
                    continue
                read |= {(one.region, one.name): one for one in found}
            self._quota = read
            await asyncio.sleep(QUOTA_SECONDS)

    async def aclose(self) -> None:
        """Stop following; Azure goes on, and the audit says that its end was not seen."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _do(self, act: _Act, begin: Coroutine[Any, Any, Progress]) -> Progress:
        try:
            self._record(act, "asked", reason="administrator")
        except StoreError:
            begin.close()
            raise
        # Shielded: whoever asked may leave, but what Azure has heard is followed and recorded.
        return await asyncio.shield(self._spawn(self._begin(act, begin)))

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _begin(self, act: _Act, begin: Coroutine[Any, Any, Progress]) -> Progress:
        try:
            begun = await begin
        except SecureOpenAIError as error:
            refused = error.http_status < HTTPStatus.INTERNAL_SERVER_ERROR
            step = "refused" if refused else "ended"
            self._record(act, step, reason=error.slug, refused=refused)
            raise
        except BaseException:
            # Whatever it was, Azure may have heard: the audit does not leave it open.
            self._record(act, "ended", reason="unknown")
            raise
        self._spawn(self._follow(act, begun))
        return begun

    async def _follow(self, act: _Act, begun: Progress) -> None:
        started, outcome = time.monotonic(), "unknown"
        try:
            outcome = (await finished(self.management, begun, self._patience)).state.value
        except SecureOpenAIError as error:
            logger.warning("a deployment's operation was lost sight of: %s", error.slug)
        finally:
            try:
                self._record(
                    act,
                    "ended",
                    reason=outcome,
                    facts={"seconds": round(time.monotonic() - started)},
                )
            except StoreError:
                logger.exception("how a deployment's operation ended is not in the audit")

    def _record(
        self,
        act: _Act,
        step: str,
        *,
        reason: str,
        refused: bool = False,
        facts: JsonObject | None = None,
    ) -> None:
        self._audit.append(
            AuditEvent(
                action=f"deployment.{act.kind}.{step}",
                at=self._clock(),
                principal=act.principal.id,
                decision="refused" if refused else "allowed",
                reason=reason,
                deployment=act.name if is_name(act.name) else "unknown",
                request_id=act.request_id,
                facts={**act.facts, **(facts or {})},
            )
        )
