"""What an answer says that does not follow its schema: a verdict that can be read counts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ajpes_reporting.domain.answers import AnswerHead, AnswerRow
from ajpes_reporting.reports.kind import ReportKind
from ajpes_reporting.reports.loose_answers import Contradiction, LooseReader
from ajpes_reporting.reports.nodurs import NODURS
from ajpes_reporting.reports.spapp import SPAPP
from tests.poison import XSI

IDENT = (
    '<Ident maticnaPonudnika="5860571000" datumPriprave="2026-11-17T18:00:00+01:00"'
    ' datumPodatkov="2026-11-17" iErr="1" iWrn="0"/>'
)
ROW = '<Napaka blokId="O-1" dogId="7" refId="3" Id="12" vrsta="ERR"><Opis>ni pravilen</Opis></Napaka>'
HEAD_READ = AnswerHead("5860571000", "2026-11-17", datetime(2026, 11, 17, 17, tzinfo=UTC), 1, 0)
ROW_READ = AnswerRow("error", "12", "ni pravilen", "O-1", "7", "3")


def reader(tmp_path: Path, content: str, kind: ReportKind = NODURS) -> tuple[LooseReader, list[AnswerRow]]:
    (path := tmp_path / "answer.xml").write_text(content, encoding="utf-8")
    loose = LooseReader(path, kind)
    return loose, list(loose.rows())


def answer(*parts: str, root: str = "BlokOdgovor") -> str:
    return f"<{root}>{''.join(parts)}</{root.split()[0]}>"


@pytest.mark.parametrize(
    "content",
    {
        "as it should be": answer(IDENT, ROW),
        "an unknown attribute": answer(IDENT.replace("/>", ' x="1"/>'), ROW.replace("vrsta", 'y="2" vrsta')),
        "2,000 of them": answer(IDENT.replace("/>", "".join(f' a{n}="1"' for n in range(2_000)) + "/>"), ROW),
        "an element more": answer("<Glava/>", IDENT, "<Vmes><x>1</x></Vmes>", ROW, "<Rep>konec</Rep>"),
        "elements within": answer(
            f"<Glava>{IDENT}</Glava><Napake>{ROW.replace('<Opis>', '<Vec>več</Vec><Opis>')}</Napake>"
        ),
        "another order": answer(ROW, IDENT),
        "a type": answer(IDENT.replace("<Ident", '<Ident xsi:type="q:x"'), ROW, root=f"BlokOdgovor {XSI}"),
        "lower case": answer(IDENT, ROW).replace("Opis", "opis").lower().replace("o-1", "O-1"),
        "upper case": answer(IDENT, ROW)
        .replace("blokId", "BLOKID").replace("iErr", "IERR").replace("Napaka", "NAPAKA"),
        "a namespace": answer(IDENT, ROW, root='BlokOdgovor xmlns="urn:a"'),
        "prefixes": answer(
            IDENT.replace("<Ident", "<a:Ident").replace("iErr", "a:iErr"),
            ROW.replace("Napaka", "a:Napaka"),
            root='BlokOdgovor xmlns:a="urn:a"',
        ),
        "comments": answer("<!-- a -->", IDENT, "<?b c?>", ROW.replace("ni ", "ni <!-- d -->")),
        "blanks": answer(IDENT.replace('"1"', '" 1 "'), ROW).replace("5860571000", " 5860571000\n").replace(
            '"O-1"', '" O-1 "'
        ),
        "an element of its own": answer(IDENT.replace("/>", "><x/></Ident>"), ROW),
        "a text in the row": answer(IDENT, ROW.replace("<Opis>", "").replace("</Opis>", "")),
        "a day as people write it": answer(IDENT.replace('"2026-11-17"', '"17. 11. 2026"'), ROW),
        "a moment for a day": answer(IDENT.replace('"2026-11-17"', '"2026-11-17T00:00:00"'), ROW),
        "two heads that agree": answer(IDENT, IDENT, ROW),
        "elements for attributes": answer(
            "<Ident><iErr>1</iErr><iWrn>0</iWrn><maticnaPonudnika>5860571000</maticnaPonudnika>"
            "<datumPriprave>2026-11-17T18:00:00+01:00</datumPriprave>"
            "<datumPodatkov>2026-11-17</datumPodatkov></Ident>"
            "<Napaka><blokId>O-1</blokId><dogId>7</dogId><refid>3</refid><id>12</id><vrsta>ERR</vrsta>"
            "<Opis>ni pravilen</Opis></Napaka>"
        ),
    }.items(),
    ids=lambda item: item[0],
)  # fmt: skip
def test_what_it_says_is_the_same_however_it_is_written(tmp_path: Path, content: tuple[str, str]) -> None:
    """The clerk reads the very record, number and reason, whatever form they come in."""
    loose, rows = reader(tmp_path, content[1])
    assert (loose.head, rows) == (HEAD_READ, [ROW_READ])
    assert (loose.tally.errors, loose.why_no_verdict) == (1, "")


@pytest.mark.parametrize(
    ("told", "severity"),
    [("ERR", "error"), ("err", "error"), (" Err ", "error"), ("napaka", "error"), ("X", "error"),
     ("", "error"), ("wrn", "warning"), ("WRN ", "warning"), ("Opozorilo", "warning")],
)  # fmt: skip
def test_what_is_not_plainly_a_warning_is_an_error(tmp_path: Path, told: str, severity: str) -> None:
    """A refusal is not overlooked for the way its kind is written."""
    _loose, rows = reader(tmp_path, answer(IDENT, ROW.replace('"ERR"', f'"{told}"')))
    assert [row.severity for row in rows] == [severity]


@pytest.mark.parametrize(
    "written",
    ["SI56010000000100187", "SI56 0100 0000 0100 187", "si56-01000-0000100187", "01000-0000100187",
     " 010000000100187 "],
)  # fmt: skip
def test_an_account_is_known_however_it_is_written(tmp_path: Path, written: str) -> None:
    """What is said of an IBAN is found with the account it is about."""
    content = (
        '<PsOdgovor><Ident maticnaPonudnika="5860571" mesecPodatkov="202610" iErr="1" iWrn="0"/>'
        f'<Napaka racun="{written}" id="4" vrsta="ERR"><Opis>x</Opis></Napaka></PsOdgovor>'
    )
    loose, rows = reader(tmp_path, content, SPAPP)
    assert rows == [AnswerRow("error", "4", "x", account="010000000100187")]
    assert bool(loose.notes) == (written.strip() != "010000000100187")


@pytest.mark.parametrize("month", ["202610", "2026-10", "2026-10-01", "10/2026", "10.2026", "1.10.2026"])
def test_a_month_is_known_however_it_is_written(tmp_path: Path, month: str) -> None:
    """An answer about October finds the report for October."""
    loose, _rows = reader(tmp_path, f'<PsOdgovor><Ident mesecPodatkov="{month}"/></PsOdgovor>', SPAPP)
    assert loose.head.period_key == "2026-10"


def test_a_value_that_no_column_takes_is_cut_and_seen_to_be(tmp_path: Path) -> None:
    """PostgreSQL takes no more than 36 characters of an id; the row counts all the same."""
    row = '<Napaka blokId="{0}" dogId="{0}" vrsta="ERR"><Opis>{1}</Opis></Napaka>'.format(
        "7" * 99, "x" * 20_000
    )
    _loose, rows = reader(tmp_path, answer(IDENT, row))
    assert (rows[0].obligation_id, rows[0].event_id) == ("7" * 35 + "…", "7" * 35 + "…")
    assert len(rows[0].text) == 10_000


@pytest.mark.parametrize("number", ["0012", "E-12"])
def test_a_service_error_is_a_refusal_with_its_reason(tmp_path: Path, number: str) -> None:
    """Nothing was taken, and the answer says why."""
    ident = (
        f'<Ident datumPriprave="2026-11-17T18:00:00" idNapake="{number}"><OpisNapake>Ni dostopa</OpisNapake>'
    )
    loose, rows = reader(tmp_path, answer(f"{ident}</Ident>"))
    assert rows == [AnswerRow("error", number, "Ni dostopa")]
    assert (loose.tally.errors, loose.why_no_verdict) == (1, "")


def test_a_refusal_counts_at_the_root_too(tmp_path: Path) -> None:
    """An acceptance within it does not hide what is said round it."""
    accepted = IDENT.replace('iErr="1"', 'iErr="0"')
    said = answer(accepted, root='BlokOdgovor idNapake="12" OpisNapake="Ni pravic"')
    loose, rows = reader(tmp_path, said)
    assert (rows, loose.tally.errors) == ([AnswerRow("error", "12", "Ni pravic")], 1)


@pytest.mark.parametrize(
    "ident",
    ["", "<Ident/>", IDENT.replace('iErr="1"', ""), IDENT.replace('iErr="1"', 'iErr="mnogo"'),
     IDENT.replace('iErr="1"', 'iErr="-1"'), IDENT.replace('iErr="1"', 'iErr="٣"'),
     IDENT.replace('iErr="1"', f'iErr="{"9" * 5_000}"'),
     IDENT.replace('iErr="1" iWrn="0"', 'iErr="0"'), '<Ident idNapake="0"/>'],
)  # fmt: skip
def test_acceptance_has_to_be_declared(tmp_path: Path, ident: str) -> None:
    """A report is never taken for accepted because an answer left something out."""
    loose, rows = reader(tmp_path, answer(ident))
    assert (rows, loose.tally.errors) == ([], 0)
    assert loose.why_no_verdict
    loose, rows = reader(tmp_path, answer(ident, ROW))
    assert (rows, loose.why_no_verdict) == ([ROW_READ], "")


@pytest.mark.parametrize(
    "changed",
    [('iErr="1"', 'iErr="0"'), ("5860571000", "1234567000"), ('"2026-11-17"', '"2026-11-18"')],
    ids=["errors", "provider", "day"],
)
def test_two_heads_that_differ_decide_nothing(tmp_path: Path, changed: tuple[str, str]) -> None:
    """Which of them is true only AJPES knows."""
    with pytest.raises(Contradiction, match="the answer says"):
        reader(tmp_path, answer(IDENT, IDENT.replace(*changed)))


def test_a_row_that_says_both_is_an_error(tmp_path: Path) -> None:
    """The worse reading holds within a row, too."""
    row = '<Napaka vrsta="{}"><vrsta>{}</vrsta><Opis>x</Opis></Napaka>'
    _loose, rows = reader(tmp_path, answer(IDENT, row.format("ERR", "WRN"), row.format("WRN", "ERR")))
    assert [row.severity for row in rows] == ["error", "error"]
