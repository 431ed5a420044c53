"""The tables in which rows wait until all of them are known to be right.

Temporary tables of the transaction. They take the rows of a batch by the fastest way that the
database has, and the comparisons run over them set by set.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date, datetime
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Date, Integer, MetaData, String, Table, exists, func, select
from sqlalchemy.schema import CreateTable, DropTable

from ajpes_reporting.database.bulk import copying
from ajpes_reporting.database.tables import events
from ajpes_reporting.database.temporary import analyze
from ajpes_reporting.database.types import (
    AccountNumber,
    Cents,
    Identifier,
    Key,
    Name,
)
from ajpes_reporting.domain.rules import SLICES, UNSLICED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Insert, Select, Update

_staging = MetaData()


def _temporary(name: str, key: tuple[str, ...], *columns: Column[Any]) -> Table:
    """`line` is the row's place in its source: its line in a file. By `key` rows are looked up."""
    line = Column("line", Key, primary_key=True, autoincrement=False)
    return Table(name, _staging, line, *columns, prefixes=["TEMPORARY"], info={"key": key})


staged_obligations = _temporary(
    "staged_obligations",
    (),
    Column("obligation_id", Identifier, nullable=False),
    Column("issuer", Integer, nullable=False),
    Column("debtor_tax_number", String(8), nullable=False),
    Column("debtor_name", Name, nullable=False),
    Column("debtor_account", AccountNumber, nullable=False),
    Column("event_id", Identifier, nullable=False),  # the row's event, to name the row
    Column("clean_under", Key),
)

EVENT_COLUMNS = (*(column for part in SLICES for column in part.columns), *UNSLICED)
"""The columns of an event in the order in which they are staged: slice by slice."""

staged_events = _temporary(
    "staged_events",
    (),
    Column("obligation_id", Identifier, nullable=False),
    *(
        Column(name, events.c[name].type, nullable=events.c[name].nullable)
        for column in EVENT_COLUMNS
        for name in column.names
    ),
    Column("clean_under", Key),
)

# The cancellations of all batches, since what they name may come after them.
staged_cancellations = _temporary(
    "staged_cancellations",
    (),
    Column("obligation", Key, nullable=False),
    Column("obligation_id", Identifier, nullable=False),
    Column("event_id", Identifier, nullable=False),
)

# Which obligations of the ledger the staged events belong to: looked up once, each by its key. A join
# would be planned by what PostgreSQL thinks of a table that grows within the transaction.
located = Table(
    "located_obligations",
    _staging,
    Column("obligation_id", Identifier, primary_key=True),
    Column("obligation", Key, nullable=False),
    prefixes=["TEMPORARY"],
)

staged_accounts = _temporary(
    "staged_accounts",
    ("account",),
    Column("account", AccountNumber, nullable=False),
    Column("holder_tax_number", String(8), nullable=False),
    Column("holder_name", Name, nullable=False),
    Column("opened_on", Date, nullable=False),
    Column("closed_on", Date),
    Column("clean_under", Key),
)

staged_account_months = _temporary(
    "staged_account_months",
    ("account", "month"),
    Column("account", AccountNumber, nullable=False),
    Column("month", String(7), nullable=False),
    Column("credit_turnover_cents", Cents, nullable=False),
    Column("debit_turnover_cents", Cents, nullable=False),
    Column("closing_balance_cents", Cents, nullable=False),
)

staged_postings = _temporary(
    "staged_postings",
    (),
    Column("posting_id", Identifier, nullable=False),
    Column("account", AccountNumber, nullable=False),
    Column("booked_on", Date, nullable=False),
    Column("amount_cents", Cents, nullable=False),
)

Staged = tuple[str | int | None, ...]
"""A row to stage: its line, then its columns in order, dates and moments as text."""


def as_staged(facts: Mapping[str, Any], instant: Callable[[datetime], str]) -> Staged:
    """Return the values of a fact as they are staged; `instant` is what `instant_text` gives."""
    return tuple(_as_staged(value, instant) for value in facts.values())


def _as_staged(value: Any, instant: Callable[[datetime], str]) -> str | int | None:
    if isinstance(value, datetime):
        return instant(value)
    staged: str | int | None = value.isoformat() if isinstance(value, date) else value
    return staged


@contextmanager
def staging(connection: Connection, tables: Sequence[Table]) -> Iterator[None]:
    """The temporary tables, empty, and gone afterwards (after an error, with the transaction)."""
    for table in tables:
        connection.execute(CreateTable(table))
    yield
    for table in tables:
        connection.execute(DropTable(table))


def loading(connection: Connection, table: Table, rows: Sequence[Staged]) -> Callable[[], object]:
    """Returns a function that adds the rows in bulk; the work without a connection is done before."""
    if connection.dialect.name == "postgresql":
        return partial(_copy, connection, table, _copied(rows))
    columns = ", ".join(table.columns.keys())
    places = ", ".join("?" * len(table.columns))
    insert = f"INSERT INTO {table.name} ({columns}) VALUES ({places})"  # noqa: S608 - our own names only
    return partial(connection.exec_driver_sql, insert, list(rows)) if rows else lambda: None


def _copied(rows: Sequence[Staged]) -> str:
    """Returns the rows as the text that COPY takes, which is made quicker than rows one by one.

    No value is an empty text, so an empty field can stand for NULL, and no row comes here before the rules
    have seen that it holds no tab and no line end.
    """
    texts = ["\t".join(["" if value is None else str(value) for value in row]) for row in rows]
    return "".join(f"{text}\n" for text in texts).replace("\\", "\\\\")


def _copy(connection: Connection, table: Table, rows: str) -> None:
    into = f"COPY {table.name} ({', '.join(table.columns.keys())}) FROM STDIN (NULL '')"
    with copying(connection, into) as copy:
        copy.write(rows)


def empty(connection: Connection, table: Table) -> None:
    """Makes room for the next rows."""
    how = "TRUNCATE" if connection.dialect.name == "postgresql" else "DELETE FROM"
    connection.exec_driver_sql(f"{how} {table.name}")


def settle(connection: Connection, table: Table) -> None:
    """Makes a table with all rows of a source quick to compare."""
    if key := ", ".join(table.info["key"]):
        connection.exec_driver_sql(f"CREATE INDEX {table.name}_key ON {table.name} ({key})")
    analyze(connection, table)


def add_new(
    connection: Connection, table: Table, key: Sequence[str], columns: Sequence[str], rows: Select[Any]
) -> int:
    """Adds the rows whose key the table does not have yet, of equal keys the first; says how many.

    Without a key, whatever has to be unique in the table counts as one.
    Within `database.guards.skipping_known` of the table.
    """
    # Each of the two takes a while to load, and a day's report needs one at most.
    insert_into = import_module(f"sqlalchemy.dialects.{connection.dialect.name}").insert
    insert: Any = insert_into(table).from_select(list(columns), rows)
    return rows_changed(connection, insert.on_conflict_do_nothing(index_elements=list(key) or None))


def repeated(staged: Table) -> ColumnElement[bool]:
    """Whether the row's key stands in an earlier row of the same source."""
    earlier = staged.alias("earlier")
    same = (earlier.c[name] == staged.c[name] for name in staged.info["key"])
    return exists().where(*same, earlier.c.line < staged.c.line)


def rows_changed(connection: Connection, statement: Insert | Update) -> int:
    """Runs the statement; says how many rows it added or changed."""
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount


def newest(connection: Connection, table: Table) -> int:
    """The key of the newest row; whoever holds the lock of the ledger only adds later ones."""
    return connection.scalar(select(func.coalesce(func.max(table.c.id), 0))) or 0


def instant_text(connection: Connection) -> Callable[[datetime], str]:
    """Returns a function that writes a moment (in UTC) as the database takes it."""
    if connection.dialect.name == "postgresql":
        return datetime.isoformat
    return lambda moment: moment.replace(tzinfo=None).isoformat(" ", "microseconds")
