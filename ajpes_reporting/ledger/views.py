"""A bank's own views in the place of files: read only, as a stream, by the same way into the ledger."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, time
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import case, column, create_engine, event, inspect, make_url, null, select, table
from sqlalchemy.exc import SQLAlchemyError

from ajpes_reporting.database.engine import address, snapshot
from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.domain.events import CANCELLATION
from ajpes_reporting.domain.fields import Type
from ajpes_reporting.domain.ports import no_progress
from ajpes_reporting.i18n import _
from ajpes_reporting.ledger.findings import Source
from ajpes_reporting.ledger.intake import take_in
from ajpes_reporting.ledger.kinds import EVENTS, KINDS, require_columns

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterator, Sequence

    from sqlalchemy import URL, Connection, Engine, Select

    from ajpes_reporting.domain.fields import Field
    from ajpes_reporting.domain.ports import Progress
    from ajpes_reporting.domain.rules import RuleSettings
    from ajpes_reporting.ledger.intake import Line, Taken
    from ajpes_reporting.ledger.kinds import Kind

_ROWS_AT_A_TIME = 5_000
_REMEDY = _("correct the rows where the view takes them from, and run again")


def open_views(url: str) -> Engine:
    """An engine for a bank's own database, of any SQLAlchemy dialect, that cannot write there.

    Where the dialect has no such setting, the user in the url should have no right to write.
    Raises ConfigurationError if the url, or the driver that it names, is unusable.
    """
    try:
        parsed = make_url(url)
        is_sqlite = parsed.get_backend_name() == "sqlite"
        engine = (
            create_engine(parsed, creator=partial(_connect_sqlite, parsed))
            if is_sqlite
            else create_engine(parsed)
        )
    except (SQLAlchemyError, ImportError) as error:
        raise ConfigurationError(
            _("The bank's database cannot be used: {reason:foreign}.", reason=_reason(error)),
            _("correct [ledger] url in ajpes.toml, or install the driver that it names"),
        ) from None  # the error itself may show the url with its password
    if is_sqlite:
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def pull(
    connection: Connection,
    provider: str,
    source_engine: Engine,
    rules: RuleSettings,
    progress: Progress = no_progress,
    needed: Collection[str] = (),
    *,
    now: datetime,
) -> dict[str, Taken]:
    """Takes what is new in the bank's views into the ledger, within the caller's transaction.

    The views are `events`, `accounts`, `account_months` and `postings`; those that are not there
    are left out, unless they are `needed`. Nothing new may be recorded later than `now`. Says what
    became of each, by name. Raises ConfigurationError if the views cannot be read or lack a column, and
    LedgerRefused with its findings for rows that are refused; the caller then rolls back.
    """
    taken: dict[str, Taken] = {}
    with ExitStack() as stack:
        with _reading(source_engine):
            source = stack.enter_context(snapshot(source_engine))
            kinds = _kinds_there(source, needed)
        for kind in kinds:
            lines = stack.enter_context(closing(_lines(source, kind)))
            described = Source(_("The view {name}", name=kind.name), _REMEDY, now, has_lines=False)
            taken[kind.name] = take_in(connection, provider, kind, lines, described, rules, progress)
    return taken


def views_there(source_engine: Engine) -> list[str]:
    """The names of the views that would be read. Raises ConfigurationError if there are none."""
    with _reading(source_engine), snapshot(source_engine) as source:
        return [kind.name for kind in _kinds_there(source, ())]


def _kinds_there(source: Connection, needed: Collection[str]) -> Sequence[Kind]:
    look = inspect(source)
    kinds = [kind for kind in KINDS if look.has_table(kind.name)]
    missing = sorted(set(needed).difference(kind.name for kind in kinds))
    if missing or not kinds:
        message = (
            _("The bank's database has no view {name}.", name=missing[0])
            if missing
            else _("The bank's database has no view that the ledger reads.")
        )
        names = [kind.name for kind in KINDS]
        raise ConfigurationError(
            message, _("make it: {names} are read; docs/ names their columns", names=names)
        )
    return kinds


def _lines(source: Connection, kind: Kind) -> Generator[Line, None, None]:
    """The rows of a view, as texts, numbered in the order in which they are read."""
    with _reading(source.engine):
        columns = [found["name"] for found in inspect(source).get_columns(kind.name)]
        require_columns(columns, kind, _("The view {name}", name=kind.name))
        rows = source.execute(_query(kind, columns).execution_options(yield_per=_ROWS_AT_A_TIME))
        for number, row in enumerate(rows, 1):
            yield number, [_text(field, value) for field, value in zip(kind.fields, row, strict=True)]


def _query(kind: Kind, there: Collection[str]) -> Select[Any]:
    """In order of recording, and a cancellation after what was recorded at the same time."""
    view = table(kind.name, *(column(name) for name in there))
    columns = (view.c[name] if name in there else null().label(name) for name in kind.columns)
    query = select(*columns).select_from(view)
    if kind is not EVENTS:
        return query
    late = case((view.c.change_type == CANCELLATION, 1), else_=0)
    return query.order_by(view.c.recorded_at, late, view.c.obligation_id, view.c.event_id)


def _text(field: Field, value: Any) -> str:
    """A value of the bank's database, as a file would have it."""
    if isinstance(value, datetime):
        is_date = field.type is Type.DAY and value.time() == time()
        return value.date().isoformat() if is_date else value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f") if value % 1 else str(int(value))
    return "" if value is None else str(value)


@contextmanager
def _reading(source_engine: Engine) -> Iterator[None]:
    """Says whose database it is that fails."""
    try:
        yield
    except SQLAlchemyError as error:
        there = address(source_engine.url)
        raise ConfigurationError(
            _(
                "The bank's database {address} cannot be read: {reason:foreign}.",
                address=there,
                reason=_reason(error),
            ),
            _("check [ledger] url in ajpes.toml, that the database runs, and what its user may read"),
        ) from error


def _reason(error: Exception) -> str:
    told = str(getattr(error, "orig", None) or error).strip()
    return told.splitlines()[0] if told else type(error).__name__


def _connect_sqlite(url: URL) -> sqlite3.Connection:
    """Without this, SQLite would make the file that it does not find, and write to the one it does."""
    return sqlite3.connect(f"file:{quote(url.database or '')}?mode=ro", uri=True, isolation_level=None)
