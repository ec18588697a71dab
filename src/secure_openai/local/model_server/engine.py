"""llama.cpp in this process, through xllamacpp: one generation at a time, off the event loop."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secure_openai.errors import StartError
from secure_openai.local.model_server.transcript import STOP, transcript
from secure_openai.local.model_server.weights import MISSING
from secure_openai.types import JsonObject

WINDOW_TOKENS = 4096
ANSWER_TOKENS = 512
QUEUE = 8
"""How many generations may wait."""

PASSED_ON = ("temperature", "top_p", "seed", "frequency_penalty", "presence_penalty")

BASE_MODEL_SAMPLING = {"temperature": 0.0, "repeat_penalty": 1.1}
"""Unless the request says otherwise: a small base model wanders and repeats itself."""


class Busy(Exception):
    """Too many generations wait already."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an answer.

    Attributes:
        text: What is added.
        finish_reason: At the end.
        usage: At the end.
        error: What llama.cpp refused, instead of everything else.
    """

    text: str = ""
    finish_reason: str | None = None
    usage: JsonObject | None = None
    error: JsonObject | None = None


class Engine:
    """A loaded model.

    Args:
        path: The GGUF file.
        templated: Whether it has a chat template worth using; a base model is given a transcript.
    """

    def __init__(self, path: Path, *, templated: bool) -> None:
        try:
            import xllamacpp  # noqa: PLC0415 - an optional extra
        except ImportError:
            raise StartError(MISSING) from None
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(path)
        parameters.n_ctx = WINDOW_TOKENS
        parameters.n_parallel = 1
        parameters.warmup = False
        parameters.verbosity = 0
        parameters.cpuparams.n_threads = os.cpu_count() or 1
        try:
            self._server: Any = xllamacpp.Server(parameters)
        except (RuntimeError, ValueError, OSError):
            raise StartError(f"The model {path.name} cannot be loaded by llama.cpp.") from None
        self._templated = templated
        self._waiting = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="llama")

    async def generate(self, body: JsonObject) -> AsyncGenerator[Piece, None]:
        """Yield an answer as it grows; closing this stops the generation at its next token.

        Raises:
            Busy: Too many wait already.
        """
        if self._waiting >= QUEUE:
            raise Busy
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[Piece | None] = asyncio.Queue()
        stopped = threading.Event()

        def take(payload: JsonObject) -> bool:
            loop.call_soon_threadsafe(pieces.put_nowait, piece_of(payload))
            return stopped.is_set()

        def run() -> None:
            try:
                if not stopped.is_set():
                    self._run(body, take)
            finally:
                loop.call_soon_threadsafe(pieces.put_nowait, None)

        self._waiting += 1
        work = loop.run_in_executor(self._thread, run)
        try:
            while (piece := await pieces.get()) is not None:
                yield piece
            await work
        finally:
            stopped.set()
            self._waiting -= 1

    def _run(self, body: JsonObject, take: Any) -> None:
        asked = body.get("max_completion_tokens") or body.get("max_tokens") or ANSWER_TOKENS
        stop = body.get("stop") or []
        common: JsonObject = {
            "stream": True,
            "stream_options": {"include_usage": True},
            **{name: body[name] for name in PASSED_ON if body.get(name) is not None},
        }
        own_stop = [stop] if isinstance(stop, str) else list(stop)
        if self._templated:
            self._server.handle_chat_completions(
                {
                    **common,
                    "messages": body["messages"],
                    "max_tokens": min(int(asked), ANSWER_TOKENS),
                    "stop": own_stop,
                },
                take,
            )
            return
        self._server.handle_completions(
            {
                **BASE_MODEL_SAMPLING,
                **common,
                "prompt": transcript(body["messages"]),
                "n_predict": min(int(asked), ANSWER_TOKENS),
                "stop": [*STOP, *own_stop],
            },
            take,
        )

    def close(self) -> None:
        """Wait for the generation under way."""
        self._thread.shutdown(cancel_futures=True)


def piece_of(payload: JsonObject) -> Piece:
    """Read one of llama.cpp's payloads, of either kind."""
    if "error" in payload:
        return Piece(error=payload["error"])
    usage = payload.get("usage")
    if usage is not None:
        usage = {
            name: usage[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")
        }
    choices = payload.get("choices") or [{}]
    delta = choices[0].get("delta") or {}
    text = choices[0].get("text") or delta.get("content") or ""
    return Piece(text=text, finish_reason=choices[0].get("finish_reason"), usage=usage)
