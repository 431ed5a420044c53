"""A bank with a ledger and a workspace of its own, and the bundled authority to report to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree
from sqlalchemy import select

from ajpes_reporting import wiring
from ajpes_reporting.cli.main import run as command_line
from ajpes_reporting.cli.session import Session
from ajpes_reporting.config import open_workspace
from ajpes_reporting.database.engine import open_engine
from ajpes_reporting.database.tables import pending_events
from ajpes_reporting.database.upgrade import upgrade
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.periods import Day, Month
from ajpes_reporting.ledger.correct import Correction
from ajpes_reporting.ledger.files import ImportSummary
from ajpes_reporting.pipeline.answers import Taken
from ajpes_reporting.pipeline.audit import verify_all
from ajpes_reporting.pipeline.collect import collect
from ajpes_reporting.pipeline.context import Context
from ajpes_reporting.pipeline.facts import cancel_event, import_files
from ajpes_reporting.pipeline.operator_actions import resubmit
from ajpes_reporting.pipeline.run import Result, run
from ajpes_reporting.reports.registry import by_code
from ajpes_reporting.sandbox import Sandbox
from ajpes_reporting.wiring import open_context

ANSWER_WAIT_SECONDS = 3.0  # long enough for an answer that comes, short for one that does not

NAMESPACE = {"n": "http://www.ajpes.si/xml_sheme/nodurs/nodurs-20100601"}
NOV_17 = Day(datetime(2026, 11, 17).date())
NOV_18 = Day(datetime(2026, 11, 18).date())
OCTOBER = Month(2026, 10)

HEADER = (
    "obligation_id,issuer,debtor_tax_number,debtor_name,debtor_account,event_id,cancels_event_id,"
    "change_type,change_date,amount_cents,recorded_at,priority"
)


def event(
    obligation: str,
    number: int | str,
    *,
    recorded: str = "2026-11-17T08:00:00",
    amount_cents: int = 10_000,
    change_type: str = "01",
    cancels: str = "",
    debtor: str = "50123459",
    name: str = "Kovinarstvo Žagar d.o.o.",
    account: str = "010000000100187",
) -> str:
    """A row of the ledger's CSV, in the columns of `HEADER`."""
    values = [obligation, 2, debtor, name, account, number, cancels, change_type, recorded[:10], amount_cents,
              recorded, 3]  # fmt: skip
    return ",".join(str(value) for value in values)


@dataclass
class Time:
    """The clock of the bank; it stands still until a test moves it."""

    now: datetime = field(default_factory=lambda: datetime(2026, 11, 17, 17, 0, tzinfo=LJUBLJANA))

    def __call__(self) -> datetime:
        return self.now.astimezone(UTC)

    def pass_by(self, **units: float) -> None:
        self.now += timedelta(**units)


@dataclass
class Bank:
    """What a clerk can do, and what a test wants to know afterwards."""

    folder: Path
    context: Context
    time: Time
    authority: Sandbox

    def record(
        self, *rows: str, header: str = HEADER, name: str = "rows.csv", restate_because: str | None = None
    ) -> list[ImportSummary]:
        """Imports rows of CSV into the ledger; with a reason they may restate what is known."""
        path = self.folder / name
        path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
        return import_files(self.context, [path], restate_because=restate_because)

    def run(self, code: str = "NODURS", period: Day | Month = NOV_17, via: str | None = None) -> Result:
        return run(self.context, by_code(code), period, via)

    def resubmit(self, key: int, *, same: bool = False, via: str | None = None) -> Result:
        return resubmit(self.context, key, via, same=same)

    def cancel(self, obligation: str, number: str, replace: Mapping[str, str] | None = None) -> Correction:
        return cancel_event(self.context, obligation, number, replace)

    def collect(self) -> list[Taken]:
        return collect(self.context)

    def pending(self) -> int:
        """How many events the authority has not accepted yet."""
        with self.context.engine.connect() as connection:
            return len(connection.execute(select(pending_events)).all())

    def sent(self, result: Result) -> etree._Element:
        """The very bytes of a submission, parsed."""
        assert result.submission is not None
        blocks = self.context.archive.blocks(result.submission.archive_path)
        return etree.fromstring(b"".join(blocks))

    def events_sent(self, result: Result) -> dict[str, list[str]]:
        """The ids of the events in a submission, by obligation, in their order."""
        found = self.sent(result).iterfind(".//n:Blok", NAMESPACE)
        return {
            block.get("id", ""): [item.get("id", "") for item in block.iterfind("n:No", NAMESPACE)]
            for block in found
        }

    def problems(self) -> tuple[str, ...]:
        """What an audit of record, archive and ledger finds."""
        return verify_all(self.context).problems


@pytest.fixture
def clock() -> Time:
    """17 November 2026, 17:00 in Ljubljana."""
    return Time()


@pytest.fixture
def authority(tmp_path: Path, clock: Time) -> Iterator[Sandbox]:
    """The bundled authority; it shares the bank's idea of the time."""
    with Sandbox(tmp_path / "authority", clock=clock, poll_seconds=0.05) as sandbox:
        yield sandbox


@pytest.fixture
def bank(tmp_path: Path, database_url: str, clock: Time, authority: Sandbox) -> Iterator[Bank]:
    """A bank with an empty ledger, on SQLite and on PostgreSQL, wired to the authority."""
    folder = tmp_path / "bank"
    folder.mkdir()
    bank = make_bank(folder, database_url, clock, authority)
    yield bank
    bank.context.engine.dispose()


@pytest.fixture
def told(
    bank: Bank, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """What a command prints at this bank, at its time, in one line."""
    monkeypatch.setattr(Session, "context", lambda _session: bank.context)
    monkeypatch.setattr(wiring, "open_context", lambda _workspace: bank.context)

    def call(*command: str) -> str:
        capsys.readouterr()
        command_line(["-w", str(bank.folder), *command])
        printed = capsys.readouterr()
        return " ".join((printed.out + printed.err).split())

    return call


def make_bank(folder: Path, database_url: str, clock: Time, authority: Sandbox, extra: str = "") -> Bank:
    """A workspace in `folder`; `extra` is more text for its settings."""
    settings = re.sub(r'url = "sqlite:[^"]*"', f'url = "{database_url}"', authority.settings(folder))
    (folder / "ajpes.toml").write_text(settings + extra, encoding="utf-8")
    engine = open_engine(database_url)
    upgrade(engine)
    engine.dispose()
    context = replace(open_context(open_workspace(folder), clock), answer_wait_seconds=ANSWER_WAIT_SECONDS)
    return Bank(folder, context, clock, authority)
