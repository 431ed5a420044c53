"""Every text that is made to be told to a person can be translated."""

import ast
from collections.abc import Iterator

from .catalogue import PACKAGE

# The first argument of some is a key, not a text.
_TOLD = {"Finding": 0, "Shortfall": 0, "Alarm": 1, "Look": 1, "Diagnosis": 1}
# What a program is told, or what is caught where a sentence of ours is made of it.
_NOT_TOLD = {
    "LookupError": "a fault of the program",
    "TypeError": "a fault of the program",
    "ValueError": "the caller says what a person is told",
    "SFTPError": "the protocol's own words, as paramiko has them",
    "paramiko.SSHException": "the protocol's own words, as paramiko has them",
}


def _plain(node: ast.AST) -> Iterator[ast.AST]:
    """The texts of several words in an expression that stand outside of a message."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "_n"):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _plain(child)


def _told(tree: ast.Module) -> Iterator[ast.AST]:
    """What is raised, found and alarmed."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            if ast.unparse(node.exc.func) not in _NOT_TOLD:
                yield node.exc
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _TOLD:
            yield from node.args[_TOLD[node.func.id] :]
            yield from (keyword.value for keyword in node.keywords)


def test_whatever_is_raised_found_or_alarmed_can_be_translated() -> None:
    """Protects a reader of Slovene from a refusal, a finding or an alarm in English."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if "sandbox" not in path.relative_to(PACKAGE).parts:
            for part in _told(ast.parse(path.read_text(encoding="utf-8"))):
                plain = [f"{path}:{text.lineno}" for text in _plain(part) if isinstance(text, ast.Constant)]
                assert plain == []
