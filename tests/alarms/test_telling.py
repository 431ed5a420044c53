"""Who is told what: each thing once, again after a day, its end once, and nothing lost on the way."""

from __future__ import annotations

import threading
import uuid
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert

from ajpes_reporting.alarms.notification import Notification
from ajpes_reporting.alarms.watch import Watch, look_and_tell, standing, verify_record
from ajpes_reporting.config import AlarmsSection
from ajpes_reporting.database.engine import writing
from ajpes_reporting.database.lease import Lease, Purpose, lease
from ajpes_reporting.database.tables import audit_records
from ajpes_reporting.deliver.way import Expiry
from ajpes_reporting.domain.errors import AlarmNotTold, Busy, ConfigurationError
from ajpes_reporting.journal import chain
from tests.alarms.conftest import NOW, PROVIDER, Notebook, watch

REPEAT = timedelta(hours=AlarmsSection().repeat_hours)


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Office:
    """A watch whose one trouble a test switches on and off: passwords that run out."""

    watch: Watch
    clock: Clock
    mail: Notebook
    webhook: Notebook
    wrong: dict[str, int] = field(default_factory=dict)  # name, days left

    def tick(self, *, forget: bool = True, **passes: float) -> list[tuple[str, str]]:
        """Looks and tells, after some time; returns what went by mail."""
        self.clock.now += timedelta(**passes)
        today = self.clock.now.date()
        found = tuple(Expiry("password", name, today + timedelta(days)) for name, days in self.wrong.items())
        machine = replace(self.watch.machine, expiries=found)
        look_and_tell(replace(self.watch, machine=machine))
        return self.mail.heard() if forget else []


@pytest.fixture
def office(engine: Engine, tmp_path: Path) -> Office:
    return make_office(engine, tmp_path)


def make_office(engine: Engine, folder: Path) -> Office:
    clock, mail, webhook = Clock(), Notebook(), Notebook()
    return Office(watch(engine, clock, folder, mail=mail, webhook=webhook), clock, mail, webhook)


def test_an_alarm_is_told_once_again_after_a_day_and_its_end_once(office: Office) -> None:
    """A mailbox that is full of the same alarm is not read any more."""
    office.wrong = {"soap": 5}
    assert office.tick() == [("raised", "password soap")]
    assert [office.tick(hours=1) for _ in range(23)] == [[]] * 23
    assert office.tick(hours=1) == [("reminded", "password soap")]
    assert office.tick(hours=1) == []
    office.wrong = {}
    assert office.tick(minutes=1) == [("cleared", "password soap")]
    assert office.tick(days=3) == []
    office.wrong = {"soap": 5}
    assert office.tick() == [("raised", "password soap")]


def test_all_alarms_of_one_tick_are_told_together_the_critical_first(office: Office) -> None:
    """One mail for one look at things."""
    office.wrong = {"a": 5, "b": -1, "c": 5}
    assert office.tick() == [("raised", "password b"), ("raised", "password a"), ("raised", "password c")]
    assert office.mail.bulletins == 1


def test_an_alarm_that_becomes_worse_is_told_at_once(office: Office) -> None:
    """What was a warning yesterday and is critical today does not wait for a reminder."""
    office.wrong = {"soap": 0}
    assert office.tick() == [("raised", "password soap")]
    office.wrong = {"soap": -1}
    assert office.tick(minutes=1) == [("raised", "password soap")]
    assert office.tick(minutes=1) == []
    office.wrong = {}
    assert office.tick(minutes=1) == [("cleared", "password soap")]
    assert office.tick(minutes=1) == []


def test_a_channel_that_fails_is_told_later_and_does_not_silence_the_other(office: Office) -> None:
    """The mail server is down for an hour: the webhook knows at once, the mail goes afterwards."""
    office.wrong, office.mail.fails = {"soap": 5}, True
    with pytest.raises(AlarmNotTold, match="line is cut"):
        office.tick()
    assert office.webhook.heard() == [("raised", "password soap")]
    with pytest.raises(AlarmNotTold):
        office.tick(hours=1)
    assert office.webhook.heard() == [("raised", "channel mail")]
    office.mail.fails = False
    assert office.tick(minutes=1) == [("raised", "password soap"), ("raised", "channel mail")]
    assert office.tick(minutes=1) == [("cleared", "channel mail")]
    assert office.webhook.heard() == [("cleared", "channel mail")]


def test_a_channel_that_cannot_even_be_made_is_one_that_failed(office: Office) -> None:
    """A password file that is missing does not keep reports, or the other channel, from their work."""

    def unusable() -> Notebook:
        raise ConfigurationError("mail.password points nowhere.", "mend it")

    office.wrong = {"soap": 5}
    office.watch = replace(office.watch, channels={**office.watch.channels, "mail": unusable})
    with pytest.raises(AlarmNotTold, match="points nowhere"):
        office.tick()
    assert office.webhook.heard() == [("raised", "password soap")]


def test_only_those_who_were_told_are_told_that_it_is_over(office: Office) -> None:
    """Nobody is told of the end of something unheard of."""
    office.wrong, office.mail.fails = {"soap": 5}, True
    with pytest.raises(AlarmNotTold):
        office.tick()
    office.wrong, office.mail.fails = {}, False
    office.webhook.heard()
    assert office.tick(minutes=1) == []
    assert office.webhook.heard() == [("cleared", "password soap")]


def test_a_clock_that_is_put_back_does_not_repeat_alarms(office: Office) -> None:
    """An hour that comes twice is no reason to tell at every tick."""
    office.wrong = {"soap": 5}
    assert office.tick() == [("raised", "password soap")]
    office.wrong = {"soap": -1}
    office.mail.fails = True
    with pytest.raises(AlarmNotTold):
        office.tick(hours=1)
    office.mail.fails = False
    assert office.tick(hours=-1) == [("raised", "password soap")]
    assert [office.tick(minutes=1) for _ in range(5)] == [[]] * 5


def test_two_machines_that_look_at_once_tell_once(office: Office) -> None:
    """While one is telling, the other leaves it alone, and has nothing left to tell afterwards."""
    entered, go_on = threading.Event(), threading.Event()

    class Slow(Notebook):
        def tell(self, notification: Notification) -> str:
            entered.set()
            assert go_on.wait(10)
            return super().tell(notification)

    slow = Slow()
    office.wrong = {"soap": 5}
    office.watch = replace(office.watch, channels={"mail": lambda: slow})
    first = threading.Thread(target=office.tick)
    first.start()
    assert entered.wait(10)
    office.tick()
    assert slow.told == []
    go_on.set()
    first.join(10)
    office.tick()
    assert [item.alarm.key for item in slow.told] == ["password soap"]


def assert_busy(lock: AbstractContextManager[Lease]) -> None:
    with pytest.raises(Busy), lock:
        pass


def test_the_turn_is_per_provider_and_ends(engine: Engine) -> None:
    """One bank of a service bureau does not wait for another, nor for itself afterwards."""
    alarms = partial(lease, engine, purpose=Purpose.ALARMS)
    with alarms(PROVIDER), alarms("5860580000"), lease(engine, PROVIDER):
        assert_busy(alarms(PROVIDER))
    with alarms(PROVIDER):
        pass


def test_a_broken_record_stands_until_a_check_is_clean(office: Office, engine: Engine) -> None:
    """The check is made once a day; its verdict is not forgotten at the next tick."""
    with writing(engine) as connection:
        chain.append(connection, at=NOW, provider=PROVIDER, kind="note", body={})
    verify_record(office.watch)
    assert office.tick() == []
    with writing(engine) as connection:
        forged = {"seq": 2, "at": NOW.isoformat(), "provider": PROVIDER, "kind": "note", "body": "{}",
                  "previous_hash": "0" * 64, "hash": "f" * 64}  # fmt: skip
        connection.execute(insert(audit_records).values(forged))
    verify_record(office.watch)
    assert office.tick() == [("raised", "audit")]
    with engine.connect() as connection:
        stands = standing(connection, PROVIDER, AlarmsSection(), office.clock())[0]
    assert "entry 2 does not follow" in stands.alarm.text
    assert office.tick(minutes=1) == []


# --- Over random histories ---

EXPIRES_SOON, EXPIRED = 5, -1
STEPS = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from("abc"), st.sampled_from((EXPIRES_SOON, EXPIRED))),  # what is wrong
        st.sets(st.sampled_from(("mail", "webhook"))),  # which channels fail
        st.integers(1, 30 * 60),  # minutes until then
    ),
    max_size=12,
)


@given(steps=STEPS)
@hypothesis_settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_nothing_is_told_twice_and_nothing_is_lost(
    engine: Engine, tmp_path: Path, steps: list[tuple[dict[str, int], set[str], int]]
) -> None:
    """Whatever goes wrong in whatever order, with channels that fail for a while: each is told right."""
    office = make_office(engine, tmp_path)
    provider = str(uuid.uuid4().int % 10**10)  # a history of its own in the same database
    office.watch = replace(office.watch, provider=provider)
    models = {"mail": Model(office.mail), "webhook": Model(office.webhook)}
    for wrong, failing, minutes in [*steps, ({}, set(), 1)]:
        office.wrong = wrong
        for name, model in models.items():
            model.channel.fails = name in failing
        try:
            office.tick(minutes=minutes, forget=False)
        except AlarmNotTold:
            assert failing
        for model in models.values():
            model.follow(wrong, office.clock.now)


@dataclass
class Model:
    """What a channel ought to hear, told in other words than the program's."""

    channel: Notebook
    told_at: dict[str, datetime | None] = field(default_factory=dict)  # nothing: told, and out of date
    ends_owed: list[str] = field(default_factory=list)
    before: dict[str, int] = field(default_factory=dict)

    def follow(self, wrong: dict[str, int], now: datetime) -> None:
        """Goes one step along, and compares."""
        self._change(wrong)
        expected = [("cleared", f"password {name}") for name in self.ends_owed]
        for name in wrong:
            occasion = self._occasion(name, now)
            if occasion:
                expected.append((occasion, f"password {name}"))
            if occasion and not self.channel.fails:
                self.told_at[name] = now
        heard = [item for item in self.channel.heard() if not item[1].startswith("channel")]
        assert sorted(heard) == ([] if self.channel.fails else sorted(expected))
        if not self.channel.fails:
            self.ends_owed.clear()

    def _change(self, wrong: dict[str, int]) -> None:
        for name in set(self.told_at) - set(wrong):
            del self.told_at[name]
            self.ends_owed.append(name)
        for name in self.told_at:
            if self.before.get(name, wrong[name]) != wrong[name]:
                self.told_at[name] = None
        self.before = dict(wrong)

    def _occasion(self, name: str, now: datetime) -> str:
        if self.told_at.get(name) is None:
            return "raised"
        last = self.told_at[name]
        return "reminded" if last is not None and now - last >= REPEAT else ""
