"""A conversation titles itself: the deployment that answered is asked for a few words.

It is a request like any other: admitted, audited and charged under an id of its own. What comes is
a model's, so it is made one plain line; where there is none, or nothing that reads as a title, the
first words of the question stand.
"""

from __future__ import annotations

import asyncio
import re
import unicodedata
from contextlib import aclosing

from secure_openai.conversations.text import text_of
from secure_openai.errors import SecureOpenAIError
from secure_openai.fresh_ids import fresh_id
from secure_openai.pipeline import Pipeline
from secure_openai.policy.fields import check_chat_completions
from secure_openai.types import JsonObject, Parameters, Principal

TITLE_CHARACTERS = 60
"""A longer one is no title."""

TITLE_TOKENS = 32
REASONING_TOKENS = 1024
"""A model that reasons spends its answer on that first."""

QUESTION_CHARACTERS = 2000
TITLE_SECONDS = 10.0

INSTRUCTION = (
    "You give titles to conversations. You are shown the first message of one. Do not answer it. "
    "Write a title of at most six words in its language: only the title, on one line, without "
    "quotation marks."
)
REMINDER = "(Write only the title of the conversation that begins so.)"

_MARKS = re.compile(r"\b(?:user|assistant|system|human)\s*:", re.IGNORECASE)
"""What a transcript has and a title has not: a small model goes on with the conversation."""

_LABEL = re.compile(r"^(?:title|titel)\s*:\s*", re.IGNORECASE)
_WRAPPED = " \t\"'`*_#\u00ab\u00bb\u2018\u2019\u201c\u201d\u201e"
"""Quotation marks of several languages, and marks of Markdown."""


class Titles:
    """Asks for titles.

    Args:
        pipeline: The way to the model.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    async def title_of(self, principal: Principal, question: str, deployment: str) -> str:
        """Return a title for a conversation that begins with a question, empty where none came.

        Nothing is raised: policy, quota or the model may refuse it.
        """
        try:
            async with asyncio.timeout(TITLE_SECONDS):
                return title_in(await self._asked(principal, question, deployment))
        except (SecureOpenAIError, TimeoutError):
            return ""

    async def _asked(self, principal: Principal, question: str, deployment: str) -> str:
        offered = {one.name: one for one in self._pipeline.deployments_for(principal)}
        known = offered.get(deployment)
        request = check_chat_completions(
            _request(question, deployment, Parameters() if known is None else known.parameters)
        )
        text = ""
        async with (
            self._pipeline.run(principal, request, request_id=fresh_id()) as completion,
            aclosing(completion.events()) as events,
        ):
            async for event in events:
                text += text_of(event)
        return text


def _request(question: str, deployment: str, parameters: Parameters) -> JsonObject:
    body: JsonObject = {
        "model": deployment,
        "messages": [
            {"role": "system", "content": INSTRUCTION},
            {"role": "user", "content": f"{question[:QUESTION_CHARACTERS]}\n\n{REMINDER}"},
        ],
        "max_tokens": TITLE_TOKENS,
        "stream": True,
    }
    if parameters.reasoning_effort:
        body["reasoning_effort"] = parameters.reasoning_effort[0]
        body["max_tokens"] = REASONING_TOKENS
    return body


def title_in(text: str) -> str:
    """Return the title in what a model wrote, empty where that is none."""
    line = plain(next((line for line in text.splitlines() if line.strip(_WRAPPED)), ""))
    title = _LABEL.sub("", line.strip(_WRAPPED)).strip(_WRAPPED)
    if len(title) > TITLE_CHARACTERS or _MARKS.search(title) or REMINDER[1:-1] in title:
        return ""
    return title


def first_words(text: str) -> str:
    """Return the first words of a message as a title, empty where it has none."""
    words = plain(text[:QUESTION_CHARACTERS])
    if len(words) <= TITLE_CHARACTERS:
        return words
    begin, _, _ = words[:TITLE_CHARACTERS].rpartition(" ")
    return f"{(begin or words[: TITLE_CHARACTERS - 1]).rstrip(' ,;:-')}…"


def plain(text: str) -> str:
    """Return a text as one line of what is seen.

    Controls, and formats that turn or hide what is written (Unicode categories Cc, Cf, Co, Cs and
    Cn), are left out: a title stands where its owner looks for what is theirs.
    """
    seen = (
        " " if character.isspace() else character
        for character in text
        if character.isspace() or unicodedata.category(character)[0] != "C"
    )
    return " ".join("".join(seen).split())
