"""The evidence of a verification: one file, canonical, with its digest and its signature.

Anybody verifies it offline: the digest is SHA-256 over the canonical JSON (RFC 8785, as the audit
writes it) of the member `evidence`; the signature is a compact JWS (RFC 7515) with ES256 over that
digest.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from secure_openai import __version__
from secure_openai.delivery.verification.observation import Observation, Outcome, any_of
from secure_openai.errors import StartError
from secure_openai.store.chain import canonical
from secure_openai.store.folder import write_whole
from secure_openai.store.signing import ALGORITHM, by_kid
from secure_openai.types import JsonObject

VERSION: Final = 1
KIND: Final = "estate-verification"
"""Type of what is signed: it is no seal, and no seal is it (RFC 7515, 4.1.9)."""

LARGEST_BYTES: Final = 64 * 2**20


class Signer(Protocol):
    """Signs evidence: `FileSigner` on a machine, `KeyVaultSigner` where the key cannot leave."""

    async def sign(self, payload: bytes, *, kind: str) -> str:
        """Return a compact JWS of a type.

        Raises:
            StoreError: The key cannot be used.
        """
        ...

    async def public_keys(self) -> Sequence[ECKey]:
        """Return the keys that verify, with their `kid`.

        Raises:
            StoreError: They cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class Subject:
    """What was verified, and from where.

    Attributes:
        url: The application's origin.
        where: `inside`, `outside` or `laptop`.
        estate: The file that named the places; `""` for none.
        estate_sha256: Its digest, hexadecimal.
        began: When, UTC.
        ended: When, UTC.
    """

    url: str
    where: str
    estate: str
    estate_sha256: str
    began: datetime
    ended: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen, as it is kept.

    Attributes:
        document: The member `evidence`.
        sha256: Its digest, hexadecimal.
        signature: A compact JWS; `""` before it is signed.
        key: The public key that verifies it, as a JWK; nobody has to trust it.
    """

    document: JsonObject
    sha256: str
    signature: str = ""
    key: JsonObject | None = None

    @classmethod
    def of(cls, subject: Subject, observations: Sequence[Observation]) -> Evidence:
        """Return what was seen, not yet signed."""
        document = {
            "version": VERSION,
            "kind": KIND,
            "program": f"azure-secure-openai {__version__}",
            "url": subject.url,
            "where": subject.where,
            "estate": {"file": subject.estate, "sha256": subject.estate_sha256},
            "began": _time(subject.began),
            "ended": _time(subject.ended),
            "verdict": verdict_of(observations),
            "count": dict(sorted(Counter(one.outcome.value for one in observations).items())),
            "observations": [
                {
                    "check": one.check.value,
                    "subject": one.subject,
                    "outcome": one.outcome.value,
                    "says": one.says,
                    "facts": one.facts,
                }
                for one in observations
            ],
        }
        return cls(document, digest_of(document))

    async def signed(self, signer: Signer) -> Evidence:
        """Return it with a signature.

        Raises:
            StoreError: The key cannot be used.
        """
        payload = canonical({"kind": KIND, "sha256": self.sha256})
        token = await signer.sign(payload.encode(), kind=KIND)
        kid = str(jws.extract_compact(token.encode()).headers()["kid"])
        key = by_kid(await signer.public_keys()).get(kid)
        public = None if key is None else dict(key.as_dict(private=False))
        return Evidence(self.document, self.sha256, token, public)

    @property
    def kid(self) -> str:
        """Return the name of the key that signed it; `""` for none."""
        if not self.signature:
            return ""
        return str(jws.extract_compact(self.signature.encode()).headers()["kid"])

    def write(self, path: Path) -> None:
        """Write it, whole or not at all, for its owner only.

        Raises:
            StartError: It cannot be written.
        """
        whole = {
            "evidence": self.document,
            "sha256": self.sha256,
            "signature": self.signature,
            "key": self.key,
        }
        try:
            write_whole(path, f"{canonical(whole)}\n".encode(), replace=True)
        except OSError as error:
            raise StartError(f"{path} cannot be written: {error.strerror}.") from None


def verdict_of(observations: Sequence[Observation]) -> str:
    """Return what came of it altogether: one finding outweighs what could not be seen."""
    for outcome in (Outcome.FINDING, Outcome.UNSEEN):
        if any_of(observations, outcome):
            return outcome.value
    return Outcome.HOLDS.value


def digest_of(document: JsonObject) -> str:
    """Return the digest of a document, hexadecimal."""
    return hashlib.sha256(canonical(document).encode()).hexdigest()


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")


def read_evidence(path: Path) -> Evidence:
    """Read a file of evidence, whatever it claims.

    Raises:
        StartError: It is none.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise StartError(f"{path} is larger than any evidence.")
        whole: Any = json.loads(path.read_bytes(), object_pairs_hook=_once)
    except OSError as error:
        raise StartError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise StartError(f"{path} is not whole JSON.") from None
    members = {"evidence": dict, "sha256": str, "signature": str}
    if not isinstance(whole, dict) or not all(
        isinstance(whole.get(name), kind) for name, kind in members.items()
    ):
        raise StartError(f"{path} is no evidence of secure-openai verify.")
    if whole["evidence"].get("version") != VERSION or whole["evidence"].get("kind") != KIND:
        raise StartError(f"{path} is evidence of a version that is not known here.")
    return Evidence(whole["evidence"], whole["sha256"], whole["signature"])


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        # Two readers may read it as two things.
        raise ValueError("a member stands twice")
    return found


def key_of(path: Path) -> ECKey:
    """Read a public key: a JWK, or what `az keyvault key show --query key` prints.

    Raises:
        StartError: It is none on P-256.
    """
    try:
        raw: Any = json.loads(path.read_text(encoding="utf-8"))
        plain = {
            "kty": "EC",
            "crv": raw["crv"],
            "x": _url_safe(raw["x"]),
            "y": _url_safe(raw["y"]),
        }
        key = ECKey.import_key({**plain, **({"kid": raw["kid"]} if "kid" in raw else {})})
        if key.curve_name != "P-256":
            raise StartError(f"{path} is no key on P-256.")
    except OSError as error:
        raise StartError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, AttributeError, JoseError):
        raise StartError(f"{path} is no public key: write a JWK (RFC 7517).") from None
    return key


def _url_safe(text: str) -> str:
    """Return base64 as JWK writes it (RFC 7515, 2); az prints the other alphabet."""
    return text.rstrip("=").replace("+", "-").replace("/", "_")


def wrong_with(evidence: Evidence, key: ECKey) -> str:
    """Return why evidence does not hold under a key; `""` if it does.

    Args:
        evidence: As it was read.
        key: Whom the reader trusts.
    """
    try:
        made = digest_of(evidence.document)
    except (RecursionError, TypeError, ValueError):
        return "it holds what no evidence holds"
    if made != evidence.sha256:
        return f"it was changed: its digest is {made}, and it says {evidence.sha256}"
    return _wrong_with_signature(evidence, key) if evidence.signature else "nobody signed it"


def _wrong_with_signature(evidence: Evidence, key: ECKey) -> str:
    try:
        opened = jws.deserialize_compact(evidence.signature, key, algorithms=[ALGORITHM])
        said = json.loads(opened.payload)
        kind = opened.headers().get("typ")
    except (JoseError, ValueError):
        return "its signature is not this key's"
    if kind != KIND or not isinstance(said, dict) or said.get("kind") != KIND:
        return "what was signed is something else"
    same = said.get("sha256") == evidence.sha256
    return "" if same else "the signature is of other evidence"
