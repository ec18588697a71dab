"""What is to be proven, read: a Terraform folder, a state or a plan."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from secure_openai.errors import ProofError
from secure_openai.posture import collector
from secure_openai.posture.estate import Estate, Place
from secure_openai.posture.simulation import Progress, SimulationError, Workspace

LARGEST_BYTES: Final = 256 * 1024 * 1024
"""The largest state or plan that is read: some 700 times a whole estate's."""

_FORMATS: Final = ("1.",)
_PROVIDERS: Final = ("azurerm_", "azuread_", "azapi_")
_RAW_STATE_VERSION: Final = 4


@dataclass(frozen=True, slots=True)
class Source:
    """What was read.

    Attributes:
        estate: The estate.
        form: `folder`, `state` or `plan`.
        name: What was given, for the report.
        terraform: The version of Terraform that wrote it; empty if it does not say.
    """

    estate: Estate
    form: str
    name: str
    terraform: str


@collector.paused()
def read(
    path: Path,
    *,
    variables: Sequence[Path] = (),
    config: Path | None = None,
    progress: Progress | None = None,
) -> Source:
    """Read what is to be proven.

    Args:
        path: A folder of Terraform, or a file of JSON: a state or a plan of `terraform show -json`.
        variables: Files of variables for a folder.
        config: The folder that a plan was made from, so that its relations can be told.
        progress: Told what Terraform does.

    Raises:
        ProofError: It cannot be read as an estate; the sentence says why.
    """
    if path.is_dir():
        return _folder(path, variables, progress)
    if variables:
        raise ProofError(
            "--var-file belongs to a folder of Terraform; a state and a plan carry their values."
        )
    document = _document(path)
    if "planned_values" in document:
        return _plan(path, document, config, progress)
    if config is not None:
        raise ProofError(f"--config belongs to a plan, and {path} is none.")
    if "values" not in document:
        raise ProofError(
            f"{path} holds no resources: it is empty, or no state of `terraform show -json`."
        )
    return _ours(
        Source(Estate.of(document), "state", str(path), str(document.get("terraform_version", "")))
    )


def _folder(path: Path, variables: Sequence[Path], progress: Progress | None) -> Source:
    if not any(path.glob("*.tf")):
        raise ProofError(f"{path} holds no Terraform configuration (*.tf).")
    for one in variables:
        if not one.is_file():
            raise ProofError(f"{one} is no file of variables.")
    try:
        with Workspace(path, var_files=list(variables), progress=progress) as workspace:
            estate, version = _built(workspace)
    except SimulationError as error:
        raise ProofError(*str(error).splitlines()[:12]) from None
    return _ours(Source(estate, "folder", str(path), version))


def _built(workspace: Workspace) -> tuple[Estate, str]:
    """Return what a configuration builds, and the version of Terraform that built it."""
    state = workspace.apply()
    return Estate.of(state, workspace.invented), str(state.get("terraform_version", ""))


def _document(path: Path) -> Mapping[str, Any]:
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise ProofError(f"{path} is larger than {LARGEST_BYTES // 2**20} MiB.")
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ProofError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise ProofError(
            f"{path} is not whole JSON: write it again with `terraform show -json`."
        ) from None
    if not isinstance(document, dict):
        raise ProofError(f"{path} is neither a state nor a plan.")
    if document.get("version") == _RAW_STATE_VERSION and "lineage" in document:
        raise ProofError(
            f"{path} is a state file as Terraform keeps it: "
            "give the output of `terraform show -json`."
        )
    version = document.get("format_version")
    if not isinstance(version, str) or not version.startswith(_FORMATS):
        raise ProofError(f"{path} has format version {version!r}; version 1 is known.")
    return document


def _plan(
    path: Path, document: Mapping[str, Any], config: Path | None, progress: Progress | None
) -> Source:
    try:
        unknown = frozenset(_unknown(document))
        estate = Estate.within(document["planned_values"], unknown, relations=False)
    except (KeyError, TypeError, AttributeError):
        raise ProofError(
            f"{path} is no whole plan: write it again with `terraform show -json`."
        ) from None
    source = _ours(Source(estate, "plan", str(path), str(document.get("terraform_version", ""))))
    if config is None:
        return source
    variables = {name: one.get("value") for name, one in (document.get("variables") or {}).items()}
    try:
        with Workspace(config, variables=variables, progress=progress) as workspace:
            simulated, _ = _built(workspace)
    except SimulationError as error:
        raise ProofError(*str(error).splitlines()[:12]) from None
    _agree(estate, simulated)
    return Source(simulated, "plan", str(path), source.terraform)


def _unknown(document: Mapping[str, Any]) -> Iterator[Place]:
    for change in document.get("resource_changes") or ():
        after = (change.get("change") or {}).get("after_unknown")
        for path in _true(after):
            yield change["address"], path


def _true(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if value is True:
        yield path
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _true(one, (*path, key))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _true(one, (*path, index))


def _agree(planned: Estate, simulated: Estate) -> None:
    """Refuse a configuration that would not build what was planned."""
    ours = {one.address: one for one in simulated.resources}
    theirs = {one.address for one in planned.resources}
    odd = sorted(ours.keys() ^ theirs)
    if odd:
        raise ProofError(
            f"The plan was made from another configuration: only one of them has {odd[0]}."
        )
    for one in planned.resources:
        mine = ours[one.address]
        for name, value in one.values.items():
            if name == "id" or value is None or (name,) in one.unknown or (name,) in mine.unknown:
                continue
            if any(path[0] == name for path in (*one.unknown, *mine.unknown)):
                continue
            if mine.values.get(name) != value and not isinstance(value, dict):
                raise ProofError(
                    "The plan was made from another configuration: "
                    f"{one.address} differs in {name}."
                )


def _ours(source: Source) -> Source:
    try:
        some = any(one.type.startswith(_PROVIDERS) for one in source.estate.resources)
    except (KeyError, TypeError, AttributeError):
        some = False
    if not source.estate.resources:
        raise ProofError(f"{source.name} holds no resources.")
    if not some:
        raise ProofError(f"{source.name} builds nothing in Azure.")
    return source
