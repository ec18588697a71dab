"""The gateway's OpenAPI description, and Schemathesis asking everything that it describes."""

from __future__ import annotations

import json
from pathlib import Path

from secure_openai.edge.description import description
from tests.clients.programs import SCHEMATHESIS, told
from tests.edge.test_refusals import openai_error
from tests.world import World

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)


async def test_it_describes_what_is_served(world: World) -> None:
    """Every route of the gateway and no other; whoever may use them may read it."""
    async with world.client() as http:
        openai_error(await http.get("/openai/openapi.json"), 401)
        answer = await http.get("/openai/openapi.json", headers=world.bearer("Uma"))
    described = answer.json()
    routes = {
        f"{method} {route.path}"  # type: ignore[attr-defined]
        for route in world.app.routes
        if getattr(route, "path", "").startswith("/openai/")
        for method in route.methods  # type: ignore[attr-defined]
    }

    assert described == description(world.url)
    assert {
        f"{method.upper()} {path}" for path, item in described["paths"].items() for method in item
    } | {"GET /openai/openapi.json"} == routes


async def test_nothing_that_it_describes_and_nothing_else_fails(
    gateway: World,
    tmp_path: Path,
) -> None:
    """Whatever is sent, right or wrong: what the description says comes back, and never a 5xx."""
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(description(gateway.url)))
    command: list[str | Path] = [
        SCHEMATHESIS,
        "-m",
        "schemathesis.cli",
        "run",
        file,
        "--url",
        gateway.url,
        "-H",
        f"Authorization: Bearer {gateway.token('Uma')}",
        "--checks",
        ",".join(CHECKS),
        "--phases",
        "examples,fuzzing",
        "--max-examples",
        "15",
        "--seed",
        "1",
        "--warnings",
        "off",
        "--no-color",
    ]
    said = await told(gateway, *command)

    assert "No issues found" in said, said[-5000:]
