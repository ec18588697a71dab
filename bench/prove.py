"""How long a proof takes: one private estate, and 10 and 100 copies of it.

python -m bench.prove
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

from secure_openai.posture.estate import Estate
from secure_openai.posture.proof import prove
from secure_openai.posture.reading import read
from secure_openai.posture.simulation import simulate

INFRA = Path(__file__).parents[1] / "infra"
PRIVATE = INFRA / "environments" / "private.tfvars"
_UUID = re.compile(r"\b([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{8})[0-9a-f]{4}\b")
_SHARED = ("00000000-0000", "11111111-1111", "22222222-2222", "33333333-3333")


def copies(state: dict[str, Any], count: int) -> dict[str, Any]:
    """Return a state that holds so many copies of an estate, each with names and ids of its own."""
    text = json.dumps(state["values"]["root_module"])
    modules = []
    for number in range(count):

        def other(found: re.Match[str], number: int = number) -> str:
            whole = found.group(0)
            return whole if whole.startswith(_SHARED) else f"{found.group(1)}{number:04x}"

        one = _UUID.sub(other, text).replace("qdf84", f"q{number:04d}")
        for prefix in (
            "rg-",
            "vnet-",
            "id-",
            "nsg-",
            "asp-",
            "log-",
            "appi-",
            "ampls-",
            "pe-",
            "ag-",
        ):
            one = one.replace(f"{prefix}chat", f"{prefix}c{number:03d}")
        module = json.loads(one.replace('"address": "', f'"address": "module.copy[{number}].'))
        modules.append(module)
    return {"format_version": "1.0", "values": {"root_module": {"child_modules": modules}}}


def main() -> None:
    """Measure and print."""
    begun = time.perf_counter()
    source = read(INFRA, variables=[PRIVATE])
    prove(source.estate)
    print(f"folder to verdict, simulated apply included: {time.perf_counter() - begun:.1f} s")
    with simulate(INFRA, var_files=[PRIVATE]) as done:
        state = done.state
    for count in (1, 10, 100):
        many = json.dumps(copies(state, count))
        best = float("inf")
        for _ in range(3):
            begun = time.perf_counter()
            proof = prove(Estate.of(json.loads(many)))
            best = min(best, time.perf_counter() - begun)
        print(
            f"{count:4} copies, {proof.resources:6} resources: {best * 1000:8.1f} ms, "
            f"{best / count * 1000:6.2f} ms each, {proof.verdict}"
        )


if __name__ == "__main__":
    main()
