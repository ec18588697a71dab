"""What was refused, by reason and day, as it was last counted. It names nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.assembly import Assembly
from secure_openai.edge.access import ADMIN, SecuredRoute, requires
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.desk.ranges import DayRange, range_of
from secure_openai.store.tallies import Tally, TallyKind

router = APIRouter(route_class=SecuredRoute, prefix="/api/admin", tags=["refusals"])


@dataclass(frozen=True, slots=True)
class Refusals:
    """What was refused.

    Attributes:
        days: Which days.
        tallies: By day, reason and deployment.
    """

    days: DayRange
    tallies: Sequence[Tally]

    @property
    def by_reason(self) -> Sequence[tuple[str, int]]:
        """Return the reasons with their counts, the most frequent first."""
        return self._counted([(one.name, one.requests) for one in self.tallies])

    @property
    def by_day(self) -> Sequence[tuple[str, int]]:
        """Return every day of the range with its count."""
        counts = dict(self._counted([(one.day, one.requests) for one in self.tallies]))
        return [(label, counts.get(label, 0)) for label in self.days.labels]

    @property
    def total(self) -> int:
        """Return how many there were."""
        return sum(one.requests for one in self.tallies)

    def _counted(self, pairs: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
        counts: Counter[str] = Counter()
        for key, count in pairs:
            counts[key] += count
        return sorted(counts.items(), key=lambda one: (-one[1], one[0]))


@router.get("/refusals")
@requires(ADMIN)
async def get_refusals(request: Request) -> Response:
    """Return how often each reason refused on each day, and of which deployment."""
    found = await refused_in(assembly_of(request), range_of(request))
    return JSONResponse(
        {
            "from": found.days.first.isoformat(),
            "to": found.days.last.isoformat(),
            "items": [
                {
                    "day": one.day,
                    "reason": one.name,
                    "deployment": one.deployment or None,
                    "count": one.requests,
                }
                for one in found.tallies
            ],
        }
    )


async def refused_in(assembly: Assembly, days: DayRange) -> Refusals:
    """Return what was refused: one question for each day.

    Raises:
        StoreError: It cannot be read.
    """
    tallies = await assembly.tallies.days(days.labels[0], days.labels[-1])
    return Refusals(days, [one for one in tallies if one.kind is TallyKind.REFUSAL])
