"""Shows text that somebody else chose, with control characters and invisible characters escaped.

Terminals obey C0 and C1 characters, and reverse lines at bidirectional ones; a line end begins a line that
looks like one of ours; characters without width make two names look alike.
"""

from __future__ import annotations

import json
import re

# Printable by their class, and yet invisible: fillers, blanks, selectors of variants.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def shown(text: str) -> str:
    r"""Returns the text on one line, unprintable characters escaped as in Python: `\n`, `\x9b`, `\u202e`."""
    if _is_plain(text):
        return text
    return "".join(
        letter if _is_plain(letter) else letter.encode("unicode_escape").decode() for letter in text
    )


def shown_json(document: str) -> str:
    """Returns a JSON document with unprintable characters escaped as in JSON; its values stay the same."""
    if all(map(_is_plain, document.split("\n"))):
        return document
    return "".join(
        letter if letter == "\n" or _is_plain(letter) else json.dumps(letter)[1:-1] for letter in document
    )


def _is_plain(text: str) -> bool:
    return text.isprintable() and (text.isascii() or _UNSEEN.search(text) is None)
