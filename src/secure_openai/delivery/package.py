"""What App Service and Functions run: one zip, made here; nothing is built or fetched there.

The web application's is unpacked into the folder that `python -m secure_openai.cli serve` is
started in; the Function App's is mounted, and its worker looks for libraries where Functions' own
tools put them (docs/adr/0009-packages-without-a-build.md).
"""

from __future__ import annotations

import enum
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from secure_openai import __version__
from secure_openai.delivery import wheels
from secure_openai.delivery.archive import write_archive
from secure_openai.delivery.bill import Part, bill_of
from secure_openai.delivery.lock import FRAMEWORK, Locked, for_target, needed_by, read_lock
from secure_openai.delivery.project import FILE, Project
from secure_openai.delivery.shipped import files_of, shipped
from secure_openai.delivery.target import Target
from secure_openai.errors import DeliveryError

Progress = Callable[[str, float | None], None]
"""Told what is happening, and how much of it is done where that is known."""

BILL: Final = "bom.cdx.json"
_VENDORED: Final = re.compile(
    r"(?P<path>\./vendor/[\w.+-]+\.whl) --hash=sha256:(?P<sha>[0-9a-f]{64})"
)
_POLICY_AT_ROOT: Final = "policy.toml"


class Kind(enum.StrEnum):
    """Which of the two applications a package is."""

    APP = "app"
    FUNCTIONS = "functions"


_LIBRARIES: Final = {Kind.APP: "", Kind.FUNCTIONS: ".python_packages/lib/site-packages/"}
"""Where each looks for what it imports; Microsoft Learn, "Azure Functions Python developer guide",
names the second."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package as it lies there.

    Attributes:
        path: The zip.
        bill: Its bill of materials, which is in it too.
        sha256: The zip's digest, in hexadecimal.
        size: The zip's, in bytes.
        unpacked: What it takes once it is unpacked, in bytes.
        parts: How many distributions it carries.
    """

    path: Path
    bill: Path
    sha256: str
    size: int
    unpacked: int
    parts: int


def make_package(
    kind: Kind,
    output: Path,
    *,
    target: Target,
    project: Project | None = None,
    policy: Path | None = None,
    fetched: Path | None = None,
    progress: Progress = lambda *_: None,
) -> Package:
    """Make a package of the framework, or of the application in a folder of one's own.

    Args:
        kind: Which application.
        output: Folder for `KIND.zip`, `KIND.cdx.json` and `KIND.sha256`.
        target: What it shall run on.
        project: The application's own folder; the framework alone without it.
        policy: The policy's file for the framework alone; it lies at the package's root.
        fetched: A folder that keeps the wheels of this target for the next package; each is
            compared with the lock again.
        progress: Told what is happening.

    Raises:
        DeliveryError: Something is missing, differs from its hash, or does not fit together.
    """
    with tempfile.TemporaryDirectory(prefix="secure-openai-") as folder:
        work = Path(folder)
        progress("Taking the framework", None)
        own = _framework(project, work / "framework")
        locked = _locked(project, target)
        progress("Fetching what is locked", 0.0)
        found = wheels.fetch(
            locked,
            target,
            work / "wheels" if fetched is None else fetched,
            progress=lambda name, count: progress(
                f"Fetching {name}", min(1.0, count / len(locked))
            ),
        )
        progress("Packing", None)
        contents = _merged(_LIBRARIES[kind], [own, *found])
        _add(contents, _application(kind, project, policy))
        parts = _parts(own, found, locked)
        bill = bill_of(
            f"{'secure-openai' if project is None else project.name}-{kind}",
            __version__,
            parts,
            properties={"python": target.python, "platform": target.platform},
        )
        _add(contents, [(BILL, bill)])
        return _written(kind, output, contents, bill, len(parts))


def _framework(project: Project | None, folder: Path) -> Path:
    """Return the framework's wheel: the vendored one of a project, compared with its hash."""
    if project is None:
        return wheels.framework_wheel(folder)
    try:
        text = project.framework.read_text(encoding="utf-8")
    except OSError:
        raise DeliveryError(
            f"{project.framework} is missing: it names the vendored wheel and its hash."
        ) from None
    found = _VENDORED.search(text)
    if found is None:
        raise DeliveryError(
            f"{project.framework} names no wheel: write ./vendor/NAME.whl --hash=sha256:…"
        )
    wheel = project.folder / found.group("path")
    if not wheel.is_file():
        raise DeliveryError(f"{wheel} is missing, which {project.framework} names.")
    if wheels.sha256_of(wheel) != found.group("sha"):
        raise DeliveryError(f"{wheel} differs from its hash in {project.framework}: do not use it.")
    return wheel


def _locked(project: Project | None, target: Target) -> list[Locked]:
    lock = shipped("requirements/azure.txt") if project is None else project.lock
    # What is locked for building and testing is nobody's business in Azure.
    rows = needed_by([FRAMEWORK], for_target(read_lock(lock), target))
    if project is not None:
        for name in project.requirements:
            rows += for_target(read_lock(project.folder / name), target)
    once: dict[str, Locked] = {}
    for row in rows:
        other = once.setdefault(row.name, row)
        if other.version != row.version:
            raise DeliveryError(
                f"{row.name} is locked as {other.version} and as {row.version}: lock your own "
                f"requirements with -c {lock.name}."
            )
    return list(once.values())


def _merged(prefix: str, made_of: Iterable[Path]) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    for wheel in made_of:
        _add(contents, ((f"{prefix}{path}", data) for path, data in wheels.contents(wheel)))
    return contents


def _add(contents: dict[str, bytes], more: Iterable[tuple[str, bytes]]) -> None:
    """Add files; the same file twice is one, two of one name are none."""
    for path, data in more:
        if contents.setdefault(path, data) != data:
            raise DeliveryError(f"Two parts of the package bring {path}, and they differ.")


def _application(
    kind: Kind, project: Project | None, policy: Path | None
) -> Iterable[tuple[str, bytes]]:
    if kind is Kind.FUNCTIONS:
        triggers = shipped("functions")
        for path in files_of(triggers):
            yield path.relative_to(triggers).as_posix(), path.read_bytes()
    if project is None:
        if policy is not None:
            yield _POLICY_AT_ROOT, _read(policy)
        return
    if kind is Kind.APP:
        yield from project.contents((FILE, *project.files))
    if project.policy:
        yield from project.contents((project.policy,))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DeliveryError(f"{path} cannot be read ({type(error).__name__}).") from None


def _parts(own: Path, fetched: Iterable[Path], locked: Iterable[Locked]) -> list[Part]:
    because = {one.name: one.because for one in locked}
    return [
        _part(own, frozenset()),
        *(_part(wheel, because[name]) for name, wheel in wheels.by_name(fetched).items()),
    ]


def _part(wheel: Path, because: frozenset[str]) -> Part:
    name, version = wheels.name_of(wheel)
    return Part(name, version, wheels.sha256_of(wheel), wheels.metadata(wheel), because)


def _written(
    kind: Kind, output: Path, contents: dict[str, bytes], bill: bytes, parts: int
) -> Package:
    try:
        output.mkdir(parents=True, exist_ok=True)
        path, beside = output / f"{kind}.zip", output / f"{kind}.cdx.json"
        write_archive(path, contents)
        beside.write_bytes(bill)
        digest = wheels.sha256_of(path)
        (output / f"{kind}.sha256").write_text(f"{digest}  {path.name}\n", encoding="ascii")
    except OSError as error:
        free = shutil.disk_usage(output).free if output.is_dir() else 0
        raise DeliveryError(
            f"{output} cannot be written ({error.strerror or type(error).__name__}, {free} bytes "
            "free): name another folder with --output."
        ) from None
    unpacked = sum(len(data) for data in contents.values())
    return Package(path, beside, digest, path.stat().st_size, unpacked, parts)
