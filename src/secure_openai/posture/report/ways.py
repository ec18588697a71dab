"""Ways through an estate, hop by hop, in answer to a question."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any, Final

from secure_openai.posture.estate import Estate
from secure_openai.posture.paths import Path
from secure_openai.posture.printable import printable
from secure_openai.posture.report.lines import WIDTH, Line
from secure_openai.posture.report.masking import Mask

_STATES: Final = {True: "open", False: "closed", None: "cannot tell"}
_COLOURS: Final = {True: "green", False: "red", None: "yellow"}
_MARKS: Final = {True: "→", False: "✗", None: "?"}


def way_lines(paths: Iterable[Path], estate: Estate, width: int = WIDTH) -> Iterator[Line]:
    """Yield each way up to the first hop that stops it, with the address of what decides."""
    mask = Mask(estate)
    for number, path in enumerate(paths):
        if number:
            yield Line.of()
        state = path.open
        yield Line.of(
            (printable(path.source), "bold"),
            " -> ",
            (printable(path.target), "bold"),
            ": ",
            (_STATES[state], f"bold {_COLOURS[state]}"),
        )
        stop = path.first_stop
        for hop in path.hops:
            passes, address, says = hop
            colour = _COLOURS[passes]
            first, *rest = textwrap.wrap(printable(mask(says)), max(width - 4, 20)) or [""]
            yield Line.of("  ", (f"{_MARKS[passes]} ", f"bold {colour}"), first)
            for line in rest:
                yield Line.of(f"    {line}")
            if address:
                yield Line.of((f"    {printable(_declared(estate, address))}", "dim"))
            if hop is stop:
                break


def ways_as_json(paths: Iterable[Path], estate: Estate) -> str:
    """Return each way with all of its hops as JSON."""
    mask = Mask(estate)
    document = {"format_version": "1.0", "ways": [_way(one, estate, mask) for one in paths]}
    return json.dumps(document, indent=2) + "\n"


def _declared(estate: Estate, address: str) -> str:
    """Return where the configuration declares what has an id, or the id of what lies outside."""
    known = estate.known(address)
    return known.address if known else address


def _way(path: Path, estate: Estate, mask: Mask) -> dict[str, Any]:
    return {
        "source": path.source,
        "target": path.target,
        "verdict": _STATES[path.open],
        "hops": [
            {
                "verdict": _STATES[passes],
                "address": _declared(estate, address),
                "says": mask(says),
            }
            for passes, address, says in path.hops
        ],
    }
