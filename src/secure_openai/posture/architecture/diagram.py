"""The estate as a picture: a request comes in on the left and meets what it needs to the right."""

from __future__ import annotations

from html import escape
from typing import Final

from secure_openai.posture.architecture.services import Service, services
from secure_openai.posture.estate import Estate

WIDTH: Final = 1180
ROW: Final = 64
TOP: Final = 96

Place = tuple[int, int, int, int]
"""Left, top, width and height in pixels."""

STYLE: Final = """
  svg { color-scheme: light dark; font-family: "Segoe UI", system-ui, sans-serif; }
  .page { fill: #ffffff; } .ink { fill: #1b2733; } .dim { fill: #5a6b7b; }
  .box { fill: #f4f7fa; stroke: #9fb3c5; } .net { fill: #eaf3fb; stroke: #0f6cbd; }
  .sub { fill: #ffffff; stroke: #0f6cbd; stroke-dasharray: 5 4; }
  .end { fill: #0f6cbd; } .line { stroke: #0f6cbd; fill: none; stroke-width: 1.6; }
  .out { stroke: #8a5a00; fill: none; stroke-width: 1.6; stroke-dasharray: 6 4; }
  .who { fill: #fff4ce; stroke: #c19c00; }
  text { font-size: 13px; } .small { font-size: 11px; }
  .title { font-size: 17px; font-weight: 600; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #111a22; } .ink { fill: #e8eef4; } .dim { fill: #9db0c2; }
    .box { fill: #1b2733; stroke: #4d6275; } .net { fill: #14283a; stroke: #62abf5; }
    .sub { fill: #111a22; stroke: #62abf5; } .end { fill: #62abf5; }
    .line { stroke: #62abf5; } .out { stroke: #e0b252; }
    .who { fill: #3a3215; stroke: #c19c00; }
  }
"""


def diagram(estate: Estate, title: str) -> str:
    """Return an SVG document, readable in light and dark.

    Args:
        estate: A private estate.
        title: What stands above it.
    """
    rows = [one for one in services(estate) if one.endpoints]
    height = TOP + ROW * len(rows) + 186
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-labelledby="t d">',
        f'<title id="t">{escape(title)}</title>',
        f'<desc id="d">{escape(_description(rows))}</desc>',
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}"/>',
        _text(28, 36, title, "ink title"),
        *_people(estate, height),
        *_network(estate, height),
        *(part for index, one in enumerate(rows) for part in _service(one, index)),
        *_legend(height),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _description(rows: list[Service]) -> str:
    named = ", ".join(one.title for one in rows)
    return (
        "People sign in with Entra ID and reach a virtual network. In it, the applications' subnet "
        f"and the endpoints' subnet; behind private endpoints stand: {named}."
    )


def _people(estate: Estate, height: int) -> list[str]:
    middle = (TOP + height - 120) // 2
    door = "VPN, Bastion or peering"
    if estate.every("azurerm_application_gateway"):
        door = "Application Gateway, WAF"
    return [
        *_box((28, middle - 34, 150, 68), "who", "People and", "applications"),
        _text(28, middle + 56, door, "dim small"),
        *_box((28, middle - 170, 150, 56), "box", "Microsoft", "Entra ID"),
        f'<path class="out" d="M103 {middle - 114} V{middle - 34}"/>',
        _text(110, middle - 68, "sign in", "dim small"),
        f'<path class="line" d="M178 {middle} H220"/>',
    ]


def _network(estate: Estate, height: int) -> list[str]:
    bottom = height - 100
    networks = estate.every("azurerm_virtual_network")
    name = networks[0].name if networks else "an existing network"
    space = ", ".join(networks[0].values["address_space"]) if networks else ""
    subnets = {
        one.name.removeprefix("snet-"): ", ".join(one.values["address_prefixes"])
        for one in estate.every("azurerm_subnet")
    }
    others = [name for name in subnets if name not in ("applications", "endpoints")]
    leaves = "NAT gateway" if estate.every("azurerm_nat_gateway") else "the network's own way"
    return [
        _rect((220, TOP - 34, 470, bottom - TOP + 40), "net"),
        _text(236, TOP - 12, f"Virtual network {name} {space}", "ink"),
        _rect((240, TOP + 8, 200, bottom - TOP - 44), "sub"),
        _text(254, TOP + 30, "Subnet applications", "ink"),
        _text(254, TOP + 47, subnets.get("applications", ""), "dim small"),
        *_box((258, TOP + 66, 154, 58), "box", "Web application", "its identity, 2 slots"),
        *_box((258, TOP + 140, 154, 58), "box", "Function app", "its identity, 2 slots"),
        _text(254, TOP + 226, "Outbound to endpoints, Entra", "dim small"),
        _text(254, TOP + 242, "ID, Resource Manager and DNS;", "dim small"),
        _text(254, TOP + 258, f"by {leaves}.", "dim small"),
        _rect((470, TOP + 8, 200, bottom - TOP - 44), "sub"),
        _text(484, TOP + 30, "Subnet endpoints", "ink"),
        _text(484, TOP + 47, subnets.get("endpoints", ""), "dim small"),
        f'<path class="line" d="M440 {TOP + 132} H470"/>',
        _text(240, bottom - 14, _others(others), "dim small"),
    ]


def _others(names: list[str]) -> str:
    if not names:
        return "No other subnet: Bastion, runner and gateway are options."
    return "Other subnets: " + ", ".join(sorted(names))


def _service(service: Service, index: int) -> list[str]:
    top = TOP + 66 + index * ROW
    middle = top + 20
    subresources = ", ".join(subresource for subresource, _ in service.endpoints)
    zones = sorted({zone for _, names in service.endpoints for zone in names})
    shown = zones[0] if zones else "zone attached by policy"
    more = f" and {len(zones) - 1} more" if len(zones) > 1 else ""
    return [
        f'<circle class="end" cx="492" cy="{middle}" r="7"/>',
        _text(508, middle + 4, subresources, "ink small"),
        f'<path class="line" d="M670 {middle} H740"/>',
        f'<rect class="box" x="740" y="{top - 6}" width="412" height="52" rx="6"/>',
        _text(754, top + 15, service.title, "ink"),
        _text(754, top + 33, f"{shown}{more}", "dim small"),
    ]


def _legend(height: int) -> list[str]:
    y = height - 52
    return [
        f'<rect class="net" x="28" y="{y}" width="26" height="18" rx="3"/>',
        _text(62, y + 14, "virtual network", "dim small"),
        f'<rect class="sub" x="166" y="{y}" width="26" height="18" rx="3"/>',
        _text(200, y + 14, "subnet with its own rules", "dim small"),
        f'<circle class="end" cx="372" cy="{y + 9}" r="7"/>',
        _text(388, y + 14, "private endpoint, by subresource", "dim small"),
        f'<rect class="box" x="584" y="{y}" width="26" height="18" rx="3"/>',
        _text(618, y + 14, "service without a public door, with its DNS zone", "dim small"),
        f'<path class="line" d="M896 {y + 9} H924"/>',
        _text(932, y + 14, "private", "dim small"),
        f'<path class="out" d="M992 {y + 9} H1020"/>',
        _text(1028, y + 14, "public, Entra ID only", "dim small"),
    ]


def _box(place: Place, kind: str, first: str, second: str) -> list[str]:
    x, y, _, height = place
    return [
        _rect(place, kind),
        _text(x + 12, y + height // 2 - 4, first, "ink"),
        _text(x + 12, y + height // 2 + 14, second, "dim small"),
    ]


def _rect(place: Place, kind: str) -> str:
    x, y, width, height = place
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>'


def _text(x: int, y: int, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(text)}</text>'
