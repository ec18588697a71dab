"""What a secret looks like, under whatever name and in whatever wrapping it is stored.

A text is looked at as it is, and as what its base64, compression and percent signs hide.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Set
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

from secure_openai.posture.estate import Estate, Resource, Steps, leaves

LEAST: Final = 12
"""A shorter key is none that a service gives out."""

_DEEPEST: Final = 3
_LARGEST: Final = 4 * 1024 * 1024

_KEY: Final = re.compile(
    r"(?:access_key|_key|_connection_string|shared_key)$"
    r"|^(?:admin_password|key|key2|kube_config_raw|sas|sas_url)$"
)
_MARKED_KEY: Final = re.compile(r"key|password|secret|token|sas|connection_string")
_WHOLE: Final = {
    "azuread_application_password": ("value",),
    "azuread_service_principal_password": ("value",),
    "azurerm_key_vault_secret": ("value",),
    "random_bytes": ("base64", "hex"),
    "random_password": ("result",),
    "tls_private_key": ("private_key_openssh", "private_key_pem", "private_key_pem_pkcs8"),
}
"""What gives out a secret under a name that other types use for something else."""

# A connection string of telemetry only names where to send: Entra ID is asked besides (KEYS-04).
_NO_SERVICE: Final = ("azurerm_application_insights",)
_NO_KEY: Final = (
    "ssh-",
    "/",
    "https://",
    "http://",
    "ecdsa-",
    "-----BEGIN PUBLIC",
    "-----BEGIN CERT",
)
_GUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)

_GROUP_ID: Final = re.compile(
    rf"/subscriptions/{_GUID.pattern}/resourceGroups/[\w-]{{1,90}}", re.IGNORECASE
)
"""A resource group's id, which has letters of both cases and digits as a key has."""

_TEXT: Final = re.compile(
    r"AccountKey=|SharedAccess(?:Key|Signature)=|(?:^|[?&;])sig=[A-Za-z0-9%]|[?&]code=[A-Za-z0-9_/+=%-]{20}"
    r"|\bPass(?:word|phrase)\s*=|\bpwd\s*=|client_secret=|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|://[^/\s:@\"'{}$]*:[^/\s:@\"'{}$]{3,}@|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\."
    r"|\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_\w{22,}|\bsk-[A-Za-z0-9_-]{20,}|\bxox[abp]-[\w-]{10,}"
    r"|\b[\w~.-]{3}\dQ~[\w~.-]{31,34}\b|Ocp-Apim-Subscription-Key\s*[:=]\s*\w{16,}",
    re.IGNORECASE,
)
_RANDOM: Final = re.compile(
    r"(?:^|(?<=[\s=:;,\"']))(?:[0-9a-f]{32}|[0-9a-f]{64}|[A-Za-z0-9+/_-]{43,}={0,2})(?=$|[\s;,\"'])"
)
_TOKEN: Final = re.compile(r"[\w+/.-]{12,}")
_ASSIGNED: Final = re.compile(
    r"(?:^|[\s\"';,{&(])([A-Za-z_][\w.:-]*?)[\"']?\s*(?:=|:\s)\s*[\"']?([^\s\"',;&})]{6,})"
)

_DIGEST: Final = re.compile(r"sha\d+[:-][0-9a-zA-Z+/=]+")
_CHECKSUM: Final = re.compile(
    r"sha(?:1|256|512)?(?:_|$)|hash|digest|checksum|etag|commit", re.IGNORECASE
)
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET_WORDS: Final = frozenset(
    [
        "apikey",
        "connectionstring",
        "connstr",
        "credential",
        "credentials",
        "key",
        "keys",
        "pass",
        "passphrase",
        "passwd",
        "password",
        "passwords",
        "pat",
        "pwd",
        "sas",
        "secret",
        "secrets",
        "token",
        "tokens",
    ]
)
_SECRET_ENDS: Final = (
    "accesskey", "accountkey", "adminkey", "apikey", "authkey", "clientsecret", "connectionstring",
    "masterkey", "openaikey", "password", "primarykey", "privatekey", "searchkey", "secondarykey",
    "secret", "sharedkey", "signingkey", "storagekey", "subscriptionkey",
)  # fmt: skip
_AMBIGUOUS: Final = ("key", "keys", "pass", "pat", "token", "tokens")
_LONG: Final = 16
_SUFFIXES: Final = frozenset(
    [
        "b64",
        "backup",
        "base64",
        "current",
        "dev",
        "encoded",
        "new",
        "old",
        "prod",
        "production",
        "secondary",
        "primary",
        "staging",
        "test",
        "value",
    ]
)
_NO_SECRETS: Final = (
    "APPINSIGHTS_INSTRUMENTATIONKEY",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
)
_PLAIN: Final = re.compile(
    r"|true|false|null|none|managedidentity|-?\d{1,7}|[|>]-?|https?://[^\s?]*|\$.*|<.*>|\{\{.*\}\}|\*+",
    re.IGNORECASE,
)

_SECRET_ARGUMENTS: Final = frozenset(
    [
        "access_key",
        "account_key",
        "administrator_login_password",
        "administrator_password",
        "api_key",
        "app_secret",
        "certificate_password",
        "client_secret",
        "connection_string",
        "consumer_secret",
        "docker_registry_password",
        "password",
        "registry_password",
        "sas_token",
        "sas_url",
        "secret",
        "shared_access_key",
        "shared_key",
        "storage_account_access_key",
        "storage_account_key",
        "token",
    ]
)
"""Arguments that take a secret, whatever type has them."""

_SETTING_MAPS: Final = (
    "app_settings",
    "environment_variables",
    "secure_environment_variables",
    "sensitive_environment_variables",
)
_GIVEN_OUT: Final = re.compile(
    r"^(?:primary|secondary|default_primary|default_secondary|site_credential|kube)"
)


def published(estate: Estate) -> frozenset[str]:
    """Return every key that a service of the estate gives out, to recognise copies of it."""
    looked_up = [one for one in estate.looked_up if one.type not in _NO_SERVICE]
    built = [
        one
        for one in estate.resources
        # A secret that is written into a vault is a copy itself.
        if one.type not in (*_NO_SERVICE, "azurerm_key_vault_secret")
    ]
    return frozenset(
        part
        for one in (*built, *looked_up)
        if one.type.startswith("azurerm_") or one.type in _WHOLE
        for steps, value in estate.leaves_of(one)
        if isinstance(value, str) and len(value) >= LEAST and gives_out(one, steps, value)
        for part in _parts(value)
    )


def gives_out(one: Resource, steps: Steps, value: str) -> bool:
    """Return whether an attribute is a key that the resource itself gives out."""
    name = last_name(steps)
    whole = name in _WHOLE.get(one.type, ())
    if not whole:
        called, if_marked = _called_key(name)
        if not (called or if_marked):
            return False
        marked = one.sensitive.get(str(steps[0]))
        if marked is False or not (called or marked is True):
            return False
    return not (
        value.startswith(_NO_KEY) or _GUID.fullmatch(value) or name.endswith(("_id", "_ids"))
    )


@lru_cache(maxsize=8192)
def _called_key(name: str) -> tuple[bool, bool]:
    """Return whether an attribute is a key by its name, and whether it is one if marked so."""
    return bool(_KEY.search(name)), bool(_MARKED_KEY.search(name))


def _parts(value: str) -> Iterator[str]:
    """Yield what makes a key recognisable: itself, and the key in a connection string."""
    yield value.rstrip("=")
    for part in value.split(";") if ";" in value else ():
        name, _, inner = part.partition("=")
        if (
            name.casefold().endswith(("key", "password", "secret", "signature"))
            and len(inner) >= LEAST
        ):
            yield inner.rstrip("=")


@lru_cache(maxsize=8192)
def forms(text: str) -> tuple[str, ...]:
    """Return a text, and what its wrappings hide."""
    found = [text]
    layer = [text]
    for _ in range(_DEEPEST):
        layer = [inner for one in layer if len(one) <= _LARGEST for inner in _unwrapped(one)]
        found += layer
    return tuple(found)


def _unwrapped(text: str) -> Iterator[str]:
    if "%" in text and (plain := unquote(text)) != text:
        yield plain
    stripped = text.strip()
    if len(stripped) < LEAST or not re.fullmatch(r"[A-Za-z0-9+/_\s-]+={0,2}", stripped):
        return
    try:
        raw = base64.b64decode(
            "".join(stripped.split()).replace("-", "+").replace("_", "/"), validate=True
        )
    except (ValueError, binascii.Error):
        return
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = zlib.decompressobj(31).decompress(raw, _LARGEST)
        except zlib.error:
            return
    try:
        plain = raw.decode("utf-16-le" if raw[1:2] == b"\x00" else "utf-8")
    except UnicodeDecodeError:
        return
    if plain.isprintable() or "\n" in plain:
        yield plain


def copied(text: str, keys: Set[str]) -> bool:
    """Return whether a text holds a key of the estate."""
    return not keys.isdisjoint(_candidates(text))


@lru_cache(maxsize=8192)
def _candidates(text: str) -> frozenset[str]:
    """Return what in a text, and in what its wrappings hide, may be a key."""
    return frozenset(part.rstrip("=") for one in forms(text) for part in (one, *_tokens(one)))


def _tokens(text: str) -> Iterator[str]:
    for token in _TOKEN.findall(text):
        yield token
        # A sentence or an address ends what it names with a point or a slash.
        yield token.strip("./-")


@lru_cache(maxsize=8192)
def telling(text: str) -> bool:
    """Return whether a text says by its form that it holds a secret."""
    return any(_TEXT.search(one) for one in forms(text))


def named_secret(name: str, value: str) -> bool:
    """Return whether a setting holds a secret, if one believes its name."""
    plain = value.strip()
    if name in _NO_SECRETS or _PLAIN.fullmatch(plain):
        return False
    words = [one.casefold() for one in _WORDS.findall(name)]
    while words and (words[-1] in _SUFFIXES or words[-1].isdigit()):
        words.pop()
    if not words:
        return False
    if len(words) == 1 and words[0] in _AMBIGUOUS:
        # A key may be that of a map, and a token one of a sentence.
        return len(plain) >= _LONG and not re.search(r"[\s./]", plain)
    return words[-1] in _SECRET_WORDS or "".join(words).endswith(_SECRET_ENDS)


def setting(name: str, value: Any, keys: Set[str]) -> bool:
    """Return whether a setting holds a secret, by what it is, how it looks or what it is called."""
    if not isinstance(value, str) or not value:
        return False
    return copied(value, keys) or _told(name, value)


@lru_cache(maxsize=8192)
def _told(name: str, value: str) -> bool:
    """Return whether a setting holds a secret by how it looks or what it is called."""
    words = [] if _CHECKSUM.search(name) else _RANDOM.findall(_DIGEST.sub("", value))
    return name not in _NO_SECRETS and (
        telling(value)
        or any(map(_random, words))
        or named_secret(name, value)
        or any(
            isinstance(inner, str) and named_secret(last_name(steps), inner)
            for steps, inner in _within(value)
        )
    )


def last_name(steps: Steps) -> str:
    """Return the last name on the way to an attribute; empty where there are only numbers."""
    for one in reversed(steps):
        if isinstance(one, str):
            return one
    return ""


def _within(value: str) -> Iterable[tuple[Steps, Any]]:
    if not value.lstrip().startswith(("{", "[")):
        return ()
    try:
        return list(leaves(json.loads(value)))
    except (ValueError, RecursionError):
        return ()


def _random(text: str) -> bool:
    """Return whether a long word looks drawn by lot: of mixed case with digits, or hexadecimal."""
    if text.startswith("AAAA"):
        # The public half of an SSH key (RFC 4253, section 6.6).
        return False
    if _GROUP_ID.fullmatch(text):
        return False
    hexadecimal = re.fullmatch(r"[0-9a-f]{32}|[0-9a-f]{64}", text) is not None
    return hexadecimal or all(
        any(map(test, text)) for test in (str.isupper, str.islower, str.isdigit)
    )


def script(text: str, keys: Set[str]) -> bool:
    """Return whether what a machine runs or starts with holds a secret."""
    for one in forms(text):
        if one.rstrip("=") in keys or any(part.rstrip("=") in keys for part in _tokens(one)):
            return True
        if _TEXT.search(one):
            return True
        for name, value in _ASSIGNED.findall(one):
            # What opens a bracket begins a list or a map, whose members come by themselves.
            if not value.startswith(("{", "[", "(")) and named_secret(name, value):
                return True
    return False


def argument(one: Resource, steps: Steps, value: str) -> bool:
    """Return whether an argument of a resource is one that takes a secret, and has one."""
    return (
        bool(value)
        and last_name(steps) in _SECRET_ARGUMENTS
        and one.type not in _NO_SERVICE
        and not any(_GIVEN_OUT.match(step) for step in steps if isinstance(step, str))
    )


def named_values(found: Iterable[tuple[Steps, Any]]) -> Iterator[tuple[Steps, str, Any]]:
    """Yield the settings that a resource of any type hands to what it runs: way, name and value.

    They are written as a map, or as a list of a name and a value each.

    Args:
        found: What `leaves` yields of the resource.
    """
    names: dict[Steps, str] = {}
    values: dict[Steps, Any] = {}
    for steps, value in found:
        if steps[-1] == "value":
            values[steps[:-1]] = value
        elif steps[-1] == "name" and isinstance(value, str):
            names[steps[:-1]] = value
        elif len(steps) > 1 and steps[-2] in _SETTING_MAPS:
            yield steps, str(steps[-1]), value
    for steps, value in values.items():
        if steps in names:
            yield (*steps, "value"), names[steps], value
