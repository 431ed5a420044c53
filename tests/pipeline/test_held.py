"""What AJPES holds is rebuilt from accepted bytes alone, and compared with the ledger to the cent."""

from __future__ import annotations

import csv
import io
import json
import shutil
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, text, update

from ajpes_reporting.cli.table_files import TableFile
from ajpes_reporting.database.tables import events, obligations, pending_events
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.queries.held import held
from ajpes_reporting.queries.proof import Comparison, Kind, Proof
from tests.pipeline.conftest import NOV_17, NOV_18, OCTOBER, event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.pipeline.conftest import Bank

ACCOUNTS = "account,holder_tax_number,holder_name,opened_on,closed_on"
MONTHS = "account,month,credit_turnover_cents,debit_turnover_cents,closing_balance_cents"


def _proof(bank: Bank) -> Proof:
    with held(bank.context) as found:
        comparison = Comparison(found, bank.context.provider)
        list(comparison.disagreements())
        return comparison.proof()


def _two_days(bank: Bank) -> None:
    """17 November: O-1 with two events, O-2 with one. 18 November: O-1 again, with a third event."""
    bank.record(event("O-1", 1), event("O-1", 2, amount_cents=2_500, change_type="03"), event("O-2", 1))
    bank.run()
    bank.time.pass_by(days=1)
    bank.record(event("O-1", 3, amount_cents=50, recorded="2026-11-18T08:00:00"), name="b.csv")
    bank.run(period=NOV_18)


def _tampered(bank: Bank, statement: object, table: str = "events") -> None:
    """Changes facts as nobody but the owner of the database can: with the triggers out of the way."""
    with bank.context.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET session_replication_role = replica"))
            connection.commit()
        else:
            connection.connection.cursor().execute("PRAGMA foreign_keys = OFF")
            names = connection.execute(
                text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table"),
                {"table": table},
            )
            for name in [row.name for row in names]:
                connection.execute(text(f"DROP TRIGGER {name}"))
            connection.commit()
        connection.execute(statement)  # type: ignore[call-overload]
        connection.commit()
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET session_replication_role = DEFAULT"))
            connection.commit()


def test_the_newest_accepted_report_of_an_obligation_counts(bank: Bank) -> None:
    """Protects whoever answers AJPES: each obligation with its whole history, once."""
    _two_days(bank)
    with held(bank.context) as found:
        obligations = {one.obligation: one for one in found.obligations()}
        assert list(obligations) == ["O-1", "O-2"]
        assert [one.amount_cents for one in obligations["O-1"].events] == [10_000, 2_500, 50]
        assert obligations["O-1"].submission > obligations["O-2"].submission
        assert (found.events().count, found.events().cents) == (4, 22_550)
        assert obligations["O-1"].events[2].recorded_at == "2026-11-18T08:00:00"


def test_a_day_is_told_as_it_ended(bank: Bank) -> None:
    """Protects an auditor who asks about a day that is long over."""
    _two_days(bank)
    with held(bank.context, until=NOV_17.end) as found:
        assert {one.obligation: len(one.events) for one in found.obligations()} == {"O-1": 2, "O-2": 1}


def test_a_refused_report_is_not_held(bank: Bank) -> None:
    """Protects a bank from taking what it sent for what AJPES has."""
    bank.authority.faults.add("soap", "fault", times=1, code="Client")
    bank.record(event("O-1", 1))
    bank.run()
    with held(bank.context) as found:
        assert list(found.obligations()) == []
        assert found.reports == ()


def test_both_sides_agree_after_two_days(bank: Bank) -> None:
    """Protects the claim of the whole proof: sums by hand, 100.00 + 25.00 + 0.50 + 100.00."""
    _two_days(bank)
    bank.record(event("O-9", 1, amount_cents=7, recorded="2026-11-18T09:00:00"), name="c.csv")
    proof = _proof(bank)
    assert proof.agrees and proof.count == 0
    assert proof.nodurs is not None
    assert (proof.nodurs.held.cents, proof.nodurs.accepted.cents) == (22_550, 22_550)
    assert (proof.nodurs.waiting.count, proof.nodurs.waiting.cents) == (1, 7)


@pytest.mark.parametrize(
    ("statement", "kind", "field"),
    [
        (update(events).where(events.c.event_id == "2").values(amount_cents=2_501), Kind.OTHER_VALUE,
         "amount_cents"),
        (update(events).where(events.c.event_id == "2").values(change_type="04"), Kind.OTHER_VALUE,
         "change_type"),
        (delete(events).where(events.c.event_id == "2"), Kind.UNKNOWN_EVENT, ""),
    ],
)  # fmt: skip
def test_a_fact_that_was_tampered_with_is_found(
    bank: Bank, statement: object, kind: Kind, field: str
) -> None:
    """Protects an auditor from a ledger that was changed behind the program's back."""
    _two_days(bank)
    _tampered(bank, statement)
    proof = _proof(bank)
    assert not proof.agrees
    assert [(one.kind, one.obligation, one.event, one.field) for one in proof.disagreements] == [
        (kind, "O-1", "2", field)
    ]


def test_an_event_that_counts_as_accepted_without_bytes_is_found(bank: Bank) -> None:
    """Protects a bank whose journal says accepted of an event that no report ever held."""
    _two_days(bank)
    bank.record(event("O-9", 1), name="c.csv")
    with bank.context.engine.begin() as connection:
        connection.execute(delete(pending_events))
    proof = _proof(bank)
    assert [(one.kind, one.obligation) for one in proof.disagreements] == [(Kind.NOT_HELD, "O-9")]


def test_an_archived_file_that_was_changed_proves_nothing(bank: Bank) -> None:
    """Protects the proof from other bytes under the name of those that were sent."""
    bank.record(event("O-1", 1))
    result = bank.run()
    assert result.submission is not None
    path = bank.context.archive.root / result.submission.archive_path
    path.unlink()
    with pytest.raises(UsageError), held(bank.context):
        pass


def test_every_account_of_a_month_is_compared_as_it_is_reported(bank: Bank, told: Callable[..., str]) -> None:
    """Protects a monthly report: whole euros, rounded half away from zero, agree with the ledger's cents."""
    bank.record(
        "010000000100187,50123459,Kovinarstvo Žagar d.o.o.,2020-01-01,",
        "010000000100284,50123459,Kovinarstvo Žagar d.o.o.,2020-01-01,",
        header=ACCOUNTS,
    )
    bank.record("010000000100187,2026-10,250,150,100", "010000000100284,2026-10,0,0,-50", header=MONTHS)
    bank.run("SPAPP", OCTOBER, "sftp")
    bank.collect()
    with held(bank.context) as found:
        figures = {one.account: one.closing_balance_cents for one in found.accounts()}
    assert figures == {"010000000100187": 100, "010000000100284": -100}
    assert _proof(bank).agrees
    assert "do NOT agree" not in told("ledger", "prove", "--month", "202610")
    bank.record(
        "010000000100187,2026-10,250,150,200", header=MONTHS, name="d.csv", restate_because="a late booking"
    )
    proof = _proof(bank)
    assert [(one.account, one.field, one.held, one.ledger) for one in proof.disagreements] == [
        ("010000000100187", "closing_balance_cents", 100, 200)
    ]
    assert "AJPES and the ledger do NOT agree" in told("ledger", "prove", "--month", "202610")


def test_a_month_keeps_the_unit_in_which_it_was_written(bank: Bank) -> None:
    """Protects months in whole euros from being read as cents once `spapp.amounts` is another."""
    bank.record("010000000100187,50123459,Žagar d.o.o.,2020-01-01,", header=ACCOUNTS)
    bank.record("010000000100187,2026-10,25000,15000,10000", header=MONTHS)
    bank.run("SPAPP", OCTOBER, "sftp")
    bank.collect()
    settings = dict(bank.context.report_settings)
    settings["SPAPP"] = settings["SPAPP"].model_copy(update={"amounts": "cents"})
    with held(replace(bank.context, report_settings=settings)) as found:
        assert [one.closing_balance_cents for one in found.accounts()] == [10_000]
        assert not list(Comparison(found, bank.context.provider).disagreements())


def test_purged_reports_are_told_and_do_not_accuse_the_ledger(bank: Bank) -> None:
    """Protects a bank after the two years of keeping files from a false alarm."""
    _two_days(bank)
    with held(bank.context) as found:
        first = found.reports[0]
    context = bank.context
    with context.engine.begin() as connection:
        from ajpes_reporting.journal import purged

        files = [one for one in purged.archived_files(connection, context.provider)
                 if one.sha256 == first.sha256]  # fmt: skip
        purged.note(connection, context.provider, files, at=context.clock())
    proof = _proof(bank)
    assert proof.agrees
    assert proof.nodurs is not None
    assert (proof.nodurs.held.count, proof.nodurs.purged.count) == (3, 1)  # O-2 stood in that report alone


def test_the_table_keeps_identifiers_and_makes_no_formula(bank: Bank, told: Callable[..., str]) -> None:
    """Protects a clerk's spreadsheet: leading zeros stay, and a name that begins with = is a text."""
    bank.record(event("O-1", 1, name="=1+1 d.o.o."))
    bank.run()
    rows = list(csv.DictReader(io.StringIO(_file(bank, told, "holds", "--csv", "t.csv").decode())))
    assert [(row["debtor_account"], row["debtor_name"]) for row in rows] == [
        ("010000000100187", "'=1+1 d.o.o.")
    ]
    with zipfile.ZipFile(io.BytesIO(_file(bank, told, "holds", "--xlsx", "t.xlsx"))) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        assert "<f>" not in sheet and "010000000100187" in sheet and "=1+1 d.o.o." in sheet


def _file(bank: Bank, told: Callable[..., str], command: str, option: str, name: str) -> bytes:
    path = bank.folder / name
    told("ledger", command, option, str(path))
    return path.read_bytes()


def test_the_document_holds_what_is_shown(
    bank: Bank, told: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects a program that reads the JSON: both reports, each record."""
    _two_days(bank)
    made = json.loads(told("ledger", "holds", "--json"))
    assert [one["obligation"] for one in made["nodurs"]] == ["O-1", "O-2"]
    assert made["spapp"] == []
    assert json.loads(told("ledger", "prove", "--json"))["agrees"] is True


def test_a_table_on_standard_output_stands_there_alone(bank: Bank, told: Callable[..., str]) -> None:
    """Protects whoever pipes a proof into another program."""
    _two_days(bank)
    assert told("ledger", "prove", "--csv", "-").split() == [
        '"kind","obligation","event","account","month","submission","field","held","ledger"'
    ]


def test_json_comes_beside_a_table(bank: Bank, told: Callable[..., str]) -> None:
    """Protects a program that has a table made for a person and reads the result itself."""
    bank.record("010000000100187,50123459,Žagar d.o.o.,2020-01-01,", header=ACCOUNTS)
    bank.record("010000000100187,2026-10,250,150,100", header=MONTHS)
    bank.run("SPAPP", OCTOBER, "sftp")
    bank.collect()
    for place, command in enumerate(
        (["prove", "--month", "202610"], ["months", "202610"], ["list"], ["imports"])
    ):
        table = bank.folder / f"{place}.csv"
        json.loads(told("ledger", *command, "--csv", str(table), "--json"))
        assert table.read_text().startswith('"')


def test_an_obligation_is_not_asked_of_a_monthly_report(bank: Bank, told: Callable[..., str]) -> None:
    """Protects a clerk from an empty answer that looks like nothing was found."""
    assert "leave it out for SPAPP" in told("ledger", "holds", "spapp", "--obligation", "O-1")


def test_another_debtor_account_is_told_once_for_an_obligation(bank: Bank) -> None:
    """Protects the reader of a proof: what all events of an obligation repeat is one disagreement."""
    _two_days(bank)
    other = update(obligations).where(obligations.c.obligation_id == "O-1")
    _tampered(bank, other.values(debtor_account="010000000100284"), "obligations")
    assert [(one.obligation, one.field) for one in _proof(bank).disagreements] == [("O-1", "debtor_account")]


def test_a_sheet_that_cannot_be_finished_is_a_failure_of_the_system(tmp_path: Path) -> None:
    """Protects a clerk from a traceback when the disk is full or gone as the sheet is put together."""
    folder = tmp_path / "work"
    folder.mkdir()

    def rows() -> Iterator[dict[str, str]]:
        yield {"name": "Žagar d.o.o."}
        shutil.rmtree(folder)

    with pytest.raises(OSError, match="No such file"):
        TableFile(tmp_path / "t.xlsx", is_xlsx=True).write(folder, ["name"], rows())


def test_several_banks_in_one_database_see_only_their_own(bank: Bank) -> None:
    """Protects a bureau: another provider's reports are neither held nor compared."""
    _two_days(bank)
    other = replace(bank.context, provider="1234567000")
    with held(other) as found:
        assert found.reports == ()
        assert list(Comparison(found, other.provider).disagreements()) == []
