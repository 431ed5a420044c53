"""What a query says alike on both databases."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, insert, literal, null, select, text

from ajpes_reporting.database.engine import writing
from ajpes_reporting.database.tables import alarms
from ajpes_reporting.database.types import Words, filled
from ajpes_reporting.i18n import Message, _, _n

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine


@pytest.mark.parametrize(
    ("template", "values", "written"),
    [
        ("<a b='%s'/>", ["Novak"], "<a b='Novak'/>"),
        ("%s%s", ["Žalec", -7], "Žalec-7"),
        ("[%s]", [None], "[]"),
        ("\x01%s\\n%s:x", ["%s 100% 'a' \\ \"b\" 🦊", "{}"], "\x01%s 100% 'a' \\ \"b\" 🦊\\n{}:x"),
        ("nothing", [], "nothing"),
    ],
)
def test_a_template_is_filled_alike_on_both_databases(
    engine: Engine, template: str, values: list[Any], written: str
) -> None:
    """Whatever stands in a value stays as it is."""
    places = [
        null() if value is None else literal(value, Integer() if isinstance(value, int) else Text())
        for value in values
    ]
    with engine.connect() as connection:
        assert connection.scalar(select(filled(template, *places))) == written


def test_two_templates_are_not_taken_for_each_other(engine: Engine) -> None:
    """SQLAlchemy keeps what it has compiled."""
    with engine.connect() as connection:
        written = [connection.scalar(select(filled(template, literal("x")))) for template in ("a%s", "b%s")]
    assert written == ["ax", "bx"]


@pytest.mark.parametrize("template", ["%s", "100% %s%s", "%s%%%s", "%s%s%s"])
def test_a_template_that_the_databases_read_differently_is_refused(template: str) -> None:
    """For two values."""
    with pytest.raises(ValueError, match="one %s for each of 2 values"):
        filled(template, literal("x"), literal("y"))


words = Table("words", MetaData(), Column("id", Integer, primary_key=True), Column("text", Words))


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection, connection.begin() as transaction:
        words.create(connection)
        yield connection
        transaction.rollback()


def _kept(connection: Connection, *texts: str | None) -> list[str | None]:
    """What is read of texts that were stored, several at once."""
    connection.execute(insert(words), [{"text": one} for one in texts])
    return list(connection.execute(select(words.c.text).order_by(words.c.id)).scalars())


def test_a_message_that_was_kept_is_told_in_slovene(connection: Connection) -> None:
    """Protects a clerk who reads years later why something was held."""
    day, at = date(2026, 11, 20), datetime(2026, 11, 20, 17, 5, tzinfo=UTC)
    inner = _("obligation {id}", id="O-314")
    message = _("{what}: {cents:eur} on {day:date}, {at:moment}", what=inner, cents=123456, day=day, at=at)
    (kept,) = _kept(connection, message)
    assert isinstance(kept, Message)
    assert kept == "obligation O-314: 1,234.56 EUR on 20 November 2026, 2026-11-20 18:05"
    assert kept.told_in("sl") == "obligation O-314: 1.234,56 EUR on 20. 11. 2026, 20. 11. 2026 ob 18.05"


def test_a_kept_message_keeps_the_number_that_chooses_its_sentence(connection: Connection) -> None:
    """Protects a reader of Slovene, which has a form for two."""
    (kept,) = _kept(connection, _n("{count} event", "{count} events", 2))
    assert isinstance(kept, Message)
    assert (kept, kept.template, kept.plural, kept.number) == (
        "2 events",
        "{count} event",
        "{count} events",
        2,
    )


@pytest.mark.parametrize(
    "said",
    [
        "the creditor's account is too long",
        "",
        '{"message": "All is well.", "values": {}}',
        '{"plain": "x"}',
        "{",
        "{report} for {period}",
        "Žagar 🦊 \\ '%s'",
    ],
)
def test_a_strangers_text_is_no_message(connection: Connection, said: str) -> None:
    """Protects a reader from a server that writes messages in our name."""
    (kept,) = _kept(connection, said)
    assert kept == said
    assert kept.values == {}
    assert kept.told_in("sl") == said


def test_nothing_stays_nothing(connection: Connection) -> None:
    """Protects whoever asks whether there is a reason at all; the empty message is no reason."""
    assert _kept(connection, None, _("")) == [None, ""]


def test_an_old_row_is_shown_as_it_was(engine: Engine) -> None:
    """Protects a bank that upgrades: what was written before messages had parts is read as plain text."""
    with writing(engine) as connection:
        connection.execute(
            text(
                "INSERT INTO alarms (id, provider, key, severity, text, remedy, raised_at)"
                " VALUES (1, '5860571', 'k', 'warning', 'NODURS is late.', '{no json', '2026-11-20 17:05:00')"
            )
        )
        row = connection.execute(select(alarms.c.text, alarms.c.remedy)).one()
    assert tuple(row) == ("NODURS is late.", "{no json")
    assert row.text.told_in("sl") == "NODURS is late."
