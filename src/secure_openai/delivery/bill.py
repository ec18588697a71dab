"""The bill of materials of a package: what it is made of, in CycloneDX 1.6 (ECMA-424), as JSON.

Made from each wheel's own metadata and the lock's hashes; it follows from them and from nothing
else, so that two builds have one. Source: cyclonedx.org, "JSON Reference v1.6".
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message
from typing import Any, Final
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from secure_openai.delivery.lock import normalised

SPECIFICATION: Final = "1.6"
SCHEMA: Final = "http://cyclonedx.org/schema/bom-1.6.schema.json"
_CLASSIFIER: Final = "License :: OSI Approved :: "
_LONGEST: Final = 80


@dataclass(frozen=True, slots=True)
class Part:
    """A distribution in a package.

    Attributes:
        name: Normalised.
        version: As its metadata says.
        sha256: Of the wheel that it came from, in hexadecimal.
        metadata: Its own.
        because: What needs it, normalised.
    """

    name: str
    version: str
    sha256: str
    metadata: Message
    because: frozenset[str]

    @property
    def purl(self) -> str:
        """Return its package URL (purl-spec, type pypi)."""
        return f"pkg:pypi/{self.name}@{quote(self.version, safe='.')}"


def bill_of(name: str, version: str, parts: Iterable[Part], *, properties: dict[str, str]) -> bytes:
    """Return the bill of materials of a package.

    Args:
        name: What the package is called.
        version: The framework's.
        parts: What it is made of.
        properties: Further facts of the package, by name.
    """
    rows = sorted(parts, key=lambda one: one.name)
    known = {one.name: one.purl for one in rows}
    root = f"package:{name}"
    bill: dict[str, Any] = {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "version": 1,
        "metadata": {
            "component": {
                "bom-ref": root,
                "type": "application",
                "name": name,
                "version": version,
                "properties": [
                    {"name": f"secure-openai:{key}", "value": value}
                    for key, value in sorted(properties.items())
                ],
            },
            "tools": {"components": [{"type": "application", "name": "secure-openai package"}]},
        },
        "components": [_component(one) for one in rows],
        "dependencies": [
            {"ref": root, "dependsOn": _needed_by(None, rows, known)},
            *({"ref": one.purl, "dependsOn": _needed_by(one.name, rows, known)} for one in rows),
        ],
    }
    said = json.dumps(bill, sort_keys=True)
    bill["serialNumber"] = uuid5(NAMESPACE_URL, said).urn
    return (json.dumps(bill, indent=2, ensure_ascii=False) + "\n").encode()


def _component(part: Part) -> dict[str, Any]:
    made: dict[str, Any] = {
        "bom-ref": part.purl,
        "type": "library",
        "name": part.name,
        "version": part.version,
        "purl": part.purl,
        "hashes": [{"alg": "SHA-256", "content": part.sha256}],
        "licenses": _licences(part.metadata),
    }
    summary = part.metadata.get("Summary")
    if summary:
        made["description"] = str(summary).strip()
    return made


def _licences(metadata: Message) -> list[dict[str, Any]]:
    """Return what the distribution says of its licence, the strictest form that it says first.

    An expression is SPDX's (PEP 639); other texts are names, since nobody has checked them.
    """
    expression = metadata.get("License-Expression")
    if expression:
        return [{"expression": str(expression)}]
    said = [
        str(one).removeprefix(_CLASSIFIER)
        for one in metadata.get_all("Classifier", ())
        if str(one).startswith(_CLASSIFIER)
    ]
    text = str(metadata.get("License") or "").strip()
    if not said and text and len(text) <= _LONGEST and "\n" not in text:
        said = [text]
    return [{"license": {"name": one}} for one in said or ["not said in its metadata"]]


def _needed_by(name: str | None, parts: list[Part], known: dict[str, str]) -> list[str]:
    """Return who a part needs; nothing's needs are those that no other part explains."""
    if name is None:
        return sorted(one.purl for one in parts if not one.because & known.keys())
    return sorted(one.purl for one in parts if normalised(name) in one.because)
