"""`secure-openai prove`."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from secure_openai.cli.console import COULD_NOT_RUN, NEGATIVE, err, told_clearly
from secure_openai.errors import ProofError
from secure_openai.posture.assumptions import Assumptions
from secure_openai.posture.explanation import explain
from secure_openai.posture.proof import Proof, Verdict, load_baseline
from secure_openai.posture.proof import prove as judge
from secure_openai.posture.reading import read
from secure_openai.posture.report.machine import as_json, as_junit, as_sarif
from secure_openai.posture.report.text import as_text, path_as_text


class Format(StrEnum):
    """How the proof is written."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"


class Cloud(StrEnum):
    """The cloud that the estate stands in."""

    PUBLIC = "public"
    USGOVERNMENT = "usgovernment"


_EXITS = {Verdict.PROVEN: 0, Verdict.FINDING: NEGATIVE, Verdict.CANNOT_TELL: COULD_NOT_RUN}


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

    [bold]Examples[/bold]

      secure-openai prove infra --var-file infra/environments/private.tfvars
      terraform show -json > state.json; secure-openai prove state.json --format sarif
      secure-openai prove infra --var-file private.tfvars --explain "internet -> cosmos"
    """
    with told_clearly():
        assumed = Assumptions.load(assume) if assume else Assumptions()
        accepted = load_baseline(baseline, datetime.now(UTC).date()) if baseline else []
        with err.status("Reading the estate"):
            source = read(path, variables=var_file or [], config=config)
        proof = judge(source.estate, cloud=cloud, assumed=assumed, accepted=accepted)
        if question is not None:
            paths = explain(proof.topology, question)
            _write("\n".join(path_as_text(one) for one in paths), output)
            return
        _write(_written(proof, source.name, written_as), output)
    raise typer.Exit(_EXITS[proof.verdict])


def _written(proof: Proof, name: str, form: Format) -> str:
    writers = {
        Format.TEXT: as_text,
        Format.JSON: as_json,
        Format.SARIF: as_sarif,
        Format.JUNIT: as_junit,
    }
    return writers[form](proof, name)


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
