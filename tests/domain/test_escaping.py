"""What a stranger's text looks like where a person reads it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ajpes_reporting.domain.escaping import shown, shown_json

# From Unicode's own lists: Cc, the bidirectional controls of UAX 9, separators, no width, tags, fillers.
ACTING = [
    *map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)),
    "\u061c", "\u200e", "\u200f", *map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A)),
    "\u2028", "\u2029", "\u00ad", "\u180e", "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u034f",
    "\u115f", "\u1160", "\u3164", "\uffa0", "\u2800", "\ufe0f", "\ufff9", "\U000e0001", "\U000e0041",
    "\U000e0100", "\ud800", "\udcff", "\xa0", "\u2003", "\u3000", "\ue000",
]  # fmt: skip


@pytest.mark.parametrize("letter", ACTING, ids=ascii)
def test_what_acts_or_hides_is_written_out(letter: str) -> None:
    """A clerk sees that it is there, and her terminal does nothing because of it."""
    told = shown(f"Ana{letter}Novak")
    assert told == f"Ana{letter.encode('unicode_escape').decode()}Novak"
    assert letter not in told
    assert told.isascii()


def test_the_escapes_are_those_of_python() -> None:
    """Whoever knows one notation reads it."""
    assert shown("\x9b31m\u202e\n\t\x1b") == r"\x9b31m\u202e\n\t\x1b"


@pytest.mark.parametrize(
    "text", ["", "Žagar & sin d.o.o., Čačak", "naïve, „tako“ … 12,50 €", "漢字", "👍", r"a\nb"]
)
def test_all_that_shows_as_itself_stays(text: str) -> None:
    """Names of people are read as they are written."""
    assert shown(text) == text


@given(st.text())
def test_a_text_is_always_one_printable_line(text: str) -> None:
    """Whatever Unicode brings."""
    told = shown(text)
    assert told.isprintable()
    assert len(told.splitlines()) <= 1


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_says_what_it_said(document: object) -> None:
    """A program reads the very text; a terminal that shows the document obeys nothing in it."""
    told = shown_json(json.dumps(document, ensure_ascii=False, indent=2))
    assert json.loads(told) == document
    assert told.replace("\n", "").isprintable()
