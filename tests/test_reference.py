"""The reference is made from the docstrings, so they must be there, be readable, and be made into pages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMMAND = re.compile(r"^python (-m pdoc .*) -o build/api ajpes_reporting (.*)$", re.MULTILINE)
ONLY_FOR_TYPE_CHECKERS = ("Error parsing type annotation", "Failed to run TYPE_CHECKING code")


def test_the_reference_is_made_by_the_command_that_is_shown(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """A newcomer who copies the command has the reference, whole and without a warning that matters."""
    shown = COMMAND.search((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))
    assert shown
    options = shown[1].split()
    left_out = [argument.strip("'") for argument in shown[2].split()]
    package = "ajpes_reporting" if pytestconfig.getoption("full") else "ajpes_reporting.domain"
    made = subprocess.run(
        [sys.executable, *options, "-o", tmp_path, package, *left_out],
        cwd=ROOT,
        env={**os.environ, "PDOC_ALLOW_EXEC": "1"},
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    warnings = [line for line in made.stderr.splitlines() if line.startswith("Warn")]
    assert [line for line in warnings if not any(text in line for text in ONLY_FOR_TYPE_CHECKERS)] == []
    page = (tmp_path / "ajpes_reporting" / "domain" / "outcomes.html").read_text(encoding="utf-8")
    assert "Provably nothing arrived" in page
