"""Every block of code in the README and the docs runs, or is read and says that it needs Azure."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from secure_openai.posture.simulation import Workspace
from tests.cli.test_commands import token_of
from tests.command_line import commands_in, take
from tests.docs.blocks import ELSEWHERE, ROOT, Block, blocks, pages
from tests.docs.formats import FORMATS
from tests.docs.sessions import Script, steps
from tests.system import System, free_ports, running

BLOCKS = blocks()

LIST = "{toctree}"
"""Which pages follow: the site's build reads it."""

TYPED = {"console", "sh"}


READERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "python": ast.parse,
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
}


def runs(block: Block) -> bool:
    """Return whether the block is run, and not read only."""
    return not block.needs_azure and block.language in {*TYPED, "js", "python", "yaml"}


def test_every_block_says_what_it_is() -> None:
    """No block is indented, which says nothing; each language is one that is run, read or shown."""
    known = {LIST, *TYPED, *READERS, "js", "hcl"}
    indented = [
        f"{page.relative_to(ROOT)}: {found[1]}"
        for page in pages()
        for found in re.finditer(r"(?:\A|\n\n) {4}(\S.*)", _without_blocks(page.read_text("utf-8")))
    ]

    assert [block.id for block in BLOCKS if block.language not in known] == []
    assert indented == []


def _without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    "block", [one for one in BLOCKS if one.language in READERS], ids=lambda one: one.id
)
def test_a_block_of_data_or_python_can_be_read(block: Block) -> None:
    """By the parser of its language."""
    READERS[block.language](block.text)


def test_terraform_reads_its_blocks(tmp_path: Path) -> None:
    """Each is a file of its own."""
    (tmp_path / "main.tf").touch()
    (tmp_path / "blocks").mkdir()
    for number, block in enumerate(one for one in BLOCKS if one.language == "hcl"):
        (tmp_path / "blocks" / f"{number}.tf").write_text(block.text, "utf-8")
    assert any((tmp_path / "blocks").iterdir())
    with Workspace(tmp_path) as workspace:
        workspace.unformatted()


def test_a_program_that_runs_elsewhere_is_taken_from_its_page() -> None:
    """The test reads the page itself; every other program or line of a shell runs below."""
    for (page, language), test in ELSEWHERE.items():
        text = (ROOT / test).read_text("utf-8")
        assert f'"{Path(page).name}"' in text, test
        assert f"```{language}" in text or r"```(\w+)" in text, (test, language)
    programs = [one for one in BLOCKS if runs(one) and one.language in {"js", "python", "yaml"}]
    unrun = [one.id for one in programs if not _elsewhere(one)]
    assert unrun == []


def _elsewhere(block: Block) -> bool:
    return (block.page, block.language) in ELSEWHERE


@pytest.mark.parametrize(
    "block", [one for one in BLOCKS if one.language == "sh" and not runs(one)], ids=lambda b: b.id
)
def test_what_needs_azure_is_a_line_of_a_shell_and_a_command_ofcommands_in(block: Block) -> None:
    """The shell reads it, and the command line takes the names and options of our commands."""
    read = subprocess.run(
        ["sh", "-n"], input=block.text, text=True, capture_output=True, check=False
    )
    assert read.returncode == 0, read.stderr
    for words in commands_in(block.text):
        take(words)


def test_the_examples_of_every_command_are_taken() -> None:
    """Each line of `--help` that types one has the options and values that the command has."""
    found = examples()

    for line in found:
        # A line that names us and that nobody could read would be an example that nobody tries.
        words = list(commands_in(line))
        assert len(words) == line.count("secure-openai "), line
        for each in words:
            take(each)
    assert len(found) > 60


def examples() -> list[str]:
    """Return the lines of `--help` that type a command of ours; what its usage says is none."""
    page = (ROOT / "docs" / "reference" / "commands.md").read_text("utf-8")
    without_usage = re.sub(r"^(## .*)\n\n    secure-openai .*$", r"\1", page, flags=re.MULTILINE)
    return re.findall(r"^    (.*secure-openai .*)$", without_usage, re.MULTILINE)


def made() -> list[str]:
    """Return the lines that type `make`."""
    typed = (one.text for one in BLOCKS if one.language in TYPED)
    return [
        line for text in typed for line in re.findall(r"^(?:\$ )?(make\b.*)$", text, re.MULTILINE)
    ]


@pytest.mark.parametrize("line", sorted(set(made())))
def test_make_takes_what_a_page_types(line: str) -> None:
    """It has the target, which takes the options; nothing is run, since `make` runs this test."""
    words = shlex.split(line)
    ran = subprocess.run(
        ["make", "--dry-run", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stderr
    for name, _, value in (word.partition("=") for word in words if "=" in word):
        assert name == "ARGS"
        assert value in ran.stdout


def test_a_session_shows_what_it_prints() -> None:
    """Each begins with a prompt, and no command hides all of its answer."""
    for block in (one for one in BLOCKS if one.language == "console"):
        hiding = [one.typed for one in steps(block.text) if not one.is_bounded]
        assert hiding == [], block.id


@pytest.mark.parametrize(
    "page",
    sorted((ROOT / "templates").glob("*/**/README.md")),
    ids=lambda one: str(one.relative_to(ROOT)),
)
def test_a_template_types_commands_that_there_are(page: Path) -> None:
    """Its blocks are indented: whoever reads them reads plain text."""
    lines = re.findall(r"^ {4,}(.*)$", page.read_text("utf-8"), re.MULTILINE)
    for words in (words for line in lines for words in commands_in(line)):
        take(words)

    assert lines


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The system that pages suppose to be running, with somebody signed in at the terminal."""
    with running(tmp_path_factory.mktemp("docs") / "data") as started:
        token_of(started)
        yield started


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder that looks like the clone, may be written to, and has a change that is not in it."""
    for name in ("infra", "src", "functions"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])
    policy = tmp_path / "policy.toml"
    policy.write_bytes((ROOT / "src" / "secure_openai" / "policy" / "default.toml").read_bytes())
    for words in ("init --quiet", "add policy.toml"):
        subprocess.run(["git", *words.split()], cwd=tmp_path, check=True)
    policy.write_text(f"# Ours.\n{policy.read_text('utf-8')}", "utf-8")
    return tmp_path


def typed_pages() -> dict[str, list[Block]]:
    """Return what is typed on each page; a line of a shell that another page types too, once.

    Of a page with sessions nothing is left out: one goes on where another ended.
    """
    once: set[str] = set()
    found: dict[str, list[Block]] = {}
    typed = [one for one in BLOCKS if one.language in TYPED and runs(one) and not _elsewhere(one)]
    followed = {one.page for one in typed if one.language == "console"}
    for block in sorted(typed, key=lambda one: one.page not in followed):
        words = block.text.replace(".venv/bin/", "")
        if block.page in followed or words not in once:
            once.add(words)
            found.setdefault(block.page, []).append(block)
    return found


TYPED_PAGES = typed_pages()


@pytest.mark.process
@pytest.mark.parametrize("page", TYPED_PAGES)
def test_what_a_page_types_runs_and_prints_what_it_shows(
    page: str, clone: Path, system: System
) -> None:
    """In the clone, from the page's top to its end, while the system runs."""
    for block in TYPED_PAGES[page]:
        # `make` is what runs this test: what is typed of it is taken above.
        text = re.sub(r"^make .*\n", "", block.text, flags=re.MULTILINE)
        for here, there in _of_this_machine(system).items():
            text = text.replace(here, there)
        if block.language == "sh":
            ran = _sh(f"exec 2>&1; set -e\n{text}", clone, system)
            assert ran.returncode == 0, f"{block.id}\n{ran.stdout}"
            continue
        session = steps(text)
        script = Script.of([one.typed for one in session])
        answers = list(script.answers(_sh(script.text, clone, system).stdout))
        assert len(answers) == len(session), block.id
        for step, (printed, code) in zip(session, answers, strict=True):
            assert step.says(printed), f"{block.id}\n$ {step.typed}\n{printed}"
            assert (code != 0) == step.refused, f"{block.id}\n$ {step.typed}\nended with {code}"


def _of_this_machine(system: System) -> dict[str, str]:
    """Return what pages say of anybody's machine, and what it is on this one."""
    return {
        "http://localhost:8400": system.url,
        "--rehearse slots": f"--rehearse slots --port {free_ports()}",
        "--python 3.11": f"--python {sys.version_info.major}.{sys.version_info.minor}",
    }


def _sh(program: str, folder: Path, system: System) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", program],
        cwd=folder,
        env=os.environ
        | {
            "COLUMNS": "200",
            "NO_COLOR": "1",
            "SECURE_OPENAI_DATA": str(system.data),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_blocks_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """How many run, how many are read, and how many need Azure; none is left over."""
    run = [one for one in BLOCKS if runs(one)]
    azure = sum(one.needs_azure and one.language in TYPED for one in BLOCKS)
    lists = sum(one.language == LIST for one in BLOCKS)
    data = sum((one.page, one.language) in FORMATS for one in BLOCKS)
    sessions = [steps(one.text) for one in run if one.language == "console"]
    with capsys.disabled():
        print(  # noqa: T201 - the figure is what this is for
            f"\ndocumentation: {len(BLOCKS)} blocks. {len(run)} run; in {len(sessions)} of them "
            f"{sum(map(len, sessions))} commands print what is shown; {azure} need Azure, say so "
            f"and are read; {data} are data and are taken by the program's own readers; "
            f"{lists} list pages. {len(made())} lines type make, which takes them without running; "
            f"{len(examples())} examples of commands are taken by the command line."
        )

    assert len(BLOCKS) == len(run) + azure + data + lists
    assert run
    assert azure
