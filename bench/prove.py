"""The proof beside checkov: what each catches of the faults of an estate, and how long each takes.

    make bench                        all of it
    .venv/bin/python bench/prove.py speed

Everything is measured in one run on one machine; what is compared is measured in turn. checkov runs
in the environment that `make check-infra` makes for it, with every check and no skips. Prints
Markdown.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.proving import catch, speed
from bench.proving.scanner import Checkov
from secure_openai.posture.simulation import simulate


def main(parts: list[str]) -> None:
    """Measure, and print tables.

    Args:
        parts: `speed`, `catch` or both; none means both.
    """
    with simulate(speed.INFRA, var_files=[speed.PRIVATE]) as done:
        state, configuration = done.state, done.plan["configuration"]
    with Checkov() as checkov, tempfile.TemporaryDirectory() as folder:
        print(f"checkov {checkov.version}; medians of {speed.ROUNDS}")
        if "speed" in parts or not parts:
            print()
            speed.beside_checkov(state, configuration, checkov, Path(folder))
            print()
            speed.growth(state, Path(folder))
        if "catch" in parts or not parts:
            print()
            both = catch.Catch(state, configuration, checkov)
            catch.table(both)
            failing = len(both.itself.failed)
            print(f"\nOn the estate itself, which is proven, {failing} checks of checkov's fail.")


if __name__ == "__main__":
    main(sys.argv[1:])
