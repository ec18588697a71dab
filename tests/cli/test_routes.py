"""`secure-openai routes`: who may call what, written from code and compared with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from secure_openai.cli.main import app
from secure_openai.delivery.project import own_policy, project_in
from secure_openai.tables import table

OWN = """
from secure_openai.applications import Application, JSONResponse, Request, Response, {said}
application = Application("Own", rooms=())

@application.get("/data")
{decorated}
async def data(request: Request) -> Response:
    return JSONResponse({{}})
"""


def run(*arguments: str | Path) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["routes", *map(str, arguments)])


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with an application whose only route is for who is signed in."""
    folder, module = tmp_path / "own", f"own_{abs(hash(tmp_path))}"
    folder.mkdir()
    (folder / f"{module}.py").write_text(OWN.format(said="signed_in", decorated="@signed_in"))
    (folder / "secure-openai.toml").write_text(
        f'name = "own"\napplication = "{module}:application"\npolicy = "policy.toml"\n'
    )
    # What the command puts onto the path goes again.
    monkeypatch.syspath_prepend(folder)
    return folder


def test_a_route_that_says_nothing_is_refused(own: Path) -> None:
    """By name, with what mends it; nothing is written."""
    module = next(own.glob("*.py"))
    module.write_text(OWN.format(said="public", decorated=""))
    done = run("--folder", own, "--output", own / "routes.json")

    assert done.exit_code == 2
    assert "the route '/data' names no role and is not public" in done.stderr
    assert not (own / "routes.json").exists()


def test_a_list_that_the_code_differs_from_is_a_finding(own: Path) -> None:
    """Each route with what either says: a door that opened, one that went, one that came."""
    listed = json.loads(run("--folder", own).stdout)
    listed |= {"GET /data": ["admin"], "GET /gone": ["admin"]}
    del listed["GET /healthz"]
    (own / "routes.json").write_text(json.dumps(listed))
    done = run("--folder", own, "--check", own / "routes.json")
    said = done.stderr.replace(f"{own}/", "").splitlines()

    assert done.exit_code == 1
    assert said[:3] == [
        "✗ GET /data: signed in in the code, admin in routes.json.",
        "✗ GET /gone: not there in the code, admin in routes.json.",
        "✗ GET /healthz: public in the code, not there in routes.json.",
    ]
    assert "secure-openai routes --output routes.json" in said[3]


def test_what_is_written_is_what_is_compared(own: Path) -> None:
    """A folder's own application, its route and the framework's that it has."""
    assert run("--folder", own, "--output", own / "routes.json").exit_code == 0
    listed = json.loads((own / "routes.json").read_text())
    done = run("--folder", own, "--check", own / "routes.json")

    assert listed["GET /data"] == ["signed in"]
    assert "POST /openai/v1/chat/completions" not in listed
    assert done.exit_code == 0, done.stderr


def test_without_an_application_it_is_the_frameworks_own(tmp_path: Path) -> None:
    """As `tables/routes.json` has it."""
    assert json.loads(run("--folder", tmp_path).stdout) == table("routes")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere:application",), "There is no module nowhere"),
        (("--output", "a", "--check", "b"), "Write the list with --output, or compare"),
        (("--check", "missing.json"), "missing.json cannot be read"),
        (("--output", "no/such/folder.json"), "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_told(
    arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one sentence, with exit code 2."""
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)

    assert done.exit_code == 2
    assert said in done.stderr


def test_a_folders_policy_counts_unless_a_setting_names_another(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`up` and `serve` take it from `secure-openai.toml`; the environment decides over it."""
    monkeypatch.delenv("SECURE_OPENAI_POLICY", raising=False)
    project = project_in(own)

    assert own_policy(project) == {"policy": str(own / "policy.toml")}
    assert own_policy(None) == {}
    monkeypatch.setenv("SECURE_OPENAI_POLICY", "/other.toml")
    assert own_policy(project) == {}
