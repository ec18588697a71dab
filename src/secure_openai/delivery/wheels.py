"""The wheels that a package is made of: fetched by hash, and the framework's own.

Source: PyPA, "Binary distribution format" and "Recording installed projects".
"""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from csv import reader
from email.message import Message
from email.parser import Parser
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from io import StringIO
from pathlib import Path, PurePosixPath
from typing import Final
from zipfile import BadZipFile, ZipFile

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from secure_openai.delivery.archive import write_archive
from secure_openai.delivery.lock import FRAMEWORK, Locked, normalised
from secure_openai.delivery.shipped import clone
from secure_openai.delivery.target import Target
from secure_openai.errors import DeliveryError

_FILE: Final = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)-.+\.whl")
_LIBRARIES: Final = ("purelib", "platlib")
_INSTALLERS_OWN: Final = frozenset({"INSTALLER", "REQUESTED", "direct_url.json", "RECORD"})

Progress = Callable[[str, int], None]
"""Told the name of a wheel that is there, and how many are."""


def fetch(
    locked: Sequence[Locked], target: Target, folder: Path, *, progress: Progress
) -> list[Path]:
    """Fetch the wheels of a lock for a target into a folder, each checked by its hash.

    pip decides nothing: markers are decided, dependencies are locked, nothing is built. What lies
    there already, has its hash and fits the target is not asked for again.

    Raises:
        DeliveryError: One is not offered for the target, differs from its hash, or no index
            answers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = _fitting(folder, target)
    missing = [row for row in locked if kept.keys().isdisjoint(row.hashes)]
    if missing:
        _download(missing, target, folder, progress)
    return _those_of(locked, _fitting(folder, target))


def _download(locked: Sequence[Locked], target: Target, folder: Path, progress: Progress) -> None:
    wanted = folder / "requirements.txt"
    wanted.write_text("\n".join(one.line() for one in locked) + "\n", encoding="utf-8")
    command = [
        # -P: a file of the application's folder that is called like a module of Python's is none.
        *(sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "download"),
        *("--no-deps", "--require-hashes", "--only-binary", ":all:", "--progress-bar", "off"),
        *("--implementation", "cp", "--python-version", target.python),
        *(part for tag in target.tags for part in ("--platform", tag)),
        *("--dest", str(folder), "--requirement", str(wanted)),
    ]
    with subprocess.Popen(  # noqa: S603 - our own command, without a shell
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as pip:
        said: list[str] = []
        count = 0
        for line in pip.stdout or ():
            said.append(line.rstrip())
            if line.startswith("Collecting "):
                count += 1
                progress(line.split()[1].partition("==")[0], count)
    if pip.returncode != 0:
        raise DeliveryError(_reason(said, target))
    wanted.unlink()


def _fitting(folder: Path, target: Target) -> dict[str, Path]:
    """Return the wheels of a folder that run on a target, by their hash."""
    fits = target.wheel_tags()
    return {
        f"sha256:{sha256_of(wheel)}": wheel
        for wheel in sorted(folder.glob("*.whl"))
        if not fits.isdisjoint(_tags_of(wheel))
    }


def _tags_of(wheel: Path) -> frozenset[Tag]:
    try:
        return parse_wheel_filename(wheel.name)[3]
    except InvalidWheelFilename:
        return frozenset()


def _those_of(locked: Sequence[Locked], there: Mapping[str, Path]) -> list[Path]:
    """Return the wheels that are locked, whatever else is there."""
    found: list[Path] = []
    for row in locked:
        wheels = [there[one] for one in row.hashes if one in there]
        if len(wheels) != 1:
            raise DeliveryError(f"{row.name} is locked, and {len(wheels)} wheels of it came.")
        found += wheels
    return sorted(found)


def _reason(said: list[str], target: Target) -> str:
    """Return one sentence for what pip could not do."""
    text = "\n".join(said)
    if "DO NOT MATCH THE HASHES" in text:
        return (
            "What the package index sent differs from its hash: do not use it, and ask who keeps "
            "the index or the lock."
        )
    missing = re.search(r"No matching distribution found for (\S+)", text)
    if missing is not None:
        return (
            f"No wheel of {missing.group(1)} for Python {target.python} on {target.platform} is "
            "offered: choose another --python, lock another version, or check that the package "
            "index answers."
        )
    last = next((line for line in reversed(said) if line.startswith("ERROR")), "")
    return f"pip could not fetch what is locked: {last.removeprefix('ERROR:').strip() or 'no word'}"


def name_of(wheel: Path) -> tuple[str, str]:
    """Return name and version of a wheel by its file's name.

    Raises:
        DeliveryError: It is not named as a wheel is.
    """
    found = _FILE.fullmatch(wheel.name)
    if found is None:
        raise DeliveryError(f"{wheel.name} is not named as a wheel is.")
    return normalised(found.group("name")), found.group("version")


def contents(wheel: Path) -> Iterator[tuple[str, bytes]]:
    """Yield path and bytes of every file that a wheel installs for import; no scripts, no headers.

    Raises:
        DeliveryError: It is no wheel, or a path leads out of its folder.
    """
    with _opened(wheel) as archive:
        for info in archive.infolist():
            path = _installed(info.filename)
            if path is not None and not info.is_dir():
                yield path, archive.read(info)


def _installed(name: str) -> str | None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise DeliveryError(
            f"A wheel holds {name!r}, which leads out of its folder: do not use it."
        )
    if path.suffix == ".pyc":
        return None
    if not path.parts[0].endswith(".data"):
        return str(path)
    inside = path.parts[1:]
    return "/".join(inside[1:]) if inside and inside[0] in _LIBRARIES else None


def metadata(wheel: Path) -> Message:
    """Return a wheel's metadata (PyPA, "Core metadata specifications").

    Raises:
        DeliveryError: It carries none.
    """
    with _opened(wheel) as archive:
        for name in archive.namelist():
            if name.count("/") == 1 and name.endswith(".dist-info/METADATA"):
                return Parser().parsestr(archive.read(name).decode("utf-8", "replace"))
    raise DeliveryError(f"{wheel.name} carries no metadata.")


@contextmanager
def _opened(wheel: Path) -> Iterator[ZipFile]:
    try:
        with ZipFile(wheel) as archive:
            yield archive
    except (BadZipFile, OSError) as error:
        raise DeliveryError(f"{wheel.name} is not readable ({type(error).__name__}).") from None


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def framework_wheel(folder: Path) -> Path:
    """Make the framework's own wheel: built from the clone, or packed from what was installed.

    It is never asked of an index, where somebody else may have taken the name.

    Raises:
        DeliveryError: It cannot be built, or an installed file is not as it was installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source = clone()
    return _packed(folder) if source is None else _built(source, folder)


def _built(source: Path, folder: Path) -> Path:
    before = set(folder.glob("*.whl"))
    done = subprocess.run(  # noqa: S603 - our own command, without a shell
        [
            sys.executable,
            "-P",
            "-m",
            "hatchling",
            "build",
            "-t",
            "wheel",
            "-d",
            str(folder.absolute()),
        ],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )
    made = sorted(set(folder.glob("*.whl")) - before) or sorted(folder.glob("*.whl"))
    if done.returncode != 0 or len(made) != 1:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise DeliveryError(f"The framework's wheel could not be built from {source}: {last}")
    return made[0]


def _packed(folder: Path) -> Path:
    try:
        installed = distribution(FRAMEWORK)
    except PackageNotFoundError:
        raise DeliveryError(
            "The framework is neither a clone nor installed: install its wheel."
        ) from None
    rows = _recorded(installed)
    named = FRAMEWORK.replace("-", "_")
    info = f"{named}-{installed.version}.dist-info"
    listed = [f"{path},{digest},{len(data)}" for path, digest, data in rows]
    record = "\n".join([*listed, f"{info}/RECORD,,", ""]).encode()
    wheel = folder / f"{named}-{installed.version}-py3-none-any.whl"
    write_archive(wheel, {**{path: data for path, _, data in rows}, f"{info}/RECORD": record})
    return wheel


def _recorded(installed: Distribution) -> list[tuple[str, str, bytes]]:
    text = installed.read_text("RECORD") or ""
    rows: list[tuple[str, str, bytes]] = []
    for path, digest, _ in reader(StringIO(text)):
        pure = PurePosixPath(path)
        # Scripts lie outside, compiled files and the installer's own notes are made anew.
        if ".." in pure.parts or pure.suffix == ".pyc" or pure.name in _INSTALLERS_OWN:
            continue
        data = Path(str(installed.locate_file(path))).read_bytes()
        made = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        if digest != f"sha256={made}":
            raise DeliveryError(
                f"{path} is not as it was installed: install the framework's wheel again."
            )
        rows.append((path, digest, data))
    if not rows:
        raise DeliveryError("The framework is not installed from a wheel: install its wheel.")
    return rows


def by_name(wheels: Iterable[Path]) -> dict[str, Path]:
    """Return wheels by the normalised name of what they carry."""
    return {name_of(wheel)[0]: wheel for wheel in wheels}
