"""What an organisation makes its own reaches its pages, as our own files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from secure_openai.appearance import Appearance
from secure_openai.appearance.colour import TEXT, contrast
from secure_openai.edge.appearance import style_of
from tests.edge.test_design import tokens
from tests.world import running_world

FILE = """version = 1
name = "Contoso <Assistant>"
logo = "logo.svg"
[colours]
light = "#0f6cbd"
"""
LOGO = '<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h8v8z"/></svg>'


async def test_name_logo_and_colours_stand_on_every_page(
    tmp_path: Path, identity_folder: Path
) -> None:
    """Escaped, under addresses that are kept for good, and inert when opened by themselves."""
    (tmp_path / "appearance.toml").write_text(FILE)
    (tmp_path / "logo.svg").write_text(LOGO)
    chosen = {"appearance": tmp_path / "appearance.toml"}
    async with running_world(tmp_path, identity_folder, **chosen) as world, world.client() as http:
        page = (await http.get("/signed-out")).text
        logo = await http.get(re.findall(r'<img src="(/appearance/[^"]+)"', page)[0])
        style = await http.get(re.findall(r'href="(/appearance/[^"]+\.css)"', page)[0])

    assert "Contoso &lt;Assistant&gt;" in page
    assert (logo.text, logo.headers["content-type"]) == (LOGO, "image/svg+xml")
    assert "sandbox" in logo.headers["content-security-policy"]
    assert "immutable" in logo.headers["cache-control"]
    assert style.headers["content-type"].startswith("text/css")
    assert "--accent: #0f6cbd" in style.text


async def test_without_a_file_nothing_is_added(tmp_path: Path, identity_folder: Path) -> None:
    """Everything looks as it ships, and there is no logo to be had."""
    async with running_world(tmp_path, identity_folder) as world, world.client() as http:
        page = await http.get("/signed-out")
        logo = await http.get("/appearance/x/logo")

    assert "/appearance/" not in page.text
    assert "Secure chat" in page.text
    assert logo.status_code == 404


@pytest.mark.parametrize(
    ("theme", "accent"),
    [
        *(("light", accent) for accent in ("#0f6cbd", "#b3261e", "#000000")),
        *(("dark", accent) for accent in ("#62abf5", "#ffffff", "#ffd400")),
    ],
)
def test_what_follows_from_a_colour_can_be_read(theme: str, accent: str) -> None:
    """Text on the accent, and what stands on its tint, in every shade that is derived."""
    style = style_of(Appearance(accents={theme: accent}))
    derived = tokens(theme) | dict(re.findall(r"--([\w-]+): (#\w{6});", style))

    for ink, ground in (
        ("on-accent", "accent"),
        ("on-accent", "accent-deep"),
        ("accent-deep", "page"),
        ("accent-deep", "tint"),
        ("text", "tint"),
        ("soft", "tint"),
    ):
        assert contrast(derived[ink], derived[ground]) >= TEXT, (ink, ground)
