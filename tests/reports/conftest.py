"""Ledgers made by hand, and the reports that come of them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

import pytest
from lxml import etree
from sqlalchemy import Engine, delete, select

from ajpes_reporting.database.engine import rehearsing, writing
from ajpes_reporting.database.tables import events, obligations, pending_events
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.periods import Day, Month, Period
from ajpes_reporting.domain.rules import RuleSettings
from ajpes_reporting.ledger.files import import_files
from ajpes_reporting.reports.kind import ReportKind, Request, Selection
from ajpes_reporting.reports.nodurs import NODURS
from ajpes_reporting.reports.nodurs.select import NodursSettings
from ajpes_reporting.reports.spapp import SPAPP
from ajpes_reporting.reports.spapp.settings import SpappSettings

BANK, OTHER_BANK = "5860571000", "1234567000"

EVENT = {
    "obligation_id": "O-1",
    "issuer": "3",
    "debtor_tax_number": "50123459",
    "debtor_name": "Kovinarstvo Žagar d.o.o.",
    "debtor_account": "010000000100187",
    "event_id": "1",
    "cancels_event_id": "",
    "change_type": "01",
    "change_date": "2026-11-17",
    "amount_cents": "10000",
    "recorded_at": "2026-11-17T08:00:00",
    "reference_model": "",
    "reference": "",
    "priority": "",
    "creditor_account": "",
    "creditor_name": "",
}


def evening(day: int) -> datetime:
    """Six o'clock in Ljubljana on a day of November 2026."""
    return datetime(2026, 11, day, 18, tzinfo=LJUBLJANA)


NODURS_REQUEST = Request(
    provider=BANK, provider_name="Banka Vzorec d.d.", period=Day(date(2026, 11, 17)),
    cutoff=evening(17), prepared_at=evening(17), settings=NodursSettings(),
)  # fmt: skip
SPAPP_REQUEST = replace(NODURS_REQUEST, period=Month(2026, 10), settings=SpappSettings())


@dataclass
class Report:
    """A report as it was written, with the selection it was written from."""

    content: bytes
    selection: Selection

    @property
    def root(self) -> etree._Element:
        return etree.fromstring(self.content)

    @property
    def head(self) -> Mapping[str, str]:
        return {str(name): str(value) for name, value in self.root[0].items()}

    def all(self, name: str) -> list[etree._Element]:
        """The elements of this local name, in the order of the file."""
        return [element for element in self.root.iter() if etree.QName(element).localname == name]

    def attributes(self, name: str, attribute: str) -> list[str | None]:
        return [element.get(attribute) for element in self.all(name)]

    def histories(self) -> dict[str, list[str]]:
        """The ids of the events of each obligation."""
        return {str(block.get("id")): [str(event.get("id")) for event in block] for block in self.all("Blok")}


class Books:
    """The ledger of one or more banks."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder

    def record(self, *rows: Mapping[str, str], provider: str = BANK) -> None:
        """Takes events into the ledger; a row says only what differs from the usual one."""
        self.take_csv([{**EVENT, **row} for row in rows], provider)

    def take_csv(self, rows: Iterable[Mapping[str, str]], provider: str = BANK) -> None:
        rows = list(rows)
        path = self.folder / "rows.csv"
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        self.take_files(path, provider=provider)

    def take_files(self, *paths: Path, provider: str = BANK) -> None:
        import_files(
            self.engine, provider, paths, RuleSettings(), now=datetime(2026, 12, 1, tzinfo=LJUBLJANA)
        )

    def accept(self, obligation_id: str, *event_ids: str, provider: str = BANK) -> None:
        """Marks events as the journal does when the authority has accepted them."""
        keys = (
            select(events.c.id)
            .select_from(events.join(obligations))
            .where(
                obligations.c.provider == provider,
                obligations.c.obligation_id == obligation_id,
                events.c.event_id.in_(event_ids),
            )
        )
        with writing(self.engine) as connection:
            connection.execute(delete(pending_events).where(pending_events.c.event.in_(keys)))

    def nodurs(self, request: Request = NODURS_REQUEST) -> Report:
        return self._report(NODURS, request)

    def spapp(self, request: Request = SPAPP_REQUEST) -> Report:
        return self._report(SPAPP, request)

    def _report(self, kind: ReportKind, request: Request) -> Report:
        with rehearsing(self.engine) as connection:
            selection = kind.select(connection, request)
            content = b"".join(kind.write(request, selection))
            return Report(content, replace(selection, findings=tuple(selection.findings)))


@pytest.fixture
def books(engine: Engine, tmp_path: Path) -> Books:
    """An empty ledger, on each of the databases."""
    return Books(engine, tmp_path)


def on(period: Period, cutoff: datetime) -> Request:
    """The usual request for another day."""
    return replace(NODURS_REQUEST, period=period, cutoff=cutoff, prepared_at=cutoff)


def canonical(content: bytes) -> str:
    """A document without what means nothing: blanks between elements, the order of attributes."""
    return etree.canonicalize(content.decode(), strip_text=True)
