"""Wheels and locks: what is taken is what was locked, for the target and not for this machine."""

from __future__ import annotations

import re
from pathlib import Path
from zipfile import ZipFile

import pytest

from secure_openai.delivery.lock import Locked, for_target, read_lock
from secure_openai.delivery.package import _add
from secure_openai.delivery.target import Target
from secure_openai.delivery.wheels import _fitting, contents, fetch, metadata
from secure_openai.errors import DeliveryError

ROOT = Path(__file__).parents[2]


def one_of(name: str) -> Locked:
    """Return the row of a small package that is locked for the tests."""
    (row,) = [row for row in read_lock(ROOT / "requirements" / "test.txt") if row.name == name]
    return row


def wheel(folder: Path, **files: str) -> Path:
    """Return a wheel with files."""
    path = folder / "thing-1.0-py3-none-any.whl"
    with ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def test_markers_are_decided_for_the_target() -> None:
    """Of two versions the target's Python takes one; what other systems need is left out."""
    rows = read_lock(ROOT / "requirements" / "azure.txt")

    def version(python: str) -> list[str]:
        found = for_target(rows, Target(python))
        assert "colorama" not in {one.name for one in found}
        assert "uvloop" in {one.name for one in found}
        return [one.version for one in found if one.name == "azure-functions"]

    assert [len(version(python)) for python in ("3.11", "3.12", "3.13")] == [1, 1, 1]
    assert version("3.12") != version("3.13")


@pytest.mark.process
def test_a_wheel_that_is_locked_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its metadata says who it is, progress was told, and pip is pip wherever that is typed."""
    told: list[tuple[str, int]] = []
    (tmp_path / "pip.py").write_text("raise SystemExit(1)\n")
    monkeypatch.chdir(tmp_path)
    (found,) = fetch(
        [one_of("iniconfig")],
        Target(),
        tmp_path,
        progress=lambda name, count: told.append((name, count)),
    )

    assert metadata(found)["Name"] == "iniconfig"
    assert told == [("iniconfig", 1)]

    # Kept for the next package, where what nobody locked has come in between.
    wheel(tmp_path, **{"thing/__init__.py": "a"})
    row = one_of("iniconfig")
    assert fetch([row], Target(), tmp_path, progress=lambda name, count: None) == [found]


def test_what_is_kept_is_taken_only_where_it_fits(tmp_path: Path) -> None:
    """A wheel of the hash that was locked, for another Python or processor, is asked for anew."""
    for name in ("thing-1.0-cp312-cp312-manylinux_2_28_x86_64.whl", "thing-1.0-nonsense.whl"):
        with ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("thing/__init__.py", name)
    (tmp_path / "thing-1.0-cp312-abi3-manylinux2014_x86_64.whl").write_bytes(b"abi3")

    assert len(_fitting(tmp_path, Target("3.12"))) == 2
    assert len(_fitting(tmp_path, Target("3.13"))) == 1
    assert _fitting(tmp_path, Target("3.11")) == {}
    assert _fitting(tmp_path, Target("3.12", "linux_aarch64")) == {}


@pytest.mark.process
def test_a_wheel_that_differs_from_its_hash_is_refused(tmp_path: Path) -> None:
    """In one sentence, which says what not to do."""
    row = one_of("iniconfig")
    other = Locked(row.name, row.version, "", (f"sha256:{'0' * 64}",), row.because)

    with pytest.raises(DeliveryError, match="differs from its hash: do not use it"):
        fetch([other], Target(), tmp_path, progress=lambda name, count: None)


@pytest.mark.process
def test_what_is_not_offered_for_the_target_is_named(tmp_path: Path) -> None:
    """With the Python and the platform that were asked for."""
    row = one_of("iniconfig")
    other = Locked(row.name, "0.0.0.1", "", row.hashes, row.because)

    with pytest.raises(DeliveryError, match=r"No wheel of iniconfig==0\.0\.0\.1 for Python 3\.13"):
        fetch([other], Target(), tmp_path, progress=lambda name, count: None)


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil", "a/../../evil.py", "a\\evil.py"])
def test_a_wheel_that_leads_out_of_its_folder_is_refused(name: str, tmp_path: Path) -> None:
    """Nothing of it is taken."""
    with pytest.raises(DeliveryError, match="leads out of its folder"):
        dict(contents(wheel(tmp_path, **{name: "x"})))


def test_scripts_headers_and_compiled_files_stay_out(tmp_path: Path) -> None:
    """What is imported is taken from wherever a wheel keeps it."""
    found = dict(
        contents(
            wheel(
                tmp_path,
                **{
                    "thing/__init__.py": "a",
                    "thing/__pycache__/x.pyc": "b",
                    "thing-1.0.data/scripts/thing": "c",
                    "thing-1.0.data/headers/thing.h": "d",
                    "thing-1.0.data/purelib/more.py": "e",
                    "thing-1.0.data/platlib/fast.so": "f",
                },
            )
        )
    )

    assert found == {"thing/__init__.py": b"a", "more.py": b"e", "fast.so": b"f"}


def test_what_is_no_wheel_is_told(tmp_path: Path) -> None:
    """Without a traceback."""
    (tmp_path / "thing-1.0-py3-none-any.whl").write_text("no zip")

    with pytest.raises(DeliveryError, match="is not readable"):
        metadata(tmp_path / "thing-1.0-py3-none-any.whl")


def test_two_parts_that_bring_one_file_must_agree() -> None:
    """Which of them would win is nobody's guess."""
    kept = {"shared/py.typed": b""}
    _add(kept, [("shared/py.typed", b"")])

    with pytest.raises(DeliveryError, match=re.escape("bring shared/py.typed, and they differ")):
        _add(kept, [("shared/py.typed", b"other")])
