"""What `docs/gateway.md` shows runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.clients.programs import HERE, NODE, PYTHON, TEXT, told
from tests.world import World

PAGE = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("program", PROGRAMS, ids=["openai", "langchain", "litellm"])
async def test_a_program_prints_answers(
    gateway: World,
    program: str,
) -> None:
    """Every line that it prints is what the model said."""
    local = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    printed = (await told(gateway, PYTHON, "-c", program, **local)).split("\n")
    answers = [line for line in printed if line.startswith("You said")]

    assert answers == [TEXT] * program.count("print(")


async def test_the_program_in_javascript_prints_answers(gateway: World) -> None:
    """Both of its clients say what the model said."""
    (program,) = re.findall(r"```js\n(.*?)```", PAGE, re.DOTALL)
    folder = gateway.settings.data.parent
    (folder / "node_modules").symlink_to(HERE / "node_modules")
    (folder / "program.mjs").write_text(program)

    assert await told(gateway, NODE, folder / "program.mjs") == f"{TEXT}\n" * 2


async def test_the_line_of_the_shell_prints_an_answer(
    gateway: World,
) -> None:
    """As it stands, with the two variables set."""
    (line,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)

    assert TEXT in await told(gateway, "sh", "-c", line)


async def test_the_file_of_models_makes_the_llm_command_answer(gateway: World) -> None:
    """As it stands, but for where the gateway is."""
    (models,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    here = models.replace("http://localhost:8400", gateway.url)
    assert here != models
    folder = gateway.settings.data.parent / "llm"
    folder.mkdir()
    (folder / "extra-openai-models.yaml").write_text(here)
    command = (PYTHON, "-m", "llm", "-m", "gateway", "--key", gateway.token("Uma"), "hello there")

    assert (await told(gateway, *command, LLM_USER_PATH=str(folder))).strip() == TEXT
