"""Messages keep their parts, and are written in each language as people write them."""

import copy
import pickle
from datetime import UTC, date, datetime

import pytest

from ajpes_reporting.i18n import Message, _, _n, language, localized, speak, speaking
from ajpes_reporting.i18n.formats import FORMATS
from ajpes_reporting.i18n.language import language_of_locale
from ajpes_reporting.i18n.message import pack, unpack

AT = datetime(2026, 11, 20, 17, 5, tzinfo=UTC)  # 18:05 in Ljubljana


def test_a_message_is_its_english_text():
    """Protects logs and records: whoever knows no languages sees English."""
    message = _("{report} for {day:date} was not sent.", report="NODURS", day=date(2026, 11, 20))
    assert message == "NODURS for 20 November 2026 was not sent."
    assert isinstance(message, str)


def test_a_template_without_values_may_hold_braces():
    """Protects an operator who is shown a piece of JSON."""
    assert _("write {} there") == "write {} there"


def test_a_number_chooses_the_sentence():
    """Protects a reader from "1 events"."""
    assert _n("{count} event is new", "{count} events are new", 1) == "1 event is new"
    assert _n("{count:count} event is new", "{count:count} events are new", 1200) == "1,200 events are new"


@pytest.mark.parametrize(
    ("code", "spec", "value", "text"),
    [
        ("en", "count", 48210, "48,210"),
        ("sl", "count", 48210, "48.210"),
        ("en", "eur", 123456, "1,234.56 EUR"),
        ("sl", "eur", 123456, "1.234,56 EUR"),
        ("sl", "eur", -5, "-0,05 EUR"),
        ("en", "date", date(2026, 11, 30), "30 November 2026"),
        ("sl", "date", date(2026, 11, 30), "30. 11. 2026"),
        ("sl", "date", date(2026, 7, 3), "3. 7. 2026"),
        ("en", "month", date(2026, 10, 1), "October 2026"),
        ("sl", "month", date(2026, 10, 1), "oktober 2026"),
        ("en", "moment", AT, "2026-11-20 18:05"),
        ("sl", "moment", AT, "20. 11. 2026 ob 18.05"),
        ("en", "clock", AT, "18:05"),
        ("en", "written", "2026-11-17T08:05:00", "2026-11-17T08:05:00"),
        ("sl", "written", "2026-11-17T08:05:00", "17. 11. 2026 ob 8.05.00"),
        ("sl", "written", "2026-11-17T08:05:00.25+01:00", "17. 11. 2026 ob 8.05.00"),
        ("sl", "written", "yesterday", "yesterday"),
        ("en", "period", "2026-10", "2026-10"),
        ("sl", "period", "2026-10", "oktober 2026"),
        ("sl", "period", "2026-11-17", "17. 11. 2026"),
        ("sl", "clock", datetime(2026, 7, 3, 7, 4, tzinfo=UTC), "9.04"),
        ("en", "or", ["a", "b", "c"], "a, b or c"),
        ("sl", "or", ["a", "b"], "a ali b"),
        ("sl", "and", ["a", "b", "c"], "a, b in c"),
        ("sl", "", ["a", "b"], "a, b"),
    ],
)
def test_values_are_written_as_people_write_them(code, spec, value, text):
    """Protects a clerk from dates and amounts in a stranger's form."""
    assert FORMATS[code].fill(f"{{it:{spec}}}", {"it": value}, str) == text


def test_the_language_of_a_reader_ends_with_his_block():
    """Protects one reader from another's language."""
    assert language() == "en"
    with speaking("sl"):
        assert language() == "sl"
    assert language() == "en"
    speak("sl")
    try:
        assert language() == "sl"
    finally:
        speak("en")


def test_what_has_no_translation_is_told_in_english():
    """Protects a reader from silence."""
    with speaking("sl"):
        assert localized(_("no catalogue has {this}", this="this")) == "no catalogue has this"
        assert localized("plain text") == "plain text"


PARTS = {
    "text": "ŽAGA d.o.o.",
    "number": 7,
    "day": date(2026, 11, 20),
    "at": AT,
    "items": ["a", _("b {n}", n=1)],
    "inner": _n("{count} row", "{count} rows", 3),
}


@pytest.mark.parametrize(
    "message",
    [
        _("nothing in it"),
        _("{text} {number} {day:date} {at:moment} {items:and} {inner}", **PARTS),
        _n("{count} event of {text}", "{count} events of {text}", 2, text="{"),
    ],
)
def test_a_kept_message_comes_back_with_its_parts(message):
    """Protects an auditor who reads in Slovene years later what was found today."""
    for again in (unpack(pack(message)), pickle.loads(pickle.dumps(message)), copy.deepcopy(message)):
        assert isinstance(again, Message)
        assert again == message
        assert (again.template, again.plural, again.number) == (
            message.template,
            message.plural,
            message.number,
        )
        assert again.told_in("sl") == message.told_in("sl")


@pytest.mark.parametrize("text", ["", "plain", '{"message": "forged"}', "{", "[1]", "{}"])
def test_a_plain_text_comes_back_as_it_is(text):
    """Protects the record from a stranger's text that looks like a message of ours."""
    again = unpack(pack(text))
    assert again == text
    assert (again.template, again.values) == (text, {})
    assert again.told_in("sl") == text


@pytest.mark.parametrize(
    "stored", ["{", "{}", '{"message": 1}', '{"message": "{a}", "values": {"b": 1}}', "{[]}"]
)
def test_what_is_no_message_is_shown_as_it_is_stored(stored):
    """Protects a page from a column that somebody else has written."""
    assert isinstance(unpack(stored), str)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"LANG": "sl_SI.UTF-8"}, "sl"),
        ({"LANG": "sl"}, "sl"),
        ({"LANG": "de_AT.UTF-8"}, "en"),
        ({"LC_ALL": "C", "LANG": "sl_SI.UTF-8"}, "en"),
        ({"LC_MESSAGES": "sl_SI", "LANG": "en_GB"}, "sl"),
        ({}, "en"),
    ],
)
def test_the_locale_names_the_language(environment, expected):
    """Protects whoever has never heard of our settings."""
    assert language_of_locale(environment) == expected


def test_words_of_others_stand_in_the_quotation_marks_of_the_language() -> None:
    """Protects a Slovene reader from English words that look like a part of his sentence."""
    ours = Message("{reason:foreign}", {"reason": Message("No such file or directory", {})})
    theirs = Message("{reason:foreign}", {"reason": "no such table: events"})
    typed = Message("{text:quoted}", {"text": "2026-13-01"})
    assert [one.told_in("en") for one in (ours, theirs, typed)] == [
        "No such file or directory",
        "no such table: events",
        "'2026-13-01'",
    ]
    assert [one.told_in("sl") for one in (ours, theirs, typed)] == [
        "datoteka ali mapa ne obstaja",
        "»no such table: events«",
        "»2026-13-01«",
    ]


def test_a_way_is_called_in_prose_as_people_call_it() -> None:
    """Protects a reader from the keys of the settings in the middle of a sentence."""
    told = [Message("{way:way}", {"way": way}) for way in ("soap", "sftp", "hand")]
    assert [one.told_in("en") for one in told] == ["SOAP", "SFTP", "hand"]
    assert [one.told_in("sl") for one in told] == ["SOAP", "SFTP", "ročno"]
