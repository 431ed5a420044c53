"""What the authority's answers say, in each of the ways they may be written."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ajpes_reporting import shipped
from ajpes_reporting.check.file import FileKind, check_file, recognise
from ajpes_reporting.check.log import FindingLog
from ajpes_reporting.domain.answers import AnswerHead, AnswerRow
from ajpes_reporting.domain.errors import ChecksRefused
from ajpes_reporting.reports.answers import AnswerReader, AnswerRules, Tally
from ajpes_reporting.reports.kind import ReportKind
from ajpes_reporting.reports.nodurs import NODURS
from ajpes_reporting.reports.spapp import SPAPP
from ajpes_reporting.xmlread import UnreadableXml, read_root, stream


def answer(*rows: str, errors: int = 0, warnings: int = 0, namespace: str = "") -> str:
    """A BlokOdgovor with these rows, whose head declares these counts."""
    return (
        f"<BlokOdgovor{namespace}>"
        f'<Ident iErr="{errors}" maticnaPonudnika="5860571000" datumPriprave="2026-11-17T18:00:00+01:00"'
        f' iWrn="{warnings}" datumPodatkov="2026-11-17"/>{"".join(rows)}</BlokOdgovor>'
    )


ERROR = '<Napaka blokId="O-1" dogId="7" id="12" vrsta="ERR"><Opis>wrong</Opis></Napaka>'
WARNING = '<Napaka blokId="O-2" dogId="8" id="31" vrsta="WRN"><Opis>odd</Opis></Napaka>'


def read(
    tmp_path: Path, content: str | bytes, kind: ReportKind = NODURS
) -> tuple[Tally, FindingLog, list[AnswerRow]]:
    """An answer as `check` and the run read it, which must come to the same."""
    path = tmp_path / "answer.xml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    rules = AnswerRules(kind)
    file_kind = FileKind(kind.answer_root, None, shipped.schema(kind.answer_schema), lambda: rules)
    root, _kind = recognise(path, [file_kind])
    log = check_file(path, root, file_kind).log
    if log.error_count:
        return rules.tally, log, []
    plain = root.namespace is not None
    reader = AnswerReader(path, kind, shipped.schema(kind.answer_schema), plain=plain)
    rows = list(reader.rows())
    assert vars(reader.tally) == vars(rules.tally)
    return reader.tally, log, rows


def test_an_answer_is_read_to_the_last_field(tmp_path: Path) -> None:
    """The clerk sees which record, which error and why."""
    row = (
        '<Napaka refId="3" blokId="O-1" dogId="7" id="12" vrsta="ERR">'
        "<Opis> Znesek\n   ni pravilen &amp; manjka. </Opis></Napaka>"
    )
    rules, log, rows = read(tmp_path, answer(row, WARNING, errors=1, warnings=1))
    assert (log.shown, rules.errors, rules.warnings) == ([], 1, 1)
    assert rules.head == AnswerHead("5860571000", "2026-11-17", datetime(2026, 11, 17, 17, tzinfo=UTC), 1, 1)
    assert rows == [
        AnswerRow("error", "12", "Znesek ni pravilen & manjka.", "O-1", "7", "3"),
        AnswerRow("warning", "31", "odd", "O-2", "8", None),
    ]


def test_an_answer_to_a_month_is_read_to_the_last_field(tmp_path: Path) -> None:
    """A PsOdgovor names accounts, its month has no hyphen, and its time may have no zone: Ljubljana's."""
    content = (
        '<PsOdgovor><Ident iErr="1" maticnaPonudnika="5860571" datumPriprave="2026-11-05T18:00:00" iWrn="0"'
        ' mesecPodatkov="202610"/><Napaka racun="010000000100187" Id="4" vrsta="ERR"><Opis>x</Opis></Napaka>'
        "</PsOdgovor>"
    )
    rules, log, rows = read(tmp_path, content, SPAPP)
    assert log.shown == []
    assert rules.head == AnswerHead("5860571", "2026-10", datetime(2026, 11, 5, 17, tzinfo=UTC), 1, 0)
    assert rows == [AnswerRow("error", "4", "x", account="010000000100187")]


@pytest.mark.parametrize("name", ["id", "Id"])
@pytest.mark.parametrize("reference", ["refId", "refid"])
def test_both_spellings_of_the_instruction_are_read(tmp_path: Path, name: str, reference: str) -> None:
    """The instruction spells two attributes in two ways; either may come."""
    row = f'<Napaka {reference}="3" blokId="O" dogId="1" {name}="12" vrsta="ERR"><Opis>x</Opis></Napaka>'
    _rules, _log, rows = read(tmp_path, answer(row, errors=1))
    assert [(row.code, row.ref_id) for row in rows] == [("12", "3")]


def test_an_error_of_the_whole_file_names_no_record(tmp_path: Path) -> None:
    """Empty and missing ids mean the same: it is about no record."""
    rows = (
        '<Napaka vrsta="ERR"><Opis>x</Opis></Napaka>',
        '<Napaka refId="" blokId="" dogId="" vrsta="ERR"><Opis/></Napaka>',
    )
    _rules, log, read_back = read(tmp_path, answer(*rows, errors=2))
    assert log.shown == []
    assert read_back == [AnswerRow("error", "", "x"), AnswerRow("error", "", "")]


@pytest.mark.parametrize(
    ("declared", "rows", "read_as"),
    [
        ((0, 0), (ERROR,), (1, 0)),
        ((2, 0), (ERROR,), (2, 0)),
        ((1, 0), (), (1, 0)),
        ((0, 0), (WARNING,), (0, 1)),
        ((0, 3), (ERROR, WARNING), (1, 3)),
    ],
)
def test_where_counts_disagree_the_worse_reading_holds_and_is_shown(
    tmp_path: Path, declared: tuple[int, int], rows: tuple[str, ...], read_as: tuple[int, int]
) -> None:
    """A report that may have been refused is never taken for accepted."""
    errors, warnings = declared
    rules, log, _rows = read(tmp_path, answer(*rows, errors=errors, warnings=warnings))
    assert (rules.errors, rules.warnings) == read_as
    assert {finding.rule for finding in log.shown} == {"answer.count"}
    assert log.error_count == 0


def test_the_instructions_own_sample_is_read_as_refused(tmp_path: Path) -> None:
    """Its head declares no error above three rows of them."""
    for kind, name in ((NODURS, "blokodgovor"), (SPAPP, "psodgovor")):
        rules, _log, _rows = read(tmp_path, shipped.sample(f"instruction/{name}.xml").read_bytes(), kind)
        assert (rules.errors, rules.warnings) == (3, 0)


@pytest.mark.parametrize(
    "namespace",
    [' xmlns="http://www.ajpes.si/whatever"', ' xmlns=""', ' xmlns="a}b{c"', ' xmlns="no address at all"'],
)
def test_a_namespace_that_nobody_announced_is_dropped(tmp_path: Path, namespace: str) -> None:
    """Answers are read by local name."""
    rules, log, rows = read(tmp_path, answer(ERROR, errors=1, namespace=namespace))
    assert (log.shown, rules.errors) == ([], 1)
    assert rows == [AnswerRow("error", "12", "wrong", "O-1", "7")]


def test_prefixes_and_foreign_attributes_are_dropped_too(tmp_path: Path) -> None:
    """An answer may carry a schema location, or a prefix before every name."""
    text = answer(ERROR, errors=1).replace("<", "<a:").replace("<a:/", "</a:")
    located = 'xmlns:a="urn:a" xmlns:xsi="urn:x" xsi:schemaLocation="a b"'
    named = text.replace("<a:BlokOdgovor", f"<a:BlokOdgovor {located}")
    assert read(tmp_path, named)[2] == [AnswerRow("error", "12", "wrong", "O-1", "7")]


def test_every_character_of_a_value_survives_that(tmp_path: Path) -> None:
    """What AJPES says is shown as it said it, in whatever namespace."""
    values = {"blokId": "a&#9;b&#10;c&#13;d", "dogId": "&lt;&quot;&apos;&amp;>"}
    row = ERROR.replace("O-1", values["blokId"]).replace('dogId="7"', f'dogId="{values["dogId"]}"')
    row = row.replace("wrong", "&lt;Č &amp; <![CDATA[<ž>]]> &#13;x")
    plain = read(tmp_path, answer(row, errors=1))[2]
    assert read(tmp_path, answer(row, errors=1, namespace=' xmlns="urn:a"'))[2] == plain
    assert plain == [AnswerRow("error", "12", "<Č & <ž> x", "a\tb\nc\rd", "<\"'&>")]


@pytest.mark.parametrize("cut", range(1, len(answer(ERROR, errors=1)), 7))
def test_a_cut_off_answer_is_never_read_as_accepted(tmp_path: Path, cut: int) -> None:
    """Half an answer without its errors would look like a good one."""
    content = answer(ERROR, errors=1)[:cut]
    with pytest.raises(ChecksRefused):
        _raise_what_is_wrong(tmp_path, content)
    (tmp_path / "half.xml").write_text(content)
    with pytest.raises(UnreadableXml):
        list(stream(tmp_path / "half.xml", ("end",), plain=True))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<html><body><h1>503 Service Unavailable</h1></body></html>",
        "<!DOCTYPE html><html><br></html>",
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body/></s:Envelope>',
        "<BlokOdgovor/>",
        "<BlokOdgovor><Napaka vrsta='ERR'><Opis/></Napaka></BlokOdgovor>",
        answer().replace('iErr="0" ', ""),
        answer(ERROR.replace('vrsta="ERR"', "")),
    ],
)
def test_what_is_no_answer_is_refused(tmp_path: Path, content: str) -> None:
    """A page of a proxy, or an answer without its head, accepts nothing."""
    with pytest.raises(ChecksRefused):
        _raise_what_is_wrong(tmp_path, content)


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("2026-11-17T24:00:00+01:00", datetime(2026, 11, 17, 22, 59, 59, tzinfo=UTC)),
        ("2026-11-17T18:00:00.1234567+01:00", datetime(2026, 11, 17, 17, 0, 0, 123456, tzinfo=UTC)),
        ("2026-11-17T18:00:00", datetime(2026, 11, 17, 17, tzinfo=UTC)),
        ("2026-11-17T17:00:00Z", datetime(2026, 11, 17, 17, tzinfo=UTC)),
    ],
)
def test_every_time_that_a_schema_takes_is_read(tmp_path: Path, written: str, read_as: datetime) -> None:
    """The end of a day, parts of a second, with an offset or without: Ljubljana's time then."""
    rules, log, _rows = read(tmp_path, answer().replace("2026-11-17T18:00:00+01:00", written))
    assert log.shown == []
    assert rules.head is not None
    assert rules.head.prepared_at == read_as


def test_the_root_is_told_with_its_namespace(tmp_path: Path) -> None:
    """What kind of answer it is, is seen without reading it whole."""
    path = tmp_path / "answer.xml"
    path.write_text(answer(namespace=' xmlns="urn:a"'))
    root = read_root(path)
    assert (root.local_name, root.namespace, root.encoding) == ("BlokOdgovor", "urn:a", "UTF-8")


def _raise_what_is_wrong(tmp_path: Path, content: str) -> None:
    _rules, log, _rows = read(tmp_path, content)
    if log.error_count:
        raise ChecksRefused("the answer cannot be read", findings=log.shown)
