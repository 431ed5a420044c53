"""The glossary holds every name of the authority's documents, and names nothing that is not there."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from ajpes_reporting.domain.columns import FIELDS
from ajpes_reporting.domain.states import State
from ajpes_reporting.eplacila import answers, order, statements
from ajpes_reporting.ledger.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

ROOT = Path(__file__).parents[1]
XS = "{http://www.w3.org/2001/XMLSchema}"
PAYMENT_DOCUMENTS = (
    order.Order,
    order.Item,
    order.Buyer,
    answers.Health,
    answers.StartedPayment,
    answers.PaymentStatus,
    statements.PaidItem,
    statements.Invoice,
    statements.Payment,
)


def table_rows(page: Path) -> Iterator[dict[str, str]]:
    """Every row of every table of a page: its cells, by the words at the head of their columns."""
    head: list[str] = []
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = re.split(r" *\| *", line)[1:-1] if line.startswith("| ") else []
        if cells and head:
            yield dict(zip(head, cells, strict=True))
        elif cells or not line.startswith("|"):
            head = cells


def in_code(text: str) -> set[str]:
    """What stands between backticks."""
    return set(re.findall(r"`([^`]+)`", text))


GLOSSARY = list(table_rows(ROOT / "docs" / "glossary.md"))
NAMES = set().union(*(in_code(cell) for row in GLOSSARY for cell in row.values()))
CODE_NAMES = sorted(set().union(*(in_code(row.get("in the code", "")) for row in GLOSSARY)))


def names_in(schema: Path) -> Iterator[str]:
    """The elements and attributes that a schema declares; attributes as `Element/attribute`."""
    document = etree.parse(schema)
    yield from (name for element in document.iter(f"{XS}element") if (name := element.get("name")))
    for attribute in document.iter(f"{XS}attribute"):
        owner = next(
            up.get("name")
            for up in attribute.iterancestors(f"{XS}element", f"{XS}complexType")
            if up.get("name")
        )
        yield f"{owner}/{attribute.get('name')}"


@pytest.mark.parametrize("schema", sorted((ROOT / "schemas").iterdir()), ids=lambda path: path.name)
def test_every_name_of_a_schema_is_explained(schema: Path) -> None:
    """A clerk who reads a file finds what each name in it means."""
    words = {part for name in NAMES for part in name.split("/")}
    names = set(names_in(schema))
    assert {name for name in names if name not in (NAMES if "/" in name else words)} == set()
    assert names


@pytest.mark.parametrize(
    ("column", "location"), [(name, field.location) for name, field in FIELDS.items() if field.location]
)
def test_a_column_and_its_place_in_the_report_stand_on_one_line(column: str, location: str) -> None:
    """Whoever looks for a column finds the attribute, and the other way round, as the checks name them."""
    assert any(
        {column} <= in_code(row.get("column of the ledger", "")) and {location} <= in_code(row["XML"])
        for row in GLOSSARY
    )


@pytest.mark.parametrize("column", [column for kind in KINDS for column in kind.columns])
def test_every_column_of_the_input_is_explained(column: str) -> None:
    """Whoever prepares an import finds what each column means."""
    assert column in NAMES


@pytest.mark.parametrize("state", State)
def test_every_state_is_explained(state: State) -> None:
    """A clerk finds what a state is called in Slovene."""
    assert any(row.get("state") == f"`{state.value}`" for row in GLOSSARY)


@pytest.mark.parametrize("document", PAYMENT_DOCUMENTS, ids=lambda model: model.__name__)
def test_every_name_of_the_payments_is_explained(document: type[BaseModel]) -> None:
    """Whoever reads an order or a statement of UJP finds what each name in it means."""
    known = {name.lower() for row in GLOSSARY for name in in_code(row.get("in JSON", ""))}
    aliases = {field.alias for field in document.model_fields.values() if field.alias}
    assert {alias for alias in aliases if alias.lower() not in known} == set()
    assert aliases


def test_the_rows_are_those_of_the_instruction() -> None:
    """The glossary and our reading of the instruction never give a field two numbers."""
    read = {
        (*numbers_in(row), row["field"])
        for row in table_rows(ROOT / "docs" / "instruction.md")
        if "field" in row
    }
    known = {(*numbers_in(row), f"`{name}`") for row in GLOSSARY for name in in_code(row.get("XML", ""))}
    assert read - known == set()
    assert len(read) == 22 + 10 - 2 + 13  # both reports have the time and the provider in the same rows


def numbers_in(row: dict[str, str]) -> tuple[str, ...]:
    """The numbers that a row of a table gives a field of the instruction: one, or one for each answer."""
    return tuple(cell for head, cell in row.items() if head.endswith("row"))


@pytest.mark.parametrize("name", CODE_NAMES)
def test_what_is_named_in_the_code_is_there(name: str) -> None:
    """A newcomer finds each term where the glossary says that it lives."""
    full_name = f"ajpes_reporting.{name}"
    owner, _, last = full_name.rpartition(".")
    assert last in fields_of(owner) or resolve_name(full_name) is not None


def fields_of(name: str) -> set[str]:
    """The fields of a dataclass or a model: without a default they are no attributes of the class."""
    owner = resolve_name(name)
    return (
        {field.name for field in fields(owner)}
        if is_dataclass(owner)
        else set(getattr(owner, "model_fields", ()))
    )
