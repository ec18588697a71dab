"""How the pages become a site: `make site`."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

project = "Azure Secure OpenAI"
html_title = project
extensions = ["myst_parser"]
exclude_patterns = ["reference/*.py"]
myst_heading_anchors = 4
nitpicky = True

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False

LINK = re.compile(r"\[(?P<text>[^\]]+)\]\((?P<target>(?:\.\./)+[^)#]*)[^)]*\)")


def setup(app: Any) -> None:
    """Let the site name what lies beside its pages: it has no copy of the code to link to."""
    app.connect("source-read", named)
    app.connect("build-finished", illustrated)


def illustrated(app: Any, failure: Exception | None) -> None:
    """Put the pictures beside the pages: Sphinx follows no `<img>` of a page's own."""
    if failure is None and app.builder.format == "html":
        to = Path(app.outdir, "pictures")
        to.mkdir(exist_ok=True)
        for picture in Path(app.srcdir, "pictures").glob("*.png"):
            shutil.copyfile(picture, to / picture.name)


def named(app: Any, page: str, source: list[str]) -> None:
    """Write a link to a file outside of this folder as its path."""
    folder = Path(app.srcdir).resolve()

    def written(found: re.Match[str]) -> str:
        target = (folder / page).parent.joinpath(found["target"]).resolve()
        if target.is_relative_to(folder):
            return found[0]
        path = f"`{target.relative_to(folder.parent)}`"
        return path if found["text"].startswith("`") else f"{found['text']} ({path})"

    source[0] = LINK.sub(written, source[0])
