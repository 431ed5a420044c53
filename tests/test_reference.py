"""The reference is made from the docstrings, so they must be there, be readable, and be made into pages."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

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


# Openings that leave out what something is, or whose subject the reader has to guess.
ROUNDABOUT = re.compile(
    r"(What(ever)?|Who(ever)?|How|Where|When|Which|It|Its|The same|All that|Nothing|None of)\b"
)


def docstrings() -> Iterator[tuple[str, str]]:
    """Every docstring of the package, with its place."""
    for path in sorted((ROOT / "ajpes_reporting").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                place = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"
                yield place, ast.get_docstring(node) or ""


def test_a_docstring_begins_with_a_verb_or_a_noun() -> None:
    """A newcomer reads first what something is or does, and never has to guess the subject."""
    assert [place for place, text in docstrings() if ROUNDABOUT.match(text)] == []
