"""An answer that was set aside finds its report by a person's word, on the record, and no other way."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import timedelta

import pytest

from ajpes_reporting.cli.main import run as command_line
from ajpes_reporting.database import tables
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import answers, chain
from ajpes_reporting.journal.answers import APPLIED, DUPLICATE, UNMATCHED
from ajpes_reporting.pipeline import answers as door
from ajpes_reporting.pipeline.collect import take_by_hand
from ajpes_reporting.pipeline.operator_actions import assign, discard, resolve
from ajpes_reporting.pipeline.run import Ending
from tests import poison
from tests.pipeline.conftest import NOV_17, NOV_18, Bank, event
from tests.pipeline.test_thousand_answers import deliver, impatient, state

# The report was sent at 17:00 in Ljubljana; this is half an hour later, told in UTC without saying so.
IN_UTC = "2026-11-17T16:30:00"


def by_hand(bank: Bank, content: str, name: str = "answer.xml") -> door.Taken:
    (path := bank.folder / name).write_text(content, encoding="utf-8")
    (taken,) = take_by_hand(bank.context, [path])
    return taken


def test_an_answer_is_assigned_on_the_record(bank: Bank, told: Callable[..., str]) -> None:
    """A time that AJPES wrote in UTC is no dead end: a person says what it belongs to, and it counts once."""
    key = deliver(impatient(bank), NOV_17)
    content = poison.answer(poison.made(IN_UTC))
    assert by_hand(bank, content).status == UNMATCHED
    listed = told("answers", "list")
    assert f"If answer 1 belongs to submission {key}:" in listed
    assert f"answers assign 1 {key} --reason" in listed
    (row,) = json.loads(told("answers", "list", "--json"))
    assert (row["report"], row["period"], row["candidates"]) == ("NODURS", "2026-11-17", [key])
    command = ["-w", str(bank.folder), "answers", "assign", "1", str(key), "--reason", "Ms Novak, AJPES"]
    assert command_line(command) == 0
    assert state(bank, key) is State.ACCEPTED
    with bank.context.engine.connect() as connection:
        assert answers.owned(connection, bank.context.provider, 1).status == APPLIED
        assigned, moved = chain.of_submission(connection, key)[-2:]
    assert (assigned.kind, chain.told_by(assigned)) == (
        "answer assigned", {"answer": 1, "note": "a person's word: Ms Novak, AJPES"},
    )  # fmt: skip
    assert "assigned by a person: Ms Novak, AJPES" in chain.told_by(moved)["why"]
    assert "assigned by a person" in told("show", str(key))
    assert by_hand(bank, content, "copy.xml").status == DUPLICATE
    assert command_line(command) == 2
    assert (bank.pending(), bank.problems()) == (0, ())


def test_an_assigned_refusal_leaves_with_its_code(bank: Bank, told: Callable[..., str]) -> None:
    """A script that assigns learns that the report has to be corrected, and which record is wrong."""
    key = deliver(impatient(bank), NOV_17)
    by_hand(bank, '<BlokOdgovor><Napaka blokId="O-1" dogId="1" vrsta="ERR"/></BlokOdgovor>')
    (row,) = json.loads(told("answers", "list", "--json"))
    assert (row["note"].split(";")[0], row["candidates"]) == (
        "the answer does not say which provider it is about", [key],
    )  # fmt: skip
    command = ["-w", str(bank.folder), "answers", "assign", "1", str(key), "--reason", "x", "--json"]
    assert command_line(command) == 4
    assert (state(bank, key), bank.problems()) == (State.REFUSED, ())
    assert "O-1 / event 1" in told("show", str(key))


def test_a_person_cannot_say_the_contrary_of_what_an_answer_says(
    bank: Bank, told: Callable[..., str]
) -> None:
    """A slip of a number settles no other report, and changes nothing."""
    first = deliver(impatient(bank), NOV_17)
    bank.time.pass_by(days=1)
    second = deliver(impatient(bank), NOV_18)
    bank.record(event("O-9", 1, recorded="2026-11-18T09:00:00"), name="held.csv")
    old = poison.made(IN_UTC)
    for content in (
        poison.answer(old),
        "<BlokOdgovor/>",
        poison.answer(old).replace("5860571000", "1234567000"),
        poison.answer(old).replace('2026-11-17" iErr', '9999-99-99" iErr'),
        poison.answer(old + ' x="1"'),
    ):
        assert not by_hand(bank, content).submission
    discard(bank.context, 5, "a slip")
    listed = json.loads(told("answers", "list", "--json"))
    assert {row["id"]: row["candidates"] for row in listed} == {1: [first], 2: [], 3: [], 4: []}
    refused = {
        (1, second): "is about NODURS for 2026-11-17; submission 2 is NODURS for 2026-11-18",
        (2, first): "the answer does not say how many errors there are",
        (3, first): "the answer is about provider 1234567000",
        (4, first): "is about NODURS for 9999-99-9",
        (5, first): "Answer 5 is discarded",
        (6, first): "There is no answer 6",
        (1, 99): "There is no submission 99",
    }
    before = _everything(bank)
    for (answer, submission), words in refused.items():
        with pytest.raises(UsageError) as error:
            assign(bank.context, answer, submission, "x")
        assert words in error.value.message
        assert error.value.remedy
    assert _everything(bank) == before
    assign(bank.context, 1, first, "x")
    assert (state(bank, first), state(bank, second)) == (State.ACCEPTED, State.DELIVERED)


def _everything(bank: Bank) -> list[object]:
    with bank.context.engine.connect() as connection:
        return [*connection.execute(tables.answers.select()), *chain.entries(connection)]


def test_only_what_was_sent_and_not_answered_takes_an_answer(bank: Bank) -> None:
    """What never left cannot have been answered, and what was answered keeps its answer."""
    bank.authority.faults.add("soap", "refuse")
    bank.record(event("O-1", 1))
    unsent = bank.run(via="soap").submission
    bank.authority.faults.clear()
    by_hand(bank, poison.answer(rows=poison.row()))
    assert unsent is not None
    with pytest.raises(UsageError, match="was never sent from here"):
        assign(bank.context, 1, unsent.id, "x")
    discard(bank.context, 1, "a slip")
    assert bank.run(via="soap").submission is not None
    assert state(bank, unsent.id) is State.ACCEPTED
    by_hand(bank, poison.answer())
    with pytest.raises(UsageError, match="is accepted already"):
        assign(bank.context, 3, unsent.id, "x")
    assert bank.problems() == ()


def test_a_report_that_was_taken_for_lost_can_still_be_answered(bank: Bank) -> None:
    """Somebody said too early that it never arrived, and another report went; AJPES accepted the first."""
    bank = impatient(bank)
    first = deliver(bank, NOV_17)
    resolve(bank.context, first, "never-arrived", "asked too early")
    bank.record(event("O-2", 1), name="more.csv")
    bank.time.pass_by(minutes=30)
    bank.authority.faults.add("sftp", "no_answer", times=1)
    again = bank.run(via="sftp").submission
    assert again is not None
    by_hand(bank, poison.answer(poison.made("2026-11-17T17:01:00")))
    taken = assign(bank.context, 1, first, "AJPES names the file of 17:00")
    assert taken.submission is not None
    assert (state(bank, first), state(bank, again.id)) == (State.ACCEPTED, State.DELIVERED)
    assert (bank.pending(), bank.problems()) == (1, ())


@pytest.mark.parametrize(("put_out", "status"), [(25, APPLIED), (-25, UNMATCHED), (90, UNMATCHED)])
def test_a_time_in_utc_is_understood_where_the_folder_agrees(bank: Bank, put_out: int, status: str) -> None:
    """No person is needed where the file itself lies there since after the report was sent."""
    key = deliver(impatient(bank), NOV_17)
    path = bank.authority.folders.outgoing("nodurs") / "answer.xml"
    path.write_text(poison.answer(poison.made(IN_UTC)))
    moment = (bank.time.now + timedelta(minutes=put_out)).timestamp()
    os.utime(path, (moment, moment))
    bank.time.pass_by(minutes=32)
    (taken,) = bank.collect()
    assert taken.status == status
    assert taken.submission is None or "the answer's time was read as UTC" in taken.note
    assert state(bank, key) is (State.ACCEPTED if status == APPLIED else State.DELIVERED)


def test_an_answer_without_a_time_belongs_to_no_one_of_two(bank: Bank) -> None:
    """It may have been meant for the report that was refused an hour ago."""
    bank = impatient(bank)
    first = deliver(bank, NOV_17)
    without = poison.answer(poison.IDENT.replace('datumPriprave="2026-11-17T17:30:00"', ""))
    by_hand(bank, poison.answer(rows=poison.row().replace("WRN", "ERR")))
    assert state(bank, first) is State.REFUSED
    bank.authority.faults.add("sftp", "no_answer", times=1)
    again = bank.resubmit(first, same=True, via="sftp").submission
    assert again is not None
    taken = by_hand(bank, without, "without.xml")
    assert (taken.status, "2 reports were sent" in taken.note) == (UNMATCHED, True)
    assign(bank.context, 2, again.id, "told by AJPES")
    assert state(bank, again.id) is State.ACCEPTED


@pytest.mark.parametrize("end", ["discard", "assign"])
def test_an_answer_to_what_was_never_sent_no_longer_holds_its_period_when_it_is_dealt_with(
    bank: Bank, end: str
) -> None:
    """A person looked at it: it counts for nothing, or AJPES has the report, and it is closed."""
    bank = impatient(bank)
    bank.record(event("O-1", 1))
    assert "attribute x has no place here" in by_hand(bank, poison.answer(poison.IDENT + ' x="1"')).note
    bank.time.pass_by(minutes=40)
    held = bank.run(via="sftp")
    assert held.submission is not None
    assert (held.ending, held.submission.is_held) == (Ending.HELD, True)
    if end == "discard":
        discard(bank.context, 1, "it is about a test, Ms Novak")
        sent = bank.run(via="sftp").submission
        assert sent is not None
        assert sent.state in (State.DELIVERED, State.ACCEPTED)
        return
    with pytest.raises(UsageError, match="was never sent from here"):
        assign(bank.context, 1, held.submission.id, "x")
    resolve(bank.context, held.submission.id, "delivered", "AJPES has it")
    assign(bank.context, 1, held.submission.id, "AJPES has it")
    assert (state(bank, held.submission.id), bank.pending()) == (State.ACCEPTED, 0)


def test_collect_leaves_with_6_as_long_as_one_lies_there(bank: Bank, told: Callable[..., str]) -> None:
    """A script that looks at the code alone learns of it, also on the day after."""
    deliver(impatient(bank), NOV_17)
    (bank.authority.folders.outgoing("nodurs") / "a.xml").write_text("<BlokOdgovor/>")
    collect = ["-w", str(bank.folder), "collect"]
    assert "`ajpes-reporting answers list` shows it, and what to do." in told("collect")
    assert command_line(collect) == 6
    assert "No new answers. 1 answer lies there from before, not applied. Do: ask" in told("collect")
    assert "1 answer lies there from before" in told("collect", "--json")
    (bank.folder / "right.xml").write_text(poison.answer())
    assert command_line([*collect, str(bank.folder / "right.xml")]) == 6
    discard(bank.context, 1, "a slip")
    assert command_line(collect) == 0
