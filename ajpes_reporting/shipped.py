"""The schemas and samples that come with the program, in a checkout and in a wheel alike."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def schema(name: str) -> Path:
    """Returns the path of a file of `schemas/`, such as "nodurs-20100601.xsd"."""
    return _folder("schemas") / name


def sample(name: str) -> Path:
    """Returns the path of a file of `samples/`, such as "ledger/events.csv"."""
    return _folder("samples") / name


def _folder(name: str) -> Path:
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name
