"""Certificates, channels that note what they are told, and a bank to raise alarms about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from sqlalchemy import Engine

from ajpes_reporting.alarms.machine import Machine
from ajpes_reporting.alarms.notification import Channel, Notice, Notification
from ajpes_reporting.alarms.watch import Watch
from ajpes_reporting.config import AlarmsSection
from ajpes_reporting.domain.errors import AlarmNotTold
from tests.pipeline.conftest import authority, bank, clock

__all__ = ["authority", "bank", "clock"]

NOW = datetime(2026, 11, 17, 16, 0, tzinfo=UTC)
PROVIDER = "5860571000"


@dataclass(frozen=True)
class Keys:
    """PEM files: a certificate with its key each, and who issued it."""

    ca: Path
    foreign_ca: Path
    server: Path
    elsewhere: Path


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder = tmp_path_factory.mktemp("keys")
    ca, foreign = trustme.CA(), trustme.CA()
    paths = {name: folder / f"{name}.pem" for name in ("ca", "foreign_ca", "server", "elsewhere")}
    ca.cert_pem.write_to_path(str(paths["ca"]))
    foreign.cert_pem.write_to_path(str(paths["foreign_ca"]))
    for name, host in (("server", "127.0.0.1"), ("elsewhere", "elsewhere.example")):
        paths[name].write_bytes(ca.issue_cert(host).private_key_and_cert_chain_pem.bytes())
    return Keys(**paths)


@dataclass
class Notebook:
    """A channel that takes everything, or fails for a while.

    Our clock stands still in these tests, a PostgreSQL server's goes on: that alarm is left out.
    """

    told: list[Notice] = field(default_factory=list)
    bulletins: int = 0
    fails: bool = False

    def tell(self, notification: Notification) -> str:
        if self.fails:
            raise AlarmNotTold("The line is cut.", "mend it")
        self.bulletins += 1
        self.told.extend(item for item in notification.messages if item.alarm.kind != "clock")
        return "taken"

    def heard(self) -> list[tuple[str, str]]:
        """What was told, as occasion and key, and then forgotten."""
        said = [(item.occasion.value, item.alarm.key) for item in self.told]
        self.told.clear()
        return said


def watch(engine: Engine, clock: Callable[[], datetime], folder: Path, **channels: Channel) -> Watch:
    """A watch over a machine with nothing to complain of."""
    made = {name: lambda channel=channel: channel for name, channel in channels.items()}
    return Watch(PROVIDER, engine, Machine((folder,), {}, (), 30, 0), AlarmsSection(), made, clock)
