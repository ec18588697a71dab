"""`up` as a person uses it: what it needs and lacks, how it ends, and what it leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil
import pytest

from secure_openai.local.folder import Folder
from secure_openai.testing.person import sign_in
from tests.azure_cli import AZ, stand_in
from tests.system import System, environment, free_ports, running

pytestmark = pytest.mark.process


def command(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "secure_openai.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env=environment(COLUMNS="200", **extra),
        check=False,
    )


def refused(*arguments: str, **extra: str) -> str:
    """Return the one line with which a command could not run."""
    ended = command(*arguments, **extra)
    lines = [line for line in ended.stderr.splitlines() if line.strip()]
    assert ended.returncode == 2, ended
    assert "Traceback" not in ended.stdout + ended.stderr
    assert len(lines) == 1, ended.stderr
    return lines[0]


def up(data: Path, *more: str, port: int | None = None) -> list[str]:
    """Return the arguments that start the system without a model of its own."""
    first = free_ports() if port is None else port
    return ["up", "--no-browser", "--port", str(first), "--data", str(data), *more]


@pytest.mark.parametrize("offset", [0, 1])
def test_a_taken_port_is_said(tmp_path: Path, offset: int) -> None:
    """Whichever of the ports is taken is named, with the option that helps; nothing is made."""
    first = free_ports()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first + offset))
        taken.listen()
        said = refused(*up(tmp_path / "data", "--model", "scripted", port=first))

    assert f"Port {first + offset} is taken" in said
    assert "--port" in said
    assert not (tmp_path / "data").exists()


def test_a_port_that_is_none_is_said(tmp_path: Path) -> None:
    """A number that is no port is refused."""
    assert "name 1 to 65533" in refused(*up(tmp_path / "d", "--model", "scripted", port=70_000))


def accounts_at(*ports: int) -> dict[str, str]:
    """Return the setting that names accounts on loopback."""
    accounts = {
        f"a{port}": {
            "url": f"http://127.0.0.1:{port}",
            "priority": 1,
            "deployments": {"chat": "gpt-5.4-mini"},
        }
        for port in ports
    }
    return {"SECURE_OPENAI_MODEL_ACCOUNTS": json.dumps(accounts)}


def test_azure_without_accounts_or_a_sign_in_is_said(tmp_path: Path) -> None:
    """What is missing for Azure's models is one line, before anything starts or is made."""
    data, nobody = tmp_path / "data", {"PATH": os.defpath}
    assert "model_accounts is missing" in refused(*up(data, "--azure"), **nobody)
    assert "az login" in refused(*up(data, "--azure"), **nobody, **accounts_at(1))
    assert not data.exists()
    both = command(*up(data, "--azure", "--model", "scripted"))
    assert (both.returncode, "not both" in both.stderr) == (2, True)


def test_azure_answers_as_who_is_signed_in(tmp_path: Path) -> None:
    """People sign in at the laptop's issuer, models are asked with the developer's own token."""
    stand_in(tmp_path, "az", AZ)
    port = free_ports(1)
    serving = (
        "import sys, uvicorn; from secure_openai.model.scripted_server import scripted_model_app;"
        "app = scripted_model_app(); app.state.served.bearer = 'Bearer from az';"
        "uvicorn.run(app, port=int(sys.argv[1]), log_level='critical')"
    )
    account = subprocess.Popen([sys.executable, "-c", serving, str(port)], env=environment())
    try:
        with running(
            tmp_path / "data",
            azure=True,
            PATH=f"{tmp_path}:{os.defpath}",
            **accounts_at(port),
        ) as system:
            answer = asyncio.run(asked_as_uma(system.url, "chat"))
    finally:
        account.terminate()
        account.wait()

    assert "You said:" in answer


async def asked_as_uma(url: str, deployment: str) -> str:
    """Sign in, ask one question, and return the events of the answer."""
    own = {"Origin": url, "Sec-Fetch-Site": "same-origin"}
    async with httpx2.AsyncClient(headers=own, trust_env=False, timeout=60) as http:
        await sign_in(http, url, "Uma")
        made = await http.post(f"{url}/api/conversations", json={"title": "x"})
        path = f"{url}/api/conversations/{made.json()['id']}/messages"
        return (await http.post(path, json={"text": "hello", "deployment": deployment})).text


def test_a_missing_model_is_said(tmp_path: Path) -> None:
    """A model that is not there is named, with what may be written instead."""
    said = refused(*up(tmp_path / "data", "--model", str(tmp_path / "none.gguf")))

    assert "none.gguf" in said
    assert "scripted" in said


def test_a_model_that_is_none_is_said(tmp_path: Path) -> None:
    """A file that is no GGUF is refused by its first bytes, and nothing is left running."""
    model = tmp_path / "fake.gguf"
    model.write_bytes(b"not a model")

    assert "not a GGUF file" in refused(*up(tmp_path / "data", "--model", str(model)))


def test_a_data_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """A path under a file cannot become a folder."""
    (tmp_path / "file").write_text("")
    said = refused(*up(tmp_path / "file" / "data", "--model", "scripted"))

    assert "cannot be used" in said
    assert "--data" in said


def test_a_folder_of_someone_else_is_left_alone(tmp_path: Path) -> None:
    """A folder with other files in it is not taken over."""
    (tmp_path / "thesis.txt").write_text("years of work")
    said = refused(*up(tmp_path, "--model", "scripted"))

    assert "not a data folder" in said
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with no room left; skipped where none can be mounted."""
    folder = tmp_path / "full"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("a file system of one's own can be mounted by root only")
    try:
        with contextlib.suppress(OSError), (folder / "filler").open("wb") as file:
            file.write(b"x" * 65_536)
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_said(full_disk: Path) -> None:
    """A disk without room gives one sentence."""
    said = refused(*up(full_disk / "data", "--model", "scripted"))

    assert "cannot be used: No space left on device" in said


def test_wrong_settings_are_said(tmp_path: Path) -> None:
    """An unknown setting in the environment stops the start by name."""
    arguments = up(tmp_path / "data", "--model", "scripted")

    assert "SIGN_IN is not a setting" in refused(*arguments, SECURE_OPENAI_SIGN_IN="off")


def test_the_laptop_never_runs_on_an_azure_host(tmp_path: Path) -> None:
    """What says that this is an Azure host stops the laptop's issuer."""
    arguments = up(tmp_path / "data", "--model", "scripted")

    identity = {"AZURE_CLIENT_ID": "5ec0de00-0000-4000-8000-0000000000c1"}
    assert "Azure host" in refused(*arguments, WEBSITE_SITE_NAME="chat", **identity)


def family(system: System) -> list[psutil.Process]:
    """Return `up` and all its children."""
    parent = psutil.Process(system.process.pid)
    return [parent, *parent.children(recursive=True)]


def all_gone(processes: list[psutil.Process]) -> bool:
    """Return whether every process ends within a few seconds."""
    _, alive = psutil.wait_procs(processes, timeout=60)
    return not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_however_up_ends_no_child_stays(tmp_path: Path, kind: signal.Signals) -> None:
    """Ctrl-C, a polite end, a closed terminal and `kill -9` all leave nothing behind."""
    with running(tmp_path / "data") as system:
        processes = family(system)
        assert len(processes) == 3
        system.process.send_signal(kind)
        system.process.wait(60)
        assert all_gone(processes)
        assert system.process.returncode == (-9 if kind is signal.SIGKILL else 0)


def test_a_child_that_ends_is_said_and_ends_the_rest(tmp_path: Path) -> None:
    """When the issuer dies, `up` says so, stops the application and exits with 1."""
    with running(tmp_path / "data") as system:
        processes = family(system)
        issuer = next(item for item in processes if "identity_provider" in str(item.cmdline()))
        issuer.kill()
        output, _ = system.process.communicate(timeout=60)
        assert system.process.returncode == 1
        assert "identity provider ended by itself" in output
        assert all_gone(processes)


def test_a_second_up_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    """Two systems never share a folder; the first goes on."""
    with running(tmp_path / "data") as system:
        said = refused(*up(system.data, "--model", "scripted"))
        assert "in use by another up" in said
        assert system.url in said
        assert system.process.poll() is None


def test_down_stops_what_runs(tmp_path: Path) -> None:
    """`down` ends the system of a folder, once; a folder that is none is refused."""
    with running(tmp_path / "data") as system:
        processes = family(system)
        ended = command("down", "--data", str(system.data))
        assert (ended.returncode, ended.stdout.strip()) == (0, "Stopped.")
        assert all_gone(processes)
    again = command("down", "--data", str(tmp_path / "data"))
    assert "Nothing runs" in again.stdout
    assert "not a data folder" in refused("down", "--data", str(tmp_path))


def test_reset_removes_what_is_ours_and_nothing_else(tmp_path: Path) -> None:
    """Not while it runs, not without a yes, not a foreign file."""
    data = tmp_path / "data"
    with running(data) as system:
        assert "is in use" in refused("reset", "--yes", "--data", str(data))
        assert system.process.poll() is None
    (data / "mine.txt").write_text("mine")
    assert "--yes" in refused("reset", "--data", str(data))
    assert (data / "secure-openai.db").exists()

    assert command("reset", "--yes", "--data", str(data)).returncode == 0
    assert [path.name for path in data.iterdir()] == ["mine.txt"]
    assert "not a data folder" in refused("reset", "--yes", "--data", str(data))


def test_backup_is_a_folder_that_starts(tmp_path: Path) -> None:
    """A copy made while the system runs is private, verifies, and starts."""
    with running(tmp_path / "data") as system:
        target = tmp_path / "copy"
        assert command("audit", "seal", "--data", str(system.data)).returncode == 0
        assert command("backup", str(target), "--data", str(system.data)).returncode == 0
        assert "exists already" in refused("backup", str(target), "--data", str(system.data))
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert stat.S_IMODE((target / "secure-openai.db").stat().st_mode) == 0o600
    assert command("audit", "verify", "--data", str(target)).returncode == 0
    with running(target) as system:
        assert system.process.poll() is None


def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    """The folder is 0700; database, keys, tokens and logs are 0600, with the loosest umask too."""
    before = os.umask(0)
    try:
        with running(tmp_path / "data") as system:
            for path in [system.data, *system.data.rglob("*")]:
                mode = stat.S_IMODE(path.stat().st_mode)
                if path.name.endswith(("-shm", "-wal")):
                    assert mode & 0o077 == 0, path
                elif path.is_dir():
                    assert mode == 0o700, path
                else:
                    assert mode == 0o600, path
    finally:
        os.umask(before)


def test_the_screen_says_what_one_needs(tmp_path: Path) -> None:
    """It ends on address, people, model, data and how to go on."""
    port = free_ports()
    data = tmp_path / "data"
    arguments = [sys.executable, "-m", "secure_openai.cli", *up(data, port=port)]
    process = subprocess.Popen(
        [*arguments, "--model", "scripted"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(COLUMNS="200"),
    )
    assert process.stdout is not None
    output = ""
    while "Ctrl-C stops everything" not in output:
        line = process.stdout.readline()
        assert line, output
        output += line
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)

    for part in (f"http://localhost:{port}", "Ada Admin", "Nora Norole", "scripted", str(data)):
        assert part in output
    assert "secure-openai token" in output
    assert "Ctrl-C" in output


def test_running_facts_survive_a_broken_file(tmp_path: Path) -> None:
    """A run file that is no JSON, or holds something else, says that nothing is known."""
    folder = Folder(tmp_path / "data")
    folder.prepare()
    for text in ("", "{", "[]", json.dumps({"pid": 1})):
        folder.write_private("run.json", text)
        assert folder.running() is None
    shutil.rmtree(folder.path)
