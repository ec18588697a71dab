"""Every block of data is one that the program takes: its own reader reads it as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.blocks import ELSEWHERE, Block, blocks
from tests.docs.formats import FORMATS, NOT_TAKEN

DATA = [one for one in blocks() if (one.page, one.language) in FORMATS]

MISTAKES = {
    ("docs/appearance.md", "toml"): ("good_for", "goodfor"),
    ("docs/delivery.md", "json"): ("until", "untill"),
    ("docs/delivery.md", "toml"): ("files", "file"),
    ("docs/desk.md", "toml"): ("completion", "completions"),
    ("docs/estate.md", "hcl"): ("policy_file", "policy_path"),
    ("docs/jobs.md", "toml"): ("export_days", "exports_days"),
    ("docs/model.md", "json"): ("priority", "prio"),
    ("docs/prove.md", "json"): ("expires", "expiry"),
}
"""A key, and what somebody might write for it."""


@pytest.mark.parametrize("block", DATA, ids=lambda one: one.id)
def test_the_program_takes_what_a_page_shows(block: Block, tmp_path: Path) -> None:
    """Not only its language is right: its keys and values are."""
    FORMATS[block.page, block.language](block.text, tmp_path)


@pytest.mark.parametrize("block", DATA, ids=lambda one: one.id)
def test_a_wrong_key_on_a_page_is_found(block: Block, tmp_path: Path) -> None:
    """Its reader says which, or which it misses."""
    key, wrong = MISTAKES[block.page, block.language]
    assert key in block.text
    with pytest.raises(NOT_TAKEN, match=rf"{key}|{wrong}"):
        FORMATS[block.page, block.language](block.text.replace(key, wrong), tmp_path)


def test_every_block_of_data_has_a_reader() -> None:
    """But the file of another's program, which is run with it."""
    read = {"hcl", "json", "toml", "yaml"}
    data = {(one.page, one.language) for one in blocks() if one.language in read}

    assert data - ELSEWHERE.keys() == FORMATS.keys()
    assert len(DATA) == len(FORMATS)
