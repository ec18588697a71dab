"""From a clone to one's own application, typed as a newcomer types it; and what templates carry.

The road begins with what is committed here: `git clone`, the README's `make up`, `secure-openai
new` for each template, and `make up` and `make test` in what it made. The README's other command,
`make test`, is what runs this.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import ZipFile

import pytest
from typer.testing import CliRunner

from secure_openai.cli.main import app as commands
from secure_openai.delivery import new
from secure_openai.delivery.new import Template, make_application
from secure_openai.delivery.project import project_in
from secure_openai.delivery.wheels import framework_wheel, sha256_of
from secure_openai.errors import DeliveryError
from tests.delivery.conftest import HERE, Made
from tests.delivery.test_package import serving, status
from tests.system import free_ports

ROOT = Path(__file__).parents[2]
INSTALLING_SECONDS = 600
ANSWERS = {
    # What each says to who is not signed in, and what its screen says.
    Template.STARTER: ({"/": 401, "/api/conversations": 404}, ("Open  ", "Its routes")),
    Template.CHAT: ({"/": 401, "/openai/v1/models": 401}, ("Open  ", "OpenAI clients")),
    Template.API: ({"/api/me": 401, "/": 404}, ("It answers at", "Its routes")),
}


def outside() -> dict[str, str]:
    """Return this environment without anything that would lead back to this clone."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SECURE_OPENAI_", "PYTHON", "MAKE", "PYTEST_", "COVERAGE_"))
    }


def run(folder: Path, *command: str) -> str:
    """Run a command in a folder; return what it said, and fail with it where it failed."""
    done = subprocess.run(
        command, cwd=folder, env=outside(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass
class Up:
    """What `make up` started.

    Attributes:
        url: Where it answers.
        said: What it said, once it has ended.
    """

    url: str
    said: str = field(default="")


@contextmanager
def made_up(folder: Path, *options: str, variables: tuple[str, ...] = ()) -> Iterator[Up]:
    """Type `make up` in a folder, wait for its screen, and press Ctrl-C at the end."""
    port = free_ports()
    up = Up(f"http://localhost:{port}")
    arguments = " ".join(["--no-browser", "--port", str(port), *options])
    process = subprocess.Popen(
        ["make", *variables, f"PYTHON={sys.executable}", "up", f"ARGS={arguments}"],
        cwd=folder,
        env=outside(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    # Its screen is the last that it says by itself: then it is ready.
    too_long = threading.Timer(INSTALLING_SECONDS, os.killpg, (process.pid, signal.SIGKILL))
    too_long.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            up.said += line
            if "Ctrl-C stops everything." in line:
                break
        too_long.cancel()
        assert process.poll() is None, up.said
        yield up
    finally:
        too_long.cancel()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
        up.said += rest


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a fresh clone, with the README's first command typed in it."""
    folder = tmp_path_factory.mktemp("newcomer")
    run(folder, "git", "clone", "--quiet", str(ROOT), "clone")
    with made_up(folder / "clone") as up:
        assert status(f"{up.url}/") == 401
    assert "Loading the model" in up.said
    assert "Stopped. What you wrote is kept in the data folder." in up.said
    return folder / "clone"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one application of each template, made of this tree as it stands.

    Their wheel is built once: it is the same for all.
    """
    folder = tmp_path_factory.mktemp("applications")
    wheel = framework_wheel(tmp_path_factory.mktemp("wheel"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(new, "framework_wheel", lambda vendor: Path(shutil.copy(wheel, vendor)))
        for template in Template:
            make_application(f"contoso-{template}", template, folder)
    return folder


@dataclass
class Road:
    """What a newcomer has at its end.

    Attributes:
        home: A folder with one application of each template.
        up: What `make up` said, by template.
        test: What `make test` said, by template.
    """

    home: Path
    up: dict[Template, str] = field(default_factory=dict)
    test: dict[Template, str] = field(default_factory=dict)

    @property
    def bin(self) -> Path:
        """Return where the commands of the first application lie."""
        return self.home / "contoso-starter" / ".venv" / "bin"


@pytest.fixture(scope="module")
def road(clone: Path) -> Road:
    """Make an application of each template by the clone's command, start it, and run its tests.

    The first one is installed as anybody's is. The others lock the same, byte by byte, so they are
    run from what it installed: `make` finds nothing to do.
    """
    walked = Road(clone.parent)
    for template in Template:
        command = str(clone / ".venv" / "bin" / "secure-openai")
        run(clone.parent, command, "new", f"contoso-{template}", "--template", template)
    first, *others = Template
    for template in Template:
        folder = clone.parent / f"contoso-{template}"
        for path in sorted((folder / "requirements").iterdir()):
            same = clone.parent / f"contoso-{first}" / "requirements" / path.name
            assert path.read_bytes() == same.read_bytes()
        shared = (f"VENV=../contoso-{first}/.venv",) if template in others else ()
        answers, _ = ANSWERS[template]
        with made_up(folder, "--model", "scripted", variables=shared) as up:
            assert {path: status(f"{up.url}{path}") for path in answers} == answers
        walked.up[template] = up.said
        walked.test[template] = run(folder, "make", *shared, "test")
    return walked


@pytest.mark.process
@pytest.mark.parametrize("template", Template)
def test_a_newcomers_application_starts(template: Template, road: Road) -> None:
    """`make up` says what this application is for, and Ctrl-C stops it."""
    said = road.up[template]

    for word in ANSWERS[template][1]:
        assert word in said
    assert "Stopped. What you wrote is kept in the data folder." in said
    assert ("Installing" in said) == (template is Template.STARTER)


@pytest.mark.process
@pytest.mark.parametrize("template", Template)
def test_a_newcomers_own_tests_pass(template: Template, road: Road) -> None:
    """`make test`, with the framework from `vendor/` and nothing of this clone."""
    said = road.test[template]

    assert "The policy is usable." in said
    assert "routes.json says who may call each of the" in said
    assert " passed in " in said
    assert "failed" not in said


@pytest.mark.process
def test_the_framework_came_from_the_folder(road: Road) -> None:
    """What was tested is the wheel whose hash stands in the folder."""
    shown = run(road.home, str(road.bin / "pip"), "show", "--files", "azure-secure-openai")

    assert f"Location: {road.bin.parent}" in shown
    assert "direct_url.json" in shown
    for template in Template:
        (wheel,) = (road.home / f"contoso-{template}" / "vendor").glob("*.whl")
        framework = road.home / f"contoso-{template}" / "requirements" / "framework.txt"
        assert f"./vendor/{wheel.name} --hash=sha256:{sha256_of(wheel)}" in framework.read_text()


@pytest.mark.process
def test_an_installed_framework_makes_the_same_folder(road: Road) -> None:
    """Without a clone: templates, Terraform and the wheel itself come from what was installed."""
    elsewhere = road.home / "elsewhere"
    elsewhere.mkdir()
    run(elsewhere, str(road.bin / "secure-openai"), "new", "contoso-starter")
    made, first = elsewhere / "contoso-starter", road.home / "contoso-starter"
    files = {path.relative_to(made) for path in made.rglob("*") if path.is_file()}
    differing = {
        str(path) for path in files if (made / path).read_bytes() != (first / path).read_bytes()
    }

    (wheel,) = (made / "vendor").glob("*.whl")
    assert differing <= {f"vendor/{wheel.name}", "requirements/framework.txt"}
    with ZipFile(wheel) as one, ZipFile(first / "vendor" / wheel.name) as other:
        names = {name for name in one.namelist() if not name.endswith("/RECORD")}
        assert names == {name for name in other.namelist() if not name.endswith("/RECORD")}
        assert [name for name in names if one.read(name) != other.read(name)] == []


@pytest.mark.process
def test_an_application_of_ones_own_is_packaged_and_starts(
    road: Road, made: Made, tmp_path: Path
) -> None:
    """From its own folder, by the framework that it vendors; unpacked, it demands sign-in."""
    starter = road.home / "contoso-starter"
    options = ("--output", "dist", "--python", HERE, "--wheels", str(made.wheels))
    run(starter, str(road.bin / "secure-openai"), "package", "app", *options)
    with ZipFile(starter / "dist" / "app.zip") as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "wwwroot")

    assert {"app.py", "pages/home.html", "policy.toml", "secure-openai.toml"} <= set(names)
    assert [name for name in names if name.startswith(("vendor/", "tests/", "infra/"))] == []
    with serving(tmp_path / "wwwroot", tmp_path) as url:
        assert status(f"{url}/healthz") == 200
        assert status(f"{url}/") == 401
        assert status(f"{url}/api/conversations") == 404


@pytest.mark.process
def test_a_wheel_that_differs_from_its_hash_is_not_packaged(home: Path) -> None:
    """One sentence, before anything is fetched."""
    folder = home / "contoso-chat"
    (wheel,) = (folder / "vendor").glob("*.whl")
    kept = wheel.read_bytes()
    wheel.write_bytes(kept + b" ")
    try:
        done = CliRunner().invoke(
            commands,
            ["package", "app", "--output", str(home / "none"), "--folder", str(folder)],
        )
    finally:
        wheel.write_bytes(kept)

    assert done.exit_code == 2
    assert "differs from its hash" in done.stderr.replace("\n", " ")
    assert not (home / "none").exists()


@pytest.mark.process
def test_its_own_estate_is_proven(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make prove`'s command, with the Terraform that was copied and the values of the folder."""
    monkeypatch.chdir(home / "contoso-starter")
    planned = run(home / "contoso-starter", "make", "--dry-run", "prove")
    for command in (
        "prove vendor/estate/infra --var-file infra/private.tfvars",
        "prove vendor/estate/infra/bootstrap --var-file infra/bootstrap.tfvars",
    ):
        assert f"secure-openai {command}" in planned
        done = CliRunner().invoke(commands, command.split())
        assert done.exit_code == 0, done.stdout


@pytest.mark.parametrize("template", list(Template))
def test_its_pipeline_is_sound(template: Template, home: Path) -> None:
    """What judges our workflows finds nothing in the copied ones."""
    workflows = home / f"contoso-{template}" / ".github" / "workflows"
    tools = Path(sys.executable).parent
    run(home, str(tools / "zizmor"), "--offline", "--quiet", "--no-progress", str(workflows))
    files = sorted(map(str, workflows.glob("*.yml")))
    run(home, str(tools / "jactionlint"), "--no-hints", "--shellcheck=", "--pyflakes=", *files)

    assert [Path(one).name for one in files] == [
        "checks.yml",
        "deliver.yml",
        "prove.yml",
        "scan.yml",
    ]


def test_what_it_locks_can_be_asked_for(home: Path) -> None:
    """Its own scan reads every line of its requirements: only that nobody answers ends it."""
    done = subprocess.run(
        [sys.executable, ".ci/advisories.py"],
        cwd=home / "contoso-api",
        env=outside() | {"OSV_URL": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "http://127.0.0.1:9 cannot be asked" in done.stderr


def test_everything_is_installed_by_its_hash(home: Path) -> None:
    """The framework without what it needs, which is locked; and one's own, where it is there."""
    for template in Template:
        folder = home / f"contoso-{template}"
        planned = run(folder, "make", "--dry-run", "up", "test", "ARGS=--port 9000")
        (folder / "requirements" / "own.txt").touch()
        more = run(folder, "make", "--dry-run", "up", "test")
        (folder / "requirements" / "own.txt").unlink()

        assert "secure-openai up --port 9000" in planned
        assert "--require-hashes -r requirements/local.txt" in planned
        assert "requirements/own.txt" not in planned
        assert (
            "--no-deps --require-hashes --force-reinstall -r requirements/framework.txt" in planned
        )
        assert "-r requirements/local.txt -r requirements/own.txt" in more
        assert "-r requirements/test.txt -r requirements/own.txt" in more


def test_nothing_is_left_unnamed(home: Path) -> None:
    """Every place for the name is filled, and the folder describes itself."""
    for template in Template:
        folder = home / f"contoso-{template}"
        project = project_in(folder)

        assert project is not None
        assert project.name == folder.name
        texts = [
            path.read_text()
            for path in folder.rglob("*")
            if path.is_file() and not {"vendor", "dist", "__pycache__"} & set(path.parts)
        ]
        assert [text for text in texts if "@NAME@" in text or "@TITLE@" in text] == []
        for name in ("private.tfvars", "bootstrap.tfvars"):
            values = (folder / "infra" / name).read_text()
            assert re.search(r'^prefix += "contoso-', values, re.MULTILINE)
            assert "docs/" not in values


def test_the_starter_is_small() -> None:
    """About thirty lines say everything."""
    lines = (ROOT / "templates" / "starter" / "app.py").read_text().splitlines()

    assert len([line for line in lines if line.strip()]) <= 35


def test_the_page_shows_the_starter_as_it_is() -> None:
    """Its block is the code that a newcomer starts and tests, but for imports and docstrings."""
    page = (ROOT / "docs" / "delivery.md").read_text()
    (shown,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    starter = ast.parse((ROOT / "templates" / "starter" / "app.py").read_text())
    code = [one for one in starter.body if isinstance(one, ast.Assign | ast.AsyncFunctionDef)]
    for one in code:
        if isinstance(one, ast.AsyncFunctionDef):
            del one.body[0]

    said = "\n".join(map(ast.unparse, code)).replace("@TITLE@", "Answers")
    assert ast.unparse(ast.parse(shown)) == ast.unparse(ast.parse(said))


@pytest.mark.parametrize(
    "name", ["", "x", "Contoso", "a_b", "a--b", "-a", "a-", "../a", "a/b", ".a", "é", "a" * 41]
)
def test_a_name_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    """It goes into addresses and paths: one sentence says what to write, and nothing is made."""
    done = CliRunner().invoke(commands, ["new", "--in", str(tmp_path), "--", name])

    assert done.exit_code == 2
    assert "is no name for an application" in done.stderr.replace("\n", " ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_is_there_is_never_overwritten(kind: str, tmp_path: Path) -> None:
    """An empty folder, a file, or a link that leads nowhere: each is somebody's."""
    there = tmp_path / "contoso-answers"
    if kind == "folder":
        there.mkdir()
    elif kind == "file":
        there.write_text("mine")
    else:
        there.symlink_to(tmp_path / "nowhere")
    done = CliRunner().invoke(commands, ["new", "contoso-answers", "--in", str(tmp_path)])

    assert done.exit_code == 2
    assert "exists already" in done.stderr.replace("\n", " ")
    assert [one.name for one in tmp_path.iterdir()] == ["contoso-answers"]


def test_a_copy_that_breaks_off_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a folder would look like a whole one."""

    def broken(folder: Path) -> Path:
        raise DeliveryError("no wheel")

    monkeypatch.setattr(new, "framework_wheel", broken)
    with pytest.raises(DeliveryError, match="no wheel"):
        make_application("contoso-answers", Template.API, tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_parent_that_is_missing_is_told(tmp_path: Path) -> None:
    """Nothing is made on the way there."""
    done = CliRunner().invoke(commands, ["new", "contoso-answers", "--in", str(tmp_path / "no")])

    assert done.exit_code == 2
    assert "There is no folder" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('application = "app:x"', "name is missing"),
        ('name = "a-b"\napplication = "app"', "application is MODULE:NAME"),
        ('name = "a-b"\nfiles = "app.py"', "files is a list of paths"),
        ('name = "a-b"\nfiles = ["../secret"]', "write a path beneath this folder"),
        ('name = "a-b"\npolicy = "/etc/passwd"', "write a path beneath this folder"),
        ('name = "a-b"\ncolour = 1', "colour is not known"),
        ("name = ", "cannot be read"),
    ],
)
def test_a_description_that_is_wrong_is_told(text: str, said: str, tmp_path: Path) -> None:
    """One sentence for each problem, with the file's name."""
    (tmp_path / "secure-openai.toml").write_text(text)

    with pytest.raises(DeliveryError, match=said):
        project_in(tmp_path)


def test_a_link_out_of_the_folder_is_not_packaged(tmp_path: Path) -> None:
    """What lies elsewhere goes into no package."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "secret").write_text("s")
    (tmp_path / "folder" / "app.py").symlink_to(tmp_path / "secret")
    (tmp_path / "folder" / "secure-openai.toml").write_text('name = "a-b"\nfiles = ["app.py"]')
    project = project_in(tmp_path / "folder")

    assert project is not None
    with pytest.raises(DeliveryError, match="leads out of the folder"):
        list(project.contents(project.files))
