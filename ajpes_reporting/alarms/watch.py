"""Looks for what is wrong, keeps it in the store of alarms, and tells whoever is to be told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from ajpes_reporting.alarms import store
from ajpes_reporting.alarms.alarm import MACHINE_KINDS, Severity, Standing
from ajpes_reporting.alarms.conditions import AUDIT_CHORE, TELLING_CHORE, conditions
from ajpes_reporting.alarms.machine import machine_alarms
from ajpes_reporting.alarms.notification import Notification
from ajpes_reporting.database.engine import snapshot, writing
from ajpes_reporting.database.lease import Purpose, lease
from ajpes_reporting.domain.errors import AjpesReportingError, AlarmNotTold, Busy
from ajpes_reporting.i18n import Message, _, language, speaking
from ajpes_reporting.journal import chain, chores

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from sqlalchemy import Connection, Engine

    from ajpes_reporting.alarms.alarm import Alarm
    from ajpes_reporting.alarms.machine import Machine
    from ajpes_reporting.alarms.notification import Channel
    from ajpes_reporting.config import AlarmsSection
    from ajpes_reporting.domain.money import Amounts
    from ajpes_reporting.domain.ports import Clock
    from ajpes_reporting.i18n.language import Language
    from ajpes_reporting.journal.sent_log import SentLog


@dataclass(frozen=True, slots=True)
class Watch:
    """The objects of the watch, and the channels.

    `channels` are made only when there is something to tell: one that cannot be made, because its
    password is missing, say, counts as one that failed, and stops nothing else. `amounts` says how
    the monthly report gives figures. `language` is that of the recipients; empty: that of the process.
    """

    provider: str
    engine: Engine
    machine: Machine
    settings: AlarmsSection
    channels: Mapping[str, Callable[[], Channel]]
    clock: Clock
    sent_log: SentLog | None = None
    amounts: Amounts = "euros"
    language: Language | Literal[""] = ""


def look_and_tell(watch: Watch) -> None:
    """Raises what is wrong, clears what is over, and tells each channel what it does not know yet.

    Raises `AlarmNotTold` if a channel failed; all the others have been told then.
    """
    try:
        with lease(watch.engine, watch.provider, purpose=Purpose.ALARMS):
            _look(watch)
            failures = [error for name in watch.channels if (error := _tell(watch, name))]
    except Busy:
        return  # another machine is telling at this moment
    if failures:
        others = [error.summary for error in failures[1:]]
        raise AlarmNotTold(failures[0].summary, failures[0].remedy, others)


def verify_record(watch: Watch) -> None:
    """Checks the whole audit record, and keeps the verdict: the alarm stands until one is clean."""
    with snapshot(watch.engine) as connection:
        report = chain.verify(connection, watch.provider)
    first, more = (*report.problems, "")[0], len(report.problems) - 1
    verdict = _("{problem}, and {count} more", problem=first, count=more) if more > 0 else first
    with writing(watch.engine) as connection:
        chores.note_done(connection, watch.provider, AUDIT_CHORE, at=watch.clock(), note=verdict)
        chain.note_count(connection, watch.provider, report, at=watch.clock())


def standing(
    connection: Connection,
    provider: str,
    settings: AlarmsSection,
    now: datetime,
    sent_log: SentLog | None = None,
    amounts: Amounts = "euros",
) -> list[Standing]:
    """Returns the alarms that stand now, the critical ones first.

    The reports are looked at afresh; about the machine the store is asked, which the schedule keeps:
    whoever calls `status` need not be able to read the certificate.
    """
    booked = {row.key: row for row in store.standing_rows(connection, provider)}
    found: dict[str, Alarm] = {
        item.key: item for item in conditions(connection, provider, settings, now, sent_log, amounts)
    }
    for key, row in booked.items():
        if (alarm := store.alarm_in(row)).kind in MACHINE_KINDS:
            found[key] = alarm
    result = [
        Standing(alarm, booked[key].raised_at if key in booked else now) for key, alarm in found.items()
    ]
    return sorted(result, key=lambda item: (item.alarm.severity is not Severity.CRITICAL, item.since))


def _look(watch: Watch) -> None:
    now = watch.clock()
    with snapshot(watch.engine) as connection:
        found = [
            *conditions(connection, watch.provider, watch.settings, now, watch.sent_log, watch.amounts),
            *machine_alarms(watch.machine, connection, now, watch.provider),
        ]
    with writing(watch.engine) as connection:
        store.enter(connection, watch.provider, found, at=now)


def _tell(watch: Watch, name: str) -> AjpesReportingError | None:
    """Sends alarms and notes them afterwards: after a crash an alarm is sent once more, not never."""
    now = watch.clock()
    repeat = timedelta(hours=watch.settings.repeat_hours)
    with watch.engine.connect() as connection:
        messages = store.to_tell(connection, watch.provider, name, repeat, now)
    if not messages:
        return None
    try:
        with speaking(watch.language or language()):
            watch.channels[name]().tell(Notification(watch.provider, now, tuple(messages)))
    except AjpesReportingError as error:
        _note_failure(watch, name, error.summary, now)
        return error
    with writing(watch.engine) as connection:
        store.note_told(connection, name, messages, at=now)
        chores.note_done(connection, watch.provider, TELLING_CHORE.format(channel=name), at=now, note="")
    return None


def _note_failure(watch: Watch, name: str, reason: Message, now: datetime) -> None:
    """Since when a channel fails, and why."""
    chore = TELLING_CHORE.format(channel=name)
    with writing(watch.engine) as connection:
        if not chores.note(connection, watch.provider, chore):
            chores.note_done(connection, watch.provider, chore, at=now, note=reason)
