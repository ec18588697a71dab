"""The reference pages, written from the code: `python docs/reference` writes those that changed."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent

sys.path.insert(0, str(HERE))

from commands import commands  # noqa: E402 - the folder is run, not imported
from routes import routes  # noqa: E402
from settings import settings  # noqa: E402

from policy import policy  # noqa: E402

PAGES = {"commands": commands, "policy": policy, "routes": routes, "settings": settings}


def main() -> None:
    """Write every page that says something else than before, and say which."""
    for name, page in PAGES.items():
        path, text = HERE / f"{name}.md", page()
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            sys.stdout.write(f"{path.name}\n")


if __name__ == "__main__":
    main()
