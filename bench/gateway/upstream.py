"""The model that stands still: nginx with fixed answers, and a stream at a steady pace."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system import free_ports

ANSWER = {
    "id": "chatcmpl-0",
    "object": "chat.completion",
    "created": 1_760_000_000,
    "model": "bench",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "The capital of France is Paris."},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 12, "completion_tokens": 8, "total_tokens": 20},
}
WORDS = ("The", " capital", " of", " France", " is", " Paris", ".")


def chunk(text: str | None, *, usage: bool = False) -> bytes:
    """Return one event of a chat-completions stream."""
    payload = {
        "id": "chatcmpl-0",
        "object": "chat.completion.chunk",
        "created": 1_760_000_000,
        "model": "bench",
        "choices": []
        if usage
        else [
            {
                "index": 0,
                "delta": {} if text is None else {"content": text},
                "finish_reason": "stop" if text is None else None,
            }
        ],
    }
    if usage:
        payload["usage"] = ANSWER["usage"]
    return b"data: " + json.dumps(payload, separators=(",", ":")).encode() + b"\n\n"


def stream() -> bytes:
    """Return a whole stream."""
    events = [chunk(word) for word in WORDS]
    return b"".join([*events, chunk(None), chunk(None, usage=True), b"data: [DONE]\n\n"])


NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 300; client_max_body_size 8m;
  client_body_buffer_size 1m; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {servers}
}}
"""

STATIC = """
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = /whole/chat/completions {{
      default_type application/json; return 200 '{answer}'; }}
    location = /streamed/chat/completions {{
      default_type text/event-stream; return 200 '{stream}'; }}
    location /whole/models {{ return 200 '{{"data":[]}}'; }}
    location /streamed/models {{ return 200 '{{"data":[]}}'; }}
  }}
"""

PASSING = """
  upstream model {{ server 127.0.0.1:{target}; keepalive 512; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ proxy_pass http://model; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_buffering off; proxy_request_buffering on; }}
  }}
"""


@contextmanager
def nginx(folder: Path, servers: str, *, core: int) -> Iterator[int]:
    """Run nginx with these servers on one core; yield its process id."""
    folder.mkdir()
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, servers=servers))
    command = ["taskset", "-c", str(core), "nginx", "-p", str(folder), "-c", str(config)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


@contextmanager
def static(folder: Path, *, core: int) -> Iterator[int]:
    """Serve fixed answers; yield the port."""
    port = free_ports(1)
    servers = STATIC.format(port=port, answer=json.dumps(ANSWER), stream=stream().decode())
    with nginx(folder / "static", servers, core=core):
        yield port


def missing() -> list[str]:
    """Return the tools that this machine lacks."""
    return [name for name in ("nginx", "wrk", "taskset") if shutil.which(name) is None]


async def paced(port: int, *, chunks: int, every: float) -> None:
    """Serve for ever: each answer is `chunks` events, one in `every` seconds, the first at once.

    Each says when it was sent, by the clock that all processes of a machine share.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = 0
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                await reader.readexactly(length)
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n"
                )
                began = asyncio.get_running_loop().time()
                for number in range(chunks):
                    await asyncio.sleep(began + number * every - asyncio.get_running_loop().time())
                    _write(writer, chunk(f" {time.monotonic_ns()}"))
                    await writer.drain()
                _write(writer, chunk(None) + chunk(None, usage=True) + b"data: [DONE]\n\n")
                writer.write(b"0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(paced(int(sys.argv[1]), chunks=int(sys.argv[2]), every=float(sys.argv[3])))
