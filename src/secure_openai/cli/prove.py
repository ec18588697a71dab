"""`secure-openai prove`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from secure_openai.cli.console import COULD_NOT_RUN, NEGATIVE, err, out, told_clearly
from secure_openai.errors import ProofError
from secure_openai.posture.assumptions import Assumptions
from secure_openai.posture.explanation import explain
from secure_openai.posture.proof import Proof, Verdict, load_baseline
from secure_openai.posture.proof import prove as judge
from secure_openai.posture.reading import Source, read
from secure_openai.posture.report.report import Report
from secure_openai.posture.report.subject import Input, Subject, digest_of, inputs
from secure_openai.posture.report.text import WIDTH, text_lines
from secure_openai.posture.report.ways import way_lines, ways_as_json


class Format(StrEnum):
    """How the proof is written."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    HTML = "html"
    JUNIT = "junit"


class Cloud(StrEnum):
    """The cloud that the estate stands in."""

    PUBLIC = "public"
    USGOVERNMENT = "usgovernment"


_EXITS: Final = {Verdict.PROVEN: 0, Verdict.FINDING: NEGATIVE, Verdict.CANNOT_TELL: COULD_NOT_RUN}
_WRITERS: Final = {
    Format.TEXT: "text",
    Format.JSON: "document",
    Format.SARIF: "sarif",
    Format.HTML: "html",
    Format.JUNIT: "junit",
}
"""The module with each form's writer, loaded when it is asked for."""
_DIGESTED: Final = frozenset({Format.HTML, Format.JSON})
"""The forms that tell what was read."""

EPILOG: Final = """[bold]Examples[/bold]

Prove a folder of Terraform, without an account:

  secure-openai prove infra --var-file infra/environments/private.tfvars

Prove what lives, and write a page for the reviewer:

  terraform show -json > state.json

  secure-openai prove state.json --format html --output report.html

Ask for one way through the estate:

  secure-openai prove state.json --explain "web -> cosmos"
"""


def prove(
    path: Annotated[
        Path,
        typer.Argument(help="A Terraform folder, or a state or plan of `terraform show -json`."),
    ] = Path("infra"),
    var_file: Annotated[list[Path] | None, typer.Option(help="Variables of a folder.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="The folder that a plan was made from.")
    ] = None,
    cloud: Annotated[Cloud | None, typer.Option(help="Otherwise inferred from locations.")] = None,
    assume: Annotated[
        Path | None, typer.Option(help="What lies outside and is vouched for.")
    ] = None,
    baseline: Annotated[Path | None, typer.Option(help="Findings that were accepted.")] = None,
    written_as: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.TEXT,
    output: Annotated[Path | None, typer.Option(help="A file to write to.")] = None,
    question: Annotated[
        str | None, typer.Option("--explain", help='One way, such as "internet -> cosmos".')
    ] = None,
) -> None:
    """Prove of an estate, before it exists, that it is private, keyless and least-privileged.

    Ends with 0 if every statement is proven, 1 if there are findings, 2 if it cannot be told.
    """
    with told_clearly():
        now = datetime.now(UTC)
        assumed = Assumptions.load(assume) if assume else Assumptions()
        accepted = load_baseline(baseline, now.date()) if baseline else []
        roles = _roles(path, var_file or [], config, assume, baseline)
        given = inputs(roles, digested=written_as in _DIGESTED)
        with err.status("Reading the estate"):
            source = read(path, variables=var_file or [], config=config)
        proof = judge(source.estate, cloud=cloud, assumed=assumed, accepted=accepted)
        if question is not None:
            _explained(proof, question, written_as, output)
            return
        if inputs(roles, digested=written_as in _DIGESTED) != given:
            raise ProofError(f"{path} was changed while it was read: prove it again.")
        report = Report.of(proof, _subject(source, given, cloud, now, written_as))
        _written(report, written_as, output)
    raise typer.Exit(_EXITS[proof.verdict])


def _roles(
    path: Path,
    variables: Sequence[Path],
    config: Path | None,
    assume: Path | None,
    baseline: Path | None,
) -> list[tuple[str, Path | None]]:
    """Return what is read by its role; what is not there is told of by whoever reads it."""
    given = [
        ("configuration" if path.is_dir() else "state or plan", path),
        ("configuration", config),
        *(("variables", one) for one in variables),
        ("assumptions", assume),
        ("accepted findings", baseline),
    ]
    return [(role, one if one and one.exists() else None) for role, one in given]


def _subject(
    source: Source,
    given: tuple[Input, ...],
    cloud: Cloud | None,
    now: datetime,
    written_as: Format,
) -> Subject:
    options = {
        "variables": "--var-file",
        "configuration": "--config",
        "assumptions": "--assume",
        "accepted findings": "--baseline",
    }
    words = ["secure-openai", "prove", source.name]
    for one in given[1:]:
        words += [options[one.role], one.name]
    if cloud:
        words += ["--cloud", cloud]
    words += ["--format", written_as]
    return Subject(
        source.name,
        source.form,
        source.terraform,
        given,
        digest_of(source.estate) if written_as in _DIGESTED else "",
        now,
        shlex.join(words),
    )


def _explained(proof: Proof, question: str, written_as: Format, output: Path | None) -> None:
    if written_as not in {Format.TEXT, Format.JSON}:
        raise ProofError("--explain is written as text or json.")
    paths = explain(proof.topology, question)
    estate = proof.topology.estate
    if written_as is Format.JSON:
        _write(ways_as_json(paths, estate), output)
    elif output is None:
        for line in way_lines(paths, estate, _width()):
            out.print(line, soft_wrap=True)
    else:
        _write("".join(f"{line.plain}\n" for line in way_lines(paths, estate)), output)


def _written(report: Report, written_as: Format, output: Path | None) -> None:
    if written_as is Format.TEXT and output is None:
        for line in text_lines(report, _width()):
            out.print(line, soft_wrap=True)
        return
    module = import_module(f"secure_openai.posture.report.{_WRITERS[written_as]}")
    _write(getattr(module, f"as_{written_as}")(report), output)
    if output is not None:
        err.print(Text(f"{output}: {report.proof.verdict}, {report.sentence}."), soft_wrap=True)


def _width() -> int:
    """Return the columns of the terminal, or those of a page where there is none."""
    return min(out.width, 120) if out.is_terminal else WIDTH


def _write(text: str, output: Path | None) -> None:
    if output is None:
        typer.echo(text, nl=False)
        return
    partial = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(output)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ProofError(f"{output} cannot be written: {error.strerror}.") from None
