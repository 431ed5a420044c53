"""The authority must not share our mistakes."""

from __future__ import annotations

import ast
from pathlib import Path

import ajpes_reporting.sandbox

FOLDER = Path(ajpes_reporting.sandbox.__file__).parent


def test_the_sandbox_imports_nothing_of_its_clients() -> None:
    """Everybody who trusts a green test: a shared helper would make both sides wrong together."""
    for path in FOLDER.rglob("*.py"):
        depth = len(path.relative_to(FOLDER).parts)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.level <= depth, path.name
                assert not (node.module or "").startswith("ajpes_reporting"), path.name
            elif isinstance(node, ast.Import):
                assert not any(name.name.startswith("ajpes_reporting") for name in node.names), path.name
