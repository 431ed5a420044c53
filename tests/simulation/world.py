"""The world of one trial: a bank with a ledger of its own, and an authority with empty books."""

from __future__ import annotations

import json
import random
import re
import shutil
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import Engine, NullPool, create_engine, make_url, text

from ajpes_reporting.config import open_workspace
from ajpes_reporting.database.engine import open_engine
from ajpes_reporting.database.upgrade import upgrade
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.pipeline.facts import import_files
from ajpes_reporting.sandbox.faults import FaultInjector
from ajpes_reporting.sandbox.store import Store
from ajpes_reporting.wiring import open_context

from . import worker
from .snapshots import Rows, plain
from .worker import Order
from .workload import HEADER, first_day

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ajpes_reporting.schedule.provider_schedule import ProviderSchedule

    from .authority import Authority
    from .faults import Strike

SQLITE, POSTGRESQL = "sqlite", "postgresql"
VARIANTS = 4
_BEGINNING = datetime(2026, 11, 17, 16, 1, tzinfo=LJUBLJANA)
# Short enough that a trial with a slow or silent authority does not take long.
_PATIENCE = {
    "soap": {"connect_timeout_seconds": 2.0, "operation_timeout_seconds": 0.8, "call_timeout_seconds": 3.0},
    "sftp": {
        "connect_timeout_seconds": 1.5, "operation_timeout_seconds": 0.8, "call_timeout_seconds": 4.0,
        "answer_wait_seconds": 0.4,
    },
}  # fmt: skip
_PATIENCE_WITH_THE_DATABASE_SECONDS = 2  # with one that fails for good; a run gives up before the trial does
_WAITS_LONGER = 10


@dataclass(slots=True)
class World:
    """One trial's bank and authority. `now` is the time on every clock in it."""

    folder: Path
    engine: Engine
    authority: Authority
    now: datetime = _BEGINNING
    naive: str = ""
    longest_run_seconds: float = 3600.0

    @property
    def bank(self) -> Path:
        return self.folder / "bank"

    @property
    def store(self) -> Store:
        return Store(self.folder / "authority" / "book.sqlite")

    @property
    def faults(self) -> FaultInjector:
        return FaultInjector(self.folder / "authority" / "faults.json")

    @property
    def counters(self) -> Path:
        """The authority's folders, as they lie on its own disk."""
        return next((self.folder / "authority" / "folders").iterdir())

    def pass_by(self, **units: float) -> None:
        self.now += timedelta(**units)
        self.authority.set_clock(self.now)

    def start(self, strike: Strike | None = None, *, writes_steps: bool = False) -> int:
        order = Order(self.bank, self.now, strike, self.naive, writes_steps, self.longest_run_seconds)
        return worker.start(order)

    def work(self, strike: Strike | None = None) -> str:
        """Has a worker do what is due; says how it ended."""
        return worker.wait(self.start(strike))

    def act(self, work: Callable[[ProviderSchedule], None]) -> str:
        """Has somebody do something at the bank's context; nothing happens to them."""
        return worker.wait(worker.start(Order(self.bank, self.now), work))

    def rows(self, statement: str, **values: Any) -> list[Any]:
        """Reads from our journal, past the program."""
        with self.engine.connect() as connection:
            return list(connection.execute(text(statement), values).all())

    @contextmanager
    def idle_sessions_end(self, seconds: float) -> Iterator[None]:
        """As a DBA has set it for the whole database; SQLite knows nothing of that kind."""
        if self.engine.dialect.name == "sqlite":
            yield
            return
        setting = f'ALTER DATABASE "{self.engine.url.database}" '
        with psycopg.connect(plain(self.engine.url), autocommit=True) as connection:
            connection.execute(f"{setting} SET idle_session_timeout = '{seconds * 1000:.0f}ms'".encode())
            connection.execute("SET idle_session_timeout = 0")
            try:
                yield
            finally:
                connection.execute(f"{setting} RESET idle_session_timeout".encode())

    def log(self) -> str:
        path = self.folder / worker.LOG
        return path.read_text() if path.exists() else ""


@contextmanager
def open_world(
    folder: Path, ledger: Ledger, authority: Authority, via: str, *, line: dict[str, Any] | None = None,
    other_way_too: bool = False, sends_again: bool = False, uploads_directly: bool = False,
) -> Iterator[World]:  # fmt: skip
    """A fresh world in `folder`, which is removed afterwards.

    `sends_again`: the bank waits longer for a slow authority, and may send again what it does not know.
    `uploads_directly`: it has been told that it may not rename on the exchange server.
    """
    (folder / "bank").mkdir(parents=True)
    settings = authority.open(folder / "authority", _BEGINNING, line)
    url = ledger.fresh(folder / "bank" / "ajpes.db")
    text = _settings(settings, url, via, other_way_too, sends_again)
    if uploads_directly:
        text = text.replace("[sftp]\n", '[sftp]\nupload = "direct"\n')
    (folder / "bank" / "ajpes.toml").write_text(text)
    engine = create_engine(url, poolclass=NullPool)
    try:
        yield World(folder, engine, authority)
    finally:
        engine.dispose()
        authority.close()
        shutil.rmtree(folder, ignore_errors=True)


def _settings(text: str, url: str, via: str, other_way_too: bool, sends_again: bool) -> str:
    factor = _WAITS_LONGER if sends_again else 1
    text = re.sub(r'url = "sqlite:[^"]*"', f'url = "{url}"', text)
    head, *sections = re.split(r"(?m)^(?=\[)", text)
    kept = [head]
    for section in sections:
        name = section[1 : section.index("]")]
        if name in _PATIENCE:
            if name == "soap" and via == "sftp":
                continue
            section += "".join(f"{key} = {value * factor}\n" for key, value in _PATIENCE[name].items())
        kept.append(section)
    if via == "soap" and not other_way_too:
        kept = [part for part in kept if not part.startswith("[sftp]")]
    kept.append(f"\n[delivery]\npatience_seconds = {_PATIENCE_WITH_THE_DATABASE_SECONDS}\n")
    if sends_again:
        kept.append("resend_after_unknown = true\n")
    return "".join(kept) + '\n[schedule]\nreports = ["nodurs"]\n'


class Ledger:
    """A migrated database with a ledger in it, of which each trial gets a fresh copy."""

    def __init__(self, folder: Path, kind: str, variant: int, server: str | None) -> None:
        self.rows = first_day(random.Random(variant))
        self._url = server if server else f"sqlite:///{folder / f'{kind}-{variant}.db'}"
        if server:
            self._url = _create_database(server, f"simulation_{folder.name}_{variant}".replace("-", "_"))
        self._fill(folder / f"bank-{kind}-{variant}")
        self._kept = Rows.read(self._url) if server else None

    def fresh(self, path: Path) -> str:
        """The URL of a database as it was at the beginning: at `path`, or on the server."""
        if self._kept is not None:
            self._kept.put_back(self._url)
            return self._url
        shutil.copy(str(make_url(self._url).database), path)
        return f"sqlite:///{path}"

    def _fill(self, folder: Path) -> None:
        folder.mkdir()
        engine = open_engine(self._url)
        upgrade(engine)
        engine.dispose()
        (folder / "ajpes.toml").write_text(
            '[provider]\nregistration_number = "5860571000"\nname = "Banka Vzorec d.d."\n'
            f'account_prefixes = ["01"]\n[database]\nurl = "{self._url}"\n'
        )
        context = open_context(open_workspace(folder), lambda: _BEGINNING)
        (folder / "rows.csv").write_text("\n".join([HEADER, *self.rows, ""]), encoding="utf-8")
        import_files(context, [folder / "rows.csv"])
        context.engine.dispose()
        if self._url.startswith("sqlite"):
            with closing(sqlite3.connect(str(make_url(self._url).database))) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _create_database(server: str, name: str) -> str:
    with psycopg.connect(plain(server), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def read_steps(folder: Path) -> dict[str, Any]:
    """What a worker that was asked to has written down of its steps and calls."""
    steps: dict[str, Any] = json.loads((folder / worker.STEPS).read_text())
    return steps
