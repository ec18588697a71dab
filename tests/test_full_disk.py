"""The disk fills while people use the system: a real one, and every answer that they get."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from secure_openai.testing.person import sign_in
from tests.small_disk import Disk, can_be_made, system_on_a_small_disk

pytestmark = pytest.mark.process

REFUSALS = {
    (507, "There is no room left to keep this"),
    (503, "The audit cannot be written"),
}
TRIES = 12
WORDS = "word " * 4000
"""The log that writes go to first keeps its length: some of it is room still."""


@pytest.fixture
def disk_folder(tmp_path: Path) -> Path:
    """Return where a disk can be."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not can_be_made(folder):
        pytest.skip("this host lets no process mount a disk of its own (unshare --mount)")
    return folder


def test_a_full_disk(disk_folder: Path) -> None:
    """What was accepted is kept, what was refused is said, and room makes it go on."""
    with system_on_a_small_disk(disk_folder) as disk:
        asyncio.run(use(disk))
        data = str(disk.folder_within / "data")
        command = [sys.executable, "-m", "secure_openai.cli", "audit", "verify", "--data", data]
        verified = disk.within(*command)

    assert verified.returncode == 0, verified.stderr


async def use(disk: Disk) -> None:
    """Use the system before, while and after there is no room."""
    url = disk.system.url
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=30) as http:
        http.headers |= {"Origin": url, "Sec-Fetch-Site": "same-origin"}
        assert (await sign_in(http, url, "Uma")).status_code == 200
        talk = (await http.post("/api/conversations", json={"title": "full"})).json()["id"]
        path = f"/api/conversations/{talk}/messages"

        async def ask(text: str) -> httpx2.Response:
            return await http.post(path, json={"text": text, "deployment": "scripted"})

        async def kept() -> list[tuple[str, str]]:
            listed = (await http.get(path)).json()["items"]
            return [(one["text"], one["status"]) for one in listed if one["author"] == "user"]

        assert (await ask("before")).status_code == 200
        disk.fill()
        accepted = []
        for number in range(TRIES):
            text = f"{number} {WORDS}"
            answer = await ask(text)
            if answer.status_code != 200:
                break
            accepted.append(text)
        said: dict[str, Any] = answer.json()
        made = await http.post("/api/conversations", json={"title": "another"})
        export = await http.post("/api/me/export")
        page = await http.get("/", headers={"Accept": "text/html"})
        while_full = await kept()

        # Whichever finds the disk full first: the question, or the record of the one before.
        assert (answer.status_code, said["title"]) in REFUSALS
        assert said["request_id"]
        assert "Traceback" not in json.dumps(said)
        for refused in (made, export):
            assert (refused.status_code, refused.json()["title"]) in REFUSALS
        # Whoever reads notices nothing.
        assert page.status_code == 200
        assert [text for text, _ in while_full] == ["before", *accepted]

        disk.free()
        async with asyncio.timeout(60):
            while (again := await ask("after")).status_code != 200:
                assert again.status_code in {503, 507}
                await asyncio.sleep(0.2)
        assert await kept() == [(text, "complete") for text in ("before", *accepted, "after")]
