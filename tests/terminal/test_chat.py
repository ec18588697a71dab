"""`secure-openai chat` against the running system, as somebody types it."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from secure_openai.local.identity_provider.directory import (
    COMMAND_LINE_CLIENT_ID,
    TENANT_ID,
    WEB_CLIENT_ID,
)
from tests.signing import Person
from tests.system import System, environment, free_ports, running
from tests.terminal.terminal import Terminal, terminal

pytestmark = pytest.mark.process

CHAT = [sys.executable, "-m", "secure_openai.cli", "chat"]
ENVIRONMENT = environment(
    COLUMNS="200", NO_COLOR="1", BROWSER="true", TERM="xterm", PYTHONIOENCODING="utf-8"
)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One system for all, at which Uma is signed in; a day's tokens are few there."""
    folder = tmp_path_factory.mktemp("chat")
    text = (files("secure_openai.policy") / "default.toml").read_text("utf-8")
    policy = folder / "policy.toml"
    policy.write_text(
        text.replace("requests_per_minute = 30", "requests_per_minute = 1_000").replace(
            "tokens_per_day = 1_000_000", "tokens_per_day = 20_000"
        )
    )
    with running(folder / "data", SECURE_OPENAI_POLICY=str(policy)) as started:
        signed_in(started, "Uma")
        yield started


def signed_in(
    system: System, name: str, *options: str, home: Path | None = None, follow: Any = None
) -> tuple[int, str, str]:
    """Ask something with a sign-in on the way; return exit code and both outputs."""
    where = options or ("--data", str(system.data))
    given = ENVIRONMENT if home is None else ENVIRONMENT | {"HOME": str(home)}
    process = subprocess.Popen(
        [*CHAT, "hello", "--again", *where],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=given | {"COLUMNS": "1000"},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    stderr = process.stderr
    person = Person(name)
    read: Callable[[str], None] = follow or person.read
    said: list[str] = []

    def listen() -> None:
        try:
            for line in stderr:
                said.append(line)
                read(line)
        except BaseException:
            # It would wait for its person for minutes.
            process.kill()
            raise

    thread = threading.Thread(target=listen)
    thread.start()
    answer = process.stdout.read()
    process.wait(60)
    thread.join(60)
    process.stdout.close()
    stderr.close()
    return process.returncode, answer, "".join(said)


def chat(
    system: System,
    *arguments: str,
    piped: bytes | None = None,
    where: tuple[str, ...] | None = None,
    variables: dict[str, str] | None = None,
) -> tuple[int, str, str]:
    """Ask without a person beside; return exit code and both outputs."""
    source: dict[str, Any] = {"stdin": subprocess.DEVNULL} if piped is None else {"input": piped}
    place = ("--data", str(system.data)) if where is None else where
    ended = subprocess.run(
        [*CHAT, *arguments, *place],
        capture_output=True,
        timeout=60,
        env=ENVIRONMENT | (variables or {}),
        check=False,
        **source,
    )
    return ended.returncode, ended.stdout.decode(), ended.stderr.decode()


def elsewhere(system: System, url: str | None = None) -> tuple[str, ...]:
    """Return the options by which a gateway that is not the laptop's is named."""
    return (
        *("--url", url or system.url),
        *("--authority", f"{system.issuer}/{TENANT_ID}/v2.0"),
        *("--client-id", COMMAND_LINE_CLIENT_ID),
        *("--scope", f"{WEB_CLIENT_ID}/access_as_user"),
    )


def kept(folder: Path) -> dict[str, Any]:
    """Return the only sign-in that a folder keeps."""
    (one,) = json.loads((folder / "tokens.json").read_text())
    tokens: dict[str, Any] = one["tokens"]
    return tokens


def change(folder: Path, **tokens: object) -> None:
    """Change what a folder keeps of its only sign-in."""
    path = folder / "tokens.json"
    (one,) = json.loads(path.read_text())
    one["tokens"] |= tokens
    path.write_text(json.dumps([one]))


def test_what_cannot_be_run_so_is_told(system: System, tmp_path: Path) -> None:
    """Each is exit code 2 with a sentence, before anybody is asked to sign in."""
    full = dict(zip(elsewhere(system)[::2], elsewhere(system)[1::2], strict=True))
    plain = full | {"--url": "http://chat.contoso.com"}
    path = full | {"--url": f"{system.url}/openai"}
    both = full | {"--tenant": "contoso.com"}
    cases: list[tuple[list[str], bytes | None, str]] = [
        ([], None, "Say what to ask"),
        ([], b" \n", "Say what to ask"),
        (["--json"], b"", "Say what to ask"),
        ([], b"\xff\xfe", "no text in UTF-8"),
        ([], b"x" * 4_200_000, "is over"),
        (["hello", "--url", system.url], None, "--client-id"),
        (["hello", *(part for pair in plain.items() for part in pair)], None, "https"),
        (["hello", *(part for pair in path.items() for part in pair)], None, "origin only"),
        (["hello", *(part for pair in both.items() for part in pair)], None, "one of them"),
        (["hello", "--data", str(tmp_path)], None, f"Nothing runs in {tmp_path}"),
    ]
    for arguments, piped, said in cases:
        code, answer, told = chat(
            system, *arguments, piped=piped, where=(), variables={"HOME": str(tmp_path)}
        )
        assert (code, answer) == (2, ""), (arguments, told)
        assert said in told
        assert "Traceback" not in told


def test_refusals_are_one_sentence(system: System, tmp_path: Path) -> None:
    """The gateway's, the model's, and nobody at all: exit code 1, standard output empty."""
    nobody = f"http://localhost:{free_ports(1)}"
    home = {"HOME": str(tmp_path)}
    assert signed_in(system, "Uma", *elsewhere(system), home=tmp_path)[0] == 0
    for question, options, said in (
        ("hello", ("--deployment", "gpt-9"), "There is no such deployment. You may use: scripted."),
        ("throttle 7", (), "The model is over its own quota"),
        ("fail", (), "model"),
        ("filter", (), "content filter"),
        ("window", (), "larger than the model's window"),
        ("hello", elsewhere(system, nobody), f"Nothing answers at {nobody}."),
    ):
        code, answer, told = chat(
            system, question, *options, where=() if "--url" in options else None, variables=home
        )
        assert (code, answer) == (1, ""), told
        assert said in told, told
        assert told.count("\n") == 1
        assert "secret" not in told


def test_an_answer_that_breaks_off_is_told(system: System) -> None:
    """What came is on standard output, whole lines only; the rest is a sentence and exit code 1."""
    for question in ("cut 3", "broken 3"):
        code, answer, told = chat(system, question)
        assert (code, answer) == (1, " secure private keyless\n"), told
        assert told.count("\n") == 1


def test_whoever_has_no_quota_is_told(system: System) -> None:
    """More than the day's tokens: exit code 1, and what is left."""
    code, answer, told = chat(system, piped=b"word " * 15_000)

    assert (code, answer) == (1, "")
    assert "left today (UTC)" in told
    assert told.count("\n") == 1


def test_whoever_has_no_role_is_told(system: System, tmp_path: Path) -> None:
    """They are signed in, and refused: exit code 1, whether or not they name a deployment."""
    for options in ((), ("--deployment", "scripted")):
        code, answer, told = signed_in(system, "Nora", *options, *elsewhere(system), home=tmp_path)
        assert (code, answer) == (1, ""), told
        assert "role" in told.splitlines()[-1], told


def test_a_question_is_answered_by_the_answer_alone(system: System) -> None:
    """Named, piped in, or both; the sign-in that is kept is used, and told to nobody."""
    tokens = kept(system.data)
    for arguments, piped, answer in (
        (["hello there"], None, "You said: hello there\n"),
        ([], b"piped text", "You said: piped text\n"),
        (["this:"], b"piped text", "You said: this:\n\npiped text\n"),
        (["hello", "--deployment", "scripted", "--system", "Be brief."], None, "You said: hello\n"),
    ):
        ended = chat(system, *arguments, piped=piped)
        assert ended == (0, answer, "")
    assert stat.S_IMODE((system.data / "tokens.json").stat().st_mode) == 0o600
    assert kept(system.data) == tokens


def test_programs_get_json(system: System) -> None:
    """Answer, usage and the number to ask about, in ASCII."""
    code, answer, told = chat(system, "--json", piped="é".encode())
    written = json.loads(answer)

    assert (code, told) == (0, "")
    assert answer.isascii()
    assert written["answer"] == "You said: é"
    assert (written["deployment"], written["finish_reason"]) == ("scripted", "stop")
    assert written["usage"]["completion_tokens"] > 0
    assert written["request_id"]


def test_a_person_signs_in_by_device_code(system: System, tmp_path: Path) -> None:
    """Without a browser here the code is entered elsewhere; the token is not shown."""
    code, answer, told = signed_in(
        system, "Uma", "--device-code", *elsewhere(system), home=tmp_path
    )
    tokens = kept(tmp_path / ".secure-openai")

    assert (code, answer) == (0, "You said: hello\n")
    assert "enter the code" in told
    assert tokens["access_token"] not in told
    assert tokens["refresh_token"] not in told


def test_a_sign_in_elsewhere_is_kept_apart(system: System, tmp_path: Path) -> None:
    """By browser, kept under the person's home for them only; variables name the gateway too."""
    before = kept(system.data)
    assert signed_in(system, "Uma", *elsewhere(system), home=tmp_path)[:2] == (
        0,
        "You said: hello\n",
    )
    folder = tmp_path / ".secure-openai"
    named = {
        f"SECURE_OPENAI_CHAT_{name.removeprefix('--').replace('-', '_').upper()}": value
        for name, value in zip(elsewhere(system)[::2], elsewhere(system)[1::2], strict=True)
    }

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "tokens.json").stat().st_mode) == 0o600
    assert kept(system.data) == before
    assert chat(system, "again", where=(), variables={"HOME": str(tmp_path), **named}) == (
        0,
        "You said: again\n",
        "",
    )


def test_tokens_that_do_not_hold_are_renewed(system: System) -> None:
    """One that has run out, and one that the gateway does not accept."""
    for changed in ({"expires": 0.0}, {"access_token": "not.a.token"}):
        before = kept(system.data)["refresh_token"]
        change(system.data, **changed)
        assert chat(system, "hello") == (0, "You said: hello\n", "")
        assert kept(system.data)["refresh_token"] != before


def test_whoever_declines_is_not_signed_in(system: System, tmp_path: Path) -> None:
    """A refusal at the authority, and an authority that is away: exit code 3."""

    def decline(line: str) -> None:
        if found := re.search(r"http://\S+", line):
            query = parse_qs(urlsplit(found.group()).query)
            denied = {"error": "access_denied", "state": query["state"][0]}
            httpx2.get(query["redirect_uri"][0], params=denied, trust_env=False)

    code, answer, told = signed_in(system, "Uma", *elsewhere(system), home=tmp_path, follow=decline)
    assert (code, answer) == (3, "")
    assert told.splitlines()[-1].endswith("The sign-in was refused: access_denied")

    away = list(elsewhere(system))
    away[3] = f"http://localhost:{free_ports(1)}"
    code, answer, told = chat(system, "hello", where=tuple(away), variables={"HOME": str(tmp_path)})
    assert (code, answer) == (3, "")
    assert f"No sign-in service answers at {away[3]}." in told


def test_a_reason_at_the_authority_is_told(system: System, tmp_path: Path) -> None:
    """Its own words, in one line, as a terminal may show them."""

    def fail(line: str) -> None:
        if found := re.search(r"http://\S+", line):
            query = parse_qs(urlsplit(found.group()).query)
            said = "AADSTS65001: consent is missing.\r\nTrace \x1b[2J7"
            denied = {"error": "x", "error_description": said, "state": query["state"][0]}
            httpx2.get(query["redirect_uri"][0], params=denied, trust_env=False)

    code, answer, told = signed_in(system, "Uma", *elsewhere(system), home=tmp_path, follow=fail)
    last = told.splitlines()[-1]

    assert (code, answer) == (3, "")
    assert last.endswith("was refused: AADSTS65001: consent is missing. Trace [2J7")

    unknown = list(elsewhere(system))
    unknown[5] = "nobody"
    code, _, told = chat(
        system,
        *("hello", "--device-code"),
        where=tuple(unknown),
        variables={"HOME": str(tmp_path)},
    )
    assert code == 3
    assert "was refused: " in told


@pytest.fixture
def typist(system: System) -> Iterator[Terminal]:
    """Somebody at a terminal in which the chat runs."""
    with terminal([*CHAT, "--data", str(system.data)], ENVIRONMENT) as opened:
        opened.wait("Ctrl-D leaves.")
        opened.wait("> ")
        yield opened


def test_a_conversation_goes_on(typist: Terminal) -> None:
    """Each question comes with those before it, until the person begins again, and leaves."""
    prompts = []
    for line in ("one", "two", "/new", "three"):
        typist.type(line)
        if line == "/new":
            typist.wait("Begun again")
            continue
        typist.wait(f"You said: {line}")
        used = re.search(r"(\d+) \+ (\d+) tokens", typist.wait("tokens"))
        assert used is not None
        prompts.append(int(used.group(1)))
    typist.type("first \\")
    typist.wait("… ")
    typist.type("second")
    typist.wait("second\r\n")
    typist.type("//etc/hosts")
    typist.wait("You said: /etc/hosts")
    typist.leave()

    assert typist.ended() == 0
    assert prompts[1] > prompts[0] == prompts[2]


def test_commands_answer_in_the_terminal(typist: Terminal) -> None:
    """Help, deployments there are and are not, and commands that there are not."""
    typist.type("/help")
    typist.wait("Ctrl-C stops an answer")
    typist.type("/deployment")
    typist.wait("scripted answers. You may ask: scripted.")
    typist.type("/deployment gpt-9")
    typist.wait("There is no deployment gpt-9. You may ask: scripted.")
    typist.type("/deployment scripted")
    typist.wait("answers from here on.")
    typist.type("/nonsense")
    typist.wait("There is no command /nonsense")
    typist.type("stall 1")
    typist.wait("scripted …")
    typist.interrupt("Stopped.")
    typist.type("throttle 7")
    typist.wait("The model is over its own quota")
    typist.type("hello")
    typist.wait("You said: hello")
    typist.type("/quit")

    assert typist.ended() == 0


def test_ctrl_c_stops_the_answer_and_not_the_program(typist: Terminal) -> None:
    """In an answer it stops that, at the prompt it clears the line, and the next is answered."""
    typist.type("slow 3000")
    typist.wait("secure private keyless")
    typist.interrupt("Stopped.")
    typist.type("not sent", enter=False)
    typist.wait("not sent")
    typist.interrupt("> ")
    typist.type("hello")
    assert "not sent" not in typist.wait("You said: hello")
    typist.leave()

    assert typist.ended() == 0


def test_a_long_session_renews_its_token(system: System, typist: Terminal) -> None:
    """What has run out between two questions is renewed without a word, and never shown."""
    typist.type("one")
    typist.wait("You said: one")
    typist.wait("tokens")
    before = kept(system.data)
    change(system.data, expires=0.0)
    typist.type("two")
    typist.wait("You said: two")
    after = kept(system.data)
    typist.leave()

    assert typist.ended() == 0
    assert after["access_token"] != before["access_token"]
    for tokens in (before, after):
        assert tokens["access_token"] not in typist.seen
        assert tokens["refresh_token"] not in typist.seen
