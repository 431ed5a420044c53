"""Rows whose key is known but whose content is another: refused, naming both, or restated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, or_, select

from ajpes_reporting.domain.columns import FIELDS
from ajpes_reporting.domain.fields import Type, Violation
from ajpes_reporting.domain.findings import Severity
from ajpes_reporting.i18n import Message, _
from ajpes_reporting.ledger.findings import MOST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import date, datetime

    from sqlalchemy import Connection, FromClause, RowMapping, Table

    from ajpes_reporting.domain.fields import Field
    from ajpes_reporting.domain.findings import Finding

    Value = str | int | date | datetime | None

Pair = tuple[ColumnElement[Any], ColumnElement[Any]]

_KEEP_ONE = _("keep the one of the two rows that is right")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of two tables, with its name.

    `joined` joins each row of `staged` with the row of the ledger that has its key; `pairs` gives
    the staged and the stored column of every field; `is_new` tells whether the stored row came
    from this very source. `record` names a row by the columns of `staged`; `remedy` says what to
    do about one of its fields.
    """

    staged: Table
    joined: FromClause
    pairs: Mapping[str, Pair]
    is_new: ColumnElement[bool]
    record: Callable[[RowMapping], Message]
    remedy: Callable[[RowMapping, str], Message]


@dataclass(frozen=True, slots=True)
class Restated:
    """A field that a row gives anew: what stood there before, and what stands there now."""

    record: Message
    field: str
    before: str | int | None
    now: str | int | None

    def in_words(self) -> Message:
        """Returns the restatement in a sentence."""
        return _(
            "{record}: {field} is {now} now, it was {before}",
            record=self.record,
            field=FIELDS[self.field].label,
            now=_shown(FIELDS[self.field], self.now),
            before=_shown(FIELDS[self.field], self.before),
        )


def contradictions(connection: Connection, comparison: Comparison) -> Iterator[Finding]:
    """A finding for every field that differs; row by row, the first ones only."""
    for row, field, here, there in _differing(connection, comparison):
        yield _finding(comparison, row, FIELDS[field], here, there)


def restated(connection: Connection, comparison: Comparison) -> Iterator[Restated]:
    """Yields the fields of rows that are to take the place of those that they contradict."""
    for row, field, here, there in _differing(connection, comparison):
        if not row["is new"]:
            yield Restated(comparison.record(row), field, _plain(there), _plain(here))


def is_other(comparison: Comparison) -> ColumnElement[bool]:
    """In a query over `comparison.joined`, whether any field of the two rows differs."""
    return or_(*(here.is_distinct_from(there) for here, there in comparison.pairs.values()))


def _differing(connection: Connection, comparison: Comparison) -> Iterator[tuple[RowMapping, str, Any, Any]]:
    for row in connection.execute(_query(comparison)).mappings():
        for field in comparison.pairs:
            here, there = row[f"{field} here"], row[f"{field} there"]
            if here != there:
                yield row, field, here, there


def _query(comparison: Comparison) -> Any:
    sides = (
        column.label(f"{field} {side}")
        for field, pair in comparison.pairs.items()
        for column, side in zip(pair, ("here", "there"), strict=True)
    )
    return (
        select(*comparison.staged.columns, comparison.is_new.label("is new"), *sides)
        .select_from(comparison.joined)
        .where(is_other(comparison))
        .order_by(comparison.staged.c.line)
        .limit(MOST)
    )


def _finding(comparison: Comparison, row: RowMapping, field: Field, here: Value, there: Value) -> Finding:
    facts = {"field": field.label, "here": _shown(field, here), "there": _shown(field, there)}
    if row["is new"]:
        message = _("{field} is {here} here, but {there} in an earlier row", **facts)
        remedy = _KEEP_ONE
    else:
        message = _("{field} is {here} here, but {there} in the ledger", **facts)
        remedy = comparison.remedy(row, field.name)
    violation = Violation(Severity.ERROR, field.name, "contradiction", message, remedy)
    return replace(violation.of(comparison.record(row)), line=row["line"])


def _plain(value: Value) -> str | int | None:
    return value if value is None or isinstance(value, str | int) else value.isoformat()


def _shown(field: Field, value: Value) -> Message:
    """Returns a value as people write one of this field: an amount in euros, a day, a moment."""
    if value is None:
        return _("empty")
    if field.type is Type.CENTS:
        return Message("{cents:eur}", {"cents": value})
    if field.type is Type.DAY:
        return Message("{day:period}", {"day": str(_plain(value))})
    if field.type is Type.MONTH:
        return Message("{month:period}", {"month": value})
    if field.type is Type.MOMENT:
        return Message("{at:second}", {"at": value})
    return Message("{value}", {"value": value})
