"""The estate as a picture: people on the left, the Internet on the right, the wall between them.

One drawing serves the page in `docs/` and the report of a proof, which puts its findings on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import Final

from secure_openai.posture.architecture import drawing
from secure_openai.posture.architecture.access import Access
from secure_openai.posture.architecture.drawing import Placed
from secure_openai.posture.architecture.layout import (
    INTERNET_LEFT,
    INTERNET_WIDTH,
    MARGIN,
    PEOPLE,
    SERVICES_LEFT,
    WIDTH,
    Box,
    Laid,
    laid,
)
from secure_openai.posture.architecture.legend import legend
from secure_openai.posture.architecture.marks import DIRECTORY, Mark, placed
from secure_openai.posture.architecture.picture import Picture, picture
from secure_openai.posture.architecture.shapes import badges, line, rect, text
from secure_openai.posture.printable import printable
from secure_openai.posture.topology import Topology

STYLE: Final = (files(__package__) / "estate.css").read_text(encoding="utf-8")
"""How the picture looks, in light and dark; its rules reach into nothing else."""


def diagram(
    topology: Topology, title: str, marks: Sequence[Mark] = (), *, alone: bool = True
) -> str:
    """Return an SVG document, readable in light and dark.

    Args:
        topology: The estate with its networks.
        title: What it shows.
        marks: Findings to put where they sit.
        alone: Whether it stands alone, with its title and its style, or in a page that has both.
    """
    shown = picture(topology, {one.address for one in marks})
    at = Placed(placed(topology, shown, marks))
    top = 64 if alone else 16
    where = laid(shown, top)
    key, bottom = legend(shown, where.bottom + 34, marks)
    height = bottom + MARGIN
    # Who is called has a mark before who calls.
    services = [part for one, box in where.services for part in drawing.service(one, box, at)]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="estate" viewBox="0 0 {WIDTH} {height}" '
        'role="img" aria-labelledby="estate-title estate-description">',
        f'<title id="estate-title">{escape(printable(title))}</title>',
        f'<desc id="estate-description">{escape(description(shown, marks))}</desc>',
        *([f"<style>\n{STYLE}</style>"] if alone else []),
        f'<rect class="page" width="{WIDTH}" height="{height}"/>',
        *([text(MARGIN, 38, title, "ink title")] if alone else []),
        *_people(shown, where, at, top),
        *(part for one, box in where.networks for part in drawing.network(one, box, at)),
        *(part for one, box in where.subnets for part in drawing.subnet(one, box, at)),
        *drawing.ways(where),
        *(part for one, box in where.zones for part in drawing.zones(one, box, at)),
        *drawing.loose(where),
        *(part for one, box in where.occupants for part in drawing.occupant(one, box, at)),
        *_internet(where, top),
        *services,
        *_outside(shown, where, at),
        *key,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def description(shown: Picture, marks: Sequence[Mark] = ()) -> str:
    """Return the picture in words, for who does not see it."""
    said = []
    for network in shown.networks:
        subnets = ", ".join(one.label for one in (*network.callers, *network.holders))
        where = " outside the estate" if network.outside else ""
        said.append(f"Network {network.label}{where} with the subnets {subnets or 'none'}.")
    behind: list[str] = []
    bare: list[str] = []
    for one in shown.every_service:
        door = "" if one.door.access is Access.CLOSED else f" (public door: {one.door.says})"
        (behind if one.connections else bare).append(f"{one.title}{door}")
    if behind:
        said.append(f"Behind private endpoints: {', '.join(behind)}.")
    if bare:
        said.append(f"Without a private endpoint: {', '.join(bare)}.")
    if marks:
        said.append(f"{len(marks)} marks show where findings and doubts sit.")
    return printable(f"People come in {shown.entrance}. " + " ".join(said), 4000)


def _people(shown: Picture, where: Laid, at: Placed, top: int) -> list[str]:
    box = Box(MARGIN, top + 40, PEOPLE, 56)
    parts = [
        rect(box, "who"),
        text(box.x + 12, box.y + 24, "People", "ink strong"),
        text(box.x + 12, box.y + 42, "and applications", "dim small"),
        text(box.x, box.bottom + 18, shown.entrance, "dim small", width=PEOPLE + 30),
    ]
    if where.networks:
        parts.append(line(f"M{box.right} {box.middle} H{where.networks[0][1].x}", ""))
    if shown.directory:
        entra = Box(MARGIN, box.bottom + 64, PEOPLE, 56)
        parts += [
            line(f"M{box.x + 20} {box.bottom + 26} V{entra.y}", "sign"),
            text(box.x + 30, entra.y - 14, "sign in", "dim small"),
            rect(entra, "box"),
            text(entra.x + 12, entra.y + 24, "Entra ID", "ink strong"),
            text(entra.x + 12, entra.y + 42, "applications, roles", "dim small"),
            *badges(entra.right, entra.y, at.take(DIRECTORY)),
        ]
    return parts


def _internet(where: Laid, top: int) -> list[str]:
    box = Box(INTERNET_LEFT, top, INTERNET_WIDTH, where.bottom - top)
    x, y = box.x + box.width // 2 + 5, box.middle
    return [
        rect(box, "sky", 8),
        f'<text class="dim" transform="rotate(-90 {x} {y})" text-anchor="middle" x="{x}" '
        f'y="{y}">Internet</text>',
    ]


def _outside(shown: Picture, where: Laid, at: Placed) -> list[str]:
    parts = []
    y = where.bottom + 22
    if shown.left_out:
        said = f"Not drawn: {' and '.join(shown.left_out)}."
        parts.append(text(SERVICES_LEFT, y, said, "doubtful small"))
    marks = at.rest()
    if marks:
        box = Box(MARGIN, where.bottom - 46, PEOPLE, 46)
        parts += [
            rect(box, "none"),
            text(box.x + 12, box.y + 28, "Not in the picture", "dim small"),
            *badges(box.right - 4, box.y, marks),
        ]
    return parts
