"""What the random provider draws, as fixed values: the same seed always gives the same."""

from __future__ import annotations

import base64
import hashlib
import string
import uuid
from typing import Any

from secure_openai.posture.simulation.cloud import guid

Object = dict[str, Any]

_SPECIAL = "!@#$%&*()-_=+[]{}<>:?"


def _stream(seed: str, length: int) -> bytes:
    return hashlib.shake_256(seed.encode()).digest(length)


def draw(kind: str, state: Object, seed: str) -> Object:
    """Return the computed values of a resource of the random provider."""
    rule = _RULES.get(kind)
    return rule(state, seed) if rule else {}


def _characters(state: Object, seed: str) -> Object:
    groups = (
        ("lower", string.ascii_lowercase),
        ("upper", string.ascii_uppercase),
        ("numeric", string.digits),
        ("special", state.get("override_special") or _SPECIAL),
    )
    allowed = "".join(group for name, group in groups if state.get(name)) or string.ascii_lowercase
    length = int(state["length"])
    noise = _stream(seed, length * 2 + 64)
    drawn = [group[noise[-1] % len(group)] * int(state.get(f"min_{n}") or 0) for n, group in groups]
    text = "".join(drawn)[:length]
    text += "".join(allowed[byte % len(allowed)] for byte in noise[: length - len(text)])
    # The real provider's id of a password says "none": the result never leaves its attribute.
    return {"result": text, "id": text, "bcrypt_hash": f"$2a$10${noise.hex()[:53]}"}


def _password(state: Object, seed: str) -> Object:
    return {**_characters(state, seed), "id": "none"}


def _identifier(state: Object, seed: str) -> Object:
    data = _stream(seed, int(state["byte_length"]))
    prefix = state.get("prefix") or ""
    url = base64.urlsafe_b64encode(data).decode().rstrip("=")
    return {
        "b64_std": prefix + base64.b64encode(data).decode(),
        "b64_url": prefix + url,
        "dec": prefix + str(int.from_bytes(data)),
        "hex": prefix + data.hex(),
        "id": url,
    }


def _bytes(state: Object, seed: str) -> Object:
    data = _stream(seed, int(state["length"]))
    return {"base64": base64.b64encode(data).decode(), "hex": data.hex()}


def _integer(state: Object, seed: str) -> Object:
    low, high = int(state["min"]), int(state["max"])
    result = low + int.from_bytes(_stream(seed, 8)) % (high - low + 1)
    return {"result": result, "id": str(result)}


def _shuffle(state: Object, seed: str) -> Object:
    given = list(state["input"])
    order = sorted(range(len(given)), key=lambda place: _stream(f"{seed}{place}", 8))
    count = state.get("result_count")
    shuffled = [given[place] for place in order][: int(count) if count is not None else None]
    return {"result": shuffled, "id": "-"}


def _uuid(_: Object, seed: str) -> Object:
    result = guid(seed)
    return {"result": result, "id": result}


def _uuid7(_: Object, seed: str) -> Object:
    data = bytearray(_stream(seed, 16))
    data[6] = 0x70 | data[6] & 0x0F
    data[8] = 0x80 | data[8] & 0x3F
    result = str(uuid.UUID(bytes=bytes(data)))
    return {"result": result, "id": result}


_RULES = {
    "random_bytes": _bytes,
    "random_id": _identifier,
    "random_integer": _integer,
    "random_password": _password,
    "random_shuffle": _shuffle,
    "random_string": _characters,
    "random_uuid": _uuid,
    "random_uuid4": _uuid,
    "random_uuid7": _uuid7,
}
