"""The programs of docs/audit.md verify what we wrote, and use nothing of ours."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from secure_openai.jobs.seal import seal
from secure_openai.store.audit import AuditStore
from secure_openai.store.azure.blobs import AzureBlobs
from secure_openai.store.azure.key_vault import KeyVaultSigner
from secure_openai.store.cosmos.audit import CosmosAuditStore
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.seals import Seals
from secure_openai.store.signing import FileSigner, Signer
from secure_openai.store.sqlite.audit import SqliteAuditStore
from secure_openai.store.sqlite.database import Database
from secure_openai.testing.audit_contract import event
from tests.cosmosdb.bridge import Bridge

pytestmark = pytest.mark.process

DOCS = Path(__file__).parents[2] / "docs" / "audit.md"
PROGRAMS = {
    name: text
    for text, name in re.findall(r"```python\n(# (\w+)\.py .*?)```", DOCS.read_text(), re.DOTALL)
}
CREDENTIAL = """\
class DefaultAzureCredential:
    def get_token(self, *scopes, **_):
        from azure.core.credentials import AccessToken
        return AccessToken("emulator", 4102444800)
"""


async def run(folder: Path, program: str, *arguments: object) -> tuple[int, str, str]:
    """Run a program of the documentation; return its exit code and what it said."""
    path = folder / f"{program}.py"
    path.write_text(
        PROGRAMS[program].replace("from azure.identity import DefaultAzureCredential\n", CREDENTIAL)
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", str(path), *map(str, arguments)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    return process.returncode or 0, output.decode(), errors.decode()


async def record_and_seal(
    audits: list[AuditStore], seals: Seals, signer: Signer, *, rounds: int
) -> None:
    """Do what applications do, and seal after every round."""
    for number in range(rounds):
        for audit in audits:
            audit.append(event(number, facts={"share": 0.5, "name": "é"}))
            await audit.flush()
        await seal(audits[0], seals, signer)


@pytest.fixture
async def laptop(tmp_path: Path) -> AsyncIterator[Path]:
    """Return a data folder with four records under four seals."""
    folder = tmp_path / "data"
    database = await Database.open(folder / "secure-openai.db")
    audit = await SqliteAuditStore.open(database)
    signer = FileSigner.open(folder / "keys" / "seal.pem")
    await record_and_seal([audit], Seals.in_folder(folder / "seals"), signer, rounds=4)
    yield folder
    await audit.aclose()
    await database.aclose()


def test_the_programs_are_the_ones_below() -> None:
    """A program more needs a test more; none imports anything of ours."""
    assert set(PROGRAMS) == {"records_of_azure", "records_of_laptop", "verify_audit"}
    assert "secure_openai" not in "".join(PROGRAMS.values())


async def test_a_laptop(tmp_path: Path, laptop: Path) -> None:
    """What a laptop recorded and sealed holds."""
    code, records, errors = await run(tmp_path, "records_of_laptop", laptop / "secure-openai.db")
    assert (code, errors) == (0, "")
    (tmp_path / "records").write_text(records)

    outcome = await run(tmp_path, "verify_audit", tmp_path / "records", laptop / "seals")
    assert outcome == (0, "1 chains of 4 records hold together, under 4 seals.\n", "")


def changed(line: str) -> str:
    """Change what a record says."""
    record = json.loads(line)
    return json.dumps({**record, "document": record["document"].replace("allowed", "refused")})


TAMPERINGS: dict[str, tuple[Callable[[list[str]], list[str]], int | None, str]] = {
    "changed": (lambda lines: [changed(lines[0]), *lines[1:]], None, "record 1 was changed"),
    "removed": (lambda lines: [lines[0], *lines[2:]], None, "does not follow record 1"),
    "swapped": (lambda lines: [lines[1], lines[0]], None, "record 2 does not follow record 0"),
    "cut tail": (lambda lines: lines[:3], None, "record 4 is not what 00000004.jws seals"),
    "all removed": (lambda lines: [], None, "record 1 is not what 00000001.jws seals"),
    "first seal": (lambda lines: lines, 1, "00000002.jws does not follow"),
    "inner seal": (lambda lines: lines, 2, "00000003.jws does not follow"),
}


@pytest.mark.parametrize("name", TAMPERINGS)
async def test_tampering(tmp_path: Path, laptop: Path, name: str) -> None:
    """Each tampering ends the program with a sentence and exit code 1."""
    tamper, dropped, sentence = TAMPERINGS[name]
    _, records, _ = await run(tmp_path, "records_of_laptop", laptop / "secure-openai.db")
    (tmp_path / "records").write_text("".join(f"{line}\n" for line in tamper(records.splitlines())))
    if dropped:
        (laptop / "seals" / f"{dropped:08d}.jws").unlink()

    code, output, errors = await run(
        tmp_path, "verify_audit", tmp_path / "records", laptop / "seals"
    )
    assert (code, output) == (1, "")
    assert sentence in errors


async def test_azure(
    tmp_path: Path,
    bridge: Bridge,
    database_name: str,
    cosmos: CosmosDatabase,
    blobs: AzureBlobs,
    key_vault_signer: KeyVaultSigner,
) -> None:
    """What two processes recorded in Cosmos DB and a vault sealed into a container holds."""
    audits = [await CosmosAuditStore.open(cosmos.container("audit")) for _ in range(2)]
    await record_and_seal([*audits], Seals(blobs), key_vault_signer, rounds=3)
    (tmp_path / "seals").mkdir()
    async for entry in blobs.list():
        (tmp_path / "seals" / entry.name).write_bytes(await blobs.get(entry.name))
    code, records, errors = await run(tmp_path, "records_of_azure", bridge.url, database_name)
    assert code == 0, errors
    (tmp_path / "records").write_text(records)

    outcome = await run(tmp_path, "verify_audit", tmp_path / "records", tmp_path / "seals")
    assert outcome == (0, "2 chains of 6 records hold together, under 3 seals.\n", "")
    for audit in audits:
        await audit.aclose()
