"""Whatever stands in the ledger comes out of the file again, character by character."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from sqlalchemy import Connection, insert, literal, select

from ajpes_reporting.database.engine import rehearsing
from ajpes_reporting.database.tables import debtors, events, obligations, pending_events
from ajpes_reporting.domain.money import format_decimal
from ajpes_reporting.reports.markup import amount_column, blocks, hide, show
from ajpes_reporting.reports.nodurs.select import select_changes
from ajpes_reporting.reports.nodurs.write import write
from tests.reports.conftest import BANK, NODURS_REQUEST

if TYPE_CHECKING:
    from sqlalchemy import Engine

# Everything that XML 1.0 can hold (production 2) and the ledger takes, with the dangerous ones made likely.
LEDGER_TEXT = st.text(
    st.one_of(
        st.sampled_from("&<>\"' \u2028]%{}\\\U0001f600"),
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"),
        st.characters(min_codepoint=0x10000, exclude_categories=["Cs"]),
    ),
    min_size=1,
    max_size=22,
)
XML_TEXT = st.one_of(LEDGER_TEXT, st.text(st.sampled_from("&<\t\n\r]>"), min_size=1))
ON_BOTH_DATABASES = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)


@given(XML_TEXT)
def test_text_comes_back_as_it_went_in(text: str) -> None:
    """No name and no reference is altered, cut or made into markup."""
    written = hide('<a b="') + text + hide('">') + text + hide("</a>")
    element = etree.fromstring(show(written.encode()))
    assert (element.get("b"), element.text, len(element)) == (text, text, 0)


def test_a_history_without_end_comes_in_blocks_too() -> None:
    """The validator takes no more than 10 MB at once; an obligation with more than that is reported too."""
    event = hide('<No id="1" sSpre="01"/>\n')
    taken = list(blocks([event * 500_000]))
    assert b"".join(taken) == b'<No id="1" sSpre="01"/>\n' * 500_000
    assert max(map(len, taken)) < 2_000_000
    assert all(block.startswith(b"<No ") for block in taken)


@ON_BOTH_DATABASES
@given(
    names=st.lists(LEDGER_TEXT, min_size=4, max_size=4, unique=True),
    ids=st.lists(LEDGER_TEXT, min_size=4, max_size=4, unique=True),
    amount=st.integers(-(10**15) + 1, 10**15 - 1),
)
def test_a_whole_report_reads_back_as_it_stands_in_the_ledger(
    engine: Engine, names: list[str], ids: list[str], amount: int
) -> None:
    """A bank, a debtor or a creditor with a strange name cannot break the file or hide in it."""
    provider, debtor, other_debtor, creditor = names
    obligation, event, cancelled, reference = ids
    first = _event(event_id=event, amount_cents=amount, reference_model="99", reference=reference, priority=3,
                   creditor_account="DE1", creditor_name=creditor)  # fmt: skip
    second = _event(event_id="2", cancels_event_id=cancelled, change_type="00")
    with rehearsing(engine) as connection:
        _put(connection, debtor, obligation, first)
        _put(connection, other_debtor, event, second)
        request = replace(NODURS_REQUEST, provider_name=provider)
        root = etree.fromstring(b"".join(write(request, select_changes(connection, request))))
    assert [element.text for element in root.iter("{*}Naziv")] == [provider, debtor, creditor, other_debtor]
    assert [element.get("id") for element in root.iter("{*}Blok")] == [obligation, event]
    assert [dict(element.attrib) for element in root.iter("{*}No")] == [
        {"id": event, "sSpre": "01", "dSpre": "2026-11-17", "znesek": str(amount),
         "dtVpis": "2026-11-17T08:00:00", "model": "99", "sklic": reference, "prior": "3"},
        {"id": "2", "refid": cancelled, "sSpre": "00", "dSpre": "2026-11-17", "znesek": "7",
         "dtVpis": "2026-11-17T08:00:00"},
    ]  # fmt: skip


@ON_BOTH_DATABASES
@given(amount=st.one_of(st.integers(-1_000, 1_000), st.integers(-(10**17) + 1, 10**17 - 1)))
def test_the_database_writes_amounts_as_python_does(engine: Engine, amount: int) -> None:
    """One cent, a hundred euros and a debt: with two decimals, and with its sign."""
    with engine.connect() as connection:
        cents = literal(amount, type_=events.c.amount_cents.type)
        assert connection.scalar(select(amount_column(cents, "decimal"))) == format_decimal(amount)


@pytest.mark.parametrize("style", ["German", "SQL, DMY"])
def test_a_server_that_writes_dates_otherwise_changes_nothing(engine: Engine, style: str) -> None:
    """An administrator may have set PostgreSQL to write 17.11.2026."""
    if engine.dialect.name == "postgresql":  # SQLite writes them in one way
        with engine.begin() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {engine.url.database} SET datestyle TO {style}")
        engine.dispose()
    with rehearsing(engine) as connection:
        _put(connection, "A", "O-1", _event())
        root = etree.fromstring(b"".join(write(NODURS_REQUEST, select_changes(connection, NODURS_REQUEST))))
    assert [element.get("dSpre") for element in root.iter("{*}No")] == ["2026-11-17"]


def _event(**values: Any) -> dict[str, Any]:
    return {
        "event_id": "1", "change_type": "01", "change_date": date(2026, 11, 17), "amount_cents": 7,
        "recorded_at": datetime(2026, 11, 17, 7, tzinfo=UTC), "recorded_as": "2026-11-17T08:00:00", **values,
    }  # fmt: skip


def _put(connection: Connection, debtor: str, obligation_id: str, event: dict[str, Any]) -> None:
    """Past the rules of the ledger: what it would refuse must not break the file either."""
    values = {"provider": BANK, "tax_number": "50123459", "name": debtor}
    owner = connection.execute(insert(debtors).values(values).returning(debtors.c.id)).scalar_one()
    values = {"provider": BANK, "obligation_id": obligation_id, "issuer": 3, "debtor": owner,
              "debtor_account": "010000000100187"}  # fmt: skip
    owed = connection.execute(insert(obligations).values(values).returning(obligations.c.id)).scalar_one()
    added = insert(events).values(obligation=owed, **event).returning(events.c.id)
    connection.execute(insert(pending_events).values(event=connection.execute(added).scalar_one()))
