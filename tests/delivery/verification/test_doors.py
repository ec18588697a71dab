"""Doors of an application of one's own: each is found, whatever its path asks for."""

from __future__ import annotations

from pathlib import Path

from secure_openai.applications import (
    PEOPLE,
    Application,
    JSONResponse,
    Request,
    Response,
    requires,
)
from secure_openai.delivery.verification import doors
from secure_openai.delivery.verification.calls import Caller
from secure_openai.delivery.verification.observation import Outcome
from secure_openai.outbound import Outbound
from secure_openai.testing.laptop import laptop

PATHS = (
    "/day/{day}",
    "/days/{day:int}",
    "/numbers/{number:int}",
    "/shares/{share:float}",
    "/people/{person:uuid}",
    "/files/{file:path}",
    "/words/{aWord2}",
    "/both/{number:int}/of/{word}",
)


async def test_whatever_a_path_asks_for_its_door_is_found(tmp_path: Path) -> None:
    """A number where it takes a number: a request that no route matches would show nothing."""
    application = Application("Own")

    async def answer(request: Request) -> Response:
        return JSONResponse({})

    for path in PATHS:
        application.get(path)(requires(*PEOPLE)(answer))
    async with laptop(application, tmp_path) as system:
        routes = {f"GET {path}": list(PEOPLE) for path in PATHS}
        seen = await doors.looked_at(system.url, Caller(Outbound()), "", routes)

    assert {(one.subject, one.outcome, one.says) for one in seen} == {
        (route, Outcome.HOLDS, "sign-in is demanded") for route in routes
    }
