"""Whether one deployment of one member of a pool is asked: a circuit breaker.

Closed, it is asked. A failure without a word of how long lets it rest: for a second it is asked
after the others. Told how long to wait it opens for that long: it is not asked. Failing for the
third time in a row it opens by itself, and is half open afterwards: one request a second tries it,
until one is answered.
"""

from __future__ import annotations

from secure_openai.errors import (
    ContentFiltered,
    CredentialMissing,
    DeploymentMissing,
    DeploymentTooSmall,
    ModelError,
    ModelForbidden,
    ModelRejected,
    ModelThrottled,
)
from secure_openai.types import CircuitState

REST_SECONDS = 1.0
PROBE_SECONDS = 1.0
FAILURES = 3
"""How many in a row open the circuit."""

FIRST_SECONDS = 2.0
LAST_SECONDS = 60.0
"""How long a circuit that opens by itself stays open: first, and doubled each time, at most."""

LONGEST_SECONDS = 600.0
"""How long a server's own word is taken, however long it says: what was mended is found."""

MISPLACED_SECONDS = 60.0
"""How long a deployment that is missing, or refuses our credential, is left alone."""

NOT_ITS_OWN = (ContentFiltered, CredentialMissing, DeploymentTooSmall, ModelRejected)
"""Errors that are about the request or about us: nothing is held against a member for them."""


class Circuit:
    """The state of one deployment of one member; times are the caller's clock's seconds."""

    def __init__(self) -> None:
        self.failures = 0
        self.failure: ModelError | None = None
        self._openings = 0
        self._rests_until = 0.0
        self._open_until = 0.0
        self._probe_from = 0.0

    def state(self, now: float) -> CircuitState:
        """Return the state."""
        if now < self._open_until:
            return CircuitState.OPEN
        if self.failures >= FAILURES or self.misplaced:
            return CircuitState.HALF_OPEN
        return CircuitState.RESTING if now < self._rests_until else CircuitState.CLOSED

    @property
    def misplaced(self) -> bool:
        """Return whether it failed in a way that no waiting mends."""
        return isinstance(self.failure, (DeploymentMissing, ModelForbidden))

    @property
    def throttled(self) -> bool:
        """Return whether its last failure was its quota's."""
        return isinstance(self.failure, ModelThrottled)

    def seconds(self, now: float) -> float:
        """Return how long until it is asked again; 0 where it is."""
        return max(0.0, max(self._open_until, self._probe_from) - now)

    def admits(self, now: float) -> bool:
        """Return whether a request may be sent there."""
        return now >= self._open_until and now >= self._probe_from

    def asked(self, now: float) -> None:
        """Take note that a request is sent there: a half-open circuit lets no other through."""
        if self.state(now) is CircuitState.HALF_OPEN:
            self._probe_from = now + PROBE_SECONDS

    def begun(self, now: float) -> None:
        """Take note that it began to answer: it is asked like every other."""
        if now < self._open_until:
            # Asked before it opened: what is known since then is newer.
            return
        self._probe_from = self._rests_until = 0.0
        # An answer may still break off: then the third failure in a row is still the third.
        self.failures = min(self.failures, FAILURES - 1)
        if self.misplaced:
            self.failure = None

    def answered(self, now: float) -> None:
        """Take note of an answer that came to its end."""
        if now >= self._open_until:
            self.failures = self._openings = 0
            self.failure = None

    def failed(self, error: ModelError, now: float) -> None:
        """Take note of a failure."""
        if isinstance(error, NOT_ITS_OWN):
            return
        opened = now < self._open_until
        self.failure = error
        if isinstance(error, ModelThrottled):
            self._open(now, FIRST_SECONDS if error.retry_after is None else error.retry_after)
            return
        self.failures += 1
        if self.misplaced:
            self._open(now, MISPLACED_SECONDS)
        elif error.retry_after is not None:
            self._open(now, error.retry_after)
        elif opened:
            # One of many that were under way when it opened: they are one outage.
            return
        elif self.failures >= FAILURES:
            self._open(now, min(LAST_SECONDS, FIRST_SECONDS * 2.0**self._openings))
            self._openings = min(self._openings + 1, 20)
        else:
            self._rests_until = now + REST_SECONDS

    def _open(self, now: float, seconds: float) -> None:
        self._open_until = max(self._open_until, now + min(seconds, LONGEST_SECONDS))
        self._probe_from = 0.0
