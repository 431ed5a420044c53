"""Workbooks of Excel: dates and amounts as Excel has them, what identifies something as text alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from ajpes_reporting import shipped
from ajpes_reporting.database.tables import debtors, events, obligations
from ajpes_reporting.domain.errors import AjpesReportingError
from ajpes_reporting.domain.rules import RuleSettings
from ajpes_reporting.i18n import localized, speaking
from ajpes_reporting.ledger.files import import_files
from tests.ledger.conftest import PROVIDER

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ajpes_reporting.i18n.language import Language

NOW = datetime(2026, 11, 17, 16, 0, tzinfo=UTC)
STORED = [
    ("O-314", 3, "78439388", "Žaga Dolžnik d.o.o.", "010000100002123", "7", "01", 150_799),
    ("2026-11-17", "2026-11-17T08:05:00", "99", "302-2026", "020450000123478", "Odvetnica Zupančič"),
]
REFUSED = {
    "workbook-with-a-number.xlsx": (
        "cell E3: debtor account is the number 10000100002123, not a text",
        "celica E3: račun dolžnika: vpisano je število 10000100002123, ne besedilo",
    ),
    "workbook-with-a-serial-day.xlsx": (
        "cell H2: change date is the number 46343, not a date",
        "celica H2: datum spremembe: vpisano je število 46343, ne datum",
    ),
    "workbook-in-euros.xlsx": ("write 150799, if these are euros", "če so to evri, zapišite 150799"),
    "workbook-with-a-formula.xlsx": (
        "cell I2: amount is a formula that was never computed",
        "celica I2: znesek: v celici je formula, ki še ni bila izračunana",
    ),
    "workbook-with-an-error.xlsx": (
        "cell F3: day of closing is the error #N/A",
        "celica F3: datum zaprtja: v celici je napaka #N/A",
    ),
    "workbook-with-a-far-cell.xlsx": (
        "a sheet of the workbook reaches over 17,179,869,184 cells, at most 4,000,000 are read",
        "eden od listov obsega 17.179.869.184 celic, prebrati jih je mogoče največ 4.000.000",
    ),
    "workbook-of-two.xlsx": ("several of its sheets hold facts: Events, More", "Events, More"),
    "workbook-of-old.xlsx": ("is an old workbook (.xls), or one with a password", "star delovni zvezek"),
    "workbook-cut-off.xlsx": ("cannot be read as a workbook", "ni mogoče prebrati kot delovnega zvezka"),
}


def _import(engine: Engine, name: str) -> None:
    path = shipped.sample(f"workbooks/{name}")
    import_files(engine, PROVIDER, [path], RuleSettings(), now=NOW)


def _told(error: AjpesReportingError, lang: Language) -> str:
    with speaking(lang):
        findings = [
            f"{localized(one.in_words())} {localized(one.remedy)}" for one in getattr(error, "findings", ())
        ]
        return " ".join([localized(error.message), localized(error.remedy), *findings])


@pytest.mark.parametrize("name", ["workbook.xlsx", "workbook-with-notes.xlsx"])
def test_a_workbook_goes_in_like_a_file(engine: Engine, name: str) -> None:
    """Protects a clerk with an Excel sheet, also one with notes on another sheet."""
    _import(engine, name)
    with engine.connect() as connection:
        (head,) = connection.execute(
            select(
                obligations.c.obligation_id,
                obligations.c.issuer,
                debtors.c.tax_number,
                debtors.c.name,
                obligations.c.debtor_account,
                events.c.event_id,
                events.c.change_type,
                events.c.amount_cents,
            )
            .join_from(events, obligations, events.c.obligation == obligations.c.id)
            .join(debtors)
        )
        (rest,) = connection.execute(
            select(
                events.c.change_date,
                events.c.recorded_as,
                events.c.reference_model,
                events.c.reference,
                events.c.creditor_account,
                events.c.creditor_name,
            )
        )
    assert [tuple(head), (rest[0].isoformat(), *rest[1:])] == STORED


@pytest.mark.parametrize("name", REFUSED)
def test_a_cell_that_lost_what_was_typed_is_told(engine: Engine, name: str) -> None:
    """Protects the ledger from an account without its zero, and a clerk from searching for the cell."""
    with pytest.raises(AjpesReportingError) as refused:
        _import(engine, name)
    english, slovene = REFUSED[name]
    assert english in _told(refused.value, "en")
    assert slovene in _told(refused.value, "sl")
    with engine.connect() as connection:
        assert connection.execute(select(events.c.id)).first() is None


def test_every_workbook_is_used_here() -> None:
    """Protects the samples from one that nobody tries."""
    there = {path.name for path in shipped.sample("workbooks").iterdir()}
    assert there == {*REFUSED, "workbook.xlsx", "workbook-with-notes.xlsx"}
