"""The bank of the pipeline's tests, and the program as it is called."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.pipeline.conftest import authority, bank, clock

__all__ = ["authority", "bank", "clock"]

PROGRAM = (sys.executable, "-m", "ajpes_reporting")


def ajpes(*arguments: str | Path, code: int = 0) -> str:
    """Runs the program as an administrator does; gives what it says, which must end with that code."""
    done = subprocess.run([*PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr
