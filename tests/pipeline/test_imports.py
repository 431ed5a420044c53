"""A clerk asks what came in, and when; and what is due next."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest

from ajpes_reporting.config import AlarmsSection
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.pipeline.facts import import_files
from ajpes_reporting.queries.imports import Imported, import_of, stream_imports
from ajpes_reporting.queries.today import today
from tests.pipeline.conftest import event

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from tests.pipeline.conftest import Bank

ACCOUNTS = "account,holder_tax_number,holder_name,opened_on,closed_on"


def _imports(bank: Bank) -> list[Imported]:
    with bank.context.engine.connect() as connection:
        return list(stream_imports(connection, bank.context.provider))


def _restated_account(bank: Bank, tmp_path: Path) -> None:
    (path := tmp_path / "named.csv").write_text(
        f"{ACCOUNTS}\n010000000100187,50123459,Žagar & hči d.o.o.,2020-01-01,\n", encoding="utf-8"
    )
    import_files(bank.context, [path])
    path.write_text(path.read_text("utf-8").replace("hči", "sin"), "utf-8")
    import_files(bank.context, [path], restate_because="the court register")


def test_imports_are_listed_the_newest_first_with_what_they_brought(bank: Bank) -> None:
    """Protects the clerk who asks whether the file of the branch was taken in, and when."""
    before = len(_imports(bank))
    bank.record(event("O-1", 1), name="monday.csv")
    bank.record(event("O-1", 1), event("O-2", 1), name="tuesday.csv")
    bank.record(event("O-1", 1), event("O-2", 1), name="again.csv")  # brings nothing, leaves no entry
    newest, older, *rest = _imports(bank)
    assert len(rest) == before
    assert (newest.file, newest.act, newest.kind, newest.new, newest.known) == (
        "tuesday.csv", "import", "events", 1, 1
    )  # fmt: skip
    assert (older.file, older.new, older.known) == ("monday.csv", 1, 0)
    assert newest.number > older.number
    assert newest.at == bank.context.clock()


def test_what_was_restated_is_listed_with_its_reason(bank: Bank, tmp_path: Path) -> None:
    """Protects the auditor: a renewed fact stands beside new ones, and says why."""
    _restated_account(bank, tmp_path)
    newest = _imports(bank)[0]
    assert (newest.act, newest.restated, newest.reason) == ("restatement", 1, "the court register")
    with bank.context.engine.connect() as connection:
        found = import_of(connection, bank.context.provider, newest.number)
    assert found.imported == newest
    assert found.record["fields"][0]["field"] == "holder_name"


def test_an_entry_that_is_no_import_or_another_banks_is_refused(bank: Bank) -> None:
    """Protects other providers in the same database: their entries are not theirs to read."""
    bank.record(event("O-1", 1))
    number = _imports(bank)[0].number
    with bank.context.engine.connect() as connection:
        with pytest.raises(UsageError, match="is no import"):
            import_of(connection, bank.context.provider, number + 1_000)
        with pytest.raises(UsageError, match="is no import"):
            import_of(connection, "1572814000", number)
        assert list(stream_imports(connection, "1572814000")) == []


def test_the_imports_are_told_as_words_json_and_a_table(
    bank: Bank, tmp_path: Path, told: Callable[..., str]
) -> None:
    """Protects whoever keeps a list of them: each form has the same imports."""
    _restated_account(bank, tmp_path)
    assert told("ledger", "imports").count("named.csv") == 2
    listed = json.loads(told("ledger", "imports", "--json"))
    told("ledger", "imports", "--csv", str(tmp_path / "imports.csv"))
    with (tmp_path / "imports.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["number"] for row in table] == [str(item["number"]) for item in listed]
    assert (table[0]["act"], table[0]["reason"]) == ("restatement", "the court register")
    number = str(listed[0]["number"])
    assert "the court register" in told("ledger", "imports", number)
    assert "A table lists all imports." in told(
        "ledger", "imports", number, "--csv", str(tmp_path / "one.csv")
    )


def _next(bank: Bank) -> dict[str, tuple[str, datetime]]:
    told = today(bank.context, AlarmsSection())
    return {item.report: (item.period, item.deadline) for item in told.next_due}


def test_the_next_deadlines_are_told_also_when_everything_is_settled(bank: Bank) -> None:
    """Protects the clerk who plans his day: nothing open does not mean nothing to come."""
    bank.record(event("O-1", 1))
    period, deadline = _next(bank)["NODURS"]
    assert (period, deadline.isoformat()) == ("2026-11-17", "2026-11-17T18:00:00+01:00")
    bank.run()
    period, deadline = _next(bank)["NODURS"]
    assert (period, deadline.isoformat()) == ("2026-11-18", "2026-11-18T18:00:00+01:00")
    # October was due on 5 November; November is due on the fourth working day of December.
    period, deadline = _next(bank)["SPAPP"]
    assert (period, deadline.isoformat()) == ("2026-11", "2026-12-04T18:00:00+01:00")


def test_status_shows_the_next_deadlines(bank: Bank, told: Callable[..., str]) -> None:
    """Protects the clerk who looks at status alone: what is told to a program stands there in words."""
    bank.record(event("O-1", 1))
    bank.run()
    listed = json.loads(told("status", "--json"))["next_due"]
    assert {item["report"]: item["period"] for item in listed} == {"NODURS": "2026-11-18", "SPAPP": "2026-11"}
    said = told("--lang", "en", "status")
    assert "NODURS 2026-11-18 2026-11-18 18:00, 25 hours from now next" in said
    assert "SPAPP 2026-11 2026-12-04 18:00, 17 days from now next" in said
