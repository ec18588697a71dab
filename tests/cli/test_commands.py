"""The commands around a running system, as someone types them."""

from __future__ import annotations

import json
import re
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.signing import Person
from tests.system import System, environment, running

pytestmark = pytest.mark.process


def cli(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "secure_openai.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env=environment(COLUMNS="200", NO_COLOR="1", **extra),
        check=False,
    )


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One system for all commands."""
    with running(tmp_path_factory.mktemp("cli") / "data") as started:
        yield started


def token_of(system: System, *options: str, name: str = "Uma") -> str:
    """Type `secure-openai token` and sign in where it says, as a person with a browser does."""
    process = subprocess.Popen(
        [sys.executable, "-m", "secure_openai.cli", "token", "--data", str(system.data), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(COLUMNS="400", BROWSER="true"),
    )
    assert process.stderr is not None
    stderr = process.stderr
    person = Person(name)

    def follow() -> None:
        for line in stderr:
            person.read(line)

    thread = threading.Thread(target=follow)
    thread.start()
    assert process.stdout is not None
    token = process.stdout.read().strip()
    process.wait(60)
    thread.join(60)
    process.stdout.close()
    stderr.close()
    assert process.returncode == 0, person.said
    return token


def me(system: System, token: str) -> str:
    """Return whose token it is."""
    answer = httpx2.get(
        f"{system.url}/api/me", headers={"Authorization": f"Bearer {token}"}, trust_env=False
    )
    assert answer.status_code == 200
    return str(answer.json()["name"])


def test_a_token_is_printed_kept_and_forgotten_on_demand(system: System) -> None:
    """The first asks in a browser, the second is kept, `--again` asks anew."""
    first = token_of(system)
    assert me(system, first) == "Uma User"
    kept = system.data / "tokens.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    again = cli("token", "--data", str(system.data))
    assert (again.returncode, again.stdout.strip()) == (0, first)
    assert me(system, token_of(system, "--again", name="Ada")) == "Ada Admin"


def test_a_token_by_device_code(system: System) -> None:
    """Without a browser here, the code is entered elsewhere; wrong codes and pages are refused."""
    assert me(system, token_of(system, "--device-code", "--again", name="Ada")) == "Ada Admin"


def test_without_a_system_there_is_no_token(tmp_path: Path) -> None:
    """A folder where nothing runs says so."""
    ended = cli("token", "--data", str(tmp_path))

    assert ended.returncode == 2
    assert "Nothing runs in" in ended.stderr
    assert "--data" in ended.stderr


def test_the_audit_is_sealed_shown_and_verified(system: System) -> None:
    """A whole chain verifies; one changed record is named, and the exit code says so."""
    token = token_of(system, "--again")
    body = {"model": "scripted", "messages": [{"role": "user", "content": "hi"}]}
    for _ in range(3):
        answer = httpx2.post(
            f"{system.url}/openai/v1/chat/completions",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            trust_env=False,
        )
        assert answer.status_code == 200
    data = ("--data", str(system.data))
    sealed = cli("audit", "seal", *data)
    assert sealed.returncode == 0, sealed.stderr
    assert re.search(r"Seal \d+ reaches up to record \d+", sealed.stdout)
    verified = cli("audit", "verify", *data)
    assert (verified.returncode, "hold together" in verified.stdout) == (0, True)
    shown = cli("audit", "show", "--last", "2", *data)
    assert "completion.settled" in shown.stdout
    assert "hi" not in shown.stdout.split()


def test_the_laptops_deployments_are_shown_and_stay(system: System) -> None:
    """What is served is listed by one's own sign-in; creating and deleting are refused."""
    token_of(system, "--again")
    place = ("--data", str(system.data))
    listed = cli("deployments", "list", "--json", *place)
    models = cli("models", "list", *place)
    made = cli("deployments", "create", "x", "--model", "scripted", *place)
    deleted = cli("deployments", "delete", "scripted", "--yes", *place)

    assert [one["name"] for one in json.loads(listed.stdout)] == ["scripted"], listed.stderr
    assert "scripted" in models.stdout
    for ended in (made, deleted):
        assert (ended.returncode, "model server" in ended.stderr) == (2, True)


def test_tampering_is_named(system: System, tmp_path: Path) -> None:
    """In a copy: a changed reason, and a cut tail, are each named."""
    token_of(system, "--again")
    assert cli("audit", "seal", "--data", str(system.data)).returncode == 0
    for number, statement in enumerate(
        (
            "UPDATE audit SET document = document || ' ' WHERE sequence = 1",
            "DELETE FROM audit WHERE sequence > 1",
        )
    ):
        copy = tmp_path / f"copy{number}"
        assert cli("backup", str(copy), "--data", str(system.data)).returncode == 0
        connection = sqlite3.connect(copy / "secure-openai.db")
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(statement)
        connection.commit()
        connection.close()
        verified = cli("audit", "verify", "--data", str(copy))
        assert verified.returncode == 1
        assert ("changed" if number == 0 else "cut tail") in verified.stderr


def test_signing_keys_rotate_without_a_restart(system: System) -> None:
    """After a rotation old tokens hold; with --drop-old they end."""
    token = token_of(system, "--again")
    assert cli("keys", "rotate", "--data", str(system.data)).returncode == 0
    assert me(system, token) == "Uma User"
    fresh = token_of(system, "--again")
    assert me(system, fresh) == "Uma User"


def test_nothing_to_verify_is_said(tmp_path: Path) -> None:
    """A folder without a database is refused in a sentence."""
    (tmp_path / ".secure-openai").touch()
    ended = cli("audit", "verify", "--data", str(tmp_path))

    assert ended.returncode == 2
    assert "There is no audit" in ended.stderr


def test_check_says_every_problem(tmp_path: Path) -> None:
    """Settings and policy are checked together, each problem a line."""
    policy = tmp_path / "policy.toml"
    policy.write_text("version = 1\n[people.usr]\n")
    ended = cli("check", SECURE_OPENAI_POLICY=str(policy), SECURE_OPENAI_MODEL_URL="nonsense")

    assert ended.returncode == 2
    assert "SECURE_OPENAI_PUBLIC_URL is missing" in ended.stderr
    assert "MODEL_URL" in ended.stderr
    good = cli(
        "check",
        SECURE_OPENAI_PUBLIC_URL="https://chat.contoso.com",
        SECURE_OPENAI_AUTHORITY="https://login.microsoftonline.com/t/v2.0",
        SECURE_OPENAI_TENANT_ID="t",
        SECURE_OPENAI_CLIENT_ID="c",
        SECURE_OPENAI_MODEL_URL="https://model.contoso.com/v1",
        SECURE_OPENAI_POLICY=str(policy),
    )
    assert good.returncode == 2
    assert "policy.toml:2: there is no role 'usr' here: did you mean 'user'?" in good.stderr


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["up"],
        ["down"],
        ["reset"],
        ["backup"],
        ["token"],
        ["check"],
        ["serve"],
        ["audit", "verify"],
        ["audit", "seal"],
        ["audit", "show"],
        ["keys", "rotate"],
        ["models", "list"],
        ["models", "quota"],
        ["deployments", "list"],
        ["deployments", "show"],
        ["deployments", "create"],
        ["deployments", "delete"],
        ["deployments", "wait"],
    ],
)
def test_every_command_has_help_with_an_example(command: list[str]) -> None:
    """`--help` says what a command does and shows how it is typed."""
    shown = cli(*command, "--help")

    assert shown.returncode == 0
    assert "secure-openai " + " ".join(command) in shown.stdout


def test_the_version_is_said() -> None:
    """`--version` prints it alone."""
    from secure_openai import __version__

    assert cli("--version").stdout.strip() == __version__
