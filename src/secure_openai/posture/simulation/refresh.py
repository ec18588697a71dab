"""Refresh the schemas and facts that ship with the package.

`python -m secure_openai.posture.simulation.refresh FOLDER` packs the files `NAME-VERSION.json` and
`NAME-VERSION-facts.json` of a folder. A schema file comes from the real provider, on a machine that
can download it:

    terraform providers schema -json

whose `provider_schemas` has one entry a provider; `--split FILE --lock FILE` writes that output as
schema files into FOLDER first, with the versions that `.terraform.lock.hcl` names. Facts are read
from the provider's source. A schema is only packed with facts of its own version, because a default
that has changed since would make the proof wrong without a word.
"""

from __future__ import annotations

import argparse
import json
import lzma
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from secure_openai.posture.simulation.schema import PROVIDERS
from secure_openai.posture.simulation.versions import LISTED

LIMIT: Final = 250_000
"""How many bytes the files may take together: they travel with every installation."""

_DATA: Final = Path(__file__).parent / "data"
_PROSE: Final = frozenset({"description", "description_kind", "deprecation_message"})
_TYPES: Final = frozenset({"type", "return_type"})
_FACTS: Final = frozenset({"azuread", "azurerm"})
_LOCK: Final = re.compile(r'provider "[^"/]+/([^"]+)" \{\s*version\s*=\s*"([^"]+)"')


def without_prose(value: Any, *, names: bool = False) -> Any:
    """Return a schema without descriptions and false flags.

    Args:
        value: Any part of the schema.
        names: Whether the keys at this level are names that the provider chose.
    """
    if isinstance(value, dict):
        return {
            key: (
                part
                if key in _TYPES and not names
                else without_prose(part, names=key in {"attributes", "block_types"})
            )
            for key, part in value.items()
            if names or (key not in _PROSE and part is not False)
        }
    if isinstance(value, list):
        return [without_prose(part) for part in value]
    return value


def split(schemas: Path, lock: Path, folder: Path) -> list[Path]:
    """Write Terraform's own schema output as one file a provider; return the files."""
    locked = dict(_LOCK.findall(lock.read_text(encoding="utf-8")))
    written = []
    for address, raw in json.loads(schemas.read_text(encoding="utf-8"))["provider_schemas"].items():
        source = address.partition("/")[2]
        document = {
            "schema": without_prose(raw, names=False),
            "source": source,
            "version": locked[source],
        }
        path = folder / f"{source.rpartition('/')[2]}-{locked[source]}.json"
        path.write_text(json.dumps(document, separators=(",", ":"), sort_keys=True))
        written.append(path)
    return written


def pack(folder: Path, target: Path = _DATA) -> dict[str, int]:
    """Compress the newest schema of each provider with its facts; return sizes in bytes by name.

    Raises:
        FileNotFoundError: A provider has no schema file in the folder, or no facts of its version.
    """
    sizes = {}
    versions = {}
    for name in PROVIDERS:
        found = [p for p in folder.glob(f"{name}-*.json") if not p.stem.endswith("-facts")]
        if not found:
            raise FileNotFoundError(f"{folder} holds no {name}-VERSION.json")
        schema = max(found, key=lambda path: [int(part) for part in re.findall(r"\d+", path.stem)])
        document = json.loads(schema.read_text(encoding="utf-8"))
        facts = schema.with_name(f"{schema.stem}-facts.json")
        if facts.exists():
            document["facts"] = json.loads(facts.read_text(encoding="utf-8"))
        elif name in _FACTS:
            raise FileNotFoundError(f"{facts.name} does not stand beside {schema.name}")
        plain = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
        packed = lzma.compress(plain, preset=9 | lzma.PRESET_EXTREME)
        (target / f"{name}.json.xz").write_bytes(packed)
        sizes[name] = len(packed)
        versions[document["source"]] = document["version"]
    listed = json.dumps(versions, indent=1, sort_keys=True) + "\n"
    (target / LISTED.name).write_text(listed, encoding="ascii")
    return {**sizes, "versions": len(listed)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="refresh", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the schema and facts files are")
    parser.add_argument("--split", type=Path, help="output of `terraform providers schema -json`")
    parser.add_argument("--lock", type=Path, help="the .terraform.lock.hcl beside it")
    parser.add_argument("--target", type=Path, default=_DATA, help="where the packed files go")
    chosen = parser.parse_args(arguments)
    if (chosen.split is None) != (chosen.lock is None):
        parser.error("--split and --lock belong together")
    try:
        if chosen.split:
            split(chosen.split, chosen.lock, chosen.folder)
        sizes = pack(chosen.folder, chosen.target)
    except (FileNotFoundError, KeyError, ValueError) as error:
        parser.error(f"cannot read the schemas: {error}")
    total = sum(sizes.values())
    lines = [*(f"{name} {size} bytes" for name, size in sizes.items()), f"together {total} bytes"]
    sys.stdout.write("\n".join(lines) + "\n")
    if total > LIMIT:
        sys.stderr.write(f"the files are over the limit of {LIMIT} bytes\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
