"""Small turns of phrase, for every command."""

from __future__ import annotations


def as_order(remedy: str) -> str:
    """A remedy as it stands after "Do:": small at the beginning, without its last full stop."""
    text = remedy.rstrip(".")
    is_capitalised_word = text[:1].isupper() and text[1:2].islower()
    return text[:1].lower() + text[1:] if is_capitalised_word else text


def counted(count: int, noun: str) -> str:
    """ "1 event", "2 events"; `noun` is given in the plural."""
    return f"{count:,} {noun.removesuffix('s') if count == 1 else noun}"
