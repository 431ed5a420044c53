"""Lists that a transaction makes for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, func, literal, select, text, union_all

from ajpes_reporting.database.engine import rehearsing, writing
from ajpes_reporting.database.temporary import fill, fill_in_order, read_ahead
from ajpes_reporting.ledger.months import close_month
from ajpes_reporting.reports.nodurs import NODURS
from ajpes_reporting.reports.nodurs.select import changed
from ajpes_reporting.reports.spapp import SPAPP
from tests.reports.conftest import NODURS_REQUEST, SPAPP_REQUEST

if TYPE_CHECKING:
    from sqlalchemy import Engine


def test_a_list_is_made_anew_whatever_became_of_the_last_one(engine: Engine) -> None:
    """A process that runs for days builds many reports over one connection; some are taken back."""
    for transaction in (rehearsing, writing, rehearsing, writing, writing):
        with transaction(engine) as connection:
            for rows in (1, 2):
                _fill(connection, rows)
                assert connection.scalar(select(func.count()).select_from(changed)) == rows


def test_a_table_of_the_same_name_stays(engine: Engine) -> None:
    """Whoever keeps one in the ledger's database does not lose it to a report."""
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE TABLE {changed.name} (kept INTEGER)")
        _fill(connection, 1)
        connection.exec_driver_sql(f"DROP TABLE {changed.name}")  # the list, which hides it
        assert connection.execute(text(f"SELECT kept FROM {changed.name}")).all() == []
        connection.rollback()


@given(numbers=st.lists(st.integers(0, 10**6), unique=True, min_size=1, max_size=100))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
def test_rows_are_numbered_in_their_order(engine: Engine, numbers: list[int]) -> None:
    """A report is written by these numbers, and pages of it are counted by them: none may be left out."""
    found = union_all(*(select(literal(number).label("number")) for number in numbers)).subquery()
    with rehearsing(engine) as connection:
        fill_in_order(connection, changed, select(found.c.number), found.c.number)
        listed = connection.execute(select(changed).order_by(changed.c.place)).all()
    assert listed == list(enumerate(sorted(numbers), start=1))


def test_what_is_read_ahead_is_what_would_have_been_read(engine: Engine) -> None:
    """However a database reads quickest, what is added is the same."""
    rows = select(literal(7).label("place"), literal(8).label("obligation"))
    with rehearsing(engine) as connection:
        assert connection.execute(read_ahead(connection, changed, rows)).all() == [(7, 8)]


def test_no_list_outlives_its_transaction_on_the_server(engine: Engine) -> None:
    """A million accounts would take room there for as long as the connection is kept."""
    if engine.dialect.name != "postgresql":
        return  # SQLite keeps its own in a file without a name, until the next one is made
    with writing(engine) as connection:
        NODURS.select(connection, NODURS_REQUEST)
        SPAPP.select(connection, SPAPP_REQUEST)
        close_month(connection, SPAPP_REQUEST.provider, SPAPP_REQUEST.period.key)
    with engine.connect() as connection:
        left = text("SELECT count(*) FROM pg_class WHERE relpersistence = 't'")
        assert connection.scalar(left) == 0


def _fill(connection: Connection, rows: int) -> None:
    numbers = [select(literal(number), literal(number)) for number in range(rows)]
    fill(connection, changed, union_all(*numbers))
