"""What an estate costs a month, from a dated table of prices. Tokens are not in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from secure_openai.posture.estate import Estate, Resource
from secure_openai.tables import table

PRICES: dict[str, Any] = table("prices")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an estimate: how many of something, and what they cost a month in US dollars."""

    what: str
    count: float
    cost: float


def estimate(estate: Estate) -> list[Line]:
    """Return the estimate, one line for each kind of thing, the dearest first.

    Raises:
        KeyError: The estate has a size that the table has no price for.
    """
    totals: dict[str, float] = {}
    for resource in estate.resources:
        for item, count in _items(resource):
            totals[item] = totals.get(item, 0) + count
    lines = [
        Line(PRICES["items"][item]["what"], count, count * PRICES["items"][item]["month"])
        for item, count in totals.items()
    ]
    return sorted(lines, key=lambda line: (-line.cost, line.what))


def _items(resource: Resource) -> Iterator[tuple[str, float]]:
    values = resource.values
    match resource.type:
        case "azurerm_service_plan":
            yield f"plan_{values['sku_name']}", values["worker_count"]
        case "azurerm_cosmosdb_sql_database":
            # A tenth of the largest is paid even when nobody works.
            yield "cosmos_100_units", values["autoscale_settings"][0]["max_throughput"] / 1000
        case "azurerm_linux_virtual_machine":
            yield f"machine_{values['size']}", 1
        case "azurerm_bastion_host":
            yield f"bastion_{values['sku']}", 1
        case kind:
            item = kind.removeprefix("azurerm_")
            if item in PRICES["items"]:
                yield item, 1
