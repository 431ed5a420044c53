"""A SOAP reply by itself, whatever is in it: an answer, a fault, or words why it is neither."""

from __future__ import annotations

import json
import random
import time
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from ajpes_reporting.deliver.soap.replies.answer import Call
from ajpes_reporting.deliver.soap.replies.read import Question, Reading, read_reply
from ajpes_reporting.deliver.soap.replies.unusable import UnusableReplyError
from tests import poison, replies
from tests.deliver.conftest import REPORT

RESULT = "BlokPodOddajResult"
AT = datetime(2026, 11, 17, 17, 2, tzinfo=UTC)


def read(folder: Path, content: bytes, content_type: str = "") -> Reading:
    """What a reply says; its answer is then `answer.xml`."""
    (envelope := folder / "envelope.xml").write_bytes(content)
    (report := folder / "report.xml").write_bytes(REPORT)
    (folder / "answer.xml").unlink(missing_ok=True)
    return read_reply(envelope, folder / "answer.xml", Question(RESULT, content_type, Call(report, AT)))


def verdict(folder: Path) -> list[str]:
    """The declared errors of the answer, and the severities of its rows."""
    root = etree.parse(folder / "answer.xml").getroot()
    assert etree.QName(root).localname == "BlokOdgovor"
    head, *rows = root
    assert (head.get("maticnaPonudnika"), head.get("datumPodatkov")) == ("5860571000", "2026-11-17")
    return [head.get("iErr", ""), *(row.get("vrsta", "") for row in rows)]


@pytest.mark.parametrize("wrapping", replies.WRAPPINGS)
@pytest.mark.parametrize(
    ("content", "expected", "texts"),
    [
        (replies.YES, ["0"], []),
        (replies.MAYBE, ["0", "WRN"], ["znesek je visok"]),
        (replies.NO, ["1", "ERR"], ["račun ni pravi"]),
    ],
    ids=["accepted", "accepted with a warning", "refused"],
)
def test_a_verdict_is_read_whatever_is_round_it(
    tmp_path: Path, wrapping: str, content: str, expected: list[str], texts: list[str]
) -> None:
    """The bank need not ask by telephone what stands in a reply that it has."""
    given = replies.WRAPPINGS[wrapping](content)
    reading = read(tmp_path, given.body, given.content_type)
    assert (reading.fault, reading.refusal) == (None, None)
    assert verdict(tmp_path) == expected
    assert [opis.text for opis in etree.parse(tmp_path / "answer.xml").iterfind(".//{*}Opis")] == texts


@pytest.mark.parametrize(
    ("wrapping", "told"),
    [
        ("as the instruction has it", ()),
        ("NULs after the end", ()),
        ("typed result", ("the answer in it is a typed result",)),
        ("escaped twice", ("the reply holds its answer as text",)),
        ("MIME", ("the reply came in MIME",)),
        ("bare", ("the reply came without a SOAP envelope",)),
        ("windows-1250, by its header alone", ("the reply came in windows-1250",)),
        (
            "windows-1250, and its declaration lies",
            ("the reply is said to be in windows-1250 and utf-8", "the reply came in windows-1250"),
        ),
        (
            "an encoding that nobody knows",
            ("the reply names the encoding 'klingon', which is not known here",),
        ),
        ("elements for attributes", ("the answer was put into the form of a BlokOdgovor",)),
    ],
)
def test_what_was_odd_about_a_reply_is_told(tmp_path: Path, wrapping: str, told: tuple[str, ...]) -> None:
    """Whoever settles a dispute later knows what the authority really sent."""
    given = replies.WRAPPINGS[wrapping](replies.NO)
    assert read(tmp_path, given.body, given.content_type).deviations == told


def test_what_a_reply_leaves_out_of_an_answer_is_known_from_the_call(tmp_path: Path) -> None:
    """A verdict without a date is one on the report that was just sent; and it is told that it had none."""
    reading = read(tmp_path, b'{"success": true}', "application/json")
    assert verdict(tmp_path) == ["0"]
    assert etree.parse(tmp_path / "answer.xml").getroot()[0].get("datumPriprave") == "2026-11-17T17:02:00Z"
    assert reading.deviations == (
        "the reply came as JSON",
        "the reply leaves out the provider, the day and the time, known from the call",
    )  # fmt: skip


@pytest.mark.parametrize(
    "style",
    [
        "JSON: success, and an error",
        "an error in a list elsewhere",
        "an error beside a head that counts none",
    ],
)
def test_what_the_head_says_stays_beside_a_row_that_says_otherwise(tmp_path: Path, style: str) -> None:
    """The worse reading holds, and the disagreement can be shown."""
    read(tmp_path, replies.REFUSED[style].body)
    assert verdict(tmp_path) == ["0", "ERR"]


def test_an_answer_about_another_day_is_not_made_ours(tmp_path: Path) -> None:
    """Only what is missing is taken from the call."""
    read(tmp_path, b'{"success": true, "datumPodatkov": "16. 11. 2026", "maticnaPonudnika": "1234567"}')
    head = etree.parse(tmp_path / "answer.xml").getroot()[0]
    assert (head.get("datumPodatkov"), head.get("maticnaPonudnika")) == ("2026-11-16", "1234567")


def test_the_record_and_the_number_of_a_row_are_kept(tmp_path: Path) -> None:
    """The clerk is told which event it is about, also where the notation is another one."""
    given = replies.WRAPPINGS["elements for attributes"](replies.NO)
    read(tmp_path, given.body)
    row = etree.parse(tmp_path / "answer.xml").getroot()[1]
    assert dict(row.attrib) == {"blokId": "O-1", "dogId": "1", "Id": "12", "vrsta": "ERR"}


def test_a_number_that_is_none_is_told_in_the_text(tmp_path: Path) -> None:
    """E-12 is what the clerk reads to AJPES on the telephone."""
    rows = [{"code": "E-12", "text": "slabo <&>\u0000"}]
    read(tmp_path, json.dumps({"success": False, "rows": rows}).encode())
    row = etree.parse(tmp_path / "answer.xml").getroot()[1]
    assert (dict(row.attrib), row.findtext("Opis")) == ({"vrsta": "ERR"}, "E-12: slabo <&>\ufffd")


@pytest.mark.parametrize("wrapping", replies.WRAPPINGS)
def test_a_reply_that_breaks_off_never_accepts(tmp_path: Path, wrapping: str, full: bool) -> None:
    """Half a refusal may look like an acceptance; half a reply is none. With --full, at every byte."""
    given = replies.WRAPPINGS[wrapping](replies.NO)
    whole = len(given.body.rstrip(b"\r\n\0 \t"))
    for size in range(0, whole, 1 if full else 41):
        try:
            reading = read(tmp_path, given.body[:size], given.content_type)
        except UnusableReplyError as error:
            assert "makes no sense to this program" not in str(error)
        else:
            assert reading.refusal or verdict(tmp_path)[0] != "0"


@pytest.mark.parametrize("wrapping", replies.WRAPPINGS)
def test_a_byte_that_was_changed_on_the_way_makes_no_acceptance_of_a_refusal(
    tmp_path: Path, wrapping: str, full: bool
) -> None:
    """An error row refuses, whatever has become of the rest."""
    dice = random.Random(wrapping)  # the same for every run
    given = replies.WRAPPINGS[wrapping](replies.NO + replies.row())
    body = bytearray(given.body)
    for _ in range(1_000 if full else 12):
        place = dice.randrange(len(body))
        before, body[place] = body[place], dice.randrange(256)
        try:
            read(tmp_path, bytes(body), given.content_type)
        except UnusableReplyError as error:
            assert "makes no sense to this program" not in str(error)
        else:
            if (tmp_path / "answer.xml").exists():
                assert b"ERR" in (tmp_path / "answer.xml").read_bytes()
        body[place] = before


def reply(body: str, root: str = "") -> bytes:
    """A SOAP envelope round a body."""
    soap = 'xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"'
    return f"<soap:Envelope {soap} {root}><soap:Body>{body}</soap:Body></soap:Envelope>".encode()


def levels(count: int, each: str) -> str:
    """Elements in one another, each with these attributes."""
    return "".join(f"<a {each.format(number)}>" for number in range(count)) + "</a>" * count


@pytest.mark.parametrize(
    "body",
    [
        levels(90, " ".join(f'xmlns:p{{0}}x{number}="u"' for number in range(4_000))),
        levels(1, " ".join(f'a{number}="1"' for number in range(2_000))),
        levels(1, " ".join(f'a{number}=""' for number in range(1_000_000))),
        f'<a x="{"x" * 20_000_000}"/>',
        f"<!--{'x' * 20_000_000}-->",
        levels(100_000, ""),
        f"<x:{RESULT}>&lt;BlokOdgovor&gt;",
        "<a:b/>&#0;",
        f"<{RESULT}>{'&lt;a&gt;' * 200_000}</{RESULT}>",
        f"<BlokOdgovor>{''.join(f'<a{number}/>' for number in range(1_000_000))}</BlokOdgovor>",
    ],
    ids=[
        "namespaces in namespaces", "2,000 attributes", "a million attributes", "a long value",
        "a long comment", "100,000 levels", "cut off", "a character that XML has not", "a deep text",
        "a million names",
    ],
)  # fmt: skip
def test_what_would_fill_the_memory_is_no_reply(tmp_path: Path, body: str) -> None:
    """The report has arrived, and the program that asks what became of it goes on living."""
    begun = time.process_time()
    with pytest.raises(UnusableReplyError):
        read(tmp_path, reply(body))
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    "wrapping", ["MIME with a typed result", "escaped", "windows-1250, by its header alone"]
)
def test_a_large_reply_needs_no_memory_however_it_is_wrapped(tmp_path: Path, wrapping: str) -> None:
    """The largest bank's answer goes through the smallest machine."""
    made = replies.WRAPPINGS[wrapping](replies.ident(0, 150_000) + replies.row("WRN", "x") * 150_000)
    tracemalloc.start()
    read(tmp_path, made.body, made.content_type)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(made.body) > 11_000_000
    assert peak < 9_000_000  # Python 3.13 takes a tenth more than 3.11


def test_long_names_fill_no_memory_either(tmp_path: Path) -> None:
    """The parser keeps each name four times over, as long as it is."""
    names = "".join(f"<{'a' * 500_000}{number}/>" for number in range(10))
    with pytest.raises(UnusableReplyError, match="the reply's names have more than"):
        read(tmp_path, reply(names + replies.block(replies.YES)))


def test_long_names_in_json_are_not_kept(tmp_path: Path) -> None:
    """A program that runs for months does not grow by what one reply calls its fields."""
    fields = ",".join(f'"{"a" * 1_000_000}{number}":1' for number in range(20))
    body = f'{{{fields},"success":true}}'.encode()
    tracemalloc.start()
    read(tmp_path, body, "application/json")
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept < 2_000_000


@pytest.mark.parametrize("name", {**poison.UNREADABLE, **poison.UNMATCHED})
def test_an_answer_that_makes_no_sense_is_handed_on_or_refused_in_words(tmp_path: Path, name: str) -> None:
    """What it is worth is for whoever reads it; the reply itself is never a traceback."""
    content = {**poison.UNREADABLE, **poison.UNMATCHED}[name]
    if isinstance(content, bytes):
        content = content.decode("latin-1")
    for body in (
        content,
        f"<r><{RESULT}>{content.replace('&', '&amp;').replace('<', '&lt;')}</{RESULT}></r>",
    ):
        try:
            assert read(tmp_path, reply(body)).refusal or (tmp_path / "answer.xml").exists()
        except UnusableReplyError as error:
            assert str(error)


def test_what_nobody_foresaw_is_told_as_unusable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours must not leave a report `sending`, as if nothing had been replied."""

    def broken(*_given: object) -> None:
        raise KeyError("zzz")

    monkeypatch.setattr("ajpes_reporting.deliver.soap.replies.encoding.in_utf8", broken)
    with pytest.raises(UnusableReplyError, match="KeyError"):
        read(tmp_path, reply(poison.answer()))
