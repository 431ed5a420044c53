"""What raises an alarm, and what ends it; and that no alarm tells whose accounts these are."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from sqlalchemy import Engine, update

from ajpes_reporting.alarms.alarm import JOURNAL_KINDS, MACHINE_KINDS, Alarm, Severity
from ajpes_reporting.alarms.conditions import conditions
from ajpes_reporting.alarms.machine import Machine, certificate, machine_alarms
from ajpes_reporting.alarms.watch import standing
from ajpes_reporting.config import AlarmsSection
from ajpes_reporting.database.engine import writing
from ajpes_reporting.database.tables import due_reports, submissions
from ajpes_reporting.deliver.tls import TlsSettings, certificate_dates
from ajpes_reporting.deliver.way import Expiry
from ajpes_reporting.doctor import Diagnosis, Health
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.i18n import Message
from ajpes_reporting.journal import chain, chores, due
from ajpes_reporting.pipeline.operator_actions import resolve
from tests.alarms.conftest import NOW, PROVIDER
from tests.pipeline.conftest import NOV_17, NOV_18, Bank, event

ROOT = Path(__file__).parents[2]
PERSONAL = ("Kovinarstvo", "50123459", "010000000100187", "O-1")


def alarms(bank: Bank) -> dict[str, Alarm]:
    """What is wrong now, by kind; none of it may name a customer."""
    with bank.context.engine.connect() as connection:
        found = list(conditions(connection, bank.context.provider, AlarmsSection(), bank.time()))
    for alarm in found:
        assert not [word for word in PERSONAL if word in alarm.key + alarm.text + alarm.remedy]
        assert len(alarm.key) <= 80
    return {alarm.kind: alarm for alarm in found}


@pytest.fixture
def early(bank: Bank) -> Bank:
    """The bank at ten past four: nothing is urgent yet."""
    bank.time.now = bank.time.now.replace(hour=16, minute=10)
    bank.record(event("O-1", 1, recorded="2026-11-17T08:00:00"))
    return bank


def test_a_report_that_goes_well_raises_nothing(early: Bank) -> None:
    """An alarm means something."""
    early.run()
    early.time.pass_by(days=1)
    assert alarms(early) == {}


def test_a_deadline_that_comes_near_is_a_warning_and_then_critical(early: Bank) -> None:
    """Section 2: by 18:00 it must be accepted; an hour before there is still time to act."""
    early.authority.faults.add("soap", "refuse")
    early.authority.faults.add("sftp", "refuse")
    early.run()
    early.time.now = early.time.now.replace(hour=16, minute=59)
    assert "deadline" not in alarms(early)
    early.time.pass_by(minutes=1)
    near = alarms(early)["deadline"]
    assert (near.key, near.severity) == ("deadline NODURS 2026-11-17", Severity.WARNING)
    assert "is due 2026-11-17 18:00" in near.text
    early.time.pass_by(hours=1)
    late = alarms(early)["deadline"]
    assert (late.key, late.severity) == (near.key, Severity.CRITICAL)
    early.authority.faults.clear()
    early.run()
    assert alarms(early) == {}


def test_a_quiet_day_raises_nothing_until_something_comes(early: Bank) -> None:
    """A day without changes is no failure; an event that came afterwards and is refused is one."""
    early.run()
    early.time.pass_by(days=1)
    early.run(period=NOV_18)
    early.time.now = early.time.now.replace(hour=17, minute=30)
    assert alarms(early) == {}
    early.record(event("O-2", 1, recorded="2026-11-18T17:20:00"))
    early.authority.faults.add("soap", "fault", code="Client", times=1)
    early.run(period=NOV_18)
    assert set(alarms(early)) == {"deadline", "refused"}
    early.time.pass_by(hours=1)
    assert "refused" in alarms(early)


def test_a_refusal_stands_until_it_is_corrected_and_a_second_one_is_another(early: Bank) -> None:
    """Nobody waits for a report that AJPES has thrown back; mended, the alarm is over."""
    early.authority.faults.add("soap", "fault", code="Client", times=2)
    early.run()
    first = alarms(early)["refused"]
    assert (first.key, first.severity) == ("refused NODURS 2026-11-17 no. 1", Severity.CRITICAL)
    early.resubmit(1, same=True)
    assert alarms(early)["refused"].key == "refused NODURS 2026-11-17 no. 2"
    early.resubmit(2, same=True)
    assert alarms(early) == {}


def test_a_message_that_was_turned_away_is_not_blamed_on_the_ledger(early: Bank) -> None:
    """A wrong password is mended in the settings, and then the very same bytes go."""
    early.authority.faults.add("soap", "fault", code="Client", times=1)
    early.run()
    (alarm,) = (alarm for key, alarm in alarms(early).items() if key.startswith("refused"))
    assert "correct [soap]" in alarm.remedy
    assert "--same" in alarm.remedy


def test_a_refused_day_that_a_later_report_brings_home_is_over(early: Bank) -> None:
    """The events are reported; the old refusal needs nobody any more."""
    early.authority.faults.add("soap", "fault", code="Client", times=1)
    early.run()
    early.time.pass_by(days=1)
    early.run(period=NOV_18)
    assert alarms(early) == {}


def test_an_unknown_outcome_stands_until_somebody_settles_it(early: Bank) -> None:
    """It is not sent again by itself, so a person must know."""
    early.authority.faults.add("soap", "html", times=1)
    early.run()
    assert alarms(early)["unknown"].severity is Severity.CRITICAL
    resolve(early.context, 1, "never-arrived", "they found no trace")
    assert alarms(early) == {}


def test_an_answer_that_does_not_come_is_asked_for(early: Bank) -> None:
    """Delivered is not accepted: after three hours somebody asks AJPES."""
    early.authority.faults.add("sftp", "no_answer", times=1)
    early.run(via="sftp")
    early.time.pass_by(hours=2, minutes=59)
    assert "answer" not in alarms(early)
    early.time.pass_by(minutes=2)
    assert "submission 1" in alarms(early)["answer"].text


def test_our_own_checks_that_refuse_are_told(early: Bank) -> None:
    """Nothing was sent, and nothing will be before the ledger is corrected."""
    early.record(event("O-2", 1, change_type="77"))
    strict = Bank(early.folder, replace(early.context, strict=True), early.time, early.authority)
    strict.run()
    assert alarms(early)["checks"].severity is Severity.CRITICAL
    early.run()
    assert alarms(early) == {}


def test_a_report_that_is_held_is_told_until_it_is_released(early: Bank) -> None:
    """A volume far outside the usual waits for a person, who must know of it."""
    early.run()
    hold(early, held_because="it has 9,000 records", released_at=None)
    assert "it has 9,000 records" in alarms(early)["held"].text
    hold(early, released_at=early.time())
    assert alarms(early) == {}


def hold(bank: Bank, **values: object) -> None:
    with writing(bank.context.engine) as connection:
        connection.execute(update(submissions).values(state="prepared", **values))
        connection.execute(update(due_reports).values(settled_as=None, settled_at=None))


def test_what_does_not_get_through_is_told_before_the_deadline_is_near(early: Bank) -> None:
    """After a quarter of an hour of failures an administrator looks at the line."""
    early.authority.faults.add("soap", "refuse")
    early.authority.faults.add("sftp", "refuse")
    early.run()
    for tries in (4, 5):
        with writing(early.context.engine) as connection:
            due.put_off(connection, early.context.provider, "NODURS", NOV_17.key, tries, None)
        assert ("tries" in alarms(early)) == (tries == 5)
    early.authority.faults.clear()
    early.run()
    assert alarms(early) == {}


def test_an_answer_that_fits_nothing_is_news_for_three_days(early: Bank) -> None:
    """It may belong to a report that counts as unknown; after that it stands in status only."""
    early.run()
    (early.authority.folder / "nodurs" / "iz_ajpes" / "answer.xml").write_bytes(b"<html></html>")
    early.collect()
    assert "Answer 2 from AJPES was kept and not applied: it is unreadable." in alarms(early)["aside"].text
    early.time.pass_by(days=3)
    assert alarms(early) == {}


def test_a_broken_record_is_critical(early: Bank) -> None:
    """The last verdict of the daily check stands."""
    with writing(early.context.engine) as connection:
        chores.note_done(
            connection, early.context.provider, "audit record", at=NOW, note="entry 2 was changed"
        )
    assert alarms(early)["audit"].severity is Severity.CRITICAL
    with writing(early.context.engine) as connection:
        chores.note_done(connection, early.context.provider, "audit record", at=NOW)
    assert "audit" in alarms(early)
    with writing(early.context.engine) as connection:
        chores.note_done(connection, early.context.provider, "audit record", at=NOW, note="")
    assert alarms(early) == {}


def test_another_provider_s_troubles_are_not_ours(early: Bank) -> None:
    """In a service bureau each bank hears of its own reports only."""
    early.authority.faults.add("soap", "html", times=1)
    early.run()
    with early.context.engine.connect() as connection:
        assert list(conditions(connection, "5860580000", AlarmsSection(), early.time())) == []


def test_status_shows_what_is_wrong_now_whatever_the_book_says(early: Bank) -> None:
    """A clerk who has just settled something does not wait for the next tick to see it."""
    early.authority.faults.add("soap", "html", times=1)
    early.run()
    with early.context.engine.connect() as connection:
        (found,) = standing(connection, early.context.provider, AlarmsSection(), early.time())
    assert (found.alarm.kind, found.since) == ("unknown", early.time())
    resolve(early.context, 1, "never-arrived", "they found no trace")
    with early.context.engine.connect() as connection:
        assert standing(connection, early.context.provider, AlarmsSection(), early.time()) == []


# --- The machine ---


def machine(folder: Path, **values: object) -> Machine:
    return replace(Machine((folder,), {}, (), 30, 0), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("days", "severity"), [(30, None), (29, Severity.WARNING), (0, Severity.WARNING), (-1, Severity.CRITICAL)]
)
def test_what_is_about_to_expire_is_told_in_time(
    engine: Engine, tmp_path: Path, days: int, severity: Severity | None
) -> None:
    """Thirty days are enough to get a new certificate, password or host key; the last day still counts."""
    pem = tmp_path / "own.pem"
    issued = trustme.CA().issue_cert("bank.example", not_after=NOW + timedelta(days=days, hours=1))
    pem.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
    last_day = NOW.astimezone(LJUBLJANA).date() + timedelta(days=days)
    asked = machine(
        tmp_path,
        certificates={"soap": lambda: certificate_dates(TlsSettings(certificate=pem))},
        expiries=(
            Expiry("password", "soap.password", last_day),
            Expiry("host-key", "sftp.host_key", last_day),
        ),
    )
    found = [item for item in look(asked, engine, NOW) if item.kind != "clock"]
    assert [item.severity for item in found] == ([] if severity is None else [severity] * 3)
    assert severity is None or [item.kind for item in found] == ["certificate", "password", "host-key"]


def test_a_certificate_that_cannot_be_read_is_told_and_hides_nothing(engine: Engine, tmp_path: Path) -> None:
    """A file that somebody moved is found in the night before, not at the deadline."""
    asked = machine(
        tmp_path,
        certificates={"soap": lambda: certificate_dates(TlsSettings(certificate=tmp_path / "gone.pem"))},
        free_disk_bytes=1 << 62,
    )
    found = {item.kind: item for item in look(asked, engine, NOW)}
    assert found["certificate"].severity is Severity.CRITICAL
    assert "gone.pem" in found["certificate"].text
    assert found["disk"].severity is Severity.WARNING


def test_each_of_two_certificates_is_told_by_its_way(engine: Engine, tmp_path: Path) -> None:
    """One that cannot be read does not hide that the other one runs out."""
    pem = tmp_path / "own.pem"
    issued = trustme.CA().issue_cert("bank.example", not_after=NOW + timedelta(days=5))
    pem.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
    asked = machine(
        tmp_path,
        certificates={
            "rest": lambda: certificate_dates(TlsSettings(certificate=tmp_path / "gone.pem")),
            "soap": lambda: certificate_dates(TlsSettings(certificate=pem)),
        },
    )
    found = {item.key: item.text for item in look(asked, engine, NOW) if item.kind == "certificate"}
    assert list(found) == ["certificate for rest", "certificate for soap"]
    assert "gone.pem" in found["certificate for rest"]
    assert found["certificate for soap"].startswith("Our client certificate for SOAP is valid until")


def test_the_subject_of_a_certificate_is_nobody_s_business_but_the_doctor_s(tmp_path: Path) -> None:
    """It may name a person; mails go to many."""
    pem = tmp_path / "own.pem"
    issued = trustme.CA().issue_cert("bank.example", common_name="Ana Novak", not_after=NOW)
    pem.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
    asked = machine(tmp_path, certificates={"soap": lambda: certificate_dates(TlsSettings(certificate=pem))})
    (found,) = certificate(asked, "soap", NOW + timedelta(days=1))
    assert found.alarm is not None
    assert "Ana Novak" in found.detail
    assert "Ana Novak" not in found.alarm.key + found.alarm.text + found.alarm.remedy


def test_a_clock_that_the_record_contradicts_is_told(engine: Engine, tmp_path: Path) -> None:
    """An entry from the future means that this clock was put back, until a later entry is right."""
    now = datetime.now(UTC)
    for ahead, told in ((timedelta(minutes=10), True), (timedelta(0), False)):
        with writing(engine) as connection:
            chain.append(connection, at=now + ahead, provider=PROVIDER, kind="note", body={})
        assert ["later than this clock" in item.text for item in look(machine(tmp_path), engine, now)] == [
            True
        ] * told


@pytest.mark.parametrize(("minutes", "word"), [(0, ""), (3, "behind"), (-3, "ahead")])
def test_a_clock_that_the_database_server_contradicts_is_told(
    engine: Engine, tmp_path: Path, minutes: int, word: str
) -> None:
    """Two machines rarely go wrong alike; SQLite has no clock of its own."""
    found = look(machine(tmp_path), engine, datetime.now(UTC) + timedelta(minutes=minutes))
    if engine.dialect.name == "sqlite" or not word:
        assert found == []
    else:
        (alarm,) = found
        assert f"180 seconds {word}" in alarm.text.replace("179", "180").replace("181", "180")


def look(asked: Machine, engine: Engine, now: datetime) -> list[Alarm]:
    with engine.connect() as connection:
        return list(machine_alarms(asked, connection, now))


# --- The page ---


def test_every_alarm_is_explained_to_the_operator() -> None:
    """Whoever gets a mail finds its first word in the manual, and no alarm that there is not."""
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    section = page.split("\n## Alarms\n")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE)) == MACHINE_KINDS | JOURNAL_KINDS


def test_the_doctor_has_a_word_for_every_alarm() -> None:
    """Protects an administrator from keys of the program in a table that he reads."""
    for kind in JOURNAL_KINDS:
        title = Diagnosis(kind, Health.ALARM, "").title
        assert isinstance(title, Message), kind
        assert title.told_in("sl") != kind
