"""What a bank writes is what the ledger holds, whatever characters it writes with."""

from __future__ import annotations

import csv
import tempfile
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from unicodedata import normalize

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.ledger.history import history
from ajpes_reporting.ledger.kinds import EVENTS
from tests.ledger.conftest import EVENT, Ledger

if TYPE_CHECKING:
    from sqlalchemy import Engine

PROVIDERS = count(1)

# Whatever XML may carry and a person may type: quotes, separators, letters of any script.
LETTERS = some.characters(
    exclude_categories=("Cs", "Cc", "Cn"), exclude_characters="\u2028\u2029\ufffd\ufffe\uffff"
)


def _as_the_ledger_has_it(text: str) -> bool:
    return normalize("NFC", text).strip() == text


NAMES = some.text(LETTERS, min_size=1, max_size=140).filter(_as_the_ledger_has_it)
IDS = some.text(LETTERS, min_size=1, max_size=36).filter(_as_the_ledger_has_it)
TIMES = some.datetimes(datetime(2000, 1, 2), datetime(2100, 12, 30)).filter(
    lambda moment: _instant(moment.isoformat()).astimezone(LJUBLJANA).replace(tzinfo=None) == moment
)

EVENTS_OF_ONE_OBLIGATION = some.lists(
    some.fixed_dictionaries(
        {
            "event_id": IDS,
            "change_type": some.sampled_from(["01", "02", "03"]),
            "change_date": some.dates(date(2000, 1, 1), date(2100, 12, 31)).map(date.isoformat),
            "amount_cents": some.integers(0, 10**15 - 1).map(str),
            "recorded_at": TIMES.map(lambda moment: moment.isoformat()),
            "priority": some.sampled_from(["", "1", "2", "3"]),
            "creditor_name": NAMES,
        }
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda row: row["event_id"],
)


@given(obligation_id=IDS, debtor_name=NAMES, rows=EVENTS_OF_ONE_OBLIGATION)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_history_is_what_was_imported_in_order_of_recording(
    engine: Engine, obligation_id: str, debtor_name: str, rows: list[dict[str, str]]
) -> None:
    """A name with a quotation mark or a comma reaches AJPES as the bank wrote it."""
    provider = f"{next(PROVIDERS):010d}"  # its own, so that no example meets the facts of another
    common = {"obligation_id": obligation_id, "debtor_name": debtor_name}
    whole = [{**EVENT, **common, **row} for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        Ledger(engine, Path(folder)).take_files(_write(Path(folder), whole), provider=provider)
    with engine.connect() as connection:
        found = history(connection, provider, obligation_id)
    assert found is not None
    obligation, events = found
    assert (obligation.obligation_id, obligation.debtor_name) == (obligation_id, debtor_name)
    whole.sort(key=lambda row: _instant(row["recorded_at"]))
    assert [
        (
            event.event_id, event.change_type, event.change_date.isoformat(), str(event.amount_cents),
            event.recorded_as, str(event.priority or ""), event.creditor_name,
        )
        for event in events
    ] == [
        (
            row["event_id"], row["change_type"], row["change_date"], row["amount_cents"],
            row["recorded_at"], row["priority"], row["creditor_name"],
        )
        for row in whole
    ]  # fmt: skip


def _instant(text: str) -> datetime:
    """In UTC, so that the order is that of the instants and not of the clock on the wall."""
    return datetime.fromisoformat(text).replace(tzinfo=LJUBLJANA).astimezone(UTC)


def _write(folder: Path, rows: list[dict[str, str]]) -> Path:
    path = folder / "events.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, EVENTS.columns)
        writer.writeheader()
        writer.writerows(rows)
    return path
