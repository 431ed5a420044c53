"""The bad days: nothing lost, nothing doubled, and a person is told what to do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text, update

from ajpes_reporting.database import tables
from ajpes_reporting.database.engine import writing
from ajpes_reporting.database.lease import lease
from ajpes_reporting.domain.errors import ConfigurationError, OutcomeUnknown, UsageError
from ajpes_reporting.domain.outcomes import Outcome
from ajpes_reporting.domain.ports import (
    UNRECORDED,
    AnswerBox,
    Carrier,
    Handover,
    Parcel,
    Progress,
    RemoteAnswer,
    Sighting,
    no_progress,
)
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import answers, due, submissions
from ajpes_reporting.pipeline.collect import fetch, take_by_hand
from ajpes_reporting.pipeline.operator_actions import resolve
from ajpes_reporting.pipeline.run import Ending, Result
from tests.journal.forging import unlock
from tests.pipeline.conftest import NOV_18, Bank, event


def state(result: Result) -> State:
    assert result.submission is not None
    return result.submission.state


def number(result: Result) -> int:
    assert result.submission is not None
    return result.submission.id


def tries(bank: Bank, key: int) -> list[tuple[str, str | None]]:
    with bank.context.engine.connect() as connection:
        return [(row.via, row.outcome) for row in submissions.attempts_of(connection, key)]


def tamper(bank: Bank, amount_cents: int) -> None:
    """Edits an event behind the program's back, as somebody with the database's password could."""
    with bank.context.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE events DISABLE TRIGGER USER"))
        else:
            names = connection.execute(
                text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'events'")
            ).scalars().all()  # fmt: skip
            for name in names:
                connection.execute(text(f'DROP TRIGGER "{name}"'))
        connection.execute(
            text("UPDATE events SET amount_cents = :cents WHERE event_id = '1'"), {"cents": amount_cents}
        )


def test_a_tampered_history_is_refused_and_the_right_correction_goes_through(bank: Bank) -> None:
    """Section 2.2: the authority refuses an edit of the past; a cancellation and a new event mend it."""
    bank.record(event("O-1", 1, amount_cents=10_000))
    bank.run()
    bank.time.pass_by(days=1)
    tamper(bank, 12_000)
    bank.record(event("O-1", 2, change_type="03", recorded="2026-11-18T09:00:00"))
    refused = bank.run(period=NOV_18)
    assert state(refused) is State.REFUSED
    tamper(bank, 10_000)
    correction = bank.cancel("O-1", "1", {"amount_cents": "12000"})
    mended = bank.resubmit(number(refused))
    # The replacement keeps its date of change and is recorded today, which is worth a warning.
    assert state(mended) is State.ACCEPTED_WITH_WARNINGS
    assert correction.replacement is not None
    assert bank.events_sent(mended) == {
        "O-1": ["1", "2", correction.cancellation.event_id, correction.replacement.event_id]
    }
    assert bank.pending() == 0
    assert bank.problems() == ()


def test_a_refused_report_is_not_sent_again_unchanged(bank: Bank) -> None:
    """A report that was refused waits for a correction; a scheduler does not hammer the authority."""
    bank.record(event("O-1", 1))
    bank.run()
    bank.time.pass_by(days=1)
    tamper(bank, 12_000)
    bank.record(event("O-1", 2, recorded="2026-11-18T09:00:00"))
    refused = bank.run(period=NOV_18)
    again = bank.run(period=NOV_18)
    assert again.ending is Ending.NEEDS_CORRECTION
    assert number(again) == number(refused)
    assert len(bank.authority.store.submissions()) == 2
    same = bank.resubmit(number(refused), same=True)
    assert state(same) is State.REFUSED
    assert len(bank.authority.store.submissions()) == 3


def test_one_wrong_event_refuses_the_whole_report_and_nothing_counts_as_reported(bank: Bank) -> None:
    """One ERR refuses the whole submission: the other obligations are still to be reported."""
    bank.record(event("O-1", 1))
    bank.run()
    bank.time.pass_by(days=1)
    tamper(bank, 12_000)
    bank.record(
        event("O-1", 2, recorded="2026-11-18T09:00:00"), event("O-2", "x", recorded="2026-11-18T09:00:00")
    )
    assert state(bank.run(period=NOV_18)) is State.REFUSED
    assert bank.pending() == 2


def test_with_warnings_alone_the_data_is_taken(bank: Bank) -> None:
    """Section 4.1.1: a warning is shown and the data is accepted all the same."""
    bank.record(event("O-1", 1, change_type="77"))
    result = bank.run()
    assert state(result) is State.ACCEPTED_WITH_WARNINGS
    assert bank.pending() == 0


def test_when_soap_refuses_connections_the_report_goes_by_sftp(bank: Bank) -> None:
    """Section 4.2: on outage the same file goes by the exchange server, once."""
    bank.authority.faults.add("soap", "refuse")
    bank.record(event("O-1", 1))
    result = bank.run()
    assert state(result) is State.ACCEPTED
    assert tries(bank, number(result)) == [("soap", "unreachable"), ("sftp", "delivered")]
    assert [one.via for one in bank.authority.store.submissions()] == ["sftp"]


def test_when_nothing_is_reached_the_report_is_provably_not_sent(bank: Bank) -> None:
    """Both ways closed: nothing arrived, and a later run sends it."""
    bank.authority.faults.add("soap", "refuse")
    bank.authority.faults.add("sftp", "refuse")
    bank.record(event("O-1", 1))
    result = bank.run()
    assert state(result) is State.UNREACHABLE
    assert bank.authority.store.submissions() == []
    bank.authority.faults.clear()
    assert state(bank.run()) is State.ACCEPTED
    assert len(bank.authority.store.submissions()) == 1


@pytest.mark.parametrize("fault", ["drop_answer", "empty", "truncated"])
def test_a_lost_answer_is_unknown_and_never_sent_again(bank: Bank, fault: str) -> None:
    """A report the authority may already hold is never sent twice, nor by the other way."""
    bank.authority.faults.add("soap", fault, times=1)
    bank.record(event("O-1", 1))
    result = bank.run()
    assert state(result) is State.UNKNOWN
    assert bank.run().ending is Ending.MUST_BE_SETTLED
    with pytest.raises(OutcomeUnknown, match="may have arrived"):
        bank.resubmit(number(result))
    assert [one.via for one in bank.authority.store.submissions()] == ["soap"]


@pytest.mark.parametrize("fault", ["html", "redirect", "fault"])
def test_a_reply_that_is_no_answer_is_not_taken_for_one(bank: Bank, fault: str) -> None:
    """An HTTP 200 is not acceptance: a web page, a redirect, a server's fault are all unknown."""
    bank.authority.faults.add("soap", fault, times=1)
    bank.record(event("O-1", 1))
    result = bank.run()
    assert state(result) is State.UNKNOWN
    assert bank.pending() == 1
    assert bank.problems() == ()


def test_a_fault_that_blames_the_sender_is_a_refusal(bank: Bank) -> None:
    """SOAP 1.1, 4.4.1: a Client fault says the message must not be sent again unchanged."""
    bank.authority.faults.add("soap", "fault", code="Client", times=1)
    bank.record(event("O-1", 1))
    assert state(bank.run()) is State.REFUSED


def test_a_person_settles_what_no_machine_can(bank: Bank) -> None:
    """Asked by telephone, AJPES has nothing: the report goes out, and the word is in the record."""
    bank.authority.faults.add("soap", "html", times=1)
    bank.record(event("O-1", 1))
    result = bank.run()
    settled = resolve(bank.context, number(result), "never-arrived", "AJPES, Ms Novak, 17:20")
    assert settled.state is State.UNREACHABLE
    assert state(bank.resubmit(number(result))) is State.ACCEPTED
    assert len(bank.authority.store.submissions()) == 1
    with pytest.raises(UsageError, match="only what AJPES has not answered"):
        resolve(bank.context, number(result), "delivered", "again")


def test_an_answer_that_comes_later_settles_an_unknown_outcome(bank: Bank) -> None:
    """Whatever settles it first counts: here the answer in iz_ajpes."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("sftp", "delay", seconds=3600, times=1)
    bank.authority.faults.add("soap", "refuse")
    result = bank.run(via="sftp")
    assert state(result) is State.DELIVERED
    assert bank.run().ending is Ending.AWAITS_ANSWER
    bank.time.pass_by(seconds=1)
    answer = (
        '<BlokOdgovor><Ident iErr="0" iWrn="0" maticnaPonudnika="5860571000"'
        ' datumPriprave="2026-11-17T17:00:30+01:00" datumPodatkov="2026-11-17"/></BlokOdgovor>'
    )
    (bank.authority.folder / "nodurs" / "iz_ajpes" / "whatever.dat").write_text(answer)
    (taken,) = bank.collect()
    assert taken.submission is not None
    assert taken.submission.state is State.ACCEPTED
    assert bank.collect() == []
    assert bank.problems() == ()


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"<html><body>Maintenance</body></html>", "unreadable"),
        (b"<BlokOdgovor><Ident iErr=", "unreadable"),
        (b"", "unreadable"),
        (
            b'<BlokOdgovor><Ident iErr="0" iWrn="0" maticnaPonudnika="5860571000"'
            b' datumPriprave="2026-11-10T17:00:30+01:00" datumPodatkov="2026-11-10"/></BlokOdgovor>',
            "unmatched",
        ),
        (
            b'<BlokOdgovor><Ident iErr="0" iWrn="0" maticnaPonudnika="1572814"'
            b' datumPriprave="2026-11-17T17:00:30+01:00" datumPodatkov="2026-11-17"/></BlokOdgovor>',
            "unmatched",
        ),
    ],
)
def test_an_answer_that_fits_nothing_is_kept_and_shown(bank: Bank, content: bytes, status: str) -> None:
    """Whatever the authority's folder holds is kept, raw; nothing of it is believed."""
    (bank.authority.folder / "nodurs" / "iz_ajpes" / "answer.xml").write_bytes(content)
    (taken,) = bank.collect()
    assert taken.status == status
    with bank.context.engine.connect() as connection:
        (kept,) = answers.set_aside_answers(connection, bank.context.provider, 10)
    assert b"".join(bank.context.archive.blocks(kept.archive_path)) == content
    assert bank.collect() == []


def test_counts_that_disagree_are_shown_and_the_worse_holds(bank: Bank) -> None:
    """The head says no error, a row says one: it is refused, and the disagreement is noted."""
    bank.authority.faults.add("sftp", "no_answer", times=1)
    bank.record(event("O-1", 1))
    result = bank.run(via="sftp")
    answer = (
        '<BlokOdgovor><Ident iErr="0" iWrn="0" maticnaPonudnika="5860571000"'
        ' datumPriprave="2026-11-17T17:00:30+01:00" datumPodatkov="2026-11-17"/>'
        '<Napaka blokId="O-1" dogId="1" Id="7" vrsta="ERR"><Opis>Napačen znesek</Opis></Napaka></BlokOdgovor>'
    )
    (bank.authority.folder / "nodurs" / "iz_ajpes" / "a.xml").write_text(answer, encoding="utf-8")
    (taken,) = bank.collect()
    assert taken.submission is not None
    assert taken.submission.state is State.REFUSED
    with bank.context.engine.connect() as connection:
        (reply,) = answers.of_submission(connection, number(result))
        (row,) = answers.rows_of(connection, reply.id, 10)
    assert "disagree" in reply.note
    assert (row.severity, row.obligation_id, row.event_id, row.code) == ("error", "O-1", "1", "7")


def test_own_errors_keep_a_report_from_being_sent(bank: Bank) -> None:
    """With strict checks a warning is an error: nothing leaves this machine."""
    bank.record(event("O-1", 1, change_type="77"))
    strict = Bank(bank.folder, replace(bank.context, strict=True), bank.time, bank.authority)
    result = strict.run()
    assert result.ending is Ending.CHECKS_REFUSED
    assert state(result) is State.PREPARED
    assert bank.authority.store.submissions() == []
    with pytest.raises(UsageError, match="held back by our own checks"):
        strict.resubmit(number(result), same=True)
    assert state(bank.run()) is State.ACCEPTED_WITH_WARNINGS


def test_an_answer_whose_file_is_lost_keeps_no_report_from_being_sent(bank: Bank) -> None:
    """A disk fault takes one answer; the bank goes on reporting, and the audit names the file."""
    bank.record(event("O-1", 1))
    result = bank.run()
    with writing(bank.context.engine) as connection:
        (reply,) = answers.of_submission(connection, number(result))
        connection.execute(update(tables.answers).values(status="stored"))
    (bank.context.archive.root / reply.archive_path).unlink()
    bank.time.pass_by(days=1)
    bank.record(event("O-2", 1, recorded="2026-11-18T10:00:00"), name="more.csv")
    assert state(bank.run(period=NOV_18)) is State.ACCEPTED
    assert any("answer" in problem for problem in bank.problems())


class Overtaken:
    """The folders as a run sees them that is paused while it fetches; another one does so meanwhile."""

    def __init__(self, box: AnswerBox, meanwhile: Callable[[], None]) -> None:
        self.name = box.name
        self._box = box
        self._meanwhile = meanwhile

    def look(self, parcel: Parcel, waits_as: str) -> Sighting:
        return self._box.look(parcel, waits_as)

    def fetch_new(
        self,
        report: str,
        already_fetched: Callable[[Sequence[RemoteAnswer]], Collection[RemoteAnswer]],
        into: Path,
    ) -> Iterator[tuple[RemoteAnswer, Path]]:
        for found in self._box.fetch_new(report, already_fetched, into):
            self._meanwhile()
            yield found


def test_an_answer_that_two_runs_fetch_is_stored_once(bank: Bank, tmp_path: Path) -> None:
    """The one was paused with the file in its hands, and the other has applied it."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("sftp", "no_answer", times=1)
    result = bank.run(via="sftp")
    put_answer(bank, "2026-11-17T17:00:30")
    (box,) = bank.context.answer_boxes("nodurs")
    (tmp_path / "other").mkdir()
    overtaken = Overtaken(box, lambda: apply_meanwhile(bank, tmp_path / "other"))
    assert (
        fetch(replace(bank.context, answer_boxes=lambda _report: [overtaken]), bank.context.kinds, tmp_path)
        == []
    )
    with bank.context.engine.connect() as connection:
        (reply,) = answers.of_submission(connection, number(result))
    assert reply.status == "applied"
    assert bank.problems() == ()


def apply_meanwhile(bank: Bank, folder: Path) -> None:
    assert [taken.status for taken in fetch(bank.context, bank.context.kinds, folder)] == ["applied"]


def test_an_unreachable_report_whose_file_is_lost_is_made_anew(bank: Bank) -> None:
    """Nothing of it has arrived anywhere: what matters is that it goes."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("soap", "refuse", times=1)
    bank.authority.faults.add("sftp", "refuse", times=1)
    first = bank.run().submission
    assert first is not None
    (bank.context.archive.root / first.archive_path).unlink()
    bank.time.pass_by(minutes=5)
    again = bank.run()
    assert (state(again), number(again) > first.id) == (State.ACCEPTED, True)


def unreached(bank: Bank) -> int:
    """A submission that has reached nobody, by either way; the lines are up again."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("soap", "refuse", times=1)
    bank.authority.faults.add("sftp", "refuse", times=1)
    return number(bank.run())


def begin_attempt(bank: Bank, key: int, via: str, *, handed_over: bool) -> None:
    """What a run leaves behind that is killed before, or after, it has handed the report over."""
    with writing(bank.context.engine) as connection:
        submission = submissions.get(connection, key)
        attempt = submissions.begin_attempt(connection, submission, via, at=bank.time())
        if handed_over:
            submissions.hand_over(connection, submission, attempt, "", at=bank.time())


def test_a_run_that_was_cut_off_before_the_hand_over_is_run_again(bank: Bank) -> None:
    """A machine that died before the first byte left has sent nothing, and the next run knows it."""
    key = unreached(bank)
    begin_attempt(bank, key, "soap", handed_over=False)
    result = bank.run()
    assert (number(result), state(result)) == (key, State.ACCEPTED)
    assert len(bank.authority.store.submissions()) == 1


def test_a_run_that_was_cut_off_while_sending_is_unknown(bank: Bank) -> None:
    """A machine that died with the report on the wire does not know; the next run says so."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("soap", "refuse")
    bank.authority.faults.add("sftp", "refuse")
    key = number(bank.run())
    begin_attempt(bank, key, "soap", handed_over=True)
    assert bank.run().ending is Ending.MUST_BE_SETTLED
    with bank.context.engine.connect() as connection:
        assert submissions.get(connection, key).state is State.UNKNOWN


def test_a_killed_run_never_sends_twice(bank: Bank) -> None:
    """SIGKILL while the authority thinks: the report is there once, and the next run does not send it."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("soap", "slow", seconds=6, times=1)
    program = [
        sys.executable,
        "-m",
        "ajpes_reporting",
        "-w",
        str(bank.folder),
        "run",
        "nodurs",
        "--date",
        "2026-11-17",
    ]
    process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: bool(bank.authority.store.submissions()))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert bank.run().ending is Ending.MUST_BE_SETTLED
    assert len(bank.authority.store.submissions()) == 1


def test_two_runs_exclude_each_other(bank: Bank) -> None:
    """A scheduler and a clerk at the same moment: the second is told, and does nothing."""
    bank.record(event("O-1", 1))
    with lease(bank.context.engine, bank.context.provider), pytest.raises(UsageError, match="Another run"):
        bank.run()
    assert state(bank.run()) is State.ACCEPTED


def test_a_missing_section_is_told_before_anything_is_recorded(bank: Bank) -> None:
    """No [soap] and no [sftp]: exit code 2, and the journal stays as it was."""
    path = bank.folder / "ajpes.toml"
    path.write_text(path.read_text(encoding="utf-8").split("[soap]")[0], encoding="utf-8")
    from ajpes_reporting.config import open_workspace
    from ajpes_reporting.wiring import open_context

    context = open_context(open_workspace(bank.folder), bank.time)
    bare = Bank(bank.folder, context, bank.time, bank.authority)
    bare.record(event("O-1", 1))
    with pytest.raises(ConfigurationError, match=r"\[soap\] or \[sftp\]"):
        bare.run()
    with context.engine.connect() as connection:
        assert submissions.recent(connection, context.provider, 1) == []
    context.engine.dispose()


def test_a_full_disk_sends_nothing(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be archived is not sent."""
    blocked = bank.folder / "archive" / "2026"
    blocked.parent.mkdir(exist_ok=True)
    blocked.write_text("a file where a folder must be")
    bank.record(event("O-1", 1))
    from ajpes_reporting.domain.errors import AjpesReportingError

    with pytest.raises(AjpesReportingError, match="could not be archived"):
        bank.run()
    assert bank.authority.store.submissions() == []
    blocked.unlink()
    assert state(bank.run()) is State.ACCEPTED


def wait_until(condition: object, seconds: float = 20) -> None:
    """Waits for something that another process does."""
    import time

    assert callable(condition)
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.05)


def test_a_correction_made_on_the_next_day_goes_with_the_resubmitted_report(bank: Bank) -> None:
    """A refusal is often mended the morning after: `resubmit` takes the ledger as it then stands."""
    bank.record(event("O-1", 1))
    bank.run()
    bank.time.pass_by(days=1)
    tamper(bank, 12_000)
    bank.record(event("O-1", 2, change_type="03", recorded="2026-11-18T09:00:00"))
    refused = bank.run(period=NOV_18)
    bank.time.pass_by(days=1)
    tamper(bank, 10_000)
    correction = bank.cancel("O-1", "2")
    mended = bank.resubmit(number(refused))
    assert state(mended).is_accepted
    assert bank.events_sent(mended) == {"O-1": ["1", "2", correction.cancellation.event_id]}


def test_a_refused_day_is_settled_when_a_later_report_brings_all_of_it_home(bank: Bank) -> None:
    """What is late is late once: the events of a refused day, accepted the day after, are reported."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("soap", "fault", code="Client", times=1)
    assert state(bank.run()) is State.REFUSED
    bank.time.pass_by(days=1)
    assert state(bank.run(period=NOV_18)) is State.ACCEPTED
    with bank.context.engine.connect() as connection:
        assert due.open_periods(connection, bank.context.provider) == []
        known = due.find(connection, bank.context.provider, "NODURS", "2026-11-17")
    assert known is not None
    assert known.settled_as == "reported_later"


def test_a_report_that_never_got_an_answer_can_be_settled_too(bank: Bank) -> None:
    """AJPES lost the file after taking it: a person says so, and it goes again."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("sftp", "no_answer", times=1)
    result = bank.run(via="sftp")
    assert state(result) is State.DELIVERED
    assert resolve(bank.context, number(result), "never-arrived", "AJPES").state is State.UNREACHABLE
    assert state(bank.resubmit(number(result), via="soap")) is State.ACCEPTED


def test_an_answer_given_by_hand_counts_like_any_other(bank: Bank, tmp_path: Path) -> None:
    """The answer came by e-mail: it is stored, checked and applied all the same."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("sftp", "no_answer", times=1)
    bank.run(via="sftp")
    path = tmp_path / "answer.xml"
    path.write_text(
        '<BlokOdgovor><Ident iErr="0" iWrn="0" maticnaPonudnika="5860571000"'
        ' datumPriprave="2026-11-17T17:00:30+01:00" datumPodatkov="2026-11-17"/></BlokOdgovor>'
    )
    (taken,) = take_by_hand(bank.context, [path])
    assert taken.submission is not None
    assert taken.submission.state is State.ACCEPTED
    (again,) = take_by_hand(bank.context, [path])
    assert again.status == "duplicate"


def test_checks_that_refuse_again_make_no_second_submission(bank: Bank) -> None:
    """A scheduler that looks every minute leaves one submission, not one each minute."""
    bank.record(event("O-1", 1, change_type="77"))
    strict = Bank(bank.folder, replace(bank.context, strict=True), bank.time, bank.authority)
    first = strict.run()
    bank.time.pass_by(minutes=1)
    second = strict.run()
    assert (first.ending, second.ending) == (Ending.CHECKS_REFUSED, Ending.CHECKS_REFUSED)
    assert number(first) == number(second)


def test_strict_checks_do_not_stumble_over_what_was_taken_back(bank: Bank) -> None:
    """A cancelled event keeps its fault in the history for ever; it must not block its obligation."""
    bank.record(event("O-1", 1, change_type="77"))
    strict = Bank(bank.folder, replace(bank.context, strict=True), bank.time, bank.authority)
    assert strict.run().ending is Ending.CHECKS_REFUSED
    bank.cancel("O-1", "1")
    assert strict.run().ending is Ending.ATTEMPTED


class Leaving:
    """An exchange server that is gone as soon as it has the file."""

    name = "sftp"

    def __init__(self, carrier: Carrier, leave: Callable[[], None]) -> None:
        self._carrier = carrier
        self._leave = leave

    def deliver(
        self, parcel: Parcel, progress: Progress = no_progress, handover: Handover = UNRECORDED
    ) -> Outcome:
        outcome = self._carrier.deliver(parcel, progress)
        self._leave()
        return outcome


def test_folders_that_fail_after_delivery_do_not_undo_it(bank: Bank) -> None:
    """The file is with the authority, then the server goes down: delivered is what is said."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("sftp", "delay", seconds=3600, times=1)
    make = bank.context.carriers

    def leave() -> None:
        bank.authority.faults.add("sftp", "refuse")

    def carriers(report: str, via: str | None, folder: Path) -> list[Carrier]:
        return [Leaving(one, leave) for one in make(report, via, folder)]

    context = replace(bank.context, carriers=carriers)
    result = Bank(bank.folder, context, bank.time, bank.authority).run(via="sftp")
    assert state(result) is State.DELIVERED


def test_a_killed_upload_whose_answer_came_is_settled_by_collect(bank: Bank) -> None:
    """The run died while sending, the authority answered: `collect` finds the one and the other."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("sftp", "no_answer", times=1)
    key = number(bank.run(via="sftp"))
    resolve(bank.context, key, "never-arrived", "to send it again")
    begin_attempt(bank, key, "sftp", handed_over=True)
    put_answer(bank, "2026-11-17T17:00:30")
    (taken,) = bank.collect()
    assert taken.submission is not None
    assert taken.submission.state is State.ACCEPTED


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00+14:00", "2026-11-17T16:00:30", "2026-11-17T16:00:30+01:00"]
)
def test_an_answer_older_than_its_report_is_not_believed(bank: Bank, moment: str) -> None:
    """A late answer to an earlier file, with a zone, without one, or from the year 1, settles nothing."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("sftp", "no_answer", times=1)
    result = bank.run(via="sftp")
    put_answer(bank, moment)
    (taken,) = bank.collect()
    assert taken.status == "unmatched"
    with bank.context.engine.connect() as connection:
        assert submissions.get(connection, number(result)).state is State.DELIVERED


def test_an_outage_leaves_one_submission_with_every_attempt(bank: Bank) -> None:
    """Ten looks at a dead server are ten attempts of one submission, not ten files."""
    bank.authority.faults.add("soap", "refuse")
    bank.record(event("O-1", 1))
    first = number(bank.run(via="soap"))
    bank.time.pass_by(minutes=1)
    assert number(bank.run(via="soap")) == first
    bank.authority.faults.clear()
    result = bank.run()
    assert (number(result), state(result)) == (first, State.ACCEPTED)
    assert [outcome for _via, outcome in tries(bank, first)] == ["unreachable", "unreachable", "delivered"]


def test_a_submission_that_was_overtaken_is_never_sent(bank: Bank) -> None:
    """A worker that lost its lock and wakes up finds that another has taken its place."""
    bank.authority.faults.add("soap", "refuse")
    bank.record(event("O-1", 1))
    old = bank.run(via="soap").submission
    assert old is not None
    bank.record(event("O-2", 1))
    bank.run(via="soap")
    with writing(bank.context.engine) as connection, pytest.raises(UsageError, match="superseded"):
        submissions.begin_attempt(connection, old, "soap", at=bank.time())


def test_what_another_run_has_sent_meanwhile_is_not_begun_again(bank: Bank) -> None:
    """A worker that wakes up knows it as unreachable; its own failure must not cover up the other's doubt."""
    bank.authority.faults.add("soap", "refuse", times=1)
    bank.record(event("O-1", 1))
    asleep = bank.run(via="soap").submission
    assert asleep is not None
    begin_attempt(bank, asleep.id, "soap", handed_over=True)
    assert bank.run().ending is Ending.MUST_BE_SETTLED
    before = tries(bank, asleep.id)
    with (
        pytest.raises(UsageError, match="unknown by now; it is not sent"),
        writing(bank.context.engine) as connection,
    ):
        submissions.begin_attempt(connection, asleep, "soap", at=bank.time())
    with bank.context.engine.connect() as connection:
        assert submissions.get(connection, asleep.id).state is State.UNKNOWN
    assert tries(bank, asleep.id) == before


def test_a_damaged_record_does_not_keep_reports_from_going(bank: Bank) -> None:
    """Whoever tampers with the audit record is found by `audit verify`; the deadline is kept all the same."""
    key = unreached(bank)
    begin_attempt(bank, key, "soap", handed_over=False)
    with writing(bank.context.engine) as connection:
        unlock(connection)
        connection.execute(
            update(tables.audit_records)
            .where(tables.audit_records.c.submission == key)
            .values(body="no JSON")
        )
    assert state(bank.run()) is State.ACCEPTED
    assert bank.problems() != ()


def test_what_a_killed_run_left_behind_is_cleared_away(bank: Bank) -> None:
    """Copies of reports hold names; they do not lie about for ever, and a living run's are left alone."""
    old, new = bank.context.scratch / "tmp-old", bank.context.scratch / "tmp-new"
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "NODURS.xml").write_text("Kovinarstvo Žagar d.o.o.", encoding="utf-8")
    two_days_ago = bank.time().timestamp() - 2 * 86_400
    os.utime(old, (two_days_ago, two_days_ago))
    bank.run()
    assert [folder.name for folder in bank.context.scratch.iterdir()] == ["tmp-new"]


def put_answer(bank: Bank, moment: str) -> None:
    """An answer that accepts the report of 17 November, made at `moment`."""
    (bank.authority.folder / "nodurs" / "iz_ajpes" / "a.xml").write_text(
        '<BlokOdgovor><Ident iErr="0" iWrn="0" maticnaPonudnika="5860571000"'
        f' datumPriprave="{moment}" datumPodatkov="2026-11-17"/></BlokOdgovor>'
    )
