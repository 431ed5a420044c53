"""Small turns of phrase, for every command."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """ "1 event", "2 events"; `noun` is given in the plural."""
    return f"{count:,} {noun.removesuffix('s') if count == 1 else noun}"
