"""The state of a simulated workspace is kept in this process and shown to nobody else."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest

from secure_openai.posture.simulation.state import State


def answer(address: str, content: bytes | None = None) -> bytes:
    """Read an address, or write to it."""
    with urllib.request.urlopen(urllib.request.Request(address, content), timeout=60) as response:
        found: bytes = response.read()
    return found


def test_what_is_written_is_read_again() -> None:
    """The state is there as it was sent, also once nothing listens any more."""
    with State() as state:
        answer(state.address, b'{"version": 4}')

        assert answer(state.address) == b'{"version": 4}'

    assert state.content == b'{"version": 4}'


def test_there_is_none_before_it_is_written() -> None:
    """Terraform takes 404 for an empty state."""
    with State() as state, pytest.raises(urllib.error.HTTPError, match="404"):
        answer(state.address)


@pytest.mark.parametrize("content", [None, b"{}"])
def test_nobody_else_reads_or_writes_it(content: bytes | None) -> None:
    """Whoever finds the port does not know the path."""
    with State() as state:
        answer(state.address, b"ours")
        with pytest.raises(urllib.error.HTTPError, match="404"):
            answer(f"{state.address.rpartition('/')[0]}/", content)

        assert state.content == b"ours"
