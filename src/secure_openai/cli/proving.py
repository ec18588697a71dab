"""What `secure-openai prove` does, whoever has read its command line.

A plain command line is read here, without the packages that read any: they take a third of the time
of a whole proof to load. What is not plain is left to them, with help and complaints.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from secure_openai.environment import wants_colours
from secure_openai.errors import ProofError, SecureOpenAIError
from secure_openai.posture import collector
from secure_openai.posture.assumptions import Assumptions
from secure_openai.posture.proof import Proof, Verdict, load_baseline
from secure_openai.posture.proof import prove as judge
from secure_openai.posture.reading import Source, read
from secure_openai.posture.report.lines import WIDTH, Line
from secure_openai.posture.report.report import Report
from secure_openai.posture.report.subject import Input, Subject, digest_of, inputs

NEGATIVE: Final = 1
COULD_NOT_RUN: Final = 2


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


DEFAULT_PATH: Final = Path("infra")

OPTIONS: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    "--assume": ("assume", Path),
    "--baseline": ("baseline", Path),
    "--cloud": ("cloud", Cloud),
    "--config": ("config", Path),
    "--explain": ("question", str),
    "--format": ("written_as", Format),
    "--output": ("output", Path),
    "--var-file": ("var_file", Path),
}
"""Every option that takes a value: the argument of `proven` that it gives, and its type."""

_PATH: Final[tuple[str, Callable[[str], Any]]] = ("path", Path)
_MANY: Final = frozenset({"var_file"})
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


def proven_at_once(words: Sequence[str]) -> int | None:
    """Run a plain command line; return its exit code, or None where it is left to others."""
    given = plain(words)
    if given is None:
        return None
    try:
        return proven(**given)
    except SecureOpenAIError as error:
        import_module("secure_openai.cli.console").tell(error)
    except KeyboardInterrupt:
        sys.stderr.write("Aborted.\n")
    except BrokenPipeError:
        # Whoever read it has gone; nothing is left to be written when Python ends either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return COULD_NOT_RUN


def plain(words: Sequence[str]) -> dict[str, Any] | None:
    """Return what a command line gives to `proven`; None where anything about it is not plain."""
    found: dict[str, Any] = {}
    left = list(words)
    while left:
        word = left.pop(0)
        name, equals, value = word.partition("=")
        if not word.startswith("-"):
            (argument, read_as), value = _PATH, word
        elif name in OPTIONS and (equals or left):
            argument, read_as = OPTIONS[name]
            value = value if equals else left.pop(0)
        else:
            return None
        if not value or value.startswith("-"):
            return None
        try:
            read_value = read_as(value)
        except ValueError:
            return None
        if argument in _MANY:
            found.setdefault(argument, []).append(read_value)
        elif argument in found:
            return None
        else:
            found[argument] = read_value
    return found


@collector.paused()
def proven(
    path: Path = DEFAULT_PATH,
    *,
    var_file: Sequence[Path] = (),
    config: Path | None = None,
    cloud: Cloud | None = None,
    assume: Path | None = None,
    baseline: Path | None = None,
    written_as: Format = Format.TEXT,
    output: Path | None = None,
    question: str | None = None,
) -> int:
    """Prove an estate, write the proof, and return the exit code.

    Raises:
        SecureOpenAIError: It could not be run; the sentence says why.
    """
    now = datetime.now(UTC)
    assumed = Assumptions.load(assume) if assume else Assumptions()
    accepted = load_baseline(baseline, now.date()) if baseline else []
    roles = _roles(path, var_file, config, assume, baseline)
    given = inputs(roles, digested=written_as in _DIGESTED)
    with _status("Reading the estate"):
        source = read(path, variables=var_file, config=config)
    proof = judge(source.estate, cloud=cloud, assumed=assumed, accepted=accepted)
    if question is not None:
        _explained(proof, question, written_as, output)
        return 0
    if inputs(roles, digested=written_as in _DIGESTED) != given:
        raise ProofError(f"{path} was changed while it was read: prove it again.")
    report = Report.of(proof, _subject(source, given, cloud, now, written_as))
    _written(report, written_as, output)
    return _EXITS[proof.verdict]


def _status(says: str) -> contextlib.AbstractContextManager[Any]:
    """Say what is going on, where somebody looks on."""
    if not sys.stderr.isatty():
        return contextlib.nullcontext()
    shown: contextlib.AbstractContextManager[Any] = _console().err.status(says)
    return shown


def _console() -> Any:
    return import_module("secure_openai.cli.console")


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
    explanation = import_module("secure_openai.posture.explanation")
    ways = import_module("secure_openai.posture.report.ways")
    paths = explanation.explain(proof.topology, question)
    estate = proof.topology.estate
    if written_as is Format.JSON:
        _write(ways.ways_as_json(paths, estate), output)
    elif output is None:
        _shown(lambda width: ways.way_lines(paths, estate, width))
    else:
        _write(_plainly(ways.way_lines(paths, estate)), output)


def _written(report: Report, written_as: Format, output: Path | None) -> None:
    module = import_module(f"secure_openai.posture.report.{_WRITERS[written_as]}")
    if written_as is Format.TEXT and output is None:
        _shown(lambda width: module.text_lines(report, width))
        return
    _write(getattr(module, f"as_{written_as}")(report), output)
    if output is not None:
        sys.stderr.write(f"{output}: {report.proof.verdict}, {report.sentence}.\n")


def _shown(lines: Callable[[int], Iterable[Line]]) -> None:
    """Print lines, in colours for a terminal and as wide as it is, or else as a page."""
    if sys.stdout.isatty() or wants_colours():
        _console().show(lines)
    else:
        _write(_plainly(lines(WIDTH)), None)


def _plainly(lines: Iterable[Line]) -> str:
    return "".join(f"{one.plain}\n" for one in lines)


def _write(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    partial = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(output)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ProofError(f"{output} cannot be written: {error.strerror}.") from None
