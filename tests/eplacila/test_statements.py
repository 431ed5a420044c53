"""Statements: from an answer, from a JSON file, from an XML file; long ones in flat memory."""

from __future__ import annotations

import base64
import io
import json
import tracemalloc
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.eplacila.errors import AnswerUnusable, NotAuthentic
from ajpes_reporting.eplacila.periods import epoch, split
from ajpes_reporting.eplacila.statements import payments_in, payments_in_json, unpack_file
from tests.eplacila.conftest import Signer, Ujp, as_json

PROVIDER = "5874831000"
PAYMENT = {
    "id": "N-1", "idEplacil": "104353", "idStoritve": "143", "ponudnik": PROVIDER, "referenca": "TST-1",
    "rezultat": 3, "znesek": 12.23, "davcnaStPlacilniServis": "12345678",
    "datumPlacila": "2024-07-03T10:00:00", "datumNakazila": None, "sklicNakazila": "SI12 1",
    "nacinPlacila": "VISA", "namen": "Testno plačilo", "reklamacijska": "R", "urlpar": None,
    "racun": {
        "stevilkaRacuna": "EPS-1", "datumRacuna": "2024-07-03", "datumOpravljeneStoritve": None,
        "postavka": [
            {"opis": "a", "kolicina": 1, "cena": 10, "podracun": "SI56011006030300089"},
            {"opis": "b", "kolicina": 1, "cena": 2.23},
        ],
        "kupec": {"naziv": "Ana"},
    },
}  # fmt: skip
STATEMENT = {
    "placilo": [PAYMENT],
    "stevilka": 0,
    "na": "03. 07. 2024",
    "od": "03. 06. 2024",
    "do": "04. 07. 2024",
}
XML = """<?xml version="1.0" encoding="UTF-8"?>
<Izpisek{ns}><stevilka>0</stevilka><placilo><id>N-1</id><idEplacil>104353</idEplacil>
<idStoritve>143</idStoritve><ponudnik>5874831000</ponudnik><referenca>TST-1</referenca>
<rezultat>3</rezultat><znesek>12.23</znesek><davcnaStPlacilniServis>12345678</davcnaStPlacilniServis>
<datumPlacila>2024-07-03T10:00:00</datumPlacila><sklicNakazila>SI12 1</sklicNakazila>
<nacinPlacila>VISA</nacinPlacila><namen>Testno plačilo</namen><reklamacijska>R</reklamacijska>
<racun><stevilkaRacuna>EPS-1</stevilkaRacuna><datumRacuna>2024-07-03</datumRacuna>
<postavka><opis>a</opis><kolicina>1</kolicina><cena>10</cena><podracun>SI56011006030300089</podracun></postavka>
<postavka><opis>b</opis><kolicina>1</kolicina><cena>2.23</cena></postavka>
<kupec><naziv>Ana</naziv></kupec></racun></placilo></Izpisek>"""


def upper(value: Any) -> Any:
    """The same with every name beginning in upper case, as some serialisers write it."""
    if isinstance(value, dict):
        return {key[0].upper() + key[1:]: upper(item) for key, item in value.items()}
    return [upper(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(STATEMENT), json.dumps({"izpisek": STATEMENT}), json.dumps(upper(STATEMENT)),
        "\ufeff" + json.dumps({"auth": {}, "Izpisek": upper(STATEMENT)}),
        XML.format(ns=""), XML.format(ns=' xmlns="http://ujp.gov.si/Izpisek"'),
    ],
)  # fmt: skip
def test_a_statement_says_the_same_in_every_shape(tmp_path: Path, text: str) -> None:
    """JSON or XML, bare or in its answer, with a namespace or without, names in any case."""
    path = tmp_path / "izpisek"
    path.write_text(text, encoding="utf-8")
    (found,) = payments_in(path)
    assert (found.order_id, found.eplacila_id, found.amount_cents) == ("N-1", "104353", 1223)
    assert found.is_paid
    assert found.paid_at and found.paid_at.isoformat() == "2024-07-03T08:00:00+00:00"  # local time
    assert found.credited_at is None
    assert found.invoice and found.invoice.number == "EPS-1"
    assert [item.description for item in found.invoice.items] == ["a", "b"]
    assert found.invoice.items[0].subaccount == "SI56011006030300089"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "JSON"),
        ("{}", "no list of payments"),
        ('{"izpisek":"AAAA"}', "no list of payments"),
        (json.dumps(STATEMENT)[:-60], "payment 1"),
        ("<Blok/>", "izpisek"),
        ("<izpisek><placilo>", "XML"),
        ("<!DOCTYPE a><izpisek/>", "DOCTYPE"),
        ('{"placilo":[7]}', "payment 1"),
        (json.dumps({"placilo": [{**PAYMENT, "znesek": "veliko"}]}), "payment 1 .*znesek"),
        (json.dumps({"placilo": [PAYMENT, {**PAYMENT, "idEplacil": None}]}), "payment 2 .*ideplacil"),
        (json.dumps({"placilo": [{**PAYMENT, "Znesek": 1}]}), "twice"),
        ('{"placilo":[{"znesek":1e99999999999999999999}]}', "JSON"),
        (f'{{"placilo":[{{"znesek":{"9" * 5_000}}}]}}', "JSON"),
        (f'{{"placilo":[],"znesek":{"9" * 5_000}}}', "JSON"),
        ('{"placilo":[{"znesek":1e99999999}]}', "payment 1 .*beyond all measure"),
        (json.dumps({"placilo": [{**PAYMENT, "rezultat": False}]}), "payment 1 .*rezultat"),
        ("<izpisek><placilo><znesek>1</znesek><znesek>2</znesek></placilo></izpisek>", "twice"),
    ],
)
def test_a_statement_that_cannot_be_read_names_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    """Nothing is guessed; a truncated file is no short one."""
    path = tmp_path / "izpisek"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        list(payments_in(path))


@pytest.mark.parametrize("text", ['{"placilo":[]}', '{"izpisek":{"placilo":null}}', "<izpisek/>"])
def test_a_statement_may_be_empty(tmp_path: Path, text: str) -> None:
    """Nobody paid anything."""
    path = tmp_path / "izpisek"
    path.write_text(text, encoding="utf-8")
    assert list(payments_in(path)) == []


def test_a_long_period_is_asked_for_in_parts(ujp: Ujp, signer: Signer) -> None:
    """At most 365 days in one question; no day twice, none missing."""
    ujp.answer = lambda _request: as_json({"izpisek": STATEMENT, "auth": signer.auth()})
    found = list(ujp.client().payments(PROVIDER, date(2023, 1, 1), date(2025, 1, 1), delayed=True))
    assert len(found) == 3
    asked = [path.partition("?")[2].split("&")[:2] for path in ujp.paths()]
    days = [(date(2023, 1, 1), date(2023, 12, 31)), (date(2024, 1, 1), date(2024, 12, 30)),
            (date(2024, 12, 31), date(2025, 1, 1))]  # fmt: skip
    assert asked == [[f"datumOd={epoch(first)}", f"datumDo={epoch(last)}"] for first, last in days]


@given(st.dates(date(2000, 1, 1), date(2050, 1, 1)), st.integers(0, 3000))
@example(date(9998, 12, 1), 395)  # to the end of the calendar
@example(date(9999, 12, 31), 0)
def test_periods_cover_every_day_once_and_are_never_too_long(first: date, days: int) -> None:
    """In seconds too, whatever the clock change does to a year."""
    last = first + timedelta(days)
    parts = list(split(first, last))
    covered = [begin + timedelta(n) for begin, end in parts for n in range((end - begin).days + 1)]
    assert covered == [first + timedelta(n) for n in range(days + 1)]
    assert all(0 <= epoch(end) - epoch(begin) <= 365 * 86_400 for begin, end in parts)


def test_a_statement_that_ujp_has_not_signed_is_not_read(ujp: Ujp, forger: Signer) -> None:
    """Before the first payment is given out."""
    for auth in (forger.auth(), None):
        ujp.answer = lambda _request, auth=auth: as_json({"izpisek": STATEMENT, "auth": auth})
        with pytest.raises(NotAuthentic):
            next(ujp.client().payments(PROVIDER, date(2024, 1, 1), date(2024, 1, 1)))


def test_the_wrong_way_round_is_said_at_once(ujp: Ujp) -> None:
    """Code 301, before anything is sent."""
    with pytest.raises(UsageError, match="before it begins"):
        ujp.client().payments(PROVIDER, date(2024, 1, 2), date(2024, 1, 1))
    assert ujp.requests == []


@pytest.mark.parametrize("kind", ["xml", "json"])
def test_a_statement_file_is_unpacked_beside_nothing_else(
    ujp: Ujp, signer: Signer, tmp_path: Path, kind: Any
) -> None:
    """Section 6.5.5.2; it is there whole, or not at all."""
    content = XML.encode() if kind == "xml" else json.dumps(STATEMENT).encode()
    packed = base64.b64encode(content).decode()
    ujp.answer = lambda _request: as_json({"izpisek": packed, "auth": signer.auth()})
    target = tmp_path / f"izpisek.{kind}"
    ujp.client().statement_file(kind, target, PROVIDER, date(2024, 1, 1), date(2024, 1, 31), namespace=True)
    assert target.read_bytes() == content
    (path,) = ujp.paths()
    assert path.startswith(f"GET /izpiskidata/{kind}/{PROVIDER}?datumOd=")
    assert path.endswith("&ns=true" if kind == "xml" else "&zakasnjenaPlacila=false")
    ujp.answer = lambda _request: as_json({"izpisek": packed, "auth": signer.auth("other")})
    with pytest.raises(NotAuthentic):
        ujp.client().statement_file(kind, target, PROVIDER, date(2024, 1, 1), date(2024, 1, 31))
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_a_statement_file_covers_one_period(ujp: Ujp, tmp_path: Path) -> None:
    """Code 303, before anything is sent."""
    with pytest.raises(UsageError, match="365"):
        ujp.client().statement_file("xml", tmp_path / "x", PROVIDER, date(2024, 1, 1), date(2024, 12, 31))
    assert ujp.requests == []


@given(st.binary(max_size=2000), st.sampled_from(["plain", "net", "php"]), st.integers(1, 300), st.booleans())
@example(b"\xff" * 5, "net", 1, False)
def test_a_packed_file_comes_out_as_it_went_in(content: bytes, style: str, block: int, first: bool) -> None:
    """Some write `+` and `/` as escapes; a block may end anywhere, also within one."""
    packed = json.dumps(base64.b64encode(content).decode())
    packed = {"net": packed.replace("+", "\\u002B").replace("/", "\\u002f"),
              "php": packed.replace("/", "\\/")}.get(style, packed)  # fmt: skip
    auth = '"auth": {"nonce": "x"}'
    text = f'{{"Izpisek": {packed}, {auth}}}' if not first else f'{{{auth}, "izpisek" : {packed}}}'
    target = io.BytesIO()
    rest = unpack_file(Trickle(text.encode(), block), target)
    assert target.getvalue() == content
    assert rest == {"izpisek": "", "auth": {"nonce": "x"}}


class Trickle(io.BytesIO):
    """Gives its first part whole, as a file does, and then a little at a time."""

    def __init__(self, content: bytes, block: int) -> None:
        super().__init__(content)
        self._block = block

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(64 if self.tell() == 0 else self._block)


@pytest.mark.parametrize(
    "text",
    ['{"izpisek": "AA', '{"izpisek": "A"}', '{"izpisek": "AA\\u00"}', '{"izpisek": "!!!!"}', "{}", "",
     '{"izpisek": "AAAA"', '{"izpisek": "AA==AAAA"}', '{"izpisek": "AAAA", "Izpisek": 1}'],
)  # fmt: skip
def test_a_packed_file_that_is_damaged_is_none(text: str) -> None:
    """Not a shorter one."""
    with pytest.raises(AnswerUnusable):
        unpack_file(io.BytesIO(text.encode()), io.BytesIO())


def test_memory_does_not_grow_with_the_payments(full: bool) -> None:
    """The last of many payments takes no more room than the first ones."""
    peaks = []
    for count in (500, 100_000 if full else 5_000):
        source = io.BytesIO(b'{"placilo":[' + b",".join([json.dumps(PAYMENT).encode()] * count) + b"]}")
        tracemalloc.start()
        assert sum(1 for _payment in payments_in_json(source)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_memory_does_not_grow_with_a_file(tmp_path: Path) -> None:
    """Ten times the file, the same memory, packed or as XML."""
    peaks = []
    for count in (500, 5_000):
        head, payment, tail = XML.format(ns="").partition("<placilo>")[0], "", "</Izpisek>"
        payment = XML[XML.index("<placilo>") : XML.index("</Izpisek>")]
        content = (head + payment * count + tail).encode()
        packed = io.BytesIO(b'{"izpisek":"' + base64.b64encode(content) + b'"}')
        path = tmp_path / "izpisek.xml"
        tracemalloc.start()
        with path.open("wb") as file:
            unpack_file(packed, file)
        assert sum(1 for _payment in payments_in(path)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert path.read_bytes() == content
    assert peaks[1] < 1.2 * peaks[0]
