"""A bank's own views go the way of files, and are only read."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from ajpes_reporting.database.engine import rehearsing, snapshot, writing
from ajpes_reporting.domain.errors import ConfigurationError, LedgerRefused
from ajpes_reporting.domain.rules import RuleSettings
from ajpes_reporting.ledger.files import import_files
from ajpes_reporting.ledger.history import history
from ajpes_reporting.ledger.kinds import ACCOUNT_MONTHS, ACCOUNTS, EVENTS, KINDS, POSTINGS, Kind
from ajpes_reporting.ledger.restatement import Restatement
from ajpes_reporting.ledger.views import open_views, pull
from tests.ledger.conftest import LATER, PROVIDER, ROW, Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Engine

    from ajpes_reporting.ledger.intake import Taken

# How a bank's own tables may hold the values that the views pass on.
TYPES = {
    "issuer": "INTEGER",
    "priority": "INTEGER",
    "change_date": "DATE",
    "opened_on": "DATE",
    "closed_on": "TIMESTAMP",
    "booked_on": "DATE",
    "recorded_at": "TIMESTAMP",
    "amount_cents": "NUMERIC(15)",
    "credit_turnover_cents": "BIGINT",
    "debit_turnover_cents": "BIGINT",
    "closing_balance_cents": "BIGINT",
}


class Bank:
    """A bank's database: a table for each kind, and the view over it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._owner = create_engine(url)

    def view(self, kind: Kind, *rows: dict[str, Any], without: str = "") -> None:
        columns = [name for name in kind.columns if name != without]
        typed = ", ".join(f"{name} {TYPES.get(name, 'VARCHAR(200)')}" for name in columns)
        names, places = ", ".join(columns), ", ".join(f":{name}" for name in columns)
        with self._owner.begin() as connection:
            connection.execute(text(f"CREATE TABLE own_{kind.name} ({typed})"))
            for row in rows:
                whole = {name: value or None for name, value in {**ROW[kind], **row}.items()}
                values = {name: self._typed(name, whole[name]) for name in columns}
                connection.execute(text(f"INSERT INTO own_{kind.name} ({names}) VALUES ({places})"), values)
            connection.execute(text(f"CREATE VIEW {kind.name} AS SELECT * FROM own_{kind.name}"))

    def _typed(self, name: str, value: str | None) -> Any:
        kind = TYPES.get(name, "")
        if value is None or self._owner.dialect.name == "sqlite":
            return value
        if kind == "DATE":
            return date.fromisoformat(value)
        if kind == "TIMESTAMP":
            return datetime.fromisoformat(value)
        return value if kind == "" else int(value)

    def execute(self, statement: str) -> None:
        with self._owner.begin() as connection:
            connection.execute(text(statement))

    def close(self) -> None:
        self._owner.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def bank(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bank]:
    if request.param == "sqlite":
        bank = Bank(f"sqlite:///{tmp_path / 'bank.db'}")
        yield bank
        bank.close()
        return
    with request.getfixturevalue("postgres").database() as url:
        bank = Bank(url)
        yield bank
        bank.close()


@pytest.fixture
def source(bank: Bank) -> Iterator[Engine]:
    engine = open_views(bank.url)
    yield engine
    engine.dispose()


@pytest.fixture
def draw(ledger: Ledger, source: Engine) -> Callable[..., dict[str, Taken]]:
    def pull_all(**options: Any) -> dict[str, Taken]:
        with writing(ledger.engine) as connection:
            return pull(connection, PROVIDER, source, RuleSettings(), now=LATER, **options)

    return pull_all


def test_views_bring_what_files_bring(
    ledger: Ledger, bank: Bank, draw: Callable[..., dict[str, Taken]]
) -> None:
    """Dates, times and numbers of the bank's database mean what their texts mean."""
    for kind in KINDS:
        bank.view(kind, {})
    assert {name: taken.rows_new for name, taken in draw().items()} == {kind.name: 1 for kind in KINDS}
    for kind in (ACCOUNTS, ACCOUNT_MONTHS, POSTINGS, EVENTS):
        assert ledger.take(kind, {}).rows_known == 1


def test_views_again_change_nothing(
    ledger: Ledger, bank: Bank, draw: Callable[..., dict[str, Taken]]
) -> None:
    """Every run reads the views anew."""
    bank.view(ACCOUNTS, {"closed_on": "2026-10-31"})
    bank.view(EVENTS, {}, {"event_id": "8"})
    draw()
    before = ledger.content()
    assert [taken.rows_known for taken in draw().values()] == [1, 2]
    assert ledger.content() == before


def test_a_rehearsal_changes_nothing(ledger: Ledger, bank: Bank, source: Engine) -> None:
    """A dry run reads the views and leaves the ledger as it was."""
    bank.view(EVENTS, {})
    before = ledger.content()
    with rehearsing(ledger.engine) as connection:
        pull(connection, PROVIDER, source, RuleSettings(), now=LATER)
        assert history(connection, PROVIDER, "O-314")
    assert ledger.content() == before


def test_a_view_is_checked_as_a_file_is(
    ledger: Ledger, bank: Bank, draw: Callable[..., dict[str, Taken]]
) -> None:
    """There is one way into the ledger."""
    bank.view(EVENTS, {}, {"event_id": "8", "creditor_name": "N" * 141})
    before = ledger.content()
    with pytest.raises(LedgerRefused) as refused:
        draw()
    (finding,) = refused.value.findings
    assert (finding.record, finding.line) == ("O-314 / event 8", None)
    assert "The view events" in refused.value.message
    assert ledger.content() == before


def test_events_of_a_view_come_in_order_of_recording(
    ledger: Ledger, bank: Bank, draw: Callable[..., dict[str, Taken]]
) -> None:
    """A view has no order of its own; a cancellation still comes after what it cancels."""
    bank.view(EVENTS, {"event_id": "8", "change_type": "00", "cancels_event_id": "7"}, {})
    draw()
    with ledger.engine.connect() as connection:
        found = history(connection, PROVIDER, "O-314")
    assert found is not None
    assert [event.event_id for event in found[1]] == ["7", "8"]


def test_an_optional_column_may_be_missing(
    ledger: Ledger, bank: Bank, draw: Callable[..., dict[str, Taken]]
) -> None:
    """A bank without priorities need not invent the column."""
    bank.view(EVENTS, {}, without="priority")
    draw()
    assert ledger.content()["events"][0].priority is None


def test_a_mandatory_column_may_not_be_missing(bank: Bank, draw: Callable[..., dict[str, Taken]]) -> None:
    """The bank's database administrator is told which one."""
    bank.view(EVENTS, {}, without="issuer")
    with pytest.raises(LedgerRefused, match="The view events was not read: the column issuer is missing"):
        draw()


def test_a_view_that_is_needed_must_be_there(bank: Bank, draw: Callable[..., dict[str, Taken]]) -> None:
    """A daily report without its events would say that nothing happened."""
    bank.view(ACCOUNTS, {})
    draw()
    with pytest.raises(ConfigurationError, match="no view events"):
        draw(needed=["events"])


def test_a_database_without_views_is_refused(bank: Bank, draw: Callable[..., dict[str, Taken]]) -> None:
    """The wrong database is told from an empty one."""
    bank.execute("CREATE TABLE something_else (id INTEGER)")
    with pytest.raises(ConfigurationError, match="no view that the ledger reads"):
        draw()


def test_the_banks_database_cannot_be_written(bank: Bank, source: Engine) -> None:
    """A mistake of ours cannot reach the bank's books."""
    bank.view(EVENTS, {})
    with pytest.raises(DBAPIError, match=r"read-?only"), snapshot(source) as connection:
        connection.execute(text("DELETE FROM own_events"))


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////nowhere/at/all/bank.db",
        "postgresql+psycopg://reader:very-secret@127.0.0.1:1/bank",
        "nosuchdatabase://reader:very-secret@127.0.0.1/bank",
        "not a url, very-secret",
    ],
)
def test_a_database_that_cannot_be_read_is_said_without_its_password(ledger: Ledger, url: str) -> None:
    """The operator is told whose database it is, and no secret ends up on the screen."""
    with pytest.raises(ConfigurationError) as refused, writing(ledger.engine) as connection:
        pull(connection, PROVIDER, open_views(url), RuleSettings(), now=LATER)
    assert "bank's database" in refused.value.message
    assert "very-secret" not in refused.value.message + refused.value.remedy


def test_a_month_that_changed_in_a_view_is_taken_once_it_is_restated(
    ledger: Ledger, bank: Bank, draw: Callable[..., dict[str, Taken]]
) -> None:
    """A bank with views has the same way out: the right row from a file, and the view agrees again."""
    bank.view(ACCOUNTS, {})
    bank.view(ACCOUNT_MONTHS, {})
    draw()
    bank.execute("UPDATE own_account_months SET closing_balance_cents = 2999")
    with pytest.raises(LedgerRefused) as refused:
        draw()
    assert "ledger import FILE --restate" in refused.value.findings[0].remedy
    path = ledger.file(ACCOUNT_MONTHS, {"closing_balance_cents": "2999"})
    why = Restatement("as our books have it", datetime(2026, 11, 5, 9, 0, tzinfo=UTC))
    import_files(ledger.engine, PROVIDER, [path], RuleSettings(), now=ledger.now, restatement=why)
    assert {name: taken.rows_known for name, taken in draw().items()} == {"accounts": 1, "account_months": 1}
