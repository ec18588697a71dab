"""A finding is shown at the line that declares its resource."""

from __future__ import annotations

from pathlib import Path

import pytest

from secure_openai.posture.report.locations import Location, Locations
from tests.infra.estate import INFRA, ROOT
from tests.posture.mutants import resources
from tests.posture.report.conftest import State

ARGUMENTS = """\
resource "c_thing" "this" {
  name = "it_is {" # a = {
  site_config {
    ftps_state = "FtpsOnly"
    cors { allowed = [] }
  }
  dynamic "rule" {
    for_each = {
      ftps_state = 1
    }
    content {
      access = "Allow"
    }
  }
  app_settings = merge(local.settings, {
    MODE    = "x" == "y"
    "A KEY" = "z"
  })
  ftps_state = 2
}
resource "c_thing" "that" {
  access = 1
}
"""

MAIN = """\
# resource "a_thing" "commented" {
/*
resource "a_thing" "also" {
*/
locals {
  text = <<-EOT
resource "a_thing" "written" {
  EOT
}

resource "a_thing" "this" {
  for_each = {}
}
resource a_thing bare {
}
module "inner" {
  count  = 1
  source = "./modules/inner"
}
module "far" {
  source = "registry/far/thing"
}
output "keys" {
}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository with a configuration in it."""
    (tmp_path / ".git").mkdir()
    place = tmp_path / "my infra"
    inner = place / "modules" / "inner"
    inner.mkdir(parents=True)
    (place / "main.tf").write_text(MAIN)
    (inner / "b.tf").write_text('\nresource "b_thing" "that" {\n}\n')
    monkeypatch.chdir(tmp_path)
    return Path("my infra")


@pytest.mark.parametrize(
    ("address", "uri", "line"),
    [
        ("a_thing.this", "my%20infra/main.tf", 11),
        ('a_thing.this["x.y[0]"]', "my%20infra/main.tf", 11),
        ("a_thing.bare", "my%20infra/main.tf", 14),
        ("module.inner[0].b_thing.that", "my%20infra/modules/inner/b.tf", 2),
        ('module.inner["a.b"].b_thing.that["c"]', "my%20infra/modules/inner/b.tf", 2),
        ("module.far.c_thing.this", "my%20infra/main.tf", 20),
        ("output.keys", "my%20infra/main.tf", 23),
        ("a_thing.commented", "my%20infra/main.tf", 1),
        ("a_thing.also", "my%20infra/main.tf", 1),
        ("a_thing.written", "my%20infra/main.tf", 1),
        ("route GET /", "my%20infra/main.tf", 1),
        ("", "my%20infra/main.tf", 1),
        ("module", "my%20infra/main.tf", 1),
    ],
)
def test_a_block_is_found_by_its_address(folder: Path, address: str, uri: str, line: int) -> None:
    """In its module's file, from the repository's root; the beginning where it is not found."""
    assert Locations(folder, folder).of(address) == Location(uri, line)


def test_a_state_is_its_own_place(folder: Path, tmp_path: Path) -> None:
    """There is no line of Terraform to show."""
    state = tmp_path / "state.json"
    state.write_text("{}")

    assert Locations(state, None).of("a_thing.this") == Location("state.json", 1)


def test_what_lies_outside_is_named_by_its_file(tmp_path: Path, folder: Path) -> None:
    """No path of this machine is told."""
    assert Locations(Path("/elsewhere/deep/state.json"), None).of("a").uri == "state.json"


def test_every_resource_of_our_estate_is_found(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each at a line that begins its block."""
    monkeypatch.chdir(ROOT)
    places = Locations(Path("infra"), Path("infra"))
    for one in resources(state):
        found = places.of(one["address"])
        line = (ROOT / found.uri).read_text().splitlines()[found.line - 1]
        assert line.startswith(f'resource "{one["type"]}" "'), one["address"]
    assert INFRA.name == "infra"


@pytest.mark.parametrize(
    ("attribute", "line"),
    [
        ("", 1),
        ("name", 2),
        ("site_config.0.ftps_state", 4),
        ("site_config.0.cors.0.allowed", 5),
        ("site_config.0.minimum_tls_version", 3),
        ("rule.3.access", 12),
        ("app_settings.MODE", 16),
        ("app_settings.A KEY", 17),
        ("app_settings.NONE", 15),
        ("ftps_state", 19),
        ("access", 1),
        ("nothing.at.all", 1),
        ("a.(b", 1),
    ],
)
def test_an_argument_is_found_in_its_block(folder: Path, attribute: str, line: int) -> None:
    """Through blocks, dynamic blocks and maps; what is not written is its block's."""
    (folder / "c.tf").write_text(ARGUMENTS)

    places = Locations(folder, folder)
    assert places.of("c_thing.this", attribute) == Location("my%20infra/c.tf", line)
