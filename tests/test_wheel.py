"""The wheel, installed into an empty folder beside its locked dependencies, starts there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.system import environment, free_ports, wait_ready

pytestmark = pytest.mark.process

ROOT = Path(__file__).parent.parent


def test_the_wheel_starts_in_an_empty_folder(tmp_path: Path) -> None:
    """Built, installed by hash beside its locked dependencies, it serves and stops."""
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    folder = tmp_path / "empty"
    venv.create(folder / "venv")
    pip = [
        *(sys.executable, "-m", "pip", "--python", str(folder / "venv")),
        *("install", "--quiet", "--disable-pip-version-check", "--no-compile"),
    ]
    subprocess.run(
        [*pip, "--require-hashes", "-r", str(ROOT / "requirements" / "base.txt")], check=True
    )
    subprocess.run([*pip, "--no-deps", str(wheel)], check=True)
    port = free_ports()
    kept = {name: value for name, value in environment().items() if name != "PYTHONPATH"}
    process = subprocess.Popen(
        [
            *(str(folder / "venv" / "bin" / "secure-openai"), "up", "--no-browser"),
            *("--model", "scripted", "--port", str(port), "--data", "data"),
        ],
        cwd=folder,
        env=kept,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        wait_ready(f"http://localhost:{port}", process)
    finally:
        os.kill(process.pid, signal.SIGINT)
        process.communicate(timeout=60)

    assert process.returncode == 0
