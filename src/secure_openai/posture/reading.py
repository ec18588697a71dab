"""What is to be proven, read: a Terraform folder, a state or a plan."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from secure_openai.errors import ProofError
from secure_openai.posture import collector, simulation
from secure_openai.posture.agreement import differences
from secure_openai.posture.estate import Estate, Place, Resource, leaves
from secure_openai.posture.simulation.provisioners import provisioned

LARGEST_BYTES: Final = 256 * 1024 * 1024
"""The largest state or plan that is read: some 700 times a whole estate's."""

_FORMAT: Final = re.compile(r"1\.\d+")
_ODD_SHAPES: Final = (AttributeError, KeyError, RecursionError, TypeError, ValueError)
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
    progress: simulation.Progress | None = None,
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
    return _state(path, document)


def _folder(path: Path, variables: Sequence[Path], progress: simulation.Progress | None) -> Source:
    if not any(path.glob("*.tf")):
        raise ProofError(f"{path} holds no Terraform configuration (*.tf).")
    for one in variables:
        if not one.is_file():
            raise ProofError(f"{one} is no file of variables.")
    try:
        with simulation.Workspace(path, var_files=list(variables), progress=progress) as workspace:
            estate, version = _built(workspace)
            # Whoever proves a state needs no provider's schema.
            from secure_openai.posture.decided import by_name  # noqa: PLC0415

            estate = replace(estate, decided=(*by_name(workspace), *estate.decided))
    except simulation.SimulationError as error:
        raise ProofError(*str(error).splitlines()[:12]) from None
    return _ours(Source(estate, "folder", str(path), version))


def _built(workspace: simulation.Workspace) -> tuple[Estate, str]:
    """Return what a configuration builds, and the version of Terraform that built it."""
    state = workspace.apply()
    invented = workspace.invented
    estate = Estate.of(state, invented)
    # Whoever proves a state needs no provider's schema.
    from secure_openai.posture.decided import decided  # noqa: PLC0415

    if hanging := decided(workspace, estate):
        estate = Estate.of(state, invented, hanging)
    return estate, str(state.get("terraform_version", ""))


def _document(path: Path) -> Mapping[str, Any]:
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise ProofError(f"{path} is larger than {LARGEST_BYTES // 2**20} MiB.")
        # Bytes, because PowerShell writes what it redirects in UTF-16.
        document = json.loads(
            path.read_bytes(), object_pairs_hook=_once, parse_constant=_no_constant
        )
    except OSError as error:
        raise ProofError(f"{path} cannot be read: {error.strerror}.") from None
    except _NeverWrittenError as error:
        raise ProofError(
            f"{path} is no JSON that Terraform writes: {error}. "
            "Write it again with `terraform show -json`."
        ) from None
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
    if version is None:
        raise ProofError(
            f"{path} says no format version: it is no output of `terraform show -json`."
        )
    if not isinstance(version, str) or not _FORMAT.fullmatch(version):
        raise ProofError(f"{path} has format version {version!r}; version 1 is known.")
    return document


class _NeverWrittenError(ValueError):
    """JSON says something that no Terraform writes, and that two readers may read as two things."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _NeverWrittenError(f"one object has {json.dumps(twice)} twice")
    return found


def _no_constant(name: str) -> float:
    raise _NeverWrittenError(f"{name} is no number")


def _state(path: Path, document: Mapping[str, Any]) -> Source:
    try:
        estate = Estate.of(document)
        _whole(estate)
    except _ODD_SHAPES:
        raise ProofError(
            f"{path} is no whole state: write it again with `terraform show -json`."
        ) from None
    return _ours(Source(estate, "state", str(path), str(document.get("terraform_version", ""))))


def _plan(
    path: Path,
    document: Mapping[str, Any],
    config: Path | None,
    progress: simulation.Progress | None,
) -> Source:
    if document.get("errored") is True:
        raise ProofError(f"{path} ended in an error: it does not hold all that would be built.")
    try:
        unknown = frozenset(_unknown(document))
        left_out = tuple(_left_out(document))
        estate = Estate.within(
            document["planned_values"], unknown, relations=False, left_out=left_out
        )
        estate = replace(estate, looked_up=(*estate.looked_up, *_looked_up(document)))
        _whole(estate)
        _told(estate, document)
        variables = {
            name: one.get("value") for name, one in (document.get("variables") or {}).items()
        }
    except _ODD_SHAPES:
        raise ProofError(
            f"{path} is no whole plan: write it again with `terraform show -json`."
        ) from None
    source = _ours(Source(estate, "plan", str(path), str(document.get("terraform_version", ""))))
    if config is None:
        return source
    if not config.is_dir() or not any(config.glob("*.tf")):
        raise ProofError(f"{config} holds no Terraform configuration (*.tf).")
    try:
        with simulation.Workspace(config, variables=variables, progress=progress) as workspace:
            simulated, _ = _built(workspace)
    except simulation.SimulationError as error:
        raise ProofError(*str(error).splitlines()[:12]) from None
    # Whoever proves a state needs no provider's schema.

    differing = next(differences(estate, simulated), None)
    if differing is not None:
        raise ProofError(f"The plan was made from another configuration: {differing}.")
    # What Azure answered outweighs what a simulation made up.
    answers = {one.address: one for one in (*simulated.looked_up, *estate.looked_up)}
    whole = replace(simulated, left_out=left_out, looked_up=tuple(answers.values()))
    return Source(whole, "plan", str(path), source.terraform)


def _looked_up(document: Mapping[str, Any]) -> tuple[Resource, ...]:
    """Return what data sources answered: a plan keeps it with the state that it started from."""
    prior = (document.get("prior_state") or {}).get("values") or {}
    return Estate.within({"root_module": prior.get("root_module") or {}}).looked_up


def _left_out(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what exists, or will, and does not stand in the planned values."""
    if document.get("complete") is False:
        yield "", "the plan does not cover everything: something was targeted or put off"
    for address in provisioned(document):
        yield address, "it runs a program while it is applied, and what that changes is not read"
    for one in document.get("deferred_changes") or ():
        address = str((one.get("resource_change") or {}).get("address") or "")
        yield address, "its change is put off, and what it becomes is not known"
    for one in document.get("resource_changes") or ():
        if (one.get("change") or {}).get("actions") == ["forget"]:
            yield str(one["address"]), "Terraform forgets it and leaves it standing"


def _unknown(document: Mapping[str, Any]) -> Iterator[Place]:
    for change in document.get("resource_changes") or ():
        after = (change.get("change") or {}).get("after_unknown")
        for path, value in leaves(after):
            if value is True:
                yield change["address"], path


def _told(estate: Estate, document: Mapping[str, Any]) -> None:
    """Refuse a plan that does not say of each resource what of it is not known.

    Raises:
        TypeError: It does not; Terraform says so even of what does not change.
    """
    told = {
        one["address"]
        for one in document.get("resource_changes") or ()
        if (one.get("change") or {}).get("after_unknown") is not None
    }
    if not {one.address for one in estate.resources} <= told:
        raise TypeError


def _whole(estate: Estate) -> None:
    """Refuse resources that are none.

    Raises:
        TypeError: A resource has not the shape that Terraform writes.
    """
    for one in (*estate.resources, *estate.looked_up):
        if not (
            isinstance(one.address, str)
            and isinstance(one.type, str)
            and isinstance(one.values, Mapping)
            and isinstance(one.sensitive, Mapping)
        ):
            raise TypeError


def _ours(source: Source) -> Source:
    if not source.estate.resources:
        raise ProofError(f"{source.name} holds no resources.")
    if not any(one.type.startswith(_PROVIDERS) for one in source.estate.resources):
        raise ProofError(f"{source.name} builds nothing in Azure.")
    return source
