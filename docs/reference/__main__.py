"""The reference pages, written from the code: `python docs/reference` writes those that changed.

So are the lists of routes that templates carry. `--check` writes nothing, names them, and ends with
1 where there are any.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent

sys.path.insert(0, str(HERE))

from commands import commands  # noqa: E402 - the folder is run, not imported
from controls import controls  # noqa: E402
from egress import egress  # noqa: E402
from routes import routes  # noqa: E402
from settings import settings  # noqa: E402

from policy import policy  # noqa: E402

PAGES = {
    "commands": commands,
    "controls": controls,
    "egress": egress,
    "policy": policy,
    "routes": routes,
    "settings": settings,
}


def written() -> Iterator[tuple[Path, Callable[[], str]]]:
    """Yield every file that follows from code, and what makes it."""
    for name, page in PAGES.items():
        yield HERE / f"{name}.md", page
    for application in sorted((HERE.parents[1] / "templates").glob("*/app.py")):
        yield application.with_name("routes.json"), partial(routes_of, application.parent)


def routes_of(template: Path) -> str:
    """Return the routes of a template's application, by a process of its own."""
    return subprocess.run(  # noqa: S603 - our own command
        [
            *(sys.executable, "-B", "-m", "secure_openai.cli"),
            *("routes", "app:application", "--folder", str(template)),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def main(*, check: bool) -> int:
    """Write every page that would say something else, and name it; return how the program ends."""
    changed = 0
    for path, page in written():
        text = page()
        if not path.exists() or path.read_text("utf-8") != text:
            changed += 1
            sys.stdout.write(f"{path.name}\n")
            if not check:
                path.write_text(text, "utf-8")
    return int(check and changed > 0)


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
