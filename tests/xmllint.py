"""xmllint as a judge that shares no code with us."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ajpes_reporting import shipped


def complaints(path: Path, schema: str) -> str:
    """What xmllint says against a file by a schema of `schemas/`; empty if it validates."""
    program = shutil.which("xmllint")
    if program is None:
        pytest.skip("install libxml2-utils")
    done = subprocess.run(
        [program, "--nonet", "--noout", "--schema", shipped.schema(schema), path],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stderr if done.returncode else ""
