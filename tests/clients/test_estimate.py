"""The estimate of tokens, measured by the tokeniser of current models (o200k_base)."""

from __future__ import annotations

import asyncio
import base64
import json
import random

from secure_openai.policy.estimate import estimate_text_tokens
from tests.clients.programs import HERE, NODE, ROOT

NUMBERS = random.Random(1)

WRITTEN = {
    "English": (ROOT / "docs" / "audit.md").read_text(),
    "a licence": (ROOT / "LICENSE").read_text(),
    "Python": (ROOT / "src" / "secure_openai" / "pipeline.py").read_text(),
    "JSON": (ROOT / "src" / "secure_openai" / "tables" / "responses.json").read_text(),
    "compact JSON": json.dumps(
        json.loads((ROOT / "src" / "secure_openai" / "tables" / "models.json").read_text())
    ),
    "German": "Jede Person hat das Recht auf Schutz der sie betreffenden Daten. " * 20,
    "French": "Toute personne a droit à la protection des données la concernant. " * 20,
    "Russian": "Каждый человек имеет право на защиту своих данных. " * 20,
    "Arabic": "لكل شخص الحق في حماية البيانات الشخصية المتعلقة به. " * 20,
    "Hindi": "प्रत्येक व्यक्ति को अपने व्यक्तिगत डेटा की सुरक्षा का अधिकार है। " * 20,
    "Chinese": "每个人都有权保护与其有关的个人数据。" * 20,
    "Japanese": "すべての人は、個人データの保護を受ける権利を有する。" * 20,
    "Korean": "모든 사람은 개인정보를 보호받을 권리가 있다. " * 20,
    "emoji": "😀🎉🚀🧪🔐" * 20,
}
MADE = {
    "Base64": base64.b64encode(NUMBERS.randbytes(2000)).decode(),
    "hex": NUMBERS.randbytes(1000).hex(),
    "digits": "".join(NUMBERS.choice("0123456789") for _ in range(2000)),
    "signs": "".join(NUMBERS.choice("!@#$%^&*(){}[];:,.<>/?|~`") for _ in range(2000)),
    "numbers": "\n".join(
        ",".join(str(NUMBERS.randrange(100)) for _ in range(10)) for _ in range(100)
    ),
    "rare characters": "".join(chr(NUMBERS.randrange(0x4E00, 0x9FFF)) for _ in range(500)),
}


async def ratios(texts: dict[str, str]) -> dict[str, float]:
    """Return how many times the real count each estimate is."""
    process = await asyncio.create_subprocess_exec(
        str(NODE),
        str(HERE / "count_tokens.mjs"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate(json.dumps(list(texts.values())).encode())
    assert process.returncode == 0
    counts: list[int] = json.loads(out)
    return {
        name: estimate_text_tokens(text) / count
        for (name, text), count in zip(texts.items(), counts, strict=True)
    }


async def test_what_people_write_is_not_estimated_too_low() -> None:
    """Within a twentieth of the real count or above it: twice in Latin script, ten times else."""
    found = await ratios(WRITTEN)

    assert {name for name, ratio in found.items() if not 0.95 <= ratio <= 10} == set()
    latin = ("English", "a licence", "Python", "JSON", "compact JSON", "German", "French")
    assert {name for name in latin if found[name] > 2} == set()


async def test_what_machines_write_is_not_estimated_far_too_low() -> None:
    """At least three fifths of the real count: reported usage is charged in its place."""
    found = await ratios(MADE)

    assert {name for name, ratio in found.items() if not 0.6 <= ratio <= 2.1} == set()
