"""Looks whether a run would work: settings, database, clock, certificate, disk, reachability, web payments.

No report is sent, and no message either, except where the channels for alarms are tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from ajpes_reporting.alarms.alarm import Severity
from ajpes_reporting.alarms.conditions import conditions
from ajpes_reporting.alarms.machine import (
    Look,
    certificate,
    certificate_subject,
    clock,
    disk,
    expiries,
    validity,
)
from ajpes_reporting.alarms.notification import trial
from ajpes_reporting.database.engine import address, open_engine
from ajpes_reporting.database.rights import what_is_too_much
from ajpes_reporting.database.upgrade import require_current
from ajpes_reporting.deliver import registry
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import AjpesReportingError, ConfigurationError, NotDelivered
from ajpes_reporting.domain.rules import check_provider
from ajpes_reporting.i18n import NOTHING, Message, _, _n, verbatim
from ajpes_reporting.journal.archive import Archive
from ajpes_reporting.journal.orphans import require_own
from ajpes_reporting.journal.sent_log import SentLog
from ajpes_reporting.ledger.views import open_views, views_there
from ajpes_reporting.private import open_to_others
from ajpes_reporting.reports import registry as reports
from ajpes_reporting.reports.spapp import SPAPP
from ajpes_reporting.sections import ProxiedSection
from ajpes_reporting.wiring.alarms import alarm_channels, machine
from ajpes_reporting.wiring.delivery import way_setup
from ajpes_reporting.wiring.eplacila import eplacila_certificate, eplacila_client, eplacila_section
from ajpes_reporting.workspace import CLOSE_FACTS, open_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from ajpes_reporting.alarms.machine import Machine
    from ajpes_reporting.alarms.notification import Channel
    from ajpes_reporting.config import Workspace
    from ajpes_reporting.deliver.way import Way
    from ajpes_reporting.domain.ports import Clock, Shortfall
    from ajpes_reporting.i18n import Message
    from ajpes_reporting.reports.kind import ReportKind


class Health(StrEnum):
    """The health of one thing."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    ALARM = "alarm"
    NOT_SET_UP = "not set up"

    @property
    def label(self) -> Message:
        """The health in words."""
        return _LABELS[self]


_LABELS = {
    Health.OK: _("ok"),
    Health.WARNING: _("warning"),
    Health.FAILED: _("failed"),
    Health.ALARM: _("alarm"),
    Health.NOT_SET_UP: _("not set up"),
}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that was looked at. `exit_code` is what a run would leave with because of it."""

    subject: str
    health: Health
    detail: Message
    remedy: Message = NOTHING
    exit_code: int = 0

    @property
    def title(self) -> str:
        """The subject in words, an alarm by its kind; a way and a folder have names of their own."""
        thing, _for, way = self.subject.partition(" for ")
        if way and thing == "certificate":
            return _("certificate for {way:way}", way=way)
        return _TITLES.get(self.subject, self.subject)


_TITLES = {
    "settings": _("settings"),
    "provider": _("provider"),
    "database": _("database"),
    "archive": _("archive"),
    "queue": _("queue"),
    "ledger": _("ledger"),
    "files": _("files"),
    "disk": _("disk"),
    "clock": _("clock"),
    "certificate": _("certificate"),
    "passwords": _("passwords"),
    "delivery": _("delivery"),
    "telling": _("telling"),
    "e-plačila": _("e-plačila"),
    "UJP's clock": _("UJP's clock"),
    "listener": _("listener"),
    "deadline": _("deadline"),
    "refused": _("refused"),
    "unknown": _("unknown"),
    "checks": _("checks"),
    "held": _("held"),
    "tries": _("tries"),
    "detour": _("detour"),
    "answer": _("answer"),
    "aside": _("aside"),
    "ahead": _("ahead"),
    "excluded": _("excluded"),
    "moved": _("moved"),
    "audit": _("audit"),
    "channel": _("channel"),
    "orphan": _("orphan"),
    "former": _("former"),
}


def examine(workspace: Workspace, time: Clock) -> Iterator[Diagnosis]:
    """Looks at one thing after the other; a broken one does not keep the others from being looked at."""
    yield from _guarded("settings", lambda: _settings(workspace))
    yield from _guarded("database", lambda: _database(workspace, time))
    yield from _guarded("ledger", lambda: _views(workspace))
    yield from _guarded("files", lambda: _files(workspace))
    yield from _guarded("disk", lambda: _found(disk(machine(workspace))))
    yield from _certificates(machine(workspace), time())
    yield from _guarded("passwords", lambda: _found(expiries(machine(workspace), time())))
    for way in registry.WAYS:
        yield from _guarded(way.title, partial(_way, workspace, way, time))
    yield from _any_way(workspace)
    yield from _guarded("telling", lambda: _channels(workspace))
    if workspace.settings.eplacila is not None:
        yield from _guarded("e-plačila", lambda: _eplacila(workspace, time))
        yield from _guarded("listener", lambda: _listener(workspace, time))


def try_channels(workspace: Workspace, time: Clock) -> Iterator[Diagnosis]:
    """Sends a test message by every channel that alarms are told by."""
    provider = workspace.settings.provider.registration_number
    channels = alarm_channels(workspace)
    if not channels:
        raise ConfigurationError(
            _(
                "{file} has neither [mail] nor [webhook]; nothing was sent.",
                file=str(workspace.settings_file),
            ),
            _("fill in one of them, or both"),
        )
    for name, make in channels.items():
        yield from _guarded(name, partial(_try, name, make, provider, time()))


def _guarded(subject: str, look: Callable[[], Iterator[Diagnosis]]) -> Iterator[Diagnosis]:
    try:
        yield from look()
    except AjpesReportingError as error:
        yield Diagnosis(subject, Health.FAILED, error.message, error.remedy, error.exit_code)


def _settings(workspace: Workspace) -> Iterator[Diagnosis]:
    provider = workspace.settings.provider
    yield Diagnosis(
        "settings",
        Health.OK,
        _("provider {number}, {name}", number=provider.registration_number, name=provider.name),
    )
    for finding in check_provider(provider.registration_number, provider.name):
        yield Diagnosis("provider", Health.WARNING, finding.message, finding.remedy)


def _database(workspace: Workspace, time: Clock) -> Iterator[Diagnosis]:
    engine = open_engine(workspace.database_url())
    try:
        require_current(engine)
        yield Diagnosis("database", Health.OK, verbatim(address(engine.url)))
        yield from _rights(engine)
        with engine.connect() as connection:
            provider = workspace.settings.provider.registration_number
            yield from _guarded("archive", lambda: _archive(workspace, connection))
            yield from _found(clock(connection, time(), provider))
            yield from _alarms(workspace, connection, time)
        if workspace.settings.schedule.engine == "procrastinate":
            yield from _guarded("queue", lambda: _queue(engine))
    finally:
        engine.dispose()


def _archive(workspace: Workspace, connection: Connection) -> Iterator[Diagnosis]:
    """Makes sure that no other workspace reports for this provider to this database."""
    require_own(connection, workspace.settings.provider.registration_number, Archive(workspace.archive))
    yield from ()


def _queue(engine: Engine) -> Iterator[Diagnosis]:
    """Looks at the queue that the workers of several machines share."""
    from ajpes_reporting.schedule.queue import require_queue

    require_queue(engine)
    yield Diagnosis("queue", Health.OK, _("of the version that is installed here"))


def _rights(engine: Engine) -> Iterator[Diagnosis]:
    """Looks at the rights of the program's role: the program keeps the record and must not change it."""
    if excess := what_is_too_much(engine):
        remedy = _(
            "let the program use a role of its own, with the rights that operating.md names for PostgreSQL"
        )
        yield Diagnosis("database", Health.WARNING, excess, remedy)


def _views(workspace: Workspace) -> Iterator[Diagnosis]:
    """Looks whether a bank's own views, if the ledger is fed from them, are there and can be read."""
    url = workspace.ledger_url()
    if url is None:
        return
    engine = open_views(url)
    try:
        names = tuple(views_there(engine))
        yield Diagnosis(
            "ledger", Health.OK, _("reads {views} of {database}", views=names, database=address(engine.url))
        )
    finally:
        engine.dispose()


def _files(workspace: Workspace) -> Iterator[Diagnosis]:
    """Looks for files that older versions, or a copy by hand, left readable: they hold names and accounts."""
    if detail := open_facts(workspace):
        yield Diagnosis("files", Health.WARNING, detail, CLOSE_FACTS)
    for way in workspace.settings.ways():
        for setting in way.keys:
            if (name := getattr(way, setting)) and _is_open(path := workspace.path(name)):
                detail = _(
                    "other users of this machine may read {file} ({setting})",
                    file=str(path),
                    setting=f"{way.name}.{setting}",
                )
                close = _("close it with `chmod go= {file}`", file=str(path))
                yield Diagnosis("files", Health.WARNING, detail, close)


def _is_open(path: Path) -> bool:
    return bool(list(open_to_others(path)))


def _alarms(workspace: Workspace, connection: Connection, time: Clock) -> Iterator[Diagnosis]:
    """Tells what is wrong with the reports; not a fault of this machine, so no exit code comes from it."""
    settings, log = workspace.settings, SentLog(workspace.archive)
    provider, amounts = settings.provider.registration_number, settings.report(SPAPP).amounts
    for alarm in conditions(connection, provider, settings.alarms, time(), log, amounts):
        yield Diagnosis(alarm.kind, Health.ALARM, alarm.text, alarm.remedy)


def _found(looks: Iterator[Look]) -> Iterator[Diagnosis]:
    for look in looks:
        if look.alarm is None:
            yield Diagnosis(look.subject, Health.OK, look.detail)
        elif look.alarm.severity is Severity.CRITICAL:
            yield Diagnosis(
                look.subject, Health.FAILED, look.detail, look.alarm.remedy, ConfigurationError.exit_code
            )
        else:
            yield Diagnosis(look.subject, Health.WARNING, look.detail, look.alarm.remedy)


def _channels(workspace: Workspace) -> Iterator[Diagnosis]:
    channels = alarm_channels(workspace)
    for make in channels.values():
        make()
    if channels:
        yield Diagnosis("telling", Health.OK, _("alarms go by {channels:and}", channels=tuple(channels)))
    else:
        yield Diagnosis(
            "telling", Health.NOT_SET_UP, _("no [mail] and no [webhook]; alarms stand in status only")
        )


def _try(name: str, make: Callable[[], Channel], provider: str, now: datetime) -> Iterator[Diagnosis]:
    yield Diagnosis(name, Health.OK, make().tell(trial(provider, now)))


def _certificates(machine: Machine, now: datetime) -> Iterator[Diagnosis]:
    """Looks at our own certificates, by each way that shows one."""
    for name in machine.certificates:
        yield from _guarded(certificate_subject(machine, name), partial(_certificate, machine, name, now))


def _certificate(machine: Machine, way: str, now: datetime) -> Iterator[Diagnosis]:
    yield from _found(certificate(machine, way, now))


def _way(workspace: Workspace, kind: type[Way], time: Clock) -> Iterator[Diagnosis]:
    """Looks whether one way to the authority is open."""
    way = workspace.settings.way(kind)
    if way is None:
        carried = [report for report in reports.KINDS if kind.carries(report.name)]
        left = tuple(_without(workspace, report) for report in carried)
        detail = _("no [{section}] in the settings; {consequences}", section=kind.name, consequences=left)
        yield Diagnosis(kind.title, Health.NOT_SET_UP, detail)
        return
    found = way.carrier(way_setup(workspace, time)).inspect()
    reached = found.reached
    if isinstance(way, ProxiedSection) and way.proxy:
        reached = _("{reached}; through the proxy {proxy}", reached=reached, proxy=way.proxy)
    yield Diagnosis(kind.title, Health.OK, reached)
    yield from (_shortfall(kind, item) for item in found.shortfalls)


def _shortfall(way: type[Way], item: Shortfall) -> Diagnosis:
    """Tells of a right that is missing with the authority."""
    health, code = (Health.FAILED, NotDelivered.exit_code) if item.stops_runs else (Health.WARNING, 0)
    return Diagnosis(f"{way.title} {item.place}", health, item.detail, item.remedy, code)


def _without(workspace: Workspace, report: ReportKind) -> Message:
    """Says how a report goes where a way that may carry it is not set up."""
    titles = tuple(way.title for way in workspace.settings.ways(report.name))
    if not titles:
        return _("{report} cannot be sent", report=report.code)
    if len(titles) == 1:
        return _("{report} goes by {ways} only", report=report.code, ways=titles)
    return _("{report} goes by {ways:or}", report=report.code, ways=titles)


def _any_way(workspace: Workspace) -> Iterator[Diagnosis]:
    if not workspace.settings.ways():
        sections = tuple(f"[{name}]" for name in registry.names())
        yield Diagnosis(
            "delivery",
            Health.FAILED,
            _("no {sections:or} in the settings; nothing can be sent", sections=sections),
            _("fill in {sections:and}", sections=sections),
            ConfigurationError.exit_code,
        )


def _eplacila(workspace: Workspace, time: Clock) -> Iterator[Diagnosis]:
    """Tries credentials, UJP's key and reachability by the one question that changes nothing."""
    found = eplacila_client(workspace, time, patient=False).health()
    if found.works:
        if found.last_payment_at:
            works = _("they work; last payment: {at:moment}", at=found.last_payment_at)
        else:
            works = _("they work; there was no payment yet")
        yield Diagnosis("e-plačila", Health.OK, works)
    else:
        yield Diagnosis(
            "e-plačila",
            Health.FAILED,
            _("they say that they do not work"),
            _("try again later; if it stays so, ask UJP"),
            NotDelivered.exit_code,
        )
    if found.told_at is not None:
        yield _ujp_clock(workspace, (time() - found.told_at).total_seconds())


def _ujp_clock(workspace: Workspace, ahead: float) -> Diagnosis:
    """Compares the clocks: UJP refuses requests, and we refuse notices, whose time is too far off."""
    seconds = round(abs(ahead))
    if ahead > 0:
        detail = _n("ours is {count} second ahead of it", "ours is {count} seconds ahead of it", seconds)
    else:
        detail = _n("ours is {count} second behind it", "ours is {count} seconds behind it", seconds)
    if abs(ahead) <= eplacila_section(workspace).clock_tolerance_seconds:
        return Diagnosis("UJP's clock", Health.OK, detail)
    return Diagnosis(
        "UJP's clock",
        Health.WARNING,
        _("{detail}; eplacila.clock_tolerance_seconds is less", detail=detail),
        _("set the clock of this machine, and let it be kept by NTP"),
    )


def _listener(workspace: Workspace, time: Clock) -> Iterator[Diagnosis]:
    """Looks at the certificate of the listener for UJP's notices; a proxy in front keeps its own."""
    dates = eplacila_certificate(workspace)
    if dates is None:
        return
    left = dates.days_left(time())
    held = validity(dates.not_after.astimezone(LJUBLJANA).date(), left)
    detail = _("{subject}, {validity}", subject=dates.subject, validity=held)
    remedy = _("ask its issuer for a new one; without it no notice of UJP arrives")
    if left < 0:
        yield Diagnosis("listener", Health.FAILED, detail, remedy, ConfigurationError.exit_code)
    else:
        soon = left < workspace.settings.alarms.expiry_days
        health = Health.WARNING if soon else Health.OK
        yield Diagnosis("listener", health, detail, remedy if soon else NOTHING)


def worst(diagnoses: list[Diagnosis]) -> int:
    """Returns the exit code for all that was looked at: settings before reachability."""
    return min((item.exit_code for item in diagnoses if item.exit_code), default=0)
