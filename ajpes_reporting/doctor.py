"""Looks whether a run would work: settings, database, clock, certificate, disk, reachability.

Sends no report, and no message either.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from ajpes_reporting.database.engine import address, open_engine
from ajpes_reporting.database.rights import what_is_too_much
from ajpes_reporting.database.tables import audit_records
from ajpes_reporting.database.upgrade import require_current
from ajpes_reporting.deliver.tls import certificate_dates
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import AjpesReportingError, ConfigurationError
from ajpes_reporting.domain.rules import check_provider
from ajpes_reporting.ledger.views import open_views, views_there
from ajpes_reporting.wiring import sftp_carrier, soap_carrier, tls_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

    from ajpes_reporting.config import Workspace
    from ajpes_reporting.domain.ports import Clock

_WARN_DAYS = 30
_WARN_FREE_BYTES = 1 << 30
_CLOCK_TOLERANCE = timedelta(minutes=2)


class Health(StrEnum):
    """How one thing was found."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    NOT_SET_UP = "not set up"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that was looked at. `exit_code` is what a run would leave with because of it."""

    subject: str
    health: Health
    detail: str
    remedy: str = ""
    exit_code: int = 0


def examine(workspace: Workspace, clock: Clock) -> Iterator[Diagnosis]:
    """Looks at one thing after the other; a broken one does not keep the others from being looked at."""
    yield from _guarded("settings", lambda: _settings(workspace))
    yield from _guarded("database", lambda: _database(workspace, clock()))
    yield from _guarded("ledger", lambda: _views(workspace))
    yield from _guarded("disk", lambda: _disk(workspace))
    yield from _guarded("certificate", lambda: _certificate(workspace, clock()))
    yield from _guarded("SOAP", lambda: _soap(workspace, clock))
    yield from _guarded("SFTP", lambda: _sftp(workspace))


def _guarded(subject: str, look: Callable[[], Iterator[Diagnosis]]) -> Iterator[Diagnosis]:
    try:
        yield from look()
    except AjpesReportingError as error:
        yield Diagnosis(subject, Health.FAILED, error.message, error.remedy, error.exit_code)


def _settings(workspace: Workspace) -> Iterator[Diagnosis]:
    provider = workspace.settings.provider
    yield Diagnosis("settings", Health.OK, f"provider {provider.registration_number}, {provider.name}")
    for finding in check_provider(provider.registration_number, provider.name):
        yield Diagnosis("provider", Health.WARNING, finding.message, finding.remedy)


def _database(workspace: Workspace, now: datetime) -> Iterator[Diagnosis]:
    engine = open_engine(workspace.database_url())
    try:
        require_current(engine)
        with engine.connect() as connection:
            newest = connection.execute(select(func.max(audit_records.c.at))).scalar()
        yield Diagnosis("database", Health.OK, address(engine.url))
        yield from _rights(engine)
        yield from _clock(now, newest)
    finally:
        engine.dispose()


def _rights(engine: Engine) -> Iterator[Diagnosis]:
    """The program keeps the record; it is not to be able to change it."""
    if excess := what_is_too_much(engine):
        remedy = (
            "let the program use a role of its own, with the rights that operating.md names for PostgreSQL"
        )
        yield Diagnosis("database", Health.WARNING, excess, remedy)


def _views(workspace: Workspace) -> Iterator[Diagnosis]:
    """A bank's own views, if the ledger is fed from them: that they are there and can be read."""
    url = workspace.ledger_url()
    if url is None:
        return
    engine = open_views(url)
    try:
        names = ", ".join(views_there(engine))
        yield Diagnosis("ledger", Health.OK, f"reads {names} of {address(engine.url)}")
    finally:
        engine.dispose()


def _clock(now: datetime, newest: str | None) -> Iterator[Diagnosis]:
    """The record cannot be from the future: then this clock was put back, or was wrong before."""
    if newest is not None and datetime.fromisoformat(newest) > now + _CLOCK_TOLERANCE:
        detail = f"the audit record has an entry of {newest}, which is later than this clock says"
        yield Diagnosis("clock", Health.WARNING, detail, "set the clock of this machine")
    else:
        yield Diagnosis("clock", Health.OK, f"{now.astimezone(LJUBLJANA):%Y-%m-%d %H:%M:%S} in Ljubljana")


def _disk(workspace: Workspace) -> Iterator[Diagnosis]:
    free = shutil.disk_usage(workspace.folder).free
    health = Health.OK if free > _WARN_FREE_BYTES else Health.WARNING
    yield Diagnosis(
        "disk", health, f"{free / (1 << 30):.1f} GiB free", "make room" if health != Health.OK else ""
    )


def _certificate(workspace: Workspace, now: datetime) -> Iterator[Diagnosis]:
    if workspace.settings.soap is None:
        return
    dates = certificate_dates(tls_settings(workspace, workspace.settings.soap))
    left = dates.days_left(now)
    until = dates.not_after.astimezone(LJUBLJANA)
    detail = f"{dates.subject}, valid until {until:%Y-%m-%d}, {left} days left"
    if left < 0:
        yield Diagnosis("certificate", Health.FAILED, detail, "ask its issuer for a new one", 2)
    elif left < _WARN_DAYS:
        yield Diagnosis("certificate", Health.WARNING, detail, "ask its issuer for a new one")
    else:
        yield Diagnosis("certificate", Health.OK, detail)


def _soap(workspace: Workspace, clock: Clock) -> Iterator[Diagnosis]:
    soap = workspace.settings.soap
    if soap is None:
        yield Diagnosis("SOAP", Health.NOT_SET_UP, "no [soap] in the settings; NODURS goes by SFTP only")
        return
    carrier = soap_carrier(workspace, soap, workspace.archive / "work", clock)
    yield Diagnosis("SOAP", Health.OK, carrier.reach())


def _sftp(workspace: Workspace) -> Iterator[Diagnosis]:
    sftp = workspace.settings.sftp
    if sftp is None and workspace.settings.soap is None:
        yield Diagnosis(
            "SFTP", Health.FAILED, "neither [soap] nor [sftp] is in the settings; nothing can be sent",
            "fill in [soap] and [sftp]", ConfigurationError.exit_code,
        )  # fmt: skip
    elif sftp is None:
        yield Diagnosis("SFTP", Health.NOT_SET_UP, "no [sftp] in the settings; SPAPP cannot be sent")
    else:
        yield Diagnosis("SFTP", Health.OK, sftp_carrier(workspace, sftp).reach())


def worst(diagnoses: list[Diagnosis]) -> int:
    """The exit code for all of it: settings before reachability."""
    return min((item.exit_code for item in diagnoses if item.exit_code), default=0)
