"""What `secure-openai deploy --estate` does before the applications: plan, prove, ask, apply.

Terraform, the proof and whoever approves look at one file, in a folder that nobody else writes to.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.markup import escape

from secure_openai.cli.console import NEGATIVE, err, out
from secure_openai.cli.proving import proven
from secure_openai.delivery import approval
from secure_openai.delivery.approval import Approval
from secure_openai.delivery.placed import PlacedPackage
from secure_openai.delivery.terraform import StalePlan, Terraform, Unfinished, changes
from secure_openai.errors import DeliveryError
from secure_openai.posture.report.subject import digest

A_PERSON_IS_NEEDED = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """An estate as somebody wants it.

    Attributes:
        folder: Its Terraform.
        variables: Files of variables, later ones win.
        backend: Where state is kept; None where Terraform knows already.
        assumptions: What lies outside and is vouched for.
    """

    folder: Path
    variables: Sequence[Path] = ()
    backend: Path | None = None
    assumptions: Path | None = None


def prepared(wanted: Wanted) -> Terraform:
    """Return the folder with the program for it, before anything takes minutes.

    Raises:
        DeliveryError: Something that is named is not there, or a provider is not locked.
    """
    for one in (*wanted.variables, wanted.backend, wanted.assumptions):
        if one is not None and not one.is_file():
            raise DeliveryError(f"{one} is no file.")
    return Terraform.of(wanted.folder)


def applied(wanted: Wanted, packages: Sequence[PlacedPackage], approved: str | None) -> str:
    """Plan, prove, have it approved and apply exactly that; return the output `applications`.

    Args:
        wanted: The estate.
        packages: What is deployed into it: who approves, approves them too.
        approved: The digest of the plan that waits; None plans anew.

    Raises:
        DeliveryError: It could not be planned or applied; nothing was changed.
        Exit: It is not proven, not approved, or was applied in part; the reason has been told.
    """
    terraform = prepared(wanted)
    with tempfile.TemporaryDirectory(prefix="estate-") as private:
        _say(f"Initialising {wanted.folder}")
        terraform.initialise(wanted.backend)
        waiting = _taken(terraform, wanted, packages, approved, Path(private))
        shown = terraform.shown(waiting.plan)
        _prove(shown, wanted, Path(private))
        does = changes(shown)
        if not does:
            out.print("Nothing is to be changed in the estate.")
        else:
            _summarise(does)
            if approved is None:
                _require_unchanged(wanted, waiting.approval)
                _ask(shown, waiting, terraform)
            _say("Applying what was approved")
            _apply(terraform, waiting.plan)
        approval.forget(terraform.folder)
        return terraform.output("applications")


@dataclass(frozen=True, slots=True)
class _Waiting:
    plan: Path
    approval: Approval


def _say(what: str) -> None:
    out.print(f"{escape(what)} …", soft_wrap=True)


def _taken(
    terraform: Terraform,
    wanted: Wanted,
    packages: Sequence[PlacedPackage],
    approved: str | None,
    private: Path,
) -> _Waiting:
    """Return the plan that was approved, if it is the one of here and now; or else a new one."""

    def here(plan: Path) -> Approval:
        return Approval.of(
            plan,
            folder=terraform.folder,
            workspace=terraform.workspace,
            variables=wanted.variables,
            assumptions=wanted.assumptions,
            packages=packages,
        )

    if approved is not None:
        kept, plan = approval.kept(approved, terraform.folder, private)
        if differing := kept.differing(here(plan)):
            raise DeliveryError(
                f"This is not what was approved: {'; '.join(differing)}. Nothing was applied: run "
                "the same without --approve, and have that approved."
            )
        return _Waiting(plan, kept)
    plan = private / approval.PLAN
    _say(f"Planning {wanted.folder}")
    before = digest(terraform.folder)
    terraform.plan(plan, wanted.variables)
    made = here(plan)
    if made.facts["configuration"] != before:
        raise DeliveryError(f"{wanted.folder} was changed while it was planned: begin again.")
    return _Waiting(plan, made)


def _require_unchanged(wanted: Wanted, made: Approval) -> None:
    if digest(wanted.folder) != made.facts["configuration"]:
        raise DeliveryError(f"{wanted.folder} was changed while it was proven: begin again.")


def _prove(shown: str, wanted: Wanted, private: Path) -> None:
    """Show the proof of a plan, and end where it is not proven."""
    path = private / "plan.json"
    path.write_text(shown, encoding="utf-8")
    code = proven(path, config=wanted.folder, assume=wanted.assumptions)
    if code:
        err.print("[red]✗[/red] The plan is not proven: nothing was applied.")
        raise typer.Exit(code)


def _summarise(does: Mapping[str, Sequence[str]]) -> None:
    count = Counter(action for actions in does.values() for action in actions)
    said = ", ".join(f"{number} {action}" for action, number in sorted(count.items()))
    out.print(f"\nThe plan changes {len(does)} ({said}).")
    for address, actions in does.items():
        if "delete" in actions or "forget" in actions:
            made_anew = " and makes it anew" if "create" in actions else ""
            out.print(f"  [red]![/red] it removes {escape(address)}{made_anew}", soft_wrap=True)


def _ask(shown: str, waiting: _Waiting, terraform: Terraform) -> None:
    """Return if whoever sits there types the estate's name; without anybody there, keep the plan.

    Raises:
        Exit: It is not approved.
    """
    if not somebody_is_there():
        approval.keep(waiting.approval, waiting.plan, terraform.folder)
        out.print(
            "Nobody has approved it yet, and nothing was applied. Whoever does, runs the same"
        )
        out.print(f"with --approve {waiting.approval.digest}", soft_wrap=True)
        raise typer.Exit(NEGATIVE)
    name = _name_of(shown, terraform.folder)
    if typer.prompt(f"Type {name} to apply it", default="", show_default=False) != name:
        err.print("[red]✗[/red] It is not approved: nothing was applied.")
        raise typer.Exit(NEGATIVE)


def somebody_is_there() -> bool:
    """Return whether a person can be asked."""
    return sys.stdin.isatty()


def _name_of(shown: str, folder: Path) -> str:
    variables = json.loads(shown).get("variables") or {}
    prefix = (variables.get("prefix") or {}).get("value")
    return prefix if isinstance(prefix, str) and prefix else folder.name


def _apply(terraform: Terraform, plan: Path) -> None:
    try:
        terraform.apply(plan)
    except StalePlan:
        approval.forget(terraform.folder)
        raise
    except Unfinished as error:
        approval.forget(terraform.folder)
        err.print(
            f"[red]✗[/red] {error.detail} What it made stands and is in its state; no application "
            "was deployed. Mend what it says above, and run this again without --approve: it plans "
            "what is left.",
            soft_wrap=True,
        )
        raise typer.Exit(A_PERSON_IS_NEEDED) from None
