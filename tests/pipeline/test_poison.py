"""One answer never stops anything else, whatever is in it and whichever way it came."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from ajpes_reporting.alarms.conditions import conditions
from ajpes_reporting.config import AlarmsSection
from ajpes_reporting.database import tables
from ajpes_reporting.database.engine import writing
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.domain.outcomes import Delivered, Outcome
from ajpes_reporting.domain.ports import Carrier, Handover, Parcel, Progress, RemoteAnswer
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import answers, chain
from ajpes_reporting.journal.answers import APPLIED, DISCARDED, UNMATCHED, UNREADABLE
from ajpes_reporting.pipeline import answers as door
from ajpes_reporting.pipeline.collect import take_by_hand
from ajpes_reporting.pipeline.operator_actions import discard
from tests import poison
from tests.pipeline.conftest import NOV_17, NOV_18, Bank, event
from tests.pipeline.test_thousand_answers import deliver, impatient, state

ALL = {**poison.UNREADABLE, **poison.UNMATCHED}
RIGHT = poison.answer(poison.made("2026-11-17T17:31:00"))


def statuses(bank: Bank) -> dict[str, str]:
    """What became of each answer, by its name where it lay."""
    with bank.context.engine.connect() as connection:
        rows = connection.execute(select(tables.answers.c.remote_name, tables.answers.c.status)).all()
    return {row.remote_name.removeprefix("nodurs/"): row.status for row in rows}


def put(bank: Bank, name: str, content: str | bytes) -> None:
    folder = bank.authority.folders.outgoing("nodurs")
    (folder / name).write_bytes(poison.as_bytes(content))


def test_answers_in_the_folder_stop_neither_each_other_nor_a_run(bank: Bank) -> None:
    """The one good answer among the bad ones counts, and the next day's report goes out."""
    key = deliver(impatient(bank), NOV_17)
    for number, content in enumerate(ALL.values()):
        put(bank, f"{number:03}.xml", content)
    put(bank, "right.xml", RIGHT)
    put(bank, "z.xml", "<BlokOdgovor/>")
    bank.collect()
    expected = [UNREADABLE] * len(poison.UNREADABLE) + [UNMATCHED] * len(poison.UNMATCHED)
    found = statuses(bank)
    assert [(name, found[f"{number:03}.xml"]) for number, name in enumerate(ALL)] == list(
        zip(ALL, expected, strict=True)
    )
    assert (found["right.xml"], found["z.xml"]) == (APPLIED, UNREADABLE)
    assert state(bank, key) is State.ACCEPTED
    bank.time.pass_by(days=1)
    bank.record(event("O-2", 1, recorded="2026-11-18T08:00:00"), name="more.csv")
    after = bank.run(period=NOV_18).submission
    assert after is not None
    assert after.state is State.ACCEPTED
    assert bank.problems() == ()


@pytest.mark.parametrize(
    ("way", "name"),
    [
        ("call", "a row in a row"),
        ("folder", "a text of 501 characters"),
        ("hand", "a type with a prefix that nobody knows"),
        ("folder", "NUL behind it"),
        ("hand", "blanks before its declaration"),
    ],
)
def test_what_breaks_the_schema_counts_whichever_way_it_comes(
    bank: Bank, tmp_path: Path, way: str, name: str
) -> None:
    """A verdict that can be read is the verdict, and the clerk is told what was odd about it."""
    content, fate = poison.LOOSE[name]
    if way == "call":
        bank.record(event("O-1", 1))
        sent = poisoned(bank, content).run(via="soap").submission
        assert sent is not None
        key = sent.id
    else:
        key = deliver(impatient(bank), NOV_17)
        (path := tmp_path / "answer.xml").write_text(content)
        put(bank, "answer.xml", content)
        (taken,) = bank.collect() if way == "folder" else take_by_hand(bank.context, [path])
        assert taken.status == APPLIED
    with bank.context.engine.connect() as connection:
        (answer,) = answers.of_submission(connection, key)
        told = chain.told_by(chain.of_submission(connection, key)[-1])
    assert state(bank, key).value == fate
    assert "the answer does not follow its schema: " in answer.note or "were passed over" in answer.note
    assert answer.note in told["why"]
    assert bank.problems() == ()


def test_loose_answers_in_the_folder_stop_nothing(bank: Bank) -> None:
    """Each that says something about the report counts at its turn, and none is left where it was stored."""
    key = deliver(impatient(bank), NOV_17)
    for number, (content, _fate) in enumerate(poison.LOOSE.values()):
        put(bank, f"{number:03}.xml", content)
    taken = bank.collect()
    assert len(taken) == len(poison.LOOSE)
    assert taken[0].status == APPLIED
    assert {one.status for one in taken[1:]} == {UNMATCHED}
    assert state(bank, key) is State.ACCEPTED


def test_a_call_need_not_say_what_it_is_about(bank: Bank) -> None:
    """What came back in the call is about the report that was sent with it, unless it says otherwise."""
    ends = {
        "<BlokOdgovor><Napaka vrsta='ERR'><Opis>ni</Opis></Napaka></BlokOdgovor>": State.REFUSED,
        '<BlokOdgovor><Ident idNapake="12"><OpisNapake>ni</OpisNapake></Ident></BlokOdgovor>': State.REFUSED,
        '<BlokOdgovor><Ident iErr="0" iWrn="0"/></BlokOdgovor>': State.ACCEPTED,
        '<BlokOdgovor><Ident iErr="0" iWrn="0" maticnaPonudnika="1234567000"/></BlokOdgovor>': State.UNKNOWN,
        '<BlokOdgovor><Ident iErr="0" iWrn="0" datumPodatkov="2020-01-01"/></BlokOdgovor>': State.UNKNOWN,
        "<BlokOdgovor><Napaka vrsta='WRN'><Opis>ni</Opis></Napaka></BlokOdgovor>": State.UNKNOWN,
    }
    found = []
    for number, content in enumerate(ends):
        period = replace(NOV_17, value=NOV_17.value + timedelta(days=number))
        bank.record(event(f"O-{number}", 1, recorded=f"{period.key}T08:00:00"), name=f"{number}.csv")
        result = poisoned(bank, content).run(period=period, via="soap").submission
        assert result is not None
        found.append(result.state)
        bank.time.pass_by(days=1)
    assert found == list(ends.values())
    assert bank.problems() == ()


_READ_LARGE = """
import json, pathlib, re, sys, time
from collections import deque
from ajpes_reporting.reports.loose_answers import LooseReader
from ajpes_reporting.reports.nodurs import NODURS
begun = time.process_time()
reader = LooseReader(pathlib.Path(sys.argv[1]), NODURS)
deque(reader.rows(), maxlen=0)
used = time.process_time() - begun
status = pathlib.Path("/proc/self/status").read_text()
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) // 1024
print(json.dumps([used, peak, reader.tally.errors]))
"""


@pytest.mark.parametrize(
    ("name", "errors"),
    [("a million names", 0), ("as many wrong attributes as one may have", 100_000)],
)
def test_what_breaks_the_schema_a_million_times_is_read_in_bounded_time_and_memory(
    tmp_path: Path, name: str, errors: int
) -> None:
    """However much of it is wrong, it costs as much as it is long; the limits are generous."""
    (path := tmp_path / "answer.xml").write_bytes(poison.as_bytes(poison.LARGE[name]()))
    command = [sys.executable, "-c", _READ_LARGE, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    seconds, mib, found = json.loads(done.stdout)
    assert seconds < 15
    assert mib < 200
    assert found == errors


def test_half_a_refusal_decides_nothing_and_is_told(bank: Bank, tmp_path: Path) -> None:
    """The rest of it may say otherwise; whoever looks at it is told what there is."""
    key = deliver(impatient(bank), NOV_17)
    (path := tmp_path / "half.xml").write_text(poison.answer(rows=poison.row().replace("WRN", "ERR"))[:-10])
    (taken,) = take_by_hand(bank.context, [path])
    assert (taken.status, state(bank, key)) == (UNREADABLE, State.DELIVERED)
    assert taken.note.endswith("; what there is of it speaks of errors")


def test_what_lies_stored_today_is_set_aside_by_the_next_run(bank: Bank, tmp_path: Path) -> None:
    """Workspaces in which such an answer has stopped everything go on by themselves."""
    path = tmp_path / "answer.xml"
    for content in poison.UNREADABLE.values():
        path.write_bytes(poison.as_bytes(content))
        stored = bank.context.archive.store(path, path.name, bank.context.clock())
        with writing(bank.context.engine) as connection:
            answers.store(
                connection, bank.context.provider, stored, "sftp", None, None, at=bank.context.clock()
            )
    bank.record(event("O-1", 1))
    result = bank.run().submission
    assert result is not None
    assert result.state is State.ACCEPTED
    with bank.context.engine.connect() as connection:
        assert list(answers.waiting(connection, bank.context.provider)) == []
        aside = answers.set_aside_answers(connection, bank.context.provider, 1_000)
    assert {row.note for row in aside if not row.note} == set()
    assert bank.problems() == ()


class Poisoned:
    """The way to AJPES, with another answer in the place of the one that came."""

    def __init__(self, carrier: Carrier, content: str | bytes) -> None:
        self.name = carrier.name
        self._carrier = carrier
        self._content = content

    def deliver(self, parcel: Parcel, progress: Progress, handover: Handover) -> Outcome:
        outcome = self._carrier.deliver(parcel, progress, handover)
        assert isinstance(outcome, Delivered)
        assert outcome.answer is not None
        outcome.answer.write_bytes(poison.as_bytes(self._content))
        return outcome


def poisoned(bank: Bank, content: str | bytes) -> Bank:
    """The bank, to which this comes as the answer to a SOAP call."""
    make = bank.context.carriers

    def carriers(report: str, via: str | None, folder: Path) -> list[Carrier]:
        return [Poisoned(each, content) for each in make(report, via, folder)]

    return replace(bank, context=replace(bank.context, carriers=carriers))


def test_an_answer_in_the_call_leaves_its_report_unknown_and_others_free(bank: Bank) -> None:
    """AJPES has the report; what they said of it a person has to find out, and tomorrow's goes out."""
    days = []
    for number, content in enumerate(ALL.values()):
        period = replace(NOV_17, value=NOV_17.value + timedelta(days=number))
        bank.record(event(f"O-{number}", 1, recorded=f"{period.key}T08:00:00"), name=f"{number}.csv")
        result = poisoned(bank, content).run(period=period, via="soap").submission
        assert result is not None
        days.append(result.state)
        bank.time.pass_by(days=1)
    assert days == [State.UNKNOWN] * len(ALL)
    assert len(bank.authority.store.submissions()) == len(ALL)
    assert bank.problems() == ()


def test_nothing_is_held_up_while_an_answer_is_read(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of a gigabyte is read while others write: no transaction is open, none is left open."""
    deliver(impatient(bank), NOV_17)
    read = door._read
    wrote = []

    def reading(*given: object) -> door.Reading:
        with writing(bank.context.engine) as connection:
            wrote.append(connection.exec_driver_sql("SELECT 1").scalar())
        return read(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(door, "_read", reading)
    put(bank, "right.xml", RIGHT)
    assert [one.status for one in bank.collect()] == [APPLIED]
    assert wrote == [1]


def test_what_nobody_foresaw_sets_an_answer_aside_with_its_reason(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours costs one answer, and a person is told; the next answer is read as ever."""
    key = deliver(impatient(bank), NOV_17)

    def broken(*_given: object) -> door.Reading:
        raise KeyError("zzz")

    with monkeypatch.context() as patch:
        patch.setattr(door, "_read", broken)
        put(bank, "first.xml", RIGHT)
        (taken,) = bank.collect()
    assert (taken.status, "KeyError" in taken.note) == (UNREADABLE, True)
    put(bank, "second.xml", RIGHT + " ")
    assert [one.status for one in bank.collect()] == [APPLIED]
    assert state(bank, key) is State.ACCEPTED


def test_a_disk_that_fails_is_not_the_answers_fault(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that could not be read for want of room is read again by the next run, and counts then."""
    key = deliver(impatient(bank), NOV_17)

    def full(*_given: object) -> door.Reading:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(door, "_read", full)
        put(bank, "answer.xml", RIGHT)
        (taken,) = bank.collect()
    assert (taken.status, taken.needs_a_person) == ("stored", True)
    assert [one.status for one in bank.collect()] == [APPLIED]
    assert state(bank, key) is State.ACCEPTED


def test_zeros_before_a_number_are_read(bank: Bank, tmp_path: Path) -> None:
    """A schema bounds the digits that count, and lets as many zeros stand before them as one likes."""
    key = deliver(impatient(bank), NOV_17)
    (path := tmp_path / "a.xml").write_text(RIGHT.replace('iErr="0"', f'iErr="{"0" * 10_000}1"'))
    assert [one.status for one in take_by_hand(bank.context, [path])] == [APPLIED]
    assert state(bank, key) is State.REFUSED


@pytest.mark.parametrize("name", ["a\0b.xml", "a" * 3_000])
def test_a_name_that_no_database_takes_stops_nothing(bank: Bank, name: str) -> None:
    """A server may call its files whatever it likes."""
    remote = RemoteAnswer("nodurs", name, 10, 1)
    stored = bank.context.archive.store(bank.folder / "ajpes.toml", "answer.xml", bank.context.clock())
    with writing(bank.context.engine) as connection:
        assert not answers.already_fetched(connection, bank.context.provider, remote)
        answers.store(
            connection, bank.context.provider, stored, "sftp", remote, None, at=bank.context.clock()
        )
        assert answers.already_fetched(connection, bank.context.provider, remote)


@pytest.mark.parametrize(
    "content",
    [b"obligation_id,issuer\nO-1,2\n", b"", b"<Nodurs/>", b"PK\x03\x04", b"<html><body/></html>"],
    ids=["a table", "nothing", "a report", "a workbook", "a page"],
)
def test_a_slip_of_the_hand_is_refused_before_anything_is_stored(
    bank: Bank, tmp_path: Path, content: bytes
) -> None:
    """It raises no alarm and stays nowhere, and of the other files none is taken in either."""
    deliver(impatient(bank), NOV_17)
    (right := tmp_path / "right.xml").write_text(RIGHT)
    (slip := tmp_path / "events.csv").write_bytes(content)
    with pytest.raises(UsageError, match=r"events\.csv is not an answer"):
        take_by_hand(bank.context, [right, slip])
    assert statuses(bank) == {}
    assert list(bank.context.archive.root.rglob("*events.csv*")) == []


def test_whatever_begins_like_an_answer_is_taken_in_by_hand_too(bank: Bank, tmp_path: Path) -> None:
    """A broken answer that came by mail is kept and shown, like one in the folder; the good one counts."""
    key = deliver(impatient(bank), NOV_17)
    paths = []
    for number, content in enumerate((*(one for one in ALL.values() if _begins(one)), RIGHT)):
        (path := tmp_path / f"{number:03}.xml").write_bytes(poison.as_bytes(content))
        paths.append(path)
    *bad, good = take_by_hand(bank.context, paths)
    assert len(bad) > len(ALL) - 8
    assert {one.status for one in bad} == {UNREADABLE, UNMATCHED}
    assert (good.status, state(bank, key)) == (APPLIED, State.ACCEPTED)


def _begins(content: str | bytes) -> bool:
    return poison.as_bytes(content).startswith(b"<BlokOdgovor")


def test_an_answer_that_was_set_aside_is_discarded_by_a_person(bank: Bank, tmp_path: Path) -> None:
    """The alarm ends, the bytes and the reason stay, and nothing else can be discarded."""
    deliver(impatient(bank), NOV_17)
    (path := tmp_path / "answer.xml").write_text("<BlokOdgovor/>")
    take_by_hand(bank.context, [path])
    settings, provider = AlarmsSection(), bank.context.provider

    def aside() -> list[str]:
        with bank.context.engine.connect() as connection:
            found = conditions(connection, provider, settings, bank.context.clock())
            return [alarm.key for alarm in found if alarm.key.startswith("aside")]

    assert aside() == ["aside 1"]
    discard(bank.context, 1, "a slip, Ms Novak")
    assert aside() == []
    with bank.context.engine.connect() as connection:
        assert answers.set_aside_answers(connection, provider, 10) == []
        assert answers.owned(connection, provider, 1).status == DISCARDED
        *_, last = chain.entries(connection)
    assert (last.kind, chain.told_by(last)) == ("answer discarded", {"answer": 1, "note": "a slip, Ms Novak"})
    assert bank.problems() == ()
    path.write_text(RIGHT)
    take_by_hand(bank.context, [path])
    for number in (1, 2, 3):
        with pytest.raises(UsageError, match=f"answer {number}|Answer {number}"):
            discard(bank.context, number, "again")
