"""One way from what is told to JSON."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path

import pytest

from ajpes_reporting.i18n import Message, speaking
from ajpes_reporting.queries.document import document, untold


class _Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class _Told:
    at: datetime
    on: date
    colour: _Colour
    path: Path
    parts: tuple[int, ...]
    text: str
    hidden: object = untold()


def test_a_document_has_every_told_field_as_json_has_it():
    """Programs that read `--json`: a moment says its offset, and nothing has a form of its own."""
    text = Message("{cents:eur}", {"cents": 123456})
    told = _Told(
        datetime(2026, 11, 17, 17, tzinfo=UTC),
        date(2026, 11, 17),
        _Colour.RED,
        Path("a/b"),
        (1, 2),
        text,
        object(),
    )
    with speaking("sl"):
        made = json.loads(json.dumps(document({"told": told, "none": None})))
    assert made == {
        "told": {
            "at": "2026-11-17T18:00:00+01:00",
            "on": "2026-11-17",
            "colour": "red",
            "path": "a/b",
            "parts": [1, 2],
            "text": "1.234,56 EUR",
        },
        "none": None,
    }


def test_a_list_that_is_read_once_stays_a_stream():
    """Banks with a million obligations: a document of them is written item by item."""
    taken = []

    def read():
        for number in range(3):
            taken.append(number)
            yield date(2026, 11, 17)

    made = document({"days": read()})
    assert taken == []
    assert list(made["days"]) == ["2026-11-17"] * 3


def test_a_value_that_json_does_not_have_is_a_fault():
    """Whoever adds a value: what has no form in JSON is found at once, not printed as Python shows it."""
    with pytest.raises(TypeError, match="object"):
        document(object())
