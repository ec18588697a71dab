"""The form of a signed token: one spelling, one algorithm, and nothing believed before it holds."""

from __future__ import annotations

import base64
import json

import pytest
from joserfc import jws
from joserfc.jwk import RSAKey

from secure_openai.errors import Unauthenticated
from secure_openai.identity.signature import UNREADABLE, SignedToken

KEY = RSAKey.generate_key(2048)
HEADER = {"alg": "RS256", "typ": "JWT", "kid": "one"}


def public(key: RSAKey = KEY) -> RSAKey:
    """Return what a token is checked with."""
    return RSAKey.import_key(key.as_dict(private=False))


def part(content: bytes) -> str:
    """Return a part of a token."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def signed(payload: bytes, header: dict[str, str] = HEADER, key: RSAKey = KEY) -> str:
    """Return a token signed by a library of others."""
    return jws.serialize_compact(header, payload, key, algorithms=["RS256"])


def refused(token: str) -> str:
    """Return why a token is refused."""
    with pytest.raises(Unauthenticated) as caught:
        SignedToken(token).claims(public())
    return caught.value.detail


def with_end(token: str, end: str) -> str:
    """Return a token whose last character is another."""
    return token[:-1] + end


def test_every_spelling_but_one_is_refused() -> None:
    """A signature that is spelled with padding, with base64's own or with spare bits holds not."""
    token = signed(b'{"oid":"ada"}')
    head, body, signature = token.split(".")
    # 256 bytes end with two characters, the last of which has four bits to spare.
    spare = chr(ord(signature[-1]) + 1)
    spellings = {
        "padding": f"{token}==",
        "a line's end": f"{token}\n",
        "a space": f"{head}.{body}. {signature}",
        "spare bits": with_end(token, spare),
        "base64's own": token.replace("-", "+").replace("_", "/"),
        "too short by one": token[:-1],
        "a byte less": f"{head}.{body}.{part(base64.urlsafe_b64decode(signature + '==')[:-1])}",
        "nothing": f"{head}.{body}.",
        "another letter": f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}",
    }
    for name, spelling in spellings.items():
        assert refused(spelling) == "The token's signature does not hold.", name
    assert SignedToken(token).claims(public()) == {"oid": "ada"}


def test_any_changed_character_breaks_it() -> None:
    """There is no character of a token that could be another one."""
    token = signed(b'{"oid":"ada"}')
    for place in range(len(token)):
        other = "A" if token[place] != "A" else "B"
        assert refused(token[:place] + other + token[place + 1 :])


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"[]",
        b"null",
        b'"RS256"',
        b"{",
        b"\xff",
        b'{"kid":"one"}',
        b"[" * 700,
        b'{"alg":"RS256","kid":"one","x":"' + b"x" * 1_024 + b'"}',
    ],
)
def test_a_header_that_is_none_is_refused(header: bytes) -> None:
    """A header is a JSON object that names its algorithm, and is not long."""
    assert refused(f"{part(header)}.e30.AA") == UNREADABLE


@pytest.mark.parametrize("algorithm", ["none", "rs256", "RS384", "HS256", "", None, ["RS256"], 256])
def test_another_algorithm_is_refused(algorithm: object) -> None:
    """RS256 is the only one, in these letters."""
    header = json.dumps({**HEADER, "alg": algorithm}).encode()
    assert "algorithm" in refused(f"{part(header)}.e30.AA")


@pytest.mark.parametrize("kid", ["", None, 1, ["one"]])
def test_a_key_must_be_named(kid: object) -> None:
    """`kid` is a text."""
    header = json.dumps({**HEADER, "kid": kid}).encode()
    assert refused(f"{part(header)}.e30.AA") == "The token does not name its key."


@pytest.mark.parametrize("payload", [b"[]", b"1", b'"ada"', b"null"])
def test_what_is_signed_must_be_claims(payload: bytes) -> None:
    """A payload that is JSON and no object holds no claims."""
    assert refused(signed(payload)) == UNREADABLE


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff\xfe", b"[" * 10_000, b'{"exp":NaN}'])
def test_what_is_signed_must_be_json(payload: bytes) -> None:
    """A payload that nobody can read is refused, however deep it is."""
    assert refused(signed(payload)) == "The token's signature does not hold."


def test_a_payload_left_unencoded_is_refused() -> None:
    """`b64` (RFC 7797) may not change what is signed: without `crit` it is not known."""
    head = part(json.dumps({**HEADER, "b64": False}).encode())
    assert refused(f"{head}.e30.AA") == UNREADABLE


@pytest.mark.parametrize("member", [{"zip": "DEF"}, {"x": 1}, {"typ": 1}, {"x5c": "none"}])
def test_what_the_standard_does_not_know_is_refused(member: dict[str, object]) -> None:
    """A header holds what RFC 7515 names, as it says, each time that it comes."""
    head = part(json.dumps(HEADER | member).encode())
    for _ in range(2):
        assert "header holds what is not known" in refused(f"{head}.e30.AA")


def test_a_header_that_is_known_vouches_for_nothing() -> None:
    """Of tokens that share a header, each is checked by itself."""
    one, two = signed(b'{"oid":"ada"}'), signed(b'{"oid":"uma"}')
    head, body, _ = one.split(".")

    assert SignedToken(one).claims(public()) == {"oid": "ada"}
    assert SignedToken(two).claims(public()) == {"oid": "uma"}
    assert "signature" in refused(f"{head}.{body}.{two.split('.')[2]}")


def test_another_key_is_refused() -> None:
    """What is in a header does not matter to whose signature it is."""
    foreign = RSAKey.generate_key(2048)
    assert "signature" in refused(signed(b"{}", key=foreign))
