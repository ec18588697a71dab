"""The changes that mend a finding are HCL, whatever the estate calls its things."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from secure_openai.posture.estate import Estate
from secure_openai.posture.hcl import argument, entry, literal, remark
from secure_openai.posture.proof import Proof, prove
from secure_openai.posture.simulation import Workspace
from secure_openai.posture.statements.names import LINK
from tests.infra.estate import built
from tests.posture.mutants import mutants, mutated

WORD = "chat"
HOSTILE = 'chat"}${evil}%{evil}\\\nevil {'
INJECTED = re.compile(r'(?<!\$)\$\{evil|(?<!%)%\{evil|(?<!\\)"\}|^\s*evil', re.MULTILINE)


def mends(proof: Proof) -> set[str]:
    """Return the changes that a proof asks for."""
    return {finding.mend for _, finding in proof.findings}


@pytest.fixture(scope="module")
def found() -> set[str]:
    """Return what mends every mutant of an estate whose names are hostile."""
    state: dict[str, Any] = built("private").state
    every: set[str] = set()
    for mutant in mutants(state):
        text = json.dumps(mutated(state, mutant))
        hostile = json.loads(text.replace(WORD, json.dumps(HOSTILE)[1:-1]))
        for one in hostile["values"]["root_module"]["resources"]:
            settings = one["values"].get("app_settings")
            if isinstance(settings, dict):
                settings[HOSTILE] = "@Microsoft.KeyVault(nothing)"
        every |= mends(prove(Estate.of(hostile)))
    return every


def test_no_name_of_an_estate_becomes_terraform(found: set[str]) -> None:
    """It ends no string, begins no template and starts no line."""
    assert [mend for mend in sorted(found) if INJECTED.search(mend)] == []
    assert any("evil" in mend for mend in found)


def test_every_change_is_terraform(found: set[str], tmp_path: Path) -> None:
    """Terraform itself reads each."""
    (tmp_path / "main.tf").touch()
    (tmp_path / "mends").mkdir()
    for number, mend in enumerate(sorted(found)):
        (tmp_path / "mends" / f"{number}.tf").write_text(f"{mend}\n", encoding="utf-8")
    assert len(found) > 60
    with Workspace(tmp_path) as workspace:
        workspace.unformatted()


def test_a_text_stays_a_text() -> None:
    """Quotes, backslashes, templates and lines."""
    assert literal('a"b\\c${d}%{e}\n$f%') == '"a\\"b\\\\c$${d}%%{e}⟨U+000A⟩$f%"'
    assert entry("tags", "a b", "c") == 'tags = {\n  "a b" = "c"\n}'
    assert entry("tags", "a", None) == "tags = {\n  a = null\n}"
    assert argument("a.0.b.1.c", ["d", 1, True]) == 'a {\n  b {\n    c = ["d", 1, true]\n  }\n}'
    assert argument("b = 1\nc", None) == "argument = null"
    assert remark("remove a\nb") == "# remove a⟨U+000A⟩b"


def test_a_zone_that_nobody_reads_is_mended_by_a_link() -> None:
    """Where the path from an application ends at it, too: its endpoint's group is there already."""
    estate = Estate.of(built("private").state)
    link = estate.every("azurerm_private_dns_zone_virtual_network_link")[0]
    unlinked = replace(
        estate, resources=tuple(one for one in estate.resources if one.address != link.address)
    )
    found = {judged.statement.id: finding.mend for judged, finding in prove(unlinked).findings}
    assert found == {"NAMES-01": LINK, "NAMES-03": LINK, "REACH-03": LINK}
