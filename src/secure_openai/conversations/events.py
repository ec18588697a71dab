"""What whoever listens to an answer is told, in its order: begun, deltas, finished, titled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from secure_openai.errors import SecureOpenAIError
from secure_openai.types import Conversation, Message


@dataclass(frozen=True, slots=True)
class Begun:
    """Both messages are stored; the model is about to be asked."""

    question: Message
    answer: Message


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer as it is kept; `problem` says what cut it off, where something did."""

    answer: Message
    problem: SecureOpenAIError | None = None


@dataclass(frozen=True, slots=True)
class Titled:
    """The conversation has titled itself."""

    conversation: Conversation


AnswerEvent: TypeAlias = Begun | Delta | Finished | Titled
