"""What a process that serves asks of Python and of the C library."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from secure_openai.local.runtime import FREE_BYTES, TURN_SECONDS

BODIES = """
import sys
import psutil
from secure_openai.local.runtime import prepare_to_serve
if sys.argv[1] == "serves":
    prepare_to_serve()
resident = psutil.Process().memory_info
before = resident().rss
bodies = [bytes([1]) * 100_000 for _ in range(int(sys.argv[2]))]
held = resident().rss
del bodies
print(held - before, held - resident().rss)
"""


def held_and_given_back(how: str, bodies: int) -> tuple[int, int]:
    """Return how many bytes a process took for bodies, and gave back when it dropped them."""
    done = subprocess.run(
        [sys.executable, "-c", BODIES, how, str(bodies)], capture_output=True, text=True, check=True
    )
    held, given_back = map(int, done.stdout.split())
    return held, given_back


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the GNU C library's")
def test_free_memory_is_kept_up_to_a_bound() -> None:
    """What thirty bodies took is there for the next ones; what hundreds took goes back."""
    held, given_back = held_and_given_back("does not", 200)
    assert given_back > held / 2

    held, given_back = held_and_given_back("serves", 200)
    assert held > 15_000_000
    assert given_back < 1_000_000

    held, given_back = held_and_given_back("serves", 1_000)
    assert held - given_back < FREE_BYTES + 8_000_000


def test_threads_take_short_turns() -> None:
    """Whoever has the interpreter gives way sooner than Python would have it."""
    asked = (
        "import sys; from secure_openai.local.runtime import prepare_to_serve;"
        " print(sys.getswitchinterval()); prepare_to_serve(); print(sys.getswitchinterval())"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    before, after = map(float, done.stdout.split())
    assert before > after == pytest.approx(TURN_SECONDS)
