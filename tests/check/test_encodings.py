"""Reports in every encoding that a bank's system may write."""

from __future__ import annotations

from pathlib import Path

import pytest

from ajpes_reporting import shipped
from ajpes_reporting.reports.answers import AnswerReader
from ajpes_reporting.reports.nodurs import NODURS
from ajpes_reporting.xmlread import local_name, stream
from tests.check.conftest import ANSWER_SAMPLE, NODURS_SAMPLE, Check, changed

# Python's name, what the declaration says, and what the check should call it.
ENCODINGS = [
    ("utf-8", "UTF-8", "UTF-8"),
    ("utf-8-sig", "UTF-8", "UTF-8"),
    ("utf-16", "utf-16", "UTF-16"),
    ("iso-8859-2", "ISO-8859-2", "ISO-8859-2"),
    ("windows-1250", "windows-1250", "windows-1250"),
]
NAME = "Žagar, Čšž & Đorđe"


@pytest.mark.parametrize(("codec", "declared", "told"), ENCODINGS)
def test_letters_are_read_right(tmp_path: Path, check: Check, codec: str, declared: str, told: str) -> None:
    """A name of Slovenian letters comes out the same, however the file was saved."""
    text = NODURS_SAMPLE.decode().replace("Pekarna Orel", NAME.replace("&", "&amp;"))
    content = text.replace('encoding="UTF-8"', f'encoding="{declared}"').encode(codec)
    checked = check(content)
    assert (checked.findings, checked.record_count) == ((), 2)
    assert checked.encoding.upper() == told.upper()
    path = tmp_path / "file.xml"
    names = [element.text for _event, element in stream(path, ("end",)) if local_name(element) == "Naziv"]
    assert names[1] == f"{NAME} d.o.o."


def test_a_file_without_a_declaration_is_utf_8(check: Check) -> None:
    """The declaration may be left out."""
    checked = check(changed(NODURS_SAMPLE, '<?xml version="1.0" encoding="UTF-8"?>\n', ""))
    assert (checked.ok, checked.encoding, checked.record_count) == (True, "UTF-8", 2)


@pytest.mark.parametrize(("codec", "declared", "told"), ENCODINGS)
def test_answers_are_read_right(tmp_path: Path, check: Check, codec: str, declared: str, told: str) -> None:
    """What the authority says is shown as it said it."""
    text = ANSWER_SAMPLE.decode().replace('encoding="UTF-8"', f'encoding="{declared}"')
    checked = check(text.encode(codec))
    assert (checked.ok, checked.record_count) == (True, 2)
    schema = shipped.schema(NODURS.answer_schema)
    [row, *_] = AnswerReader(tmp_path / "file.xml", NODURS, schema).rows()
    assert row.text == "Dogodek, ki je bil že sprejet, manjka."
