"""What goes into the ledger from files, and what is refused, naming line, record, field and remedy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select

from ajpes_reporting.database.tables import events
from ajpes_reporting.domain.errors import AjpesReportingError, LedgerRefused, UsageError
from ajpes_reporting.ledger.history import history
from ajpes_reporting.ledger.kinds import ACCOUNT_MONTHS, ACCOUNTS, EVENTS, KINDS, POSTINGS, Kind
from tests.ledger.conftest import EVENT, LATER, PROVIDER, ROW, Ledger

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ajpes_reporting.domain.findings import Finding

WRONG_ACCOUNT = "010000100002124"


def refusal(ledger: Ledger, kind: Kind, *rows: dict[str, str]) -> LedgerRefused:
    """The refusal of a file with these rows, after which the ledger is what it was."""
    return file_refusal(ledger, ledger.file(kind, *rows))


def file_refusal(ledger: Ledger, path: Path) -> LedgerRefused:
    before = ledger.content()
    with pytest.raises(LedgerRefused) as refused:
        ledger.take_files(path)
    assert ledger.content() == before
    assert refused.value.remedy
    return refused.value


def only_finding(refused: LedgerRefused) -> Finding:
    (finding,) = refused.findings
    assert finding.remedy
    return finding


# --- The file as such -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_same_file_again_changes_nothing(ledger: Ledger, kind: Kind) -> None:
    """A clerk who is not sure whether a file went in imports it again."""
    if kind not in (EVENTS, ACCOUNTS):
        ledger.take(ACCOUNTS, {})
    first = ledger.take(kind, {})
    assert (first.kind, first.rows_read, first.rows_new, first.rows_known) == (kind.name, 1, 1, 0)
    before = ledger.content()
    again = ledger.take(kind, {})
    assert (again.rows_read, again.rows_new, again.rows_known) == (1, 0, 1)
    assert ledger.content() == before


def test_a_file_with_some_new_rows_brings_only_those(ledger: Ledger) -> None:
    """A bank may export everything every day."""
    ledger.take(EVENTS, {})
    summary = ledger.take(EVENTS, {}, {"event_id": "8"}, {"obligation_id": "O-315"})
    assert (summary.rows_read, summary.rows_new, summary.rows_known) == (3, 2, 1)


def test_every_new_event_waits_to_be_reported(ledger: Ledger) -> None:
    """An event is reported because it was not accepted yet, not because of its dates."""
    ledger.take(
        EVENTS, {"recorded_at": "2020-01-01T08:00:00", "change_date": "2020-01-01"}, {"event_id": "8"}
    )
    content = ledger.content()
    assert [row.event for row in content["pending_events"]] == [row.id for row in content["events"]]


def test_columns_may_come_in_any_order(ledger: Ledger, text_file: Callable[[str], Path]) -> None:
    """A bank's export has its own order."""
    names = sorted(EVENT)
    ledger.take_files(text_file(f"{','.join(names)}\n{','.join(EVENT[name] for name in names)}\n"))
    assert ledger.take(EVENTS, {}).rows_known == 1


def test_a_byte_order_mark_and_semicolons_are_accepted(
    ledger: Ledger, text_file: Callable[[str], Path]
) -> None:
    """A Slovenian spreadsheet writes both."""
    text = f"\ufeff{';'.join(EVENT)}\r\n{';'.join(EVENT.values())}\r\n"
    ledger.take_files(text_file(text))
    assert ledger.take(EVENTS, {}).rows_known == 1


def test_optional_columns_may_be_left_out(ledger: Ledger, text_file: Callable[[str], Path]) -> None:
    """A bank without foreign creditors need not invent columns."""
    row = {name: EVENT[name] for name in EVENTS.mandatory}
    ledger.take_files(text_file(f"{','.join(row)}\n{','.join(row.values())}\n"))
    (event,) = ledger.content()["events"]
    assert (event.priority, event.creditor_account, event.creditor_name) == (None, None, None)


def test_a_file_with_its_header_only_is_empty_and_fine(ledger: Ledger) -> None:
    """A day without events is a day."""
    assert ledger.take(EVENTS).rows_read == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda names: [*names, "amount"], "the column amount is not known"),
        (lambda names: [name for name in names if name != "issuer"], "the column issuer is missing"),
        (lambda names: [*names, "issuer"], "the column issuer is there more than once"),
        (lambda names: ["", *names], "the column (without a name) is not known"),
    ],
)
def test_a_wrong_header_is_refused_with_what_is_expected(
    ledger: Ledger,
    text_file: Callable[[str], Path],
    change: Callable[[list[str]], list[str]],
    said: str,
) -> None:
    """Nobody has to look up the columns in a manual."""
    refused = file_refusal(ledger, text_file(",".join(change(list(EVENT))) + "\n"))
    assert said in refused.message
    assert all(name in refused.remedy for name in EVENT)


@pytest.mark.parametrize("text", ["", "\n", "name;value\n1;2\n"])
def test_a_file_of_something_else_is_refused_with_all_headers(
    ledger: Ledger, text_file: Callable[[str], Path], text: str
) -> None:
    """The wrong file is told from a wrong column."""
    refused = file_refusal(ledger, text_file(text))
    assert "no column that is known here" in refused.message
    assert all(name in refused.remedy for kind in KINDS for name in kind.columns)


def test_a_file_that_is_not_there_is_a_usage_error(ledger: Ledger, tmp_path: Path) -> None:
    """A mistyped path is no reason for a traceback."""
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            ledger.take_files(path)


def test_another_encoding_is_refused_by_line_and_byte(ledger: Ledger) -> None:
    """Windows-1250, in which Š is 0x8A, would spoil the names of debtors without a word."""
    path = ledger.file(EVENTS, {}, {"event_id": "8", "debtor_name": "ŠOLA"})
    path.write_bytes(path.read_bytes().replace("Ž".encode(), b"Z").replace("Š".encode(), b"\x8a"))
    finding = only_finding(file_refusal(ledger, path))
    # O-314,3,78439388,ŠOLA: the 18th place of the third line.
    assert finding.line == 3
    assert "byte 0x8A at place 18 of the line" in finding.message
    assert "UTF-8" in finding.remedy


def test_another_encoding_far_down_is_found_too(ledger: Ledger) -> None:
    """The place is right also where the file is read ahead in blocks."""
    rows = [{"event_id": str(number)} for number in range(3000)]
    path = ledger.file(EVENTS, *rows, {"event_id": "last", "creditor_name": "ŠOLA"})
    path.write_bytes(path.read_bytes().replace("Š".encode(), b"\x8a"))
    assert only_finding(file_refusal(ledger, path)).line == 3002


def test_utf16_with_its_mark_is_read(ledger: Ledger) -> None:
    """“Unicode text” from a spreadsheet cannot be misread."""
    path = ledger.file(EVENTS, {})
    path.write_bytes(path.read_text(encoding="utf-8").encode("utf-16"))
    assert ledger.take_files(path)[0].rows_new == 1
    assert ledger.take(EVENTS, {}).rows_known == 1


def test_half_a_letter_of_utf16_is_half_a_file(ledger: Ledger) -> None:
    """A file that broke off in transfer ends anywhere."""
    path = ledger.file(EVENTS, {}, {"event_id": "8"})
    path.write_bytes(path.read_text(encoding="utf-8").encode("utf-16")[:-5])
    assert "cut off" in file_refusal(ledger, path).findings[-1].message


@pytest.mark.parametrize("missing", [1, 4, 30, 120])
def test_half_a_file_is_refused(ledger: Ledger, missing: int) -> None:
    """A file that broke off in transfer does not go in as if it were whole."""
    path = ledger.file(EVENTS, {}, {"event_id": "8"})
    path.write_bytes(path.read_bytes()[: -1 - missing])
    refused = file_refusal(ledger, path)
    assert refused.findings[-1].line == 3
    assert "cut off" in refused.findings[-1].message


def test_a_row_with_too_few_values_is_refused(ledger: Ledger, text_file: Callable[[str], Path]) -> None:
    """A row that broke off is not read as one with empty fields."""
    finding = only_finding(file_refusal(ledger, text_file(f"{','.join(EVENT)}\nO-1,3,78439388\n")))
    assert finding.line == 2
    assert "has 3 values, but the header names 16 columns" in finding.message


def test_a_row_with_too_many_values_says_to_quote(ledger: Ledger, text_file: Callable[[str], Path]) -> None:
    """A comma in “Podjetje, d.o.o.” is the common reason."""
    values = {**EVENT, "creditor_name": "PODJETJE, D.O.O."}
    finding = only_finding(
        file_refusal(ledger, text_file(f"{','.join(EVENT)}\n{','.join(values.values())}\n"))
    )
    assert "17 values" in finding.message
    assert "quotation marks" in finding.remedy


def test_an_open_quotation_mark_is_refused(ledger: Ledger, text_file: Callable[[str], Path]) -> None:
    """The rest of the file is not swallowed by one name."""
    values = {**EVENT, "creditor_name": '"PODJETJE'}
    refused = file_refusal(ledger, text_file(f"{','.join(EVENT)}\n{','.join(values.values())}\n"))
    assert "not CSV" in refused.findings[0].message


def test_a_line_counts_as_an_editor_counts_it(ledger: Ledger, text_file: Callable[[str], Path]) -> None:
    """Blank lines are skipped, and still counted."""
    row = ",".join(EVENT.values())
    bad = ",".join({**EVENT, "event_id": "8", "issuer": "9"}.values())
    finding = only_finding(file_refusal(ledger, text_file(f"{','.join(EVENT)}\n{row}\n\n\n{bad}\n")))
    assert finding.line == 5


# --- Single rows ----------------------------------------------------------------------------------

BAD_EVENTS = [
    ("issuer", "9", "issuer 9 does not exist"),
    ("issuer", "court", "'court', not a whole number"),
    ("issuer", "", "issuer is missing"),
    ("debtor_tax_number", "1234567", "7 characters"),
    ("debtor_name", "N" * 141, "141 characters, at most 140"),
    ("debtor_name", "", "missing"),
    ("debtor_account", "01000010000212", "14 characters"),
    ("change_date", "17/11/2026", "17/11/2026, in which day and month cannot be told apart"),
    ("change_date", "2026-11-31", "not a date"),
    ("change_date", "17112026", "not a date"),
    ("change_date", "", "change date is missing"),
    ("amount_cents", "288434.16", "288434.16, but amounts are whole cents"),
    ("amount_cents", "288434,16", "288434,16, but amounts are whole cents"),
    ("amount_cents", "1.288.434", "separators are not read"),
    ("amount_cents", "1_000", "not a number of cents"),
    ("amount_cents", "٣", "not a number of cents"),
    ("amount_cents", "1000000000000000", "16 digits"),
    ("amount_cents", "9" * 40, "not a number of cents"),
    ("amount_cents", "", "amount is missing"),
    ("recorded_at", "2026-11-17", "not a time"),
    ("recorded_at", "2026-11-17T24:00:00", "not a time"),
    ("recorded_at", "2026-11-17T08:05:61", "not a time"),
    ("recorded_at", "0001-01-01T00:00:00", "not a time"),
    ("recorded_at", "yesterday", "not a time"),
    ("recorded_at", "", "time of recording is missing"),
    ("change_type", "1", "a zero at its beginning may have been lost"),
    ("change_type", "011", "3 characters"),
    ("reference", "1" * 23, "23 characters, at most 22"),
    ("creditor_account", "A" * 36, "36 characters, at most 34"),
    ("creditor_name", "A\x01B", "U+0001"),
    ("creditor_name", "A\x00B", "U+0000"),
    ("priority", "one", "'one', not a whole number"),
]


@pytest.mark.parametrize(("field", "value", "said"), BAD_EVENTS)
def test_a_bad_field_of_an_event_is_refused_by_line_record_and_field(
    ledger: Ledger, field: str, value: str, said: str
) -> None:
    """The clerk is told which row to correct, and how; the good row before it does not go in."""
    finding = only_finding(
        refusal(ledger, EVENTS, {}, {"obligation_id": "O-1", "event_id": "8", field: value})
    )
    assert finding.line == 3
    assert finding.record.startswith("O-1")
    assert finding.field == field
    assert said in finding.message


@pytest.mark.parametrize("bad", ["", "a\tb", "a\nb", "a\rb", "a\x00b", "x" * 37])
@pytest.mark.parametrize("field", ["obligation_id", "event_id"])
def test_an_id_that_no_record_can_have_is_refused_and_nothing_else(
    ledger: Ledger, field: str, bad: str
) -> None:
    """It never reaches the database, whose words would be no help and might hold a debtor's name."""
    refused = refusal(ledger, EVENTS, {field: bad}, {"event_id": "1"}, {"event_id": "2", field: bad})
    assert {finding.field for finding in refused.findings} == {field}


@pytest.mark.parametrize("field", ["obligation_id", "event_id"])
def test_what_ends_a_copy_is_an_id_like_any_other(ledger: Ledger, field: str) -> None:
    """A bank names its records as it likes."""
    assert ledger.take(EVENTS, {"event_id": "1"}, {field: "\\."}, {"event_id": "2"}).rows_new == 3


def test_a_decimal_amount_is_told_its_cents(ledger: Ledger) -> None:
    """A factor of 100 must not slip through, nor must the clerk work it out."""
    finding = only_finding(refusal(ledger, EVENTS, {"amount_cents": "-288434.1"}))
    assert "write -28843410" in finding.remedy


def test_every_field_of_a_row_that_cannot_be_read_is_named(ledger: Ledger) -> None:
    """Two mistakes in a row are corrected in one go."""
    refused = refusal(ledger, EVENTS, {"change_date": "x", "amount_cents": "x", "issuer": "x"})
    assert [finding.field for finding in refused.findings] == ["issuer", "change_date", "amount_cents"]


@pytest.mark.parametrize(
    ("kind", "field", "value", "said"),
    [
        (ACCOUNTS, "account", "1", "1 character"),
        (ACCOUNTS, "holder_tax_number", "", "missing"),
        (ACCOUNTS, "opened_on", "", "day of opening is missing"),
        (ACCOUNTS, "closed_on", "31/10/2026", "cannot be told apart"),
        (ACCOUNTS, "closed_on", "2020-01-14", "before it was opened on 15 January 2020"),
        (ACCOUNT_MONTHS, "month", "10-26", "not a month"),
        (ACCOUNT_MONTHS, "month", "2026-13", "not a month"),
        (ACCOUNT_MONTHS, "credit_turnover_cents", "40.00", "whole cents"),
        (ACCOUNT_MONTHS, "credit_turnover_cents", "-1", "negative"),
        (ACCOUNT_MONTHS, "debit_turnover_cents", "-1", "negative"),
        (ACCOUNT_MONTHS, "closing_balance_cents", "", "missing"),
        (POSTINGS, "posting_id", "", "missing"),
        (POSTINGS, "posting_id", "P" * 37, "37 characters"),
        (POSTINGS, "booked_on", "2026-02-29", "not a date"),
        (POSTINGS, "amount_cents", "0.5", "whole cents"),
    ],
)
def test_a_bad_field_of_an_account_month_or_posting_is_refused(
    ledger: Ledger, kind: Kind, field: str, value: str, said: str
) -> None:
    """The monthly figures are checked as the daily ones are."""
    ledger.take(ACCOUNTS, {"account": "070000000000187"})
    finding = only_finding(refusal(ledger, kind, {field: value}))
    assert (finding.line, finding.field) == (2, field)
    assert said in finding.message
    assert ROW[kind].get("posting_id", "account") in finding.record or field == "posting_id"


def test_the_first_hundred_errors_are_enough(ledger: Ledger) -> None:
    """A file of the wrong kind of amounts does not fill the screen or the memory."""
    rows = [{"event_id": str(number), "amount_cents": "1.5"} for number in range(6000)]
    refused = refusal(ledger, EVENTS, *rows)
    assert len(refused.findings) == 100
    assert "100 errors or more" in refused.message


def test_warnings_let_a_file_in_and_are_told(ledger: Ledger) -> None:
    """The instruction's own samples fail check digits, so these do not refuse."""
    summary = ledger.take(EVENTS, *({"event_id": str(number), "change_type": "77"} for number in range(300)))
    assert summary.rows_new == 300
    assert len(summary.warnings) == 100
    assert summary.warning_count >= 300


# --- Times ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "instant", "reported"),
    [
        # Winter: one hour before UTC; summer: two.
        ("2026-11-17T08:05:00", "2026-11-17T07:05:00+00:00", "2026-11-17T08:05:00"),
        ("2026-07-17T08:05:00", "2026-07-17T06:05:00+00:00", "2026-07-17T08:05:00"),
        ("2026-11-17 08:05", "2026-11-17T07:05:00+00:00", "2026-11-17T08:05:00"),
        ("2026-11-17T08:05:00Z", "2026-11-17T08:05:00+00:00", "2026-11-17T08:05:00Z"),
        ("2026-11-17 08:05:00+01", "2026-11-17T07:05:00+00:00", "2026-11-17T08:05:00+01:00"),
        ("2026-11-17T08:05:00.25-0330", "2026-11-17T11:35:00.250000+00:00", "2026-11-17T08:05:00.25-03:30"),
        # The instruction's own sample has seven digits.
        (
            "2010-02-10T08:36:33.5537663+01:00",
            "2010-02-10T07:36:33.553766+00:00",
            "2010-02-10T08:36:33.5537663+01:00",
        ),
        # 25 October 2026, 2:30 comes twice: the first one is still summer time.
        ("2026-10-25T02:30:00", "2026-10-25T00:30:00+00:00", "2026-10-25T02:30:00"),
    ],
)
def test_times_are_kept_as_written_and_meant_in_ljubljana(
    ledger: Ledger, written: str, instant: str, reported: str
) -> None:
    """AJPES sees the bank's own time, and the order of events is right across summer time."""
    ledger.take(EVENTS, {"recorded_at": written})
    (event,) = ledger.content()["events"]
    assert event.recorded_at.isoformat() == instant
    assert event.recorded_as == reported


def test_an_imported_time_compares_with_the_times_of_the_program(ledger: Ledger) -> None:
    """A report takes the events up to its moment; a second before and after must tell on the same day."""
    ledger.take(EVENTS, {"recorded_at": "2026-11-17T08:05:00"})
    recorded = datetime(2026, 11, 17, 7, 5, tzinfo=UTC)
    counted = []
    with ledger.engine.connect() as connection:
        for seconds in (-1, 0, 1):
            cutoff = recorded + timedelta(seconds=seconds)
            found = connection.scalars(select(events.c.event_id).where(events.c.recorded_at <= cutoff))
            counted.append(len(found.all()))
    assert counted == [0, 1, 1]


def test_the_same_instant_in_another_time_zone_is_known(ledger: Ledger) -> None:
    """A database that answers in the time zone of the session does not contradict itself."""
    ledger.take(EVENTS, {"recorded_at": "2026-11-17T08:05:00+01:00"})
    assert ledger.take(EVENTS, {"recorded_at": "2026-11-17T07:05:00Z"}).rows_known == 1
    assert ledger.content()["events"][0].recorded_as == "2026-11-17T08:05:00+01:00"


# --- Rows that contradict -------------------------------------------------------------------------


def test_what_an_older_version_stored_with_its_blanks_is_known(ledger: Ledger) -> None:
    """A core system pads its columns; what came in like that is no other fact today."""
    ledger.take(EVENTS, {"reference_model": "00", "reference": "302"})
    (stored,) = ledger.content()["events"]
    padded = {"event_id": "8", "reference": "302   ", "creditor_name": f"{EVENT['creditor_name']}   "}
    with ledger.engine.begin() as connection:
        connection.execute(insert(events).values({**stored._asdict(), "id": stored.id + 1, **padded}))
    row = {"event_id": "8", "reference_model": "00", "reference": "302"}
    assert ledger.take(EVENTS, row).rows_known == 1
    assert ledger.take(EVENTS, {**row, "reference": "302  "}).rows_known == 1


OTHER = {
    "change_type": "02",
    "change_date": "2026-11-16",
    "amount_cents": "500",
    "recorded_at": "2026-11-17T08:06:00",
    "reference_model": "00",
    "priority": "2",
    "creditor_name": "DRUG UPNIK",
}


def shown(field: str, written: str) -> str:
    """A value of a row as a person is told of it: cents in euros, a moment with a blank."""
    if field.endswith("_cents"):
        return f"{int(written) / 100:,.2f} EUR"
    return written.replace("T", " ") if field == "recorded_at" else written


@pytest.mark.parametrize(("field", "value"), OTHER.items())
def test_a_known_event_with_other_content_is_refused_with_both_values(
    ledger: Ledger, field: str, value: str
) -> None:
    """A fact is corrected by a cancellation, never by an import."""
    ledger.take(EVENTS, {"event_id": "6"}, {})
    change = {field: value} | ({"reference": "123"} if field == "reference_model" else {})
    refused = refusal(ledger, EVENTS, {"event_id": "6"}, change)
    finding = refused.findings[0]
    assert (finding.line, finding.record, finding.field) == (3, "O-314 / event 7", field)
    assert "in the ledger" in finding.message
    assert shown(field, value) in finding.message
    assert shown(field, EVENT[field]) in finding.message


def test_a_contradiction_names_the_command_that_corrects(ledger: Ledger) -> None:
    """The way out is one line to copy."""
    ledger.take(EVENTS, {})
    finding = only_finding(refusal(ledger, EVENTS, {"amount_cents": "500"}))
    assert "ajpes-reporting ledger cancel O-314 7 --replace amount_cents=" in finding.remedy


def test_a_field_that_becomes_empty_or_filled_is_a_contradiction(ledger: Ledger) -> None:
    """Nothing is not the same as something."""
    ledger.take(EVENTS, {"priority": ""})
    assert "3 here, but empty in the ledger" in only_finding(refusal(ledger, EVENTS, {})).message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("issuer", "5"),
        ("debtor_tax_number", "12345679"),
        ("debtor_account", WRONG_ACCOUNT),
    ],
)
@pytest.mark.parametrize("place", ["ledger", "file"])
def test_an_event_that_disagrees_with_its_obligation_is_refused(
    ledger: Ledger, field: str, value: str, place: str
) -> None:
    """An obligation hangs under one account of one debtor."""
    first: tuple[dict[str, str], ...] = ({}, {"event_id": "8"})
    if place == "ledger":
        ledger.take(EVENTS, *first)
    finding = only_finding(refusal(ledger, EVENTS, *first, {"event_id": "9", field: value}))
    assert (finding.line, finding.record, finding.field) == (4, "O-314 / event 9", field)
    assert value in finding.message
    assert EVENT[field] in finding.message
    assert ("in an earlier row" in finding.message) == (place == "file")


def test_an_event_twice_in_a_file_counts_once(ledger: Ledger) -> None:
    """An export that repeats a row says nothing new."""
    summary = ledger.take(EVENTS, {}, {"event_id": "8"}, {})
    assert (summary.rows_new, summary.rows_known) == (2, 1)


def test_an_event_twice_in_a_file_with_other_content_is_refused(ledger: Ledger) -> None:
    """Which of the two is right, only a person knows."""
    finding = only_finding(refusal(ledger, EVENTS, {}, {"amount_cents": "5"}))
    assert finding.line == 3
    assert "0.05 EUR here, but 288,434.16 EUR in an earlier row" in finding.message


def test_a_debtor_may_be_written_in_two_ways(ledger: Ledger) -> None:
    """Neither name is lost, and neither obligation is refused."""
    ledger.take(EVENTS, {}, {"obligation_id": "O-315", "debtor_name": "DOLŽNIK, KRATKO"})
    with ledger.engine.connect() as connection:
        names = [
            found[0].debtor_name
            for name in ("O-314", "O-315")
            if (found := history(connection, PROVIDER, name))
        ]
    assert names == ["KRATEK NAZIV DOLŽNIKA", "DOLŽNIK, KRATKO"]


def test_an_event_id_is_unique_within_its_obligation_only(ledger: Ledger) -> None:
    """Two obligations may both have their event 7."""
    summary = ledger.take(EVENTS, {}, {"obligation_id": "O-315", "amount_cents": "5"})
    assert summary.rows_new == 2


def test_two_providers_share_nothing(ledger: Ledger) -> None:
    """One installation may report for several banks that number alike."""
    path = ledger.file(EVENTS, {})
    ledger.take_files(path)
    other = ledger.file(EVENTS, {"amount_cents": "5", "debtor_account": WRONG_ACCOUNT}, name="other.csv")
    (summary,) = ledger.take_files(other, provider="5026024000")
    assert summary.rows_new == 1
    with ledger.engine.connect() as connection:
        for provider, amount in ((PROVIDER, 28843416), ("5026024000", 5)):
            found = history(connection, provider, "O-314")
            assert found is not None
            assert [event.amount_cents for event in found[1]] == [amount]


# --- Cancellations --------------------------------------------------------------------------------

CANCEL_7 = {
    "event_id": "8",
    "cancels_event_id": "7",
    "change_type": "00",
    "recorded_at": "2026-11-17T09:00:00",
}
WRONG_CANCELLATIONS = [
    ("without a target", {**CANCEL_7, "cancels_event_id": ""}, "cancels_event_id"),
    ("target without a cancellation", {**CANCEL_7, "change_type": "02"}, "cancels_event_id"),
    ("nowhere", {**CANCEL_7, "cancels_event_id": "77"}, "does not have"),
    ("itself", {**CANCEL_7, "cancels_event_id": "8"}, "itself"),
    ("another amount", {**CANCEL_7, "amount_cents": "5"}, "amount is 0.05"),
    ("before its target", {**CANCEL_7, "recorded_at": "2026-11-17T08:04:59"}, "recorded before event 7"),
    ("in another obligation", {**CANCEL_7, "obligation_id": "O-315"}, "does not have"),
]


@pytest.mark.parametrize("place", ["ledger", "file"])
@pytest.mark.parametrize(("_what", "row", "said"), WRONG_CANCELLATIONS, ids=lambda value: str(value)[:30])
def test_a_wrong_cancellation_is_refused(
    ledger: Ledger, _what: str, row: dict[str, str], said: str, place: str
) -> None:
    """AJPES would refuse the whole obligation for it."""
    if place == "ledger":
        ledger.take(EVENTS, {})
    finding = only_finding(refusal(ledger, EVENTS, {}, row))
    assert finding.line == 3
    assert finding.record == f"{row.get('obligation_id', 'O-314')} / event 8"
    assert said in (finding.field, finding.message) or said in finding.message


@pytest.mark.parametrize("place", ["ledger", "file"])
def test_a_cancellation_is_not_cancelled(ledger: Ledger, place: str) -> None:
    """What a cancellation undid is recorded anew instead."""
    known: tuple[dict[str, str], ...] = ({}, CANCEL_7)
    if place == "ledger":
        ledger.take(EVENTS, *known)
    row = {**CANCEL_7, "event_id": "9", "cancels_event_id": "8"}
    finding = only_finding(refusal(ledger, EVENTS, *known, row))
    assert (finding.line, finding.record) == (4, "O-314 / event 9")
    assert "which is a cancellation itself" in finding.message


@pytest.mark.parametrize("place", ["ledger", "file"])
def test_nothing_is_cancelled_twice(ledger: Ledger, place: str) -> None:
    """An amount is undone once."""
    known: tuple[dict[str, str], ...] = ({}, CANCEL_7)
    if place == "ledger":
        ledger.take(EVENTS, *known)
    finding = only_finding(refusal(ledger, EVENTS, *known, {**CANCEL_7, "event_id": "9"}))
    assert (finding.line, finding.record) == (4, "O-314 / event 9")
    assert "cancelled already, by event 8" in finding.message


def test_nothing_is_cancelled_twice_by_a_file_of_its_own(ledger: Ledger) -> None:
    """Tomorrow's file holds only tomorrow's events, and is refused in words all the same."""
    ledger.take(EVENTS, {}, CANCEL_7)
    finding = only_finding(refusal(ledger, EVENTS, {**CANCEL_7, "event_id": "9"}))
    assert (finding.line, finding.record) == (2, "O-314 / event 9")
    assert "cancelled already, by event 8" in finding.message


def test_whatever_else_keeps_a_cancellation_out_is_not_called_a_second_one(ledger: Ledger) -> None:
    """A clerk is sent to the row that is wrong, and not after one that is right."""
    ledger.take(EVENTS, {}, {"event_id": "6"}, CANCEL_7)
    changed = {**CANCEL_7, "cancels_event_id": "6"}
    right = {**changed, "event_id": "9"}
    finding = only_finding(refusal(ledger, EVENTS, changed, right))
    assert (finding.line, finding.field) == (2, "cancels_event_id")
    assert "6 here, but 7 in the ledger" in finding.message


def test_a_second_cancellation_that_is_cancelled_is_found_where_it_stands(ledger: Ledger) -> None:
    """It did not go in, and is in the file all the same."""
    second = {**CANCEL_7, "event_id": "9"}
    of_it = [{**CANCEL_7, "cancels_event_id": "9", "event_id": number} for number in ("10", "11")]
    refused = refusal(ledger, EVENTS, {}, CANCEL_7, second, *of_it)
    told = {finding.line: finding.message for finding in refused.findings if finding.line == 6}
    assert "which is a cancellation itself" in told[6]


@pytest.mark.parametrize("sequence", ["taken", "in a gap"])
def test_a_sequence_that_lags_behind_loses_no_event(ledger: Ledger, sequence: str) -> None:
    """As on a copy of the database that got the rows and not the sequences."""
    if ledger.engine.dialect.name != "postgresql":
        return  # SQLite numbers rows from the last one
    first = [{"event_id": str(number)} for number in range(3)]
    ledger.take(EVENTS, *first)
    ledger.take(EVENTS, *first)  # uses up numbers
    ledger.take(EVENTS, {"event_id": "last"})
    with ledger.engine.begin() as connection:
        key = {"taken": 0, "in a gap": 3}[sequence] + 1
        connection.exec_driver_sql(f"SELECT setval(pg_get_serial_sequence('events', 'id'), {key}, false)")
    with pytest.raises(AjpesReportingError) as failed:
        ledger.take(EVENTS, {"event_id": "new"})
    assert "the sequence of the table events" in failed.value.remedy
    with ledger.engine.connect() as connection:
        assert set(connection.scalars(select(events.c.event_id))) == {"0", "1", "2", "last"}


@pytest.mark.parametrize("place", ["ledger", "file"])
def test_a_right_cancellation_goes_in(ledger: Ledger, place: str) -> None:
    """Also in the same moment as its target, after it in the file."""
    row = {**CANCEL_7, "recorded_at": EVENT["recorded_at"]}
    if place == "ledger":
        ledger.take(EVENTS, {})
        ledger.take(EVENTS, row)
    else:
        ledger.take(EVENTS, {}, row)
    with ledger.engine.connect() as connection:
        found = history(connection, PROVIDER, "O-314")
    assert found is not None
    assert [event.event_id for event in found[1]] == ["7", "8"]


def test_a_cancellation_before_its_target_in_the_same_moment_is_refused(ledger: Ledger) -> None:
    """The order of the file is the order of recording where the times are the same."""
    row = {**CANCEL_7, "recorded_at": EVENT["recorded_at"]}
    assert "recorded before event 7" in only_finding(refusal(ledger, EVENTS, row, {})).message


def test_a_late_entry_with_an_old_time_goes_in(ledger: Ledger) -> None:
    """Records are sometimes kept late; that is no error of the bank's."""
    ledger.take(EVENTS, {})
    late = {"event_id": "6", "recorded_at": "2026-10-01T08:00:00", "change_date": "2026-10-01"}
    assert ledger.take(EVENTS, late).rows_new == 1
    with ledger.engine.connect() as connection:
        found = history(connection, PROVIDER, "O-314")
    assert found is not None
    assert [event.event_id for event in found[1]] == ["6", "7"]


# --- Accounts, months and postings ----------------------------------------------------------------


def test_an_account_may_close(ledger: Ledger) -> None:
    """The one change to an account that the ledger takes."""
    ledger.take(ACCOUNTS, {})
    summary = ledger.take(ACCOUNTS, {"closed_on": "2026-10-31"})
    assert (summary.rows_new, summary.rows_known) == (1, 0)
    assert str(ledger.content()["accounts"][0].closed_on) == "2026-10-31"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("closed_on", ""),
        ("closed_on", "2026-10-30"),
        ("holder_name", "DRUG"),
        ("holder_tax_number", "12345679"),
        ("opened_on", "2020-01-16"),
    ],
)
def test_nothing_else_of_a_known_account_changes(ledger: Ledger, field: str, value: str) -> None:
    """A reopened account, or another holder, is another account."""
    ledger.take(ACCOUNTS, {"closed_on": "2026-10-31"})
    finding = only_finding(refusal(ledger, ACCOUNTS, {"closed_on": "2026-10-31", field: value}))
    assert (finding.line, finding.record, finding.field) == (2, "account 010000100002123", field)


def test_an_account_does_not_change_while_it_closes(ledger: Ledger) -> None:
    """The database would let the closing pass; the other change must not pass with it."""
    ledger.take(ACCOUNTS, {})
    finding = only_finding(refusal(ledger, ACCOUNTS, {"closed_on": "2026-10-31", "holder_name": "DRUG"}))
    assert finding.field == "holder_name"


@pytest.mark.parametrize("kind", [ACCOUNT_MONTHS, POSTINGS], ids=lambda kind: kind.name)
def test_figures_of_an_unknown_account_are_refused(ledger: Ledger, kind: Kind) -> None:
    """A figure is not lost for want of its account."""
    finding = only_finding(refusal(ledger, kind, {}))
    assert (finding.line, finding.field) == (2, "account")
    assert "import the accounts first" in finding.remedy


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (ACCOUNT_MONTHS, "credit_turnover_cents", "4001"),
        (ACCOUNT_MONTHS, "debit_turnover_cents", "1001"),
        (ACCOUNT_MONTHS, "closing_balance_cents", "-3000"),
        (POSTINGS, "account", "070000000000187"),
        (POSTINGS, "booked_on", "2026-10-06"),
        (POSTINGS, "amount_cents", "-4000"),
    ],
)
def test_a_known_month_or_posting_with_other_content_is_refused(
    ledger: Ledger, kind: Kind, field: str, value: str
) -> None:
    """Figures that were reported stay what they were."""
    ledger.take(ACCOUNTS, {}, {"account": "070000000000187"})
    ledger.take(kind, {})
    finding = only_finding(refusal(ledger, kind, {field: value}))
    assert finding.field == field
    assert (
        f"{shown(field, value)} here, but {shown(field, ROW[kind][field])} in the ledger" in finding.message
    )


# --- Several files --------------------------------------------------------------------------------


def test_files_are_taken_in_the_order_they_need(ledger: Ledger) -> None:
    """A clerk may write `*.csv`."""
    paths = [ledger.file(kind, {}) for kind in (POSTINGS, EVENTS, ACCOUNT_MONTHS, ACCOUNTS)]
    summaries = ledger.take_files(*paths)
    assert [summary.kind for summary in summaries] == ["accounts", "account_months", "postings", "events"]
    assert all(summary.rows_new == 1 for summary in summaries)


def test_a_refused_file_says_which_were_stored_before_it(ledger: Ledger) -> None:
    """The clerk knows what is left to do."""
    good, bad = ledger.file(ACCOUNTS, {}), ledger.file(EVENTS, {"issuer": "9"})
    with pytest.raises(LedgerRefused) as refused:
        ledger.take_files(bad, good)
    assert "events.csv was not taken" in refused.value.message
    assert "Stored before it: accounts.csv" in refused.value.message
    assert len(ledger.content()["accounts"]) == 1


def test_a_wrong_header_keeps_all_files_out(ledger: Ledger, text_file: Callable[[str], Path]) -> None:
    """What can be seen beforehand is said beforehand."""
    file_refusal(ledger, text_file("account,month\n"))
    with pytest.raises(LedgerRefused):
        ledger.take_files(ledger.file(ACCOUNTS, {}), text_file("account,month\n"))
    assert not ledger.content()["accounts"]


def test_progress_counts_every_row(ledger: Ledger) -> None:
    """The bar on the terminal reaches its end."""
    from ajpes_reporting.domain.rules import RuleSettings
    from ajpes_reporting.ledger.files import import_files

    told: list[int] = []
    path = ledger.file(EVENTS, *({"event_id": str(number)} for number in range(12_001)))
    import_files(ledger.engine, PROVIDER, [path], RuleSettings(), told.append, now=LATER)
    assert sum(told) == 12_001
    assert len(told) > 1
