"""Several accounts and regions that answer as one: whoever is out is passed over.

A request goes to the members of the smallest priority first; among those, to the one with the
fewest requests under way, and of these to the one that waited longest. What fails before the first
byte of its answer is asked of the next member; what fails afterwards is told. The caller's quota is
not touched here: it is charged once, for the answer that came.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from secure_openai.errors import (
    ContentFiltered,
    CredentialMissing,
    ModelError,
    ModelRejected,
    ModelThrottled,
    ModelTimeout,
    ModelUnavailable,
)
from secure_openai.model.circuit import REST_SECONDS, Circuit
from secure_openai.model.interface import (
    Model,
    ModelRequest,
    ModelResponse,
    ServerSentEvent,
    WholeAnswer,
)
from secure_openai.types import Attempt, CircuitState, Deployment, MemberHealth

logger = logging.getLogger(__name__)

WAITS = 2
"""How many members a request waits for in vain: each wait is long, and Azure may bill it."""

ANSWERED_SECONDS = 30.0
"""How long an answer shows that its member is ready."""

FINAL = (ContentFiltered, CredentialMissing, ModelRejected)
"""Errors that the next member would repeat: they are the request's own, or ours."""


@dataclass(frozen=True, slots=True)
class Member:
    """One account.

    Attributes:
        name: What settings call it.
        priority: Its turn, smallest first.
        model: What answers there.
    """

    name: str
    priority: int
    model: Model


@dataclass(eq=False, slots=True)
class _Place:
    """One deployment of one member."""

    member: Member
    deployment: str
    circuit: Circuit = field(default_factory=Circuit)
    under_way: int = 0
    turn: int = 0
    answered: float = float("-inf")

    def rank(self, now: float) -> tuple[bool, int, int, int]:
        """Return what decides whose turn it is, smallest first."""
        resting = self.circuit.state(now) is CircuitState.RESTING
        return resting, self.member.priority, self.under_way, self.turn


class Pool:
    """Implements `Model` over several.

    Args:
        members: Whom to ask; a deployment's name means the same model at each of them.
        now: Monotonic seconds.
    """

    def __init__(
        self, members: Sequence[Member], *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._members = tuple(members)
        self._now = now
        self._turns = 0
        self._deployments: dict[str, Deployment] = {}
        self._places: dict[str, list[_Place]] = {}
        for member in sorted(members, key=lambda one: one.priority):
            for deployment in member.model.deployments:
                self._deployments.setdefault(deployment.name, deployment)
                place = _Place(member, deployment.name)
                self._places.setdefault(deployment.name, []).append(place)

    @property
    def deployments(self) -> Sequence[Deployment]:
        """Return every deployment that a member has, the first priority's first."""
        return tuple(self._deployments.values())

    async def open(self, request: ModelRequest) -> ModelResponse:
        """Ask one member after the other until one begins to answer."""
        places = self._places.get(request.deployment, [])
        tried: list[_Place] = []
        errors: list[ModelError] = []
        while (place := self._next(places, tried)) is not None:
            tried.append(place)
            try:
                return await self._ask(place, request, _attempts(tried, errors))
            except ModelError as error:
                self._failed(place, error)
                if isinstance(error, FINAL):
                    error.attempts = _attempts(tried, errors)
                    raise
                errors.append(error)
                if sum(isinstance(one, ModelTimeout) for one in errors) >= WAITS:
                    break
        raise self._exhausted(request, places, tried, errors)

    def _next(self, places: Sequence[_Place], tried: Sequence[_Place]) -> _Place | None:
        now = self._now()
        free = [one for one in places if one not in tried and one.circuit.admits(now)]
        return min(free, key=lambda one: one.rank(now)) if free else None

    async def _ask(
        self, place: _Place, request: ModelRequest, attempts: tuple[Attempt, ...]
    ) -> ModelResponse:
        self._turns += 1
        place.turn = self._turns
        place.circuit.asked(self._now())
        place.under_way += 1
        response: ModelResponse | None = None
        try:
            response = await place.member.model.open(request)
            # Nothing of an answer that is not streamed goes out before all of it is there.
            whole = None if request.stream else await response.read()
        except BaseException:
            place.under_way -= 1
            if response is not None:
                await response.aclose()
            raise
        place.answered = self._now()
        place.circuit.begun(place.answered)
        return _Pooled(self, place, response, attempts, whole)

    def _ended(self, place: _Place, failure: ModelError | None) -> None:
        place.under_way -= 1
        if failure is None:
            place.circuit.answered(self._now())
        else:
            self._failed(place, failure)

    def _failed(self, place: _Place, error: ModelError) -> None:
        now = self._now()
        was_open = place.circuit.state(now) is CircuitState.OPEN
        place.circuit.failed(error, now)
        if place.circuit.state(now) is CircuitState.OPEN and not was_open:
            logger.warning(
                "%s of account %s is not asked for %.0f s (%s)",
                place.deployment,
                place.member.name,
                place.circuit.seconds(now),
                error.slug,
            )

    def _exhausted(
        self,
        request: ModelRequest,
        places: Sequence[_Place],
        tried: Sequence[_Place],
        errors: Sequence[ModelError],
    ) -> ModelError:
        """Return what to tell when nobody answers: how soon somebody might, or what is amiss."""
        now = self._now()
        soonest = min((one.circuit.seconds(now) for one in places), default=0.0)
        known = [*errors, *(one.circuit.failure for one in places if one not in tried)]
        own = bool(errors) and len(places) == 1
        told: ModelError
        if own:
            told = errors[0]
        elif any(isinstance(one, ModelThrottled) for one in known):
            told = ModelThrottled(
                f"Every deployment behind {request.deployment} is over its own quota. Try again "
                "in a moment.",
            )
        elif errors:
            told = errors[-1]
        elif places and all(one.circuit.misplaced for one in places):
            last = places[-1].circuit.failure
            told = type(last)(last.detail) if last is not None else ModelUnavailable()
        else:
            told = ModelUnavailable(
                f"None of the deployments behind {request.deployment} answers now. Try again in a "
                "moment.",
            )
        # The only one there is has said itself how long, if it knows.
        if not own and isinstance(told, (ModelThrottled, ModelUnavailable)):
            told.retry_after = max(soonest, REST_SECONDS)
        told.attempts = _attempts(tried, errors)
        return told

    async def ready(self) -> bool:
        """Return whether somebody would probably answer.

        Whoever answered a moment ago would; whoever is over its quota will; the others are asked
        whether they are there.
        """
        now = self._now()
        places = [place for group in self._places.values() for place in group]
        usable = [one for one in places if one.circuit.admits(now) or one.circuit.throttled]
        if any(one.circuit.throttled or now - one.answered < ANSWERED_SECONDS for one in usable):
            return True
        for member in dict.fromkeys(one.member for one in usable):
            if await member.model.ready():
                for one in usable:
                    if one.member is member:
                        one.answered = self._now()
                return True
        return False

    def health(self) -> Sequence[MemberHealth]:
        """Return how each member does with each deployment."""
        now = self._now()
        return [
            MemberHealth(
                member=one.member.name,
                deployment=one.deployment,
                priority=one.member.priority,
                state=one.circuit.state(now),
                seconds=one.circuit.seconds(now),
                reason=None if one.circuit.failure is None else one.circuit.failure.slug,
                failures=one.circuit.failures,
                under_way=one.under_way,
            )
            for group in self._places.values()
            for one in group
        ]

    async def aclose(self) -> None:
        """Close every member."""
        for member in self._members:
            await member.model.aclose()


class _Pooled:
    """A member's answer; its events are the member's own, without a step between."""

    def __init__(
        self,
        pool: Pool,
        place: _Place,
        response: ModelResponse,
        attempts: tuple[Attempt, ...],
        whole: WholeAnswer | None,
    ) -> None:
        self.member = place.member.name
        self.attempts = attempts
        self._pool = pool
        self._place: _Place | None = place
        self._response = response
        self._whole = whole

    @property
    def failure(self) -> ModelError | None:
        return self._response.failure

    async def read(self) -> WholeAnswer:
        return await self._response.read() if self._whole is None else self._whole

    def events(self) -> AsyncIterator[ServerSentEvent]:
        return self._response.events()

    async def aclose(self) -> None:
        place, self._place = self._place, None
        if place is not None:
            self._pool._ended(place, self._response.failure)  # noqa: SLF001 - the pool's own
        await self._response.aclose()


def _attempts(tried: Sequence[_Place], errors: Sequence[ModelError]) -> tuple[Attempt, ...]:
    """Return who failed, in order; whoever was asked last may be answering."""
    return tuple(
        Attempt(place.member.name, error.slug, error.billable)
        for place, error in zip(tried, errors, strict=False)
    )
