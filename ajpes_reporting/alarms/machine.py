"""What the machine itself is asked: certificate, passwords, host key, disk and clock.

Each check is written once: `doctor` shows what was found, and the alarms are raised from it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from ajpes_reporting.alarms.alarm import Alarm, Severity
from ajpes_reporting.database.tables import audit_records
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import AjpesReportingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import date
    from pathlib import Path

    from ajpes_reporting.deliver.tls import CertificateDates
    from ajpes_reporting.deliver.way import Expiry

_CLOCK_TOLERANCE = timedelta(minutes=2)
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Machine:
    """What is asked. `certificates` read the dates of ours, by the way that shows each.

    They raise `ConfigurationError`.
    """

    folders: tuple[Path, ...]
    certificates: Mapping[str, Callable[[], CertificateDates]]
    expiries: tuple[Expiry, ...]
    expiry_days: int
    free_disk_bytes: int


@dataclass(frozen=True, slots=True)
class Look:
    """One thing that was looked at, how it was found, and the alarm this gives, if any."""

    subject: str
    detail: str
    alarm: Alarm | None = None


def machine_alarms(
    machine: Machine, connection: Connection, now: datetime, provider: str | None = None
) -> Iterator[Alarm]:
    """What is wrong with the machine; a certificate that cannot be read does not hide the rest."""
    for name in machine.certificates:
        try:
            yield from _alarms(certificate(machine, name, now))
        except AjpesReportingError as error:
            yield Alarm(certificate_subject(machine, name), Severity.CRITICAL, error.message, error.remedy)
    yield from _alarms(expiries(machine, now))
    yield from _alarms(disk(machine))
    yield from _alarms(clock(connection, now, provider))


def certificate(machine: Machine, way: str, now: datetime) -> Iterator[Look]:
    """How long the client certificate of a way holds. Raises `ConfigurationError` if it cannot be read."""
    dates = machine.certificates[way]()
    until = dates.not_after.astimezone(LJUBLJANA).date()
    held = validity(until, dates.days_left(now))
    subject = certificate_subject(machine, way)
    alarm = _expiring(
        machine, subject, f"Our client {subject} is {held}.", dates.days_left(now),
        "ask its issuer for a new one, and register it with AJPES",
    )  # fmt: skip
    yield Look(subject, f"{dates.subject}, {held}", alarm)


def certificate_subject(machine: Machine, way: str) -> str:
    """How the certificate of a way is called: with its way, if another one shows a certificate, too."""
    return "certificate" if len(machine.certificates) == 1 else f"certificate for {way}"


def expiries(machine: Machine, now: datetime) -> Iterator[Look]:
    """How long passwords and the host key hold, as the settings say."""
    today = now.astimezone(LJUBLJANA).date()
    for item in machine.expiries:
        left = (item.last_day - today).days
        held = validity(item.last_day, left)
        remedy = f"agree on a new one with AJPES, then set {item.setting} and {item.setting}_expires"
        yield Look(
            item.setting, held,
            _expiring(machine, f"{item.kind} {item.setting}", f"{item.setting} is {held}.", left, remedy),
        )  # fmt: skip


def disk(machine: Machine) -> Iterator[Look]:
    """How much room is left where the workspace and its archive lie."""
    free = min((shutil.disk_usage(folder).free for folder in machine.folders if folder.exists()), default=0)
    detail = f"{free / _GIB:.1f} GiB free"
    if free >= machine.free_disk_bytes:
        yield Look("disk", detail)
    else:
        text = f"The disk of the workspace is nearly full: {detail}."
        yield Look("disk", detail, Alarm("disk", Severity.WARNING, text, "make room"))


def clock(connection: Connection, now: datetime, provider: str | None = None) -> Iterator[Look]:
    """Whether the record or the database's own clock speaks against the clock of this machine."""
    problem = _record_from_the_future(connection, now, provider) or _database_disagrees(connection, now)
    if problem:
        text = f"The clock of this machine is off: {problem}."
        remedy = "set the clock of this machine, and let it be kept by NTP"
        yield Look("clock", problem, Alarm("clock", Severity.WARNING, text, remedy))
    else:
        yield Look("clock", f"{now.astimezone(LJUBLJANA):%Y-%m-%d %H:%M:%S} in Ljubljana")


def _alarms(looks: Iterator[Look]) -> Iterator[Alarm]:
    return (look.alarm for look in looks if look.alarm is not None)


def validity(last_day: date, days_left: int) -> str:
    """Until when something holds, in words."""
    if days_left < 0:
        return f"no longer valid since {last_day:%Y-%m-%d}"
    return f"valid until {last_day:%Y-%m-%d}, {days_left} days left"


def _expiring(machine: Machine, key: str, text: str, days_left: int, remedy: str) -> Alarm | None:
    if days_left >= machine.expiry_days:
        return None
    severity = Severity.CRITICAL if days_left < 0 else Severity.WARNING
    return Alarm(key, severity, text, remedy)


def _record_from_the_future(connection: Connection, now: datetime, provider: str | None) -> str:
    """The record cannot be from the future: then this clock was put back, or was wrong before.

    Others who share the database may work on machines with other clocks; that is theirs.
    """
    newest_first = select(audit_records.c.at).order_by(audit_records.c.seq.desc()).limit(1)
    if provider is not None:
        newest_first = newest_first.where(audit_records.c.provider == provider)
    newest = connection.execute(newest_first).scalar()
    if newest is None or _moment(newest, now) <= now + _CLOCK_TOLERANCE:
        return ""
    return f"the audit record has an entry of {newest}, which is later than this clock says"


def _moment(text: str, otherwise: datetime) -> datetime:
    """A time of the record; if it was tampered with, that is for the check of the record to say."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return otherwise
    return moment if moment.tzinfo else otherwise


def _database_disagrees(connection: Connection, now: datetime) -> str:
    """The clock of a PostgreSQL server is another one than ours, as a rule."""
    if connection.dialect.name != "postgresql":
        return ""
    theirs: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    seconds = round((theirs - now).total_seconds())
    if abs(seconds) <= _CLOCK_TOLERANCE.total_seconds():
        return ""
    return f"the database server's clock is {abs(seconds)} seconds {'ahead' if seconds > 0 else 'behind'}"
