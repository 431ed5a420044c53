"""Answers that come doubled, out of order, cut off, late, or for somebody else: none lost, none misread.

They are put straight into the authority's folder, in rounds, and collected after each round. Sixty
of them; 1,000 with `--full`.
"""

from __future__ import annotations

import hashlib
import os
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, select

from ajpes_reporting.database.engine import snapshot
from ajpes_reporting.database.tables import answers as table
from ajpes_reporting.domain.periods import Day
from ajpes_reporting.domain.ports import RemoteAnswer
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import answers, submissions
from ajpes_reporting.journal.answers import APPLIED, DUPLICATE, UNMATCHED, UNREADABLE
from ajpes_reporting.pipeline.collect import take_by_hand
from ajpes_reporting.pipeline.operator_actions import resolve
from tests.pipeline.conftest import NOV_17, Bank, event

BANK = "5860571000"
LONG_AGO = 1_700_000_000  # the folder's clock is not ours: its times only put the files in an order


def answer(period: str, made: datetime, *, errors: int = 0, warnings: int = 0, provider: str = BANK) -> bytes:
    """A BlokOdgovor as section 4.1.1 shows it: no namespace, one Napaka for each error or warning."""
    rows = "".join(
        f'<Napaka blokId="O-1" dogId="1" id="{number}" vrsta="{kind}"><Opis>Št. {number}</Opis></Napaka>'
        for number, kind in enumerate(["ERR"] * errors + ["WRN"] * warnings, start=1)
    )
    head = (
        f'<Ident iErr="{errors}" maticnaPonudnika="{provider}" datumPriprave="{made:%Y-%m-%dT%H:%M:%S}"'
        f' iWrn="{warnings}" datumPodatkov="{period}"/>'
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<BlokOdgovor>{head}{rows}</BlokOdgovor>'.encode()


@dataclass
class Box:
    """The folder iz_ajpes. Everything that ever lay there is remembered, with what must become of it."""

    folder: Path

    def __post_init__(self) -> None:
        self.lay_there: dict[tuple[str, bytes], str] = {}
        self._moments = count(LONG_AGO)

    def put(self, name: bytes, content: bytes, fate: str = "") -> None:
        """A file as another program leaves it there: whole at once, at a moment of its own."""
        path = os.fsencode(self.folder) + b"/" + name
        with open(path, "wb") as file:  # noqa: PTH123 -- the name is bytes
            file.write(content)
        moment = next(self._moments)
        os.utime(path, (moment, moment))
        self.lay_there[name.decode(errors="backslashreplace"), content] = fate


@pytest.fixture
def box(bank: Bank) -> Box:
    return Box(bank.authority.folders.outgoing("nodurs"))


def deliver(bank: Bank, period: Day) -> int:
    """Sends a day's report over SFTP to an authority that says nothing; gives the submission's number."""
    bank.authority.faults.add("sftp", "no_answer", times=1)
    bank.record(event(f"O-{period.key}", 1, recorded=f"{period.key}T08:00:00"))
    submission = bank.run(period=period, via="sftp").submission
    assert submission is not None
    assert submission.state is State.DELIVERED
    return submission.id


def impatient(bank: Bank) -> Bank:
    """A bank that does not wait for an answer after it has delivered."""
    return replace(bank, context=replace(bank.context, answer_wait_seconds=0))


def state(bank: Bank, key: int) -> State:
    with bank.context.engine.connect() as connection:
        return submissions.get(connection, key).state


# --- A thousand of them ---


@dataclass(frozen=True)
class Letter:
    """A file for the folder: the round in which it is put there, and what must become of its content."""

    round: int
    name: bytes
    content: bytes
    fate: str


class Postman:
    """Makes what an authority on a bad day puts out about one report."""

    def __init__(self, dice: random.Random, rounds: int, period: Day, sent: datetime) -> None:
        self._dice, self._rounds, self._period, self._sent = dice, rounds, period, sent
        self.verdict, (errors, warnings) = dice.choice(
            [(State.ACCEPTED, (0, 0)), (State.ACCEPTED_WITH_WARNINGS, (0, 2)), (State.REFUSED, (1, 0))]
        )
        made = sent + timedelta(minutes=dice.randint(-4, 600))
        self.right = answer(period.key, made, errors=errors, warnings=warnings)

    def letters(self, number: int) -> list[Letter]:
        """One right answer under a name that half of it had before, and others of every kind."""
        name, early, later = self._name(0), 0, self._dice.randrange(1, self._rounds)
        made = [Letter(early, name, self._half(), UNREADABLE), Letter(later, name, self.right, APPLIED)]
        return made + [self._any(self._name(each)) for each in range(2, number)]

    def _any(self, name: bytes) -> Letter:
        dice, minutes = self._dice, timedelta(minutes=self._dice.randint(6, 600))
        content, fate = dice.choice(
            [
                (self.right, APPLIED),
                (self.right, APPLIED),
                (self._half(), UNREADABLE),
                (dice.randbytes(200), UNREADABLE),
                (b"<Racun stevilka='%d'/>" % dice.randrange(10**9), UNREADABLE),
                (answer(self._period.key, self._sent, provider="1234567000"), UNMATCHED),
                (answer("2019-01-01", self._sent + minutes), UNMATCHED),
                (answer(self._period.key, self._sent - minutes, errors=3), UNMATCHED),
            ]
        )
        return Letter(dice.randrange(self._rounds), name, content, fate)

    def _half(self) -> bytes:
        return self.right[: self._dice.randrange(len(self.right) - 1)]

    def _name(self, number: int) -> bytes:
        odd = self._dice.choice([b"", b"", "č".encode(), b"\xe8\xff", b" '", b"%s"])
        return b"Odgovor" + odd + f"_{self._period.compact}_{number}.xml".encode()


def test_answers_in_any_disorder_are_each_stored_once_and_settle_the_right_report(
    bank: Bank, box: Box, dice: random.Random, full: bool
) -> None:
    """Copies, halves, old ones, foreign ones, in any order: every byte is kept, and one answer counts."""
    days, per_day, rounds = (25, 40, 12) if full else (4, 15, 4)
    bank = impatient(bank)
    postmen, letters = {}, []
    for number in range(days):
        period = Day(NOV_17.value + timedelta(days=number))
        postman = Postman(dice, rounds, period, bank.time.now)
        postmen[deliver(bank, period)] = postman
        letters += postman.letters(per_day)
        bank.time.pass_by(days=1)
    dice.shuffle(letters)
    for each in range(rounds):
        for letter in (letter for letter in letters if letter.round == each):
            box.put(letter.name, letter.content, letter.fate)
        bank.collect()
    assert bank.collect() == []
    statuses = everything_is_kept(bank, box)
    for key, postman in postmen.items():
        assert state(bank, key) is postman.verdict
        assert applied_to(bank, key) == [postman.right]
    assert bank.problems() == ()
    print(f"{len(box.lay_there)} answers to {days} reports: {dict(statuses)}")  # noqa: T201


def everything_is_kept(bank: Bank, box: Box) -> Counter[str]:
    """Each file that ever lay there was stored once, its very bytes, and became what it had to."""
    with snapshot(bank.context.engine) as connection:
        rows = connection.execute(select(table).order_by(table.c.id)).all()
        shown = {row.id for row in answers.set_aside_answers(connection, BANK, 10_000)}
    stored = Counter((row.remote_name.removeprefix("nodurs/"), content(bank, row)) for row in rows)
    assert stored == Counter(box.lay_there.keys())
    seen: set[bytes] = set()
    for row in rows:
        its_bytes = content(bank, row)
        assert row.sha256 == hashlib.sha256(its_bytes).hexdigest()
        fate = box.lay_there[row.remote_name.removeprefix("nodurs/"), its_bytes]
        is_copy = its_bytes in seen and fate in (APPLIED, UNMATCHED)
        assert row.status == (DUPLICATE if is_copy else fate), f"{row.remote_name}: {row.note}"
        assert (row.id in shown) is (row.status in (UNMATCHED, UNREADABLE))
        seen.add(its_bytes)
    return Counter(row.status for row in rows)


def content(bank: Bank, row: Row[Any]) -> bytes:
    return b"".join(bank.context.archive.blocks(row.archive_path))


def applied_to(bank: Bank, key: int) -> list[bytes]:
    with bank.context.engine.connect() as connection:
        rows = answers.of_submission(connection, key)
    return [content(bank, row) for row in rows if row.status == APPLIED]


# --- One at a time ---


def test_a_name_that_is_no_text_stops_nothing(bank: Bank, box: Box) -> None:
    """One file named in another alphabet does not keep the answers beside it from being fetched."""
    bank = impatient(bank)
    key = deliver(bank, NOV_17)
    box.put(b"odgovor-\xe8.xml", answer(NOV_17.key, bank.time.now, errors=1))
    box.put(b"other.xml", b"<Racun/>")
    assert [(taken.name, taken.status) for taken in bank.collect()] == [
        ("odgovor-\\xe8.xml", APPLIED), ("other.xml", UNREADABLE),
    ]  # fmt: skip
    assert state(bank, key) is State.REFUSED
    assert bank.collect() == []


def test_half_an_answer_makes_way_for_the_whole_one(bank: Bank, box: Box) -> None:
    """The authority writes slowly, or mends a broken file under the same name."""
    bank = impatient(bank)
    key = deliver(bank, NOV_17)
    whole = answer(NOV_17.key, bank.time.now)
    box.put(b"odgovor.xml", whole[:150], UNREADABLE)
    assert [taken.status for taken in bank.collect()] == [UNREADABLE]
    assert state(bank, key) is State.DELIVERED
    box.put(b"odgovor.xml", whole, APPLIED)
    assert [taken.status for taken in bank.collect()] == [APPLIED]
    assert state(bank, key) is State.ACCEPTED
    everything_is_kept(bank, box)


@pytest.mark.parametrize(("minutes", "status"), [(-4, APPLIED), (-6, UNMATCHED), (600, APPLIED)])
def test_clocks_may_differ_by_five_minutes(bank: Bank, box: Box, minutes: int, status: str) -> None:
    """An answer is not lost over a clock that is a little slow, nor is an old one taken for a new."""
    bank = impatient(bank)
    key = deliver(bank, NOV_17)
    box.put(b"odgovor.xml", answer(NOV_17.key, bank.time.now + timedelta(minutes=minutes)))
    assert [taken.status for taken in bank.collect()] == [status]
    assert state(bank, key) is (State.ACCEPTED if status == APPLIED else State.DELIVERED)


def test_a_copy_of_an_answer_says_nothing_about_the_report_that_was_sent_again(bank: Bank, box: Box) -> None:
    """A refusal that is put out twice does not refuse the corrected report, sent a minute later."""
    bank = impatient(bank)
    first = deliver(bank, NOV_17)
    refusal = answer(NOV_17.key, bank.time.now, errors=1)
    box.put(b"first.xml", refusal)
    bank.collect()
    bank.time.pass_by(minutes=1)
    bank.authority.faults.add("sftp", "no_answer", times=1)
    again = bank.resubmit(first, same=True, via="sftp").submission
    assert again is not None
    box.put(b"second.xml", refusal)
    assert [taken.status for taken in bank.collect()] == [DUPLICATE]
    assert state(bank, again.id) is State.DELIVERED
    box.put(b"third.xml", answer(NOV_17.key, bank.time.now))
    assert [taken.status for taken in bank.collect()] == [APPLIED]
    assert (state(bank, first), state(bank, again.id)) == (State.REFUSED, State.ACCEPTED)


def test_an_answer_that_fitted_nothing_may_fit_later(bank: Bank, box: Box, tmp_path: Path) -> None:
    """A person said too early that a report never arrived; its answer is there, and is taken in by hand."""
    bank = impatient(bank)
    key = deliver(bank, NOV_17)
    resolve(bank.context, key, "never-arrived", "asked too early")
    accepted = answer(NOV_17.key, bank.time.now + timedelta(minutes=3))
    box.put(b"odgovor.xml", accepted)
    box.put(b"odgovor-copy.xml", accepted)
    assert [taken.status for taken in bank.collect()] == [UNMATCHED, DUPLICATE]
    bank.authority.faults.add("sftp", "no_answer", times=1)
    bank.resubmit(key, same=True, via="sftp")
    assert state(bank, key) is State.DELIVERED
    by_hand = tmp_path / "odgovor.xml"
    by_hand.write_bytes(accepted)
    assert [taken.status for taken in take_by_hand(bank.context, [by_hand])] == [APPLIED]
    assert state(bank, key) is State.ACCEPTED


def test_a_file_that_grows_while_it_is_read_is_left_for_the_next_time(bank: Bank, box: Box) -> None:
    """Half of an answer, caught while the authority writes it, is not even stored."""
    bank = impatient(bank)
    key = deliver(bank, NOV_17)
    whole = answer(NOV_17.key, bank.time.now, warnings=1)
    path = box.folder / "odgovor.xml"
    path.write_bytes(whole[:-20])
    (carrier,) = bank.context.answer_boxes("nodurs")

    def grow(_remotes: Sequence[RemoteAnswer]) -> list[RemoteAnswer]:
        path.write_bytes(whole)  # after the folder was listed, before the file is read
        return []

    assert list(carrier.fetch_new("nodurs", grow, bank.folder / "fetched")) == []
    assert [taken.status for taken in bank.collect()] == [APPLIED]
    assert state(bank, key) is State.ACCEPTED_WITH_WARNINGS
