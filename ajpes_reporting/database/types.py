"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import chain
from typing import Any

from sqlalchemy import BigInteger, Date, DateTime, Dialect, Integer, String, Text, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import TypeDecorator

from ajpes_reporting.i18n.message import pack, unpack


class Instant(TypeDecorator[datetime]):
    """A moment: aware in Python, in UTC in the database.

    SQLite has no type for it and keeps the UTC time as text, which sorts as time does.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Words(TypeDecorator[str]):
    """A text for a person: a `Message` is stored with its parts and read as one, any other text as it is.

    So whoever reads it years later is told in a language of his own. A query compares what is stored:
    only a plain text is found by what it says.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else pack(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else unpack(value)


Key = BigInteger().with_variant(Integer, "sqlite")
"""A surrogate key. SQLite numbers rows by itself only under the name INTEGER."""

Cents = BigInteger()
Provider = String(10)
Identifier = String(36)
AccountNumber = String(15)
Name = String(140)


class iso_day(GenericFunction[str]):  # noqa: N801 - named as it is written in a query
    """In a query, a date as YYYY-MM-DD; on PostgreSQL as `open_engine` has it write dates."""

    type = Text()
    inherit_cache = True


@compiles(iso_day, "sqlite")
def _iso_day_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


@compiles(iso_day, "postgresql")
def _iso_day_on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **options)} AS TEXT)"


class month_of(GenericFunction[str]):  # noqa: N801 - named as it is written in a query
    """In a query, the month of a date, as YYYY-MM."""

    type = Text()
    inherit_cache = True


@compiles(month_of, "sqlite")
def _month_of_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"substr({compiler.process(element.clauses, **options)}, 1, 7)"


@compiles(month_of, "postgresql")
def _month_of_on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"to_char({compiler.process(element.clauses, **options)}, 'YYYY-MM')"


class first_day_of(GenericFunction[date]):  # noqa: N801 - named as it is written in a query
    """In a query, the first day of a month that is written as YYYY-MM."""

    type = Date()
    inherit_cache = True


@compiles(first_day_of, "sqlite")
def _first_day_of_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"({compiler.process(element.clauses, **options)} || '-01')"


@compiles(first_day_of, "postgresql")
def _first_day_of_on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **options)} || '-01' AS DATE)"


class day_after_month(GenericFunction[date]):  # noqa: N801 - named as it is written in a query
    """In a query, the first day after a month that is written as YYYY-MM; NULL for none."""

    type = Date()
    inherit_cache = True


@compiles(day_after_month, "sqlite")
def _day_after_month_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"date({compiler.process(element.clauses, **options)} || '-01', '+1 month')"


@compiles(day_after_month, "postgresql")
def _day_after_month_on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    month = compiler.process(element.clauses, **options)
    return f"CAST(CAST({month} || '-01' AS DATE) + INTERVAL '1 month' AS DATE)"


class filled(GenericFunction[str]):  # noqa: N801 - named as it is written in a query
    """In a query, a template with a value in the place of each `%s`; with nothing, where there is none.

    SQLite reads the template for each row quicker than it joins pieces, PostgreSQL the other way round.
    """

    type = Text()
    inherit_cache = False  # PostgreSQL is given the template in pieces, and not as a value

    def __init__(self, template: str, *values: Any) -> None:
        if not template.count("%") == template.count("%s") == len(values):
            raise ValueError(f"{template!r} has not one %s for each of {len(values)} values, and no other %")
        super().__init__(literal(template), *values)


@compiles(filled, "sqlite")
def _filled_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"format({compiler.process(element.clauses, **options)})"


@compiles(filled, "postgresql")
def _filled_on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    template, *values = element.clauses
    first, *pieces = [compiler.render_literal_value(piece, Text()) for piece in template.value.split("%s")]
    places = [compiler.process(value, **options) for value in values]
    return f"concat({', '.join((first, *chain(*zip(places, pieces, strict=True))))})"


class in_key_order(GenericFunction[str]):  # noqa: N801 - named as it is written in a query
    """In a condition, a column by whose index rows are not to be looked up.

    SQLite, which knows no numbers of rows, would do so for a condition that most rows meet, and sort them
    by their keys afterwards. PostgreSQL knows better by itself.
    """

    type = Text()
    inherit_cache = True


@compiles(in_key_order, "sqlite")
def _in_key_order_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"


@compiles(in_key_order, "postgresql")
def _in_key_order_on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


class in_byte_order(GenericFunction[str]):  # noqa: N801 - named as it is written in a query
    """In an order, a text of digits: the same on both databases, and quicker than by a country's alphabet.

    SQLite compares bytes by itself, PostgreSQL as the database was set up.
    """

    type = Text()
    inherit_cache = True


@compiles(in_byte_order, "sqlite")
def _in_byte_order_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


@compiles(in_byte_order, "postgresql")
def _in_byte_order_on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f'{compiler.process(element.clauses, **options)} COLLATE "C"'


class utf8(GenericFunction[bytes]):  # noqa: N801 - named as it is written in a query
    """In a query, a long text as UTF-8: no driver makes a text of it that is made bytes again."""

    inherit_cache = True


@compiles(utf8, "sqlite")
def _utf8_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **options)} AS BLOB)"


@compiles(utf8, "postgresql")
def _utf8_on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"convert_to({compiler.process(element.clauses, **options)}, 'UTF8')"
