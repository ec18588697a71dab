"""What `secure-openai deploy --estate` does before the applications: plan, prove, ask, apply.

Terraform, the proof and whoever approves look at one file, in a folder that nobody else writes to.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import typer
from rich.markup import escape

from secure_openai.cli.console import NEGATIVE, err, out
from secure_openai.cli.proving import proven
from secure_openai.delivery import approval
from secure_openai.delivery.approval import Approval
from secure_openai.delivery.azure.place import place_of
from secure_openai.delivery.placed import PlacedPackage
from secure_openai.delivery.planned import SUBSCRIPTION, changes, listed, subscriptions
from secure_openai.delivery.terraform import StalePlan, Terraform, Unfinished
from secure_openai.errors import DeliveryError
from secure_openai.posture.report.subject import digest

A_PERSON_IS_NEEDED = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """An estate as somebody wants it.

    Attributes:
        folder: Its Terraform.
        packages_url: Where packages wait for its applications.
        variables: Files of variables, later ones win.
        backend: Where state is kept; None where Terraform knows already.
        assumptions: What lies outside and is vouched for.
    """

    folder: Path
    packages_url: str
    variables: Sequence[Path] = ()
    backend: Path | None = None
    assumptions: Path | None = None


def prepared(wanted: Wanted, private: Path) -> Terraform:
    """Return the folder with the program for it, before anything takes minutes.

    Args:
        wanted: The estate.
        private: A folder of our own.

    Raises:
        DeliveryError: Something that is named is not there, or a provider is not locked.
    """
    for one in (*wanted.variables, wanted.backend, wanted.assumptions):
        if one is not None and not one.is_file():
            raise DeliveryError(f"{one} is no file.")
    return Terraform.of(wanted.folder, private)


def applied(
    wanted: Wanted, packages: Sequence[PlacedPackage], approved: str | None, private: Path
) -> str:
    """Plan, prove, have it approved and apply exactly that; return the output `applications`.

    Args:
        wanted: The estate.
        packages: What is deployed into it: who approves, approves them too.
        approved: The digest of the plan that waits; None plans anew.
        private: A folder of our own.

    Raises:
        DeliveryError: It could not be planned or applied, and nothing was changed; or it is
            applied, and its applications are not where they were approved.
        Exit: It is not proven, not approved, or was applied in part; the reason has been told.
    """
    terraform = prepared(wanted, private)
    wanted = _copied(wanted, private)
    _say(f"Initialising {wanted.folder}")
    terraform.initialise(wanted.backend)
    waiting = _taken(terraform, wanted, packages, approved, private)
    _prove(waiting.shown, wanted, private)
    _require_unchanged(waiting, _here(waiting.plan, waiting.shown, terraform, wanted, packages))
    does = changes(waiting.shown)
    _summarise(does, packages)
    if approved is None:
        _ask(waiting, terraform, what="apply it" if does else "deploy the packages")
    if does:
        _say("Applying what was approved")
        _apply(terraform, waiting.plan)
    approval.forget(terraform.folder)
    return _applications(terraform, wanted, waiting.approval)


@dataclass(frozen=True, slots=True)
class _Waiting:
    plan: Path
    shown: str
    approval: Approval


def _say(what: str) -> None:
    out.print(f"{escape(what)} …", soft_wrap=True)


def _copied(wanted: Wanted, private: Path) -> Wanted:
    """Return the same with copies of its files: what is read is then what has the digest."""

    def copy(one: Path, name: str) -> Path:
        # Terraform tells JSON by a file's name.
        to = private / name / one.name
        try:
            to.parent.mkdir(mode=0o700)
            shutil.copyfile(one, to)
        except OSError as error:
            raise DeliveryError(f"{one} cannot be copied: {error.strerror}.") from None
        return to

    return replace(
        wanted,
        variables=[copy(one, f"variables-{n}") for n, one in enumerate(wanted.variables)],
        backend=wanted.backend and copy(wanted.backend, "backend"),
        assumptions=wanted.assumptions and copy(wanted.assumptions, "assumptions"),
    )


def _here(
    plan: Path,
    shown: str,
    terraform: Terraform,
    wanted: Wanted,
    packages: Sequence[PlacedPackage],
) -> Approval:
    """Return what would be approved here and now.

    Raises:
        DeliveryError: Nobody can tell which subscription it is of.
    """
    where = subscriptions(shown, terraform.environment)
    if not where:
        raise DeliveryError(
            "The plan does not say which subscription it is of: write subscription_id in the "
            f"provider azurerm, or set {SUBSCRIPTION}."
        )
    return Approval.of(
        plan,
        terraform=terraform,
        subscriptions=where,
        variables=wanted.variables,
        assumptions=wanted.assumptions,
        backend=wanted.backend,
        packages=packages,
        packages_url=wanted.packages_url,
    )


def _taken(
    terraform: Terraform,
    wanted: Wanted,
    packages: Sequence[PlacedPackage],
    approved: str | None,
    private: Path,
) -> _Waiting:
    """Return the plan that was approved, if it is the one of here and now; or else a new one."""
    if approved is not None:
        kept, plan = approval.kept(approved, terraform.folder, private)
        shown = terraform.shown(plan)
        if differing := kept.differing(_here(plan, shown, terraform, wanted, packages)):
            raise DeliveryError(
                f"This is not what was approved: {'; '.join(differing)}. Nothing was applied: run "
                "the same without --approve, and have that approved."
            )
        return _Waiting(plan, shown, kept)
    plan = private / approval.PLAN
    _say(f"Planning {wanted.folder}")
    before = digest(terraform.folder)
    terraform.plan(plan, wanted.variables)
    shown = terraform.shown(plan)
    made = _here(plan, shown, terraform, wanted, packages)
    if made.facts["configuration"] != before:
        raise DeliveryError(f"{wanted.folder} was changed while it was planned: begin again.")
    return _Waiting(plan, shown, made)


def _require_unchanged(waiting: _Waiting, now: Approval) -> None:
    if differing := waiting.approval.differing(now):
        raise DeliveryError(
            f"This was changed while it was proven: {'; '.join(differing)}. Nothing was applied: "
            "begin again."
        )


def _applications(terraform: Terraform, wanted: Wanted, made: Approval) -> str:
    """Return the output of the estate that was approved, and of no other.

    Raises:
        DeliveryError: It is of another one, or names applications of another subscription.
    """
    _require_same_estate(terraform, made)
    said = terraform.output("applications")
    _require_same_estate(terraform, made)
    place = place_of(said, wanted.packages_url, named="The estate's output applications")
    for site in place.sites.values():
        if site.split("/")[2].lower() not in made.facts["subscriptions"]:
            raise DeliveryError(
                f"The estate's output applications names {site}, of another subscription than the "
                "estate's: no application was deployed."
            )
    return said


def _require_same_estate(terraform: Terraform, made: Approval) -> None:
    now = {"state": terraform.kept_at, "workspace": terraform.workspace}
    if any(made.facts[name] != said for name, said in now.items()):
        raise DeliveryError(
            "The folder was initialised for another state or workspace since this was approved: "
            "no application was deployed. Find out who did, and run this again without --approve."
        )


def _prove(shown: str, wanted: Wanted, private: Path) -> None:
    """Show the proof of a plan, and end where it is not proven."""
    path = private / "plan.json"
    path.write_text(shown, encoding="utf-8")
    code = proven(path, config=wanted.folder, assume=wanted.assumptions)
    if code:
        err.print("[red]✗[/red] The plan is not proven: nothing was applied.")
        raise typer.Exit(code)


def _summarise(does: Mapping[str, Sequence[str]], packages: Sequence[PlacedPackage]) -> None:
    """Say what there is to approve: each change, and each package."""
    if not does:
        out.print("Nothing is to be changed in the estate.")
    else:
        count = Counter(action for actions in does.values() for action in actions)
        said = ", ".join(f"{number} {action}" for action, number in sorted(count.items()))
        out.print(f"\nThe plan changes {len(does)} ({said}).")
    for line in listed(does):
        out.print(f"  {line}", soft_wrap=True, markup=False, highlight=False)
    for one in packages:
        out.print(f"  it deploys {one.kind}, SHA-256 {one.sha256}", soft_wrap=True, highlight=False)


def _ask(waiting: _Waiting, terraform: Terraform, *, what: str) -> None:
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
    name = _name_of(waiting.shown, terraform.folder)
    if typer.prompt(f"Type {name} to {what}", default="", show_default=False) != name:
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
