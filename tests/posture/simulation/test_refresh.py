"""The command that refreshes schemas and facts."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest

from secure_openai.posture.simulation import refresh
from secure_openai.posture.simulation.schema import PROVIDERS, load
from secure_openai.posture.simulation.versions import versions


def unpacked(folder: Path) -> None:
    """Write what ships with the package as the files that it was made from."""
    for name in PROVIDERS:
        document = dict(load(name).document)
        facts = document.pop("facts")
        stem = f"{name}-{document['version']}"
        (folder / f"{stem}.json").write_text(json.dumps(document))
        if name in {"azurerm", "azuread"}:
            (folder / f"{stem}-facts.json").write_text(json.dumps(facts))


def test_round_trip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Packing what the package holds gives what the package holds, under the limit."""
    unpacked(tmp_path)
    target = tmp_path / "packed"
    target.mkdir()

    assert refresh.main([str(tmp_path), "--target", str(target)]) == 0
    for name in PROVIDERS:
        packed = json.loads(lzma.decompress((target / f"{name}.json.xz").read_bytes()))
        assert packed == {key: load(name).document[key] for key in packed}
    listed = json.loads((target / "versions.json").read_text())
    assert listed == dict(versions())
    together = sum(path.stat().st_size for path in target.iterdir())
    assert together < refresh.LIMIT
    assert f"together {together} bytes" in capsys.readouterr().out


def test_shipped_files_are_under_the_limit() -> None:
    """The files that travel with the package are small."""
    data = Path(refresh.__file__).parent / "data"

    assert 0 < sum(path.stat().st_size for path in data.glob("*.xz")) < refresh.LIMIT


def test_split(tmp_path: Path) -> None:
    """Terraform's own output becomes one file a provider, without prose and with its version."""
    raw = {
        "provider": {"version": 0, "block": {"description_kind": "plain"}},
        "resource_schemas": {
            "random_thing": {
                "version": 0,
                "block": {
                    "attributes": {
                        "description": {
                            "type": ["object", {"description": "string"}],
                            "description": "Prose.",
                            "description_kind": "plain",
                            "optional": True,
                            "sensitive": False,
                        }
                    }
                },
            }
        },
    }
    schemas, lock = tmp_path / "schemas.json", tmp_path / ".terraform.lock.hcl"
    address = "registry.terraform.io/hashicorp/random"
    schemas.write_text(json.dumps({"provider_schemas": {address: raw}}))
    lock.write_text(f'provider "{address}" {{\n  version     = "3.9.1"\n}}\n')

    (path,) = refresh.split(schemas, lock, tmp_path)

    document = json.loads(path.read_text())
    block = document["schema"]["resource_schemas"]["random_thing"]["block"]
    assert path.name == "random-3.9.1.json"
    assert document["version"] == "3.9.1"
    assert block["attributes"] == {
        "description": {"optional": True, "type": ["object", {"description": "string"}]}
    }


def test_facts_must_be_of_the_same_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A newer schema without its own facts is not packed with older ones."""
    unpacked(tmp_path)
    (tmp_path / "azurerm-5.2.0.json").rename(tmp_path / "azurerm-5.10.0.json")

    with pytest.raises(SystemExit):
        refresh.main([str(tmp_path), "--target", str(tmp_path)])
    assert "azurerm-5.10.0-facts.json does not stand beside" in capsys.readouterr().err


def test_missing_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder without a provider's schema is refused by name."""
    with pytest.raises(SystemExit):
        refresh.main([str(tmp_path), "--target", str(tmp_path)])
    assert "holds no azurerm-VERSION.json" in capsys.readouterr().err


def test_split_needs_its_lock(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Schemas are not split without the versions that they are of."""
    with pytest.raises(SystemExit):
        refresh.main([str(tmp_path), "--split", "x.json"])
    assert "--split and --lock belong together" in capsys.readouterr().err


def test_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files over the limit fail the command."""
    unpacked(tmp_path)
    monkeypatch.setattr(refresh, "LIMIT", 1)

    assert refresh.main([str(tmp_path), "--target", str(tmp_path)]) == 1
    assert "over the limit of 1 bytes" in capsys.readouterr().err


def test_versions() -> None:
    """The simulated versions are those that the estate pins."""
    assert dict(versions()) == {load(name).source: load(name).version for name in PROVIDERS}
    assert dict(versions()) == {
        "azure/azapi": "2.12.0",
        "hashicorp/azuread": "3.9.0",
        "hashicorp/azurerm": "5.2.0",
        "hashicorp/random": "3.9.0",
    }
