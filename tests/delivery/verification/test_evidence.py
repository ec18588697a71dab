"""Evidence: whoever holds the file and the key can tell whether it is what was seen."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from secure_openai.delivery.verification.evidence import (
    KIND,
    Evidence,
    Subject,
    digest_of,
    key_of,
    read_evidence,
    wrong_with,
)
from secure_openai.delivery.verification.observation import Check, Observation, Outcome
from secure_openai.errors import StartError
from secure_openai.store.signing import FileSigner

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
SUBJECT = Subject("https://chat.contoso.com", "inside", "state.json", "ab" * 32, AT, AT)
SEEN = [
    Observation(Check.NAME, "kv-chat.vault.azure.net", Outcome.HOLDS, "it is private"),
    Observation(Check.DOOR, "GET /", Outcome.FINDING, "it answers nobody", {"nobody": 200}),
]


@pytest.fixture
async def made(tmp_path: Path) -> tuple[Evidence, FileSigner]:
    """Sign what was seen."""
    signer = FileSigner.open(tmp_path / "keys" / "verification.pem")
    return await Evidence.of(SUBJECT, SEEN).signed(signer), signer


Made = tuple[Evidence, FileSigner]


def test_it_holds(made: Made, tmp_path: Path) -> None:
    """Written, read and verified under the key; it is its owner's alone, and one line."""
    path = tmp_path / "verification.json"
    made[0].write(path)
    found = read_evidence(path)

    assert wrong_with(found, made[1].public_key) == ""
    assert found.kid == made[1].public_key.kid
    assert found.document["verdict"] == "finding"
    assert found.document["count"] == {"finding": 1, "holds": 1}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().count("\n") == 1


def test_anybody_computes_the_digest(made: Made, tmp_path: Path) -> None:
    """SHA-256 of the member `evidence`, with keys sorted and no spaces, without this program."""
    path = tmp_path / "verification.json"
    made[0].write(path)
    whole = json.loads(path.read_text())
    text = json.dumps(whole["evidence"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    assert hashlib.sha256(text.encode()).hexdigest() == whole["sha256"]


async def _other(tmp_path: Path) -> FileSigner:
    return FileSigner.open(tmp_path / "other" / "key.pem")


async def test_whatever_is_changed_shows(made: Made, tmp_path: Path) -> None:
    """What was seen, the digest, the signature, its purpose, and who signed."""
    evidence, signer = made
    key = signer.public_key
    whitewashed = {**evidence.document, "verdict": "holds"}
    seal = await signer.sign(json.dumps({"kind": KIND, "sha256": evidence.sha256}).encode())
    elsewhere = await Evidence.of(replace(SUBJECT, where="outside"), SEEN).signed(signer)
    other = await _other(tmp_path)

    def wrong(**changes: Any) -> str:
        return wrong_with(replace(evidence, **changes), key)

    assert wrong() == ""
    assert wrong(document=whitewashed).startswith("it was changed: its digest is ")
    assert wrong(document=whitewashed, sha256=digest_of(whitewashed)) == (
        "the signature is of other evidence"
    )
    assert wrong(signature=elsewhere.signature) == "the signature is of other evidence"
    assert wrong(signature=seal) == "what was signed is something else"
    assert wrong(signature="") == "nobody signed it"
    assert wrong(signature=evidence.signature[:-4] + "AAAA") == "its signature is not this key's"
    assert wrong_with(evidence, other.public_key) == "its signature is not this key's"
    parts = (json.dumps({"alg": "none", "typ": KIND}), json.dumps({"sha256": evidence.sha256}))
    none = ".".join(base64.urlsafe_b64encode(one.encode()).decode() for one in parts) + "."
    assert wrong(signature=none) == "its signature is not this key's"


def test_evidence_that_is_too_deep_to_be_any(made: Made) -> None:
    """It is told so, whatever Python's own limits are."""
    deep: Any = 0
    for _ in range(100_000):
        deep = [deep]
    document = {**made[0].document, "observations": deep}

    assert wrong_with(replace(made[0], document=document), made[1].public_key) == (
        "it holds what no evidence holds"
    )


def test_evidence_replaces_no_file_that_a_link_names(made: Made, tmp_path: Path) -> None:
    """In a folder that others write to, nobody says beforehand where it goes."""
    victim, path = tmp_path / "victim", tmp_path / "verification.json"
    victim.write_text("theirs")
    (tmp_path / f".{path.name}.{os.getpid()}").symlink_to(victim)
    path.symlink_to(victim)
    made[0].write(path)

    assert victim.read_text() == "theirs"
    assert not path.is_symlink()
    assert wrong_with(read_evidence(path), made[1].public_key) == ""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not whole JSON"),
        ("[]", "is no evidence"),
        ('{"evidence": {}, "sha256": "", "signature": "", "sha256": "a"}', "is not whole JSON"),
        ('{"evidence": {"version": 2}, "sha256": "", "signature": ""}', "is not known here"),
        ('{"evidence": {"a": ' + "[" * 900 + "]" * 900 + "}}", "is no evidence"),
    ],
)  # fmt: skip
def test_what_is_no_evidence(text: str, says: str, tmp_path: Path) -> None:
    """A file that two readers could read as two things is none."""
    path = tmp_path / "verification.json"
    path.write_text(text)

    with pytest.raises(StartError, match=says):
        read_evidence(path)


def test_the_key_as_az_prints_it(made: Made, tmp_path: Path) -> None:
    """`az keyvault key show --query key` writes another type and another alphabet."""
    public = made[1].public_key.as_dict(private=False)
    printed = {
        "kty": "EC-HSM",
        "crv": public["crv"],
        "kid": "https://kv-chat.vault.azure.net/keys/audit-seal/1",
        **{
            name: base64.b64encode(base64.urlsafe_b64decode(str(public[name]) + "==")).decode()
            for name in ("x", "y")
        },
    }
    path = tmp_path / "key.jwk"
    path.write_text(json.dumps(printed))

    assert wrong_with(made[0], key_of(path)) == ""


@pytest.mark.parametrize(
    "key",
    [
        "none",
        "{}",
        json.dumps(ECKey.generate_key("P-384").as_dict(private=False)),
    ],
)
def test_what_is_no_key(key: str, tmp_path: Path) -> None:
    """Only a public key on P-256 verifies."""
    path = tmp_path / "key.jwk"
    path.write_text(key)

    with pytest.raises(StartError, match=r"is no (public )?key"):
        key_of(path)
