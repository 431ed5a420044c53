"""What a query says alike on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Integer, Text, literal, null, select

from ajpes_reporting.database.types import filled

if TYPE_CHECKING:
    from sqlalchemy import Engine


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
