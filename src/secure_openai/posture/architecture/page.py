"""`docs/architecture.md` and its picture, generated from the simulated environments.

    python -m secure_openai.posture.architecture.page

run in the repository writes both; a test holds the committed ones to what this generates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from secure_openai.posture.architecture.cost import PRICES, Line, estimate
from secure_openai.posture.architecture.diagram import diagram
from secure_openai.posture.architecture.recovery import carriers, recoveries, table_of
from secure_openai.posture.architecture.services import Service, services
from secure_openai.posture.assumptions import Assumptions
from secure_openai.posture.estate import Estate
from secure_openai.posture.simulation import simulate
from secure_openai.posture.topology import Topology

ENVIRONMENTS: Final = ("private", "public", "existing-network", "government")
SHOWN: Final = "private"
OPTIONS: Final = ("edge", "operations")
"""Modules that no environment asks for: what they add is read from their examples."""
TITLE: Final = "The private estate"


def estates(infra: Path) -> dict[str, Estate]:
    """Return each environment's estate, applied in simulation."""
    found = {}
    for name in ENVIRONMENTS:
        variables = infra / "environments" / f"{name}.tfvars"
        with simulate(infra, var_files=[variables]) as done:
            found[name] = Estate.of(done.state)
    return found


def options(infra: Path) -> list[Estate]:
    """Return the example of each optional module, applied in simulation."""
    found = []
    for name in OPTIONS:
        with simulate(infra / "modules" / name / "example") as done:
            found.append(Estate.of(done.state))
    return found


def page(found: Mapping[str, Estate], optional: Sequence[Estate]) -> str:
    """Return the page."""
    shown = found[SHOWN]
    return "\n".join(
        [
            "# Architecture",
            "",
            "Generated from `infra/` applied in simulation: "
            "`python -m secure_openai.posture.architecture.page`.",
            "",
            "![The private estate](architecture.svg)",
            "",
            "What people write walks from the web application to Azure OpenAI and into Cosmos DB, "
            "and leaves the virtual network nowhere. Every service is reached through a private "
            "endpoint and found through private DNS; none accepts a key.",
            "",
            "## Services",
            "",
            *(line for one in services(shown) for line in _service(one)),
            "No logs of their own have the NAT gateway, the endpoints' interfaces and the action "
            "group. Flows are not logged either: [why](adr/0008-no-flow-logs.md).",
            "",
            "## When a zone fails, and what comes back",
            "",
            "Of the private estate, as it is set. `zone_redundant = false` and `geo_redundant = "
            "false` are for regions without zones or without a pair. A region that fails takes the "
            "estate with it, except where another region is named here.",
            "",
            *table_of(recoveries(shown)),
            "",
            "What is optional, as the examples of its modules have it:",
            "",
            *table_of([row for estate in optional for row in carriers(estate)]),
            "",
            "State and packages (bootstrap) are kept as `zone_redundant` and `geo_redundant` say "
            "there, with versions, and with deleted blobs for 30 days. Entra ID is Microsoft's.",
            "",
            "## What it costs",
            "",
            f"US dollars a month, without tokens. {PRICES['source']} "
            f"Table of {PRICES['read']} (`tables/prices.json`).",
            "",
            *_costs({name: estimate(estate) for name, estate in found.items()}),
            "",
            "Not in it: tokens (by use), Microsoft Defender for Cloud plans (bootstrap), traffic.",
            "",
        ]
    )


def _service(service: Service) -> Iterator[str]:
    yield f"### {service.title}"
    yield ""
    yield "| | |"
    yield "|---|---|"
    for subresource, zones in service.endpoints:
        yield f"| private endpoint `{subresource}` | {', '.join(f'`{z}`' for z in zones)} |"
    if not service.endpoints:
        yield "| private endpoint | through the monitor's private link scope |"
    if service.identities:
        yield f"| identity | {', '.join(f'`{name}`' for name in service.identities)} |"
    by_role: dict[str, list[str]] = {}
    for role, identity in service.accepts:
        by_role.setdefault(role, []).append(f"`{identity}`")
    for role, identities in sorted(by_role.items()):
        yield f"| {role} | {', '.join(identities)} |"
    yield f"| diagnostics | {service.diagnostics} |"
    yield ""


def _costs(found: Mapping[str, list[Line]]) -> Iterator[str]:
    names = list(found)
    yield "| | " + " | ".join(names) + " |"
    yield "|---|" + "---:|" * len(names)
    kinds = dict.fromkeys(line.what for lines in found.values() for line in lines if line.cost)
    for what in kinds:
        costs = []
        for name in names:
            line = next((one for one in found[name] if one.what == what), None)
            costs.append(f"{line.cost:.0f} ({line.count:g})" if line else "")
        yield f"| {what} | " + " | ".join(costs) + " |"
    totals = [f"**{sum(line.cost for line in found[name]):.0f}**" for name in names]
    yield "| **together** | " + " | ".join(totals) + " |"


def write(root: Path) -> None:
    """Write the page and its picture below the repository's root."""
    found = estates(root / "infra")
    (root / "docs" / "architecture.md").write_text(
        page(found, options(root / "infra")), encoding="utf-8"
    )
    picture = diagram(Topology(found[SHOWN], None, Assumptions()), TITLE)
    (root / "docs" / "architecture.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    write(Path.cwd())
