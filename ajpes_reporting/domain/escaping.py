"""Shows text that somebody else chose: what a terminal would obey, or nobody would see, stands there escaped.

Terminals obey C0 and C1 characters, and turn lines round for the bidirectional ones; a line end makes a
line that looks like one of ours; what has no width lets two names look alike.
"""

from __future__ import annotations

import json
import re

# Printable by their class, and yet nothing is seen of them: fillers, blanks, selectors of variants.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def shown(text: str) -> str:
    r"""The text on one line; what does not show as itself is written as in Python: `\n`, `\x9b`, `\u202e`."""
    if _is_plain(text):
        return text
    return "".join(
        letter if _is_plain(letter) else letter.encode("unicode_escape").decode() for letter in text
    )


def shown_json(document: str) -> str:
    """The same for a JSON document, in the escapes of JSON: it says what it said before."""
    if all(map(_is_plain, document.split("\n"))):
        return document
    return "".join(
        letter if letter == "\n" or _is_plain(letter) else json.dumps(letter)[1:-1] for letter in document
    )


def _is_plain(text: str) -> bool:
    return text.isprintable() and (text.isascii() or _UNSEEN.search(text) is None)
