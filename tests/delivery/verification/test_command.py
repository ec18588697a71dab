"""`secure-openai verify` as it is typed: on the laptop, and on a machine of an estate."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

from secure_openai.cli.main import app
from secure_openai.delivery.verification.evidence import read_evidence, wrong_with
from secure_openai.store.signing import FileSigner
from tests.cli.test_commands import token_of
from tests.hosted.application import stores_of
from tests.hosted.command import typed
from tests.hosted.estate import Estate
from tests.system import System, running

pytestmark = pytest.mark.process


def type_it(*arguments: str, **settings: str) -> tuple[int, str]:
    """Type a command; return its exit code and what it says."""
    chosen = {"NO_COLOR": "1", "COLUMNS": "200", **settings}
    ended = CliRunner(env=chosen).invoke(app, arguments)
    return ended.exit_code, " ".join(ended.output.split())


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Run the laptop's system, with somebody signed in."""
    with running(tmp_path_factory.mktemp("laptop") / "data") as system:
        token_of(system)
        yield system


def test_the_laptop_from_end_to_end(laptop: System, tmp_path: Path) -> None:
    """It looks, signs, records the digest, and verifies offline; what is changed is seen."""
    file, key = tmp_path / "verification.json", tmp_path / "key.jwk"
    data = ("--data", str(laptop.data))
    code, said = type_it("verify", *data, "--output", str(file))
    whole = json.loads(file.read_text())
    key.write_text(json.dumps(whole["key"]))
    offline = ("verify", "--evidence", str(file), "--key", str(key))
    held = type_it(*offline)
    shown = type_it("audit", "show", *data)
    verified = type_it("audit", "verify", *data)
    whole["evidence"]["verdict"] = "finding"
    file.write_text(json.dumps(whole))
    changed = type_it(*offline)

    assert code == 0, said
    assert "✓ GET /: sign-in is demanded" in said
    assert "scripted answered a person" in said
    assert f"Evidence: SHA-256 {whole['sha256']}" in said
    assert f"Its digest is in the audit of {laptop.data}, as estate.verified." in said
    assert held[0] == 0
    assert f"{laptop.url} from laptop" in held[1]
    assert changed[0] == 1
    assert "it was changed: its digest is" in changed[1]
    assert "estate.verified" in shown[1]
    assert verified[0] == 0


def test_what_cannot_be_run(laptop: System) -> None:
    """Each with its sentence, and exit code 2."""
    for arguments, says in (
        (("--data", "nowhere"), "Name the application's address"),
        (("http://a.example",), "write an https address: a token would pass unprotected"),
        (("nowhere",), "write an absolute http or https address"),
        ((laptop.url, "--outside"), "Nobody outside reaches this machine's own address"),
        (("https://a.example", "--outside", "--inside"), "one after the other"),
        (("https://a.example",), "give its state or its outputs with --estate"),
        (("http://localhost:1", "--data", str(laptop.data)), f"is at {laptop.url}"),
        ((laptop.url, "--data", str(laptop.data), "--output", "/nowhere/v.json"), "with --output"),
        (("--evidence", "a.json"), "Name both: --evidence FILE, and the --key"),
        ((laptop.url, "--routes", "none.json", "--data", str(laptop.data)), "cannot be read"),
    ):
        code, said = type_it("verify", *arguments)
        assert (code, says in said, "Traceback" in said) == (2, True, False), said


async def test_a_machine_of_the_estate(living: Estate, tmp_path: Path) -> None:
    """Signed in the vault, where we may not sign seals; its digest enters the audit in Azure.

    By a proxy nobody here sees how names resolve, and that is said: exit code 2.
    """
    file, token, key = (tmp_path / name for name in ("v.json", "token.txt", "key.jwk"))
    token.write_text(living.token("Uma"))
    command = ("verify", living.url, "--inside", "--token", str(token), "--output", str(file))
    with patch.object(living.vault, "signing", frozenset({living.vault.evidence})):
        code, said = await typed(living, *command)
    whole = json.loads(file.read_text())
    key.write_text(json.dumps(whole["key"]))
    offline, _ = type_it("verify", "--evidence", str(file), "--key", str(key))
    outcomes = {
        (one["check"], one["outcome"])
        for one in whole["evidence"]["observations"]
        if one["outcome"] in {"finding", "could not be seen"}
    }
    async with stores_of(living) as stores:
        actions = [
            (record.event.action, record.event.facts)
            for head in await stores.audit.heads()
            for record in (await stores.audit.records(head.chain, limit=1000)).items
        ]

    assert code == 2, said
    assert outcomes == {("name", "could not be seen")}
    assert f"Signed by {living.vault.evidence_url}/" in said
    assert offline == 0
    (facts,) = [facts for action, facts in actions if action == "estate.verified"]
    assert facts == {
        "kid": whole["key"]["kid"],
        "sha256": whole["sha256"],
        "verdict": "could not be seen",
        "where": "inside",
    }
    assert "access_token" not in file.read_text()
    assert token.read_text() not in file.read_text() + said


def test_who_may_not_sign_is_told(living: Estate, tmp_path: Path) -> None:
    """The evidence is written, unsigned, and says so; it verifies under no key."""
    file = tmp_path / "v.json"
    living.vault.refuses = True
    try:
        code, said = type_it(
            *("verify", living.url, "--inside", "--output", str(file)), **living.settings()
        )
    finally:
        living.vault.refuses = False
    whole = json.loads(file.read_text())

    assert code == 1
    assert "It is not signed: The key estate-evidence-test cannot be used" in said
    assert whole["signature"] == ""


def test_in_an_applications_folder_its_own_routes_are_asked(
    laptop: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that `routes.json` names, and not the framework's."""
    own = {"GET /": ["user"], "GET /reports/{number:int}": ["user"]}
    (tmp_path / "secure-openai.toml").write_text('name = "contoso-answers"\n')
    (tmp_path / "routes.json").write_text(json.dumps(own))
    monkeypatch.chdir(tmp_path)
    code, _ = type_it("verify", "--data", str(laptop.data))
    observations = json.loads((tmp_path / "verification.json").read_text())["evidence"]
    doors = [one for one in observations["observations"] if one["check"] == "door"]

    assert {one["subject"]: one["outcome"] for one in doors} == {
        "GET /": "holds",
        "GET /reports/{number:int}": "could not be seen",
    }
    assert code == 2


def test_without_an_estates_settings_no_other_audit_is_written(
    laptop: System, tmp_path: Path
) -> None:
    """A laptop's data folder that is at hand is another system's."""
    data = ("--data", str(laptop.data))
    before = type_it("audit", "show", *data)[1].count("estate.verified")
    code, said = type_it(
        *("verify", "https://chat.contoso.example", "--inside", *data),
        *("--output", str(tmp_path / "v.json"), "--signing-key", str(tmp_path / "own.pem")),
        SECURE_OPENAI_PROXY="http://127.0.0.1:9",
        WEBSITE_SITE_NAME="",
    )

    assert code != 0
    assert "Its digest is not in the audit: The environment names no estate" in said
    assert "data folder" not in said
    assert type_it("audit", "show", *data)[1].count("estate.verified") == before


def test_what_nobody_answers_is_told_once(tmp_path: Path) -> None:
    """A name that is not there is one line for all its routes; the evidence has each of them."""
    file = tmp_path / "v.json"
    settings = {"SECURE_OPENAI_PROXY": "http://127.0.0.1:9", "WEBSITE_SITE_NAME": ""}
    code, said = type_it(
        *("verify", "https://chat.contoso.example", "--inside", "--output", str(file)), **settings
    )
    observations = json.loads(file.read_text())["evidence"]["observations"]
    doors = [one for one in observations if one["check"] == "door"]

    assert code != 0
    assert {one["outcome"] for one in doors} == {"could not be seen"}
    assert said.count(doors[0]["says"]) < 4
    assert f"{doors[0]['subject']} (and of {len(doors) - 1} more): " in said
    assert "It is not signed: SECURE_OPENAI_EVIDENCE_KEY_URL names no key of Key Vault" in said


def test_from_outside_with_a_key_of_ones_own(
    living: Estate, private_state: dict[str, Any], tmp_path: Path
) -> None:
    """Every name of the state is tried; what a proxy does not reach is not therefore closed."""
    state, file, pem = (tmp_path / name for name in ("state.json", "v.json", "keys/own.pem"))
    state.write_text(json.dumps(private_state))
    settings = living.settings()
    kept = {"SECURE_OPENAI_PROXY", "SECURE_OPENAI_CA_BUNDLE"}
    around = {name: one for name, one in settings.items() if name in kept or "OPENAI" not in name}
    code, said = type_it(
        *("verify", "https://chat.contoso.com", "--outside", "--estate", str(state)),
        *("--output", str(file), "--signing-key", str(pem)),
        **around,
    )
    evidence = json.loads(file.read_text())
    signer = FileSigner.open(pem)

    assert code == 2, said
    assert "The audit is not reached from outside" in said
    assert f"names: state.json, SHA-256 {hashlib.sha256(state.read_bytes()).hexdigest()}" in said
    seen = evidence["evidence"]["observations"]
    assert {(one["check"], one["outcome"]) for one in seen} == {("closed", "could not be seen")}
    assert "chat.contoso.com" in {one["facts"]["host"] for one in seen}
    assert len(seen) > 25
    assert wrong_with(read_evidence(file), signer.public_key) == ""
