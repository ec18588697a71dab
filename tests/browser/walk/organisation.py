"""A system where there is something to choose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from secure_openai.model.scripted_server import scripted_model_app
from tests.hosted.application import in_a_thread
from tests.servers import listening, port_of, served
from tests.system import System, running

APPEARANCE = """version = 1

[[deployments]]
name = "quick"
good_for = "Short questions, and whatever may be wrong now and then."

[[deployments]]
name = "thorough"
good_for = "What has to be right."

[[prompts]]
name = "House style"
text = "Put this into our house style: "
"""
PRICES = """
[prices.deployment.quick]
prompt = 0.25
completion = 2.0

[prices.deployment.thorough]
prompt = 1.25
completion = 10.0
"""


@contextmanager
def choosing(folder: Path) -> Iterator[System]:
    """Run a system where there is something to choose: two deployments that read pictures."""
    shipped = (files("secure_openai.policy") / "default.toml").read_text("utf-8")
    limits = re.sub(r"(?m)^(requests_per_minute|concurrent_streams) = .*", r"\1 = 10_000", shipped)
    (folder / "policy.toml").write_text(limits + PRICES, "utf-8")
    (folder / "appearance.toml").write_text(APPEARANCE, "utf-8")
    bound = listening()
    with (
        in_a_thread(served(scripted_model_app(), bound)),
        running(
            folder / "data",
            model=f"http://127.0.0.1:{port_of(bound)}/v1",
            SECURE_OPENAI_POLICY=str(folder / "policy.toml"),
            SECURE_OPENAI_APPEARANCE=str(folder / "appearance.toml"),
            SECURE_OPENAI_MODEL_DEPLOYMENTS="quick,thorough",
            SECURE_OPENAI_MODEL_WINDOW_TOKENS="128000",
            SECURE_OPENAI_MODEL_IMAGES="true",
        ) as system,
    ):
        yield system
