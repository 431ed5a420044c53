"""The checks of the machine itself: certificate, passwords, host key, disk and clock.

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
from ajpes_reporting.i18n import NOTHING, Message, _, _n

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
    """The parts of the machine that are checked. `certificates` read the dates of ours, by way.

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
    detail: Message
    alarm: Alarm | None = None


def machine_alarms(
    machine: Machine, connection: Connection, now: datetime, provider: str | None = None
) -> Iterator[Alarm]:
    """Yields the machine's problems; a certificate that cannot be read does not hide the rest."""
    for name in machine.certificates:
        try:
            yield from _alarms(certificate(machine, name, now))
        except AjpesReportingError as error:
            yield Alarm(certificate_subject(machine, name), Severity.CRITICAL, error.message, error.remedy)
    yield from _alarms(expiries(machine, now))
    yield from _alarms(disk(machine))
    yield from _alarms(clock(connection, now, provider))


def certificate(machine: Machine, way: str, now: datetime) -> Iterator[Look]:
    """Checks the client certificate of a way. Raises `ConfigurationError` if it cannot be read."""
    dates = machine.certificates[way]()
    last_day, left = dates.not_after.astimezone(LJUBLJANA).date(), dates.days_left(now)
    key = certificate_subject(machine, way)
    remedy = _("ask its issuer for a new one, and register it with AJPES")
    if len(machine.certificates) == 1:
        text = _("Our client certificate is {validity}.", validity=validity(last_day, left))
    else:
        text = _(
            "Our client certificate for {way:way} is {validity}.", way=way, validity=validity(last_day, left)
        )
    detail = _("{subject}, {validity}", subject=dates.subject, validity=validity(last_day, left))
    yield Look(key, detail, _expiring(machine, key, text, left, remedy))


def certificate_subject(machine: Machine, way: str) -> str:
    """Returns the name of a way's certificate: with its way, if another way shows one, too."""
    return "certificate" if len(machine.certificates) == 1 else f"certificate for {way}"


def expiries(machine: Machine, now: datetime) -> Iterator[Look]:
    """Checks how long passwords and the host key hold, by the settings."""
    today = now.astimezone(LJUBLJANA).date()
    for item in machine.expiries:
        left = (item.last_day - today).days
        held = validity(item.last_day, left)
        text = _("{setting} is {validity}.", setting=item.setting, validity=held)
        remedy = _(
            "agree on a new one with AJPES, then set {setting} and {setting}_expires", setting=item.setting
        )
        alarm = _expiring(machine, f"{item.kind} {item.setting}", text, left, remedy)
        yield Look(item.setting, held, alarm)


def disk(machine: Machine) -> Iterator[Look]:
    """Checks the free space of workspace and archive."""
    free = min((shutil.disk_usage(folder).free for folder in machine.folders if folder.exists()), default=0)
    detail = _("{gib:tenths} GiB free", gib=free * 10 // _GIB)
    if free >= machine.free_disk_bytes:
        yield Look("disk", detail)
    else:
        text = _("The disk of the workspace is nearly full: {detail}.", detail=detail)
        yield Look("disk", detail, Alarm("disk", Severity.WARNING, text, _("make room")))


def clock(connection: Connection, now: datetime, provider: str | None = None) -> Iterator[Look]:
    """Whether the record or the database's own clock speaks against the clock of this machine."""
    problem = _record_from_the_future(connection, now, provider) or _database_disagrees(connection, now)
    if problem:
        text = _("The clock of this machine is off: {problem}.", problem=problem)
        remedy = _("set the clock of this machine, and let it be kept by NTP")
        yield Look("clock", problem, Alarm("clock", Severity.WARNING, text, remedy))
    else:
        yield Look("clock", _("{now:second} in Ljubljana", now=now))


def _alarms(looks: Iterator[Look]) -> Iterator[Alarm]:
    return (look.alarm for look in looks if look.alarm is not None)


def validity(last_day: date, days_left: int) -> Message:
    """Until when something holds, as the end of a sentence."""
    if days_left < 0:
        return _("no longer valid since {last_day:day}", last_day=last_day)
    return _n(
        "valid until {last_day:day}, {count} day left",
        "valid until {last_day:day}, {count} days left",
        days_left,
        last_day=last_day,
    )


def _expiring(machine: Machine, key: str, text: Message, days_left: int, remedy: Message) -> Alarm | None:
    if days_left >= machine.expiry_days:
        return None
    severity = Severity.CRITICAL if days_left < 0 else Severity.WARNING
    return Alarm(key, severity, text, remedy)


def _record_from_the_future(connection: Connection, now: datetime, provider: str | None) -> Message:
    """The record cannot be from the future: then this clock was put back, or was wrong before.

    Others who share the database may work on machines with other clocks; that is theirs.
    """
    newest_first = select(audit_records.c.at).order_by(audit_records.c.seq.desc()).limit(1)
    if provider is not None:
        newest_first = newest_first.where(audit_records.c.provider == provider)
    newest = connection.execute(newest_first).scalar()
    if newest is None or _moment(newest, now) <= now + _CLOCK_TOLERANCE:
        return NOTHING
    return _("the audit record has an entry of {at:written}, which is later than this clock says", at=newest)


def _moment(text: str, otherwise: datetime) -> datetime:
    """A time of the record; if it was tampered with, that is for the check of the record to say."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return otherwise
    return moment if moment.tzinfo else otherwise


def _database_disagrees(connection: Connection, now: datetime) -> Message:
    """The clock of a PostgreSQL server is another one than ours, as a rule."""
    if connection.dialect.name != "postgresql":
        return NOTHING
    theirs: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    seconds = round((theirs - now).total_seconds())
    if abs(seconds) <= _CLOCK_TOLERANCE.total_seconds():
        return NOTHING
    if seconds > 0:
        return _n(
            "the database server's clock is {count} second ahead",
            "the database server's clock is {count} seconds ahead",
            seconds,
        )
    return _n(
        "the database server's clock is {count} second behind",
        "the database server's clock is {count} seconds behind",
        -seconds,
    )
