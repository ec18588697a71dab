"""The jobs, as someone types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from secure_openai.jobs.catalogue import JOBS
from secure_openai.local.folder import DATABASE, Folder
from secure_openai.tables import table
from tests.cli.test_commands import cli

pytestmark = pytest.mark.process


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data folder of ours, empty."""
    folder = Folder(tmp_path / "data")
    folder.prepare()
    return folder.path


def test_what_cannot_run(tmp_path: Path, data: Path) -> None:
    """A job that is none, a folder that is not ours, settings half given: one sentence, exit 2."""
    (tmp_path / "foreign").mkdir()
    refused = [
        (cli("jobs", "run", "everything", "--data", str(data)), "There is no job everything"),
        (cli("jobs", "run", "seal", "--data", str(tmp_path / "foreign")), "not a data folder"),
        (
            cli("jobs", "run", "seal", SECURE_OPENAI_AUTHORITY="https://login.example/t/v2.0"),
            "SECURE_OPENAI_TENANT_ID",
        ),
    ]
    for ended, sentence in refused:
        assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr
        assert sentence in ended.stderr
        assert "Traceback" not in ended.stderr
    assert not (data / DATABASE).exists()


def test_list() -> None:
    """The list names every job of the table with its schedule."""
    ended = cli("jobs", "list")

    assert ended.returncode == 0
    for name, row in table("jobs").items():
        (line,) = [one for one in ended.stdout.splitlines() if one.split()[:1] == [name]]
        assert row["schedule"] in line
        assert row["does"] in line


def test_run(data: Path) -> None:
    """A job runs on a laptop's data, up or not, and says what it did."""
    for _ in range(2):
        sealed = cli("jobs", "run", "seal", "--data", str(data))
        assert (sealed.returncode, sealed.stdout) == (0, "seal: 1\nchains: 0\n"), sealed.stderr
    for name in JOBS:
        ended = cli("jobs", "run", name, "--data", str(data))
        assert ended.returncode == 0, ended.stderr
    report = dict(line.split(": ") for line in ended.stdout.splitlines())
    assert json.loads(json.dumps(report)) == report
