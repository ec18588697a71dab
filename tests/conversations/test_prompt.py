"""What a model is given of messages and their files."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from secure_openai.conversations.attachments import Attachments
from secure_openai.conversations.files import NO_IMAGES, NOT_KEPT, TOO_MANY, checked_file
from secure_openai.conversations.prompt import PromptMessage, require_readable, written
from secure_openai.conversations.window import newest_that_fit
from secure_openai.errors import RequestError
from secure_openai.policy.estimate import estimate_prompt_tokens
from secure_openai.policy.fields import check_chat_completions
from secure_openai.store.folder import FolderBlobs
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.personal import SqlitePersonalStore
from secure_openai.types import Attachment, Deployment, Parameters, PrincipalId
from tests.conversations.test_window import turns
from tests.images.test_images import encoded

ANNA = PrincipalId("tenant", "anna")
BEN = PrincipalId("tenant", "ben")
SECRET = "the text of a file"


@pytest.fixture
async def attachments(tmp_path: Path) -> AsyncIterator[Attachments]:
    """Return attachments over a database and a folder of the test's own."""
    database = await Database.open(tmp_path / "data" / "test.db")
    blobs = FolderBlobs(tmp_path / "attachments")
    yield Attachments(SqlitePersonalStore(database), blobs, total_bytes=10**8)
    await database.aclose()


async def added(attachments: Attachments, name: str, content: bytes) -> Attachment:
    """Keep a file of Anna's."""
    return await attachments.add(ANNA, checked_file(name, "", content))


async def test_only_what_a_deployment_reads_is_sent(attachments: Attachments) -> None:
    """A deployment without images is refused them in a question, by name; texts it reads."""
    picture = await added(attachments, "a.png", encoded("png"))
    note = await added(attachments, "a.txt", b"x")
    blind = Deployment("blind", "m", Parameters())
    seeing = Deployment("seeing", "m", Parameters(images=True))

    with pytest.raises(RequestError, match="blind reads no images"):
        require_readable([note, picture], blind)
    require_readable([note], blind)
    require_readable([note, picture], seeing)


async def test_files_are_parts(attachments: Attachments) -> None:
    """Text first, then the files; a request with them passes the list of fields unchanged."""
    picture = await added(attachments, "a.webp", encoded("webp"))
    note = await added(attachments, "a.txt", SECRET.encode())
    given = [PromptMessage("system", "be brief"), PromptMessage("user", "look", (picture, note))]

    messages = await written(given, ANNA, attachments, images=True)

    assert messages[0] == {"role": "system", "content": "be brief"}
    text, image, file = messages[1]["content"]
    assert text == {"type": "text", "text": "look"}
    assert image["image_url"]["url"].startswith("data:image/webp;base64,")
    assert file["text"] == f'The file "a.txt":\n```\n{SECRET}\n```'
    body = {"model": "m", "messages": messages, "stream": True}
    assert check_chat_completions(body).body == body
    assert sum(turn.tokens for turn in given) >= estimate_prompt_tokens(body)


async def test_anothers_file_is_none(attachments: Attachments) -> None:
    """Whatever a message names, only its owner's files are read."""
    note = await added(attachments, "a.txt", SECRET.encode())

    messages = await written(
        [PromptMessage("user", "look", (note,))], BEN, attachments, images=True
    )

    assert SECRET not in json.dumps(messages)
    assert NOT_KEPT in json.dumps(messages)


async def test_what_cannot_be_sent_is_said(attachments: Attachments) -> None:
    """In the place of an image that is not read, or a file that is gone, stands a sentence."""
    pictures = [await added(attachments, f"{one}.png", encoded("png")) for one in range(11)]
    note = await added(attachments, "a.txt", SECRET.encode())
    await attachments.remove(ANNA, note.id)
    given = [
        PromptMessage("user", "first", (pictures[0], note)),
        PromptMessage("user", "then", tuple(pictures[1:])),
    ]

    seen = await written(given, ANNA, attachments, images=True)
    unseen = await written(given, ANNA, attachments, images=False)

    assert seen[0]["content"].split("\n\n") == [
        "first",
        f'[The file "0.png" is left out: {TOO_MANY}.]',
        f'[The file "a.txt" is left out: {NOT_KEPT}.]',
    ]
    assert [part["type"] for part in seen[1]["content"]] == ["text"] + ["image_url"] * 10
    assert "data:image" not in json.dumps(unseen)
    assert json.dumps(unseen).count(NO_IMAGES) == 11
    for messages in (seen, unseen):
        estimated = estimate_prompt_tokens({"messages": messages})
        assert sum(turn.tokens for turn in given) >= estimated


def test_files_and_instructions_take_room() -> None:
    """Files count with their message, and an instruction first of all; what is asked stays."""
    heavy = Attachment("a", "a.txt", "text/plain", 9, tokens=1_000)
    one, two, three = turns(3)
    earlier = [one, replace(two, attachments=(heavy,)), three]
    texts = [message.text for message in reversed(earlier)]

    def kept(budget: int, **more: object) -> tuple[list[str], int]:
        window = newest_that_fit(
            "now",
            earlier,
            budget_tokens=budget,
            total=3,
            **more,  # type: ignore[arg-type]
        )
        return [one.text for one in window.turns], window.left_out

    assert kept(2_000) == ([*texts, "now"], 0)
    # What would be left begins with an answer, whose question does not fit.
    assert kept(900) == (["now"], 3)
    assert kept(2_000, attachments=(heavy,)) == (["now"], 3)
    assert kept(0, attachments=(heavy,), instruction="be brief") == (["be brief", "now"], 3)
    light = (
        sum(PromptMessage.of(message).tokens for message in earlier)
        + PromptMessage("user", "now").tokens
    )
    assert kept(light) == ([*texts, "now"], 0)
    assert kept(light, instruction="be brief") == (["be brief", *texts[1:], "now"], 1)
