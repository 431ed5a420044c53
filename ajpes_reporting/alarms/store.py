"""The store of alarms: which stand, since when, and who has been told what.

One row of `alarms` is one time that something went wrong, from when it was seen until it was seen
to be over. It is told to each channel when it is raised, again after some hours while it stands,
and once when it is over; `alarm_messages` holds what was told. A message is noted only when the
channel has taken it, so what could not be told stays to be told.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, exists, insert, or_, select, update

from ajpes_reporting.alarms.alarm import Alarm, Severity
from ajpes_reporting.alarms.notification import Notice, Occasion
from ajpes_reporting.database.tables import alarm_messages, alarms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime, timedelta


def enter(connection: Connection, provider: str, found: Iterable[Alarm], *, at: datetime) -> None:
    """Makes the store say what is wrong now: raises what is new, and clears what is over."""
    wanted = {alarm.key: alarm for alarm in found}
    known = {row.key: row for row in standing_rows(connection, provider)}
    for key in known.keys() - wanted.keys():
        _change(connection, known[key], cleared_at=at)
    for key, alarm in wanted.items():
        if key in known:
            _renew(connection, known[key], alarm, at)
        else:
            values = {"provider": provider, "key": key, "raised_at": at, **_words(alarm)}
            connection.execute(insert(alarms).values(values))


def standing_rows(connection: Connection, provider: str) -> Sequence[Row[Any]]:
    """The alarms that the store holds for standing, oldest first."""
    stands = (alarms.c.provider == provider, alarms.c.cleared_at.is_(None))
    return connection.execute(select(alarms).where(*stands).order_by(alarms.c.id)).all()


def alarm_in(row: Row[Any]) -> Alarm:
    """The alarm that a row of the store holds."""
    return Alarm(row.key, Severity(row.severity), row.text, row.remedy)


def to_tell(
    connection: Connection, provider: str, channel: str, repeat: timedelta, now: datetime
) -> list[Notice]:
    """Returns the messages for a channel now: the critical ones first, those that are over last."""
    rows = _of_interest(connection, provider, channel)
    told = _told(connection, channel, [row.id for row in rows])
    due = [(row, _occasion(row, told[row.id], repeat, now)) for row in rows]
    messages = [
        Notice(row.id, occasion, alarm_in(row), row.raised_at, row.cleared_at)
        for row, occasion in due
        if occasion is not None
    ]
    return sorted(messages, key=_urgency)


def note_told(connection: Connection, channel: str, messages: Iterable[Notice], *, at: datetime) -> None:
    """Notes that a channel has taken these."""
    values = [
        # Not before it was raised, also if the clock was put back: it would be told at every tick.
        {
            "alarm": item.id,
            "channel": channel,
            "occasion": item.occasion.value,
            "told_at": max(at, item.since),
        }
        for item in messages
    ]
    if values:
        connection.execute(insert(alarm_messages), values)


def _renew(connection: Connection, row: Row[Any], alarm: Alarm, at: datetime) -> None:
    """An alarm that became worse counts as raised now, so that it is told at once."""
    if row.severity != alarm.severity.value:
        _change(connection, row, raised_at=at, **_words(alarm))
    elif _words(alarm) != {"severity": row.severity, "text": row.text, "remedy": row.remedy}:
        _change(connection, row, **_words(alarm))


def _words(alarm: Alarm) -> dict[str, str]:
    return {"severity": alarm.severity.value, "text": alarm.text, "remedy": alarm.remedy}


def _change(connection: Connection, row: Row[Any], **values: Any) -> None:
    connection.execute(update(alarms).where(alarms.c.id == row.id).values(values))


def _of_interest(connection: Connection, provider: str, channel: str) -> Sequence[Row[Any]]:
    """Returns the alarms that stand, and those that are over but whose end this channel was not told."""
    said = (alarm_messages.c.alarm == alarms.c.id, alarm_messages.c.channel == channel)
    ended = alarm_messages.c.occasion == Occasion.CLEARED.value
    was_told, was_ended = exists().where(*said), exists().where(*said, ended)
    open_end = or_(alarms.c.cleared_at.is_(None), was_told & ~was_ended)
    return connection.execute(
        select(alarms).where(alarms.c.provider == provider, open_end).order_by(alarms.c.id)
    ).all()


def _told(connection: Connection, channel: str, keys: Sequence[int]) -> Mapping[int, list[datetime]]:
    """Returns the times at which each of these alarms was sent to a channel."""
    rows = connection.execute(
        select(alarm_messages.c.alarm, alarm_messages.c.told_at).where(
            alarm_messages.c.channel == channel, alarm_messages.c.alarm.in_(keys)
        )
    )
    found: dict[int, list[datetime]] = defaultdict(list)
    for row in rows:
        found[row.alarm].append(row.told_at)
    return found


def _occasion(row: Row[Any], told: Sequence[datetime], repeat: timedelta, now: datetime) -> Occasion | None:
    if row.cleared_at is not None:
        return Occasion.CLEARED
    if not told or max(told) < row.raised_at:
        return Occasion.RAISED
    return Occasion.REMINDED if now >= max(told) + repeat else None


def _urgency(message: Notice) -> tuple[bool, bool, int]:
    return (
        message.occasion is Occasion.CLEARED,
        message.alarm.severity is not Severity.CRITICAL,
        message.id,
    )
