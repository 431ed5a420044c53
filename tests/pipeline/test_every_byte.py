"""The record of real runs: whatever somebody does to it, `audit verify` finds it.

A sample of the edits goes through the database; with `--full`, many more.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

import pytest
from sqlalchemy import Connection, delete, text, update
from sqlalchemy.exc import DBAPIError

from ajpes_reporting.database.engine import rehearsing, snapshot
from ajpes_reporting.database.tables import audit_records
from ajpes_reporting.domain.periods import Day
from ajpes_reporting.journal import chain
from ajpes_reporting.journal.chain import Entry
from tests.journal.forging import rewrite, rows, unlock
from tests.pipeline.conftest import NOV_17, Bank, event

DAYS = 13
BYTES = range(256)


@pytest.fixture
def lived(bank: Bank) -> Bank:
    """A bank with more than fifty entries: imports, a correction, quiet days, both ways."""
    for number in range(DAYS):
        day = Day(NOV_17.value + timedelta(days=number))
        if number % 3 != 2:  # else a quiet day
            bank.record(event("O-1", number, recorded=f"{day.key}T08:00:00", name="Češnjevec »Žad« d.o.o."))
        if number == 4:
            bank.cancel("O-1", "3", {"amount_cents": "12000"})
        bank.run(period=day, via="sftp" if number == 1 else None)
        bank.time.pass_by(days=1)
    with snapshot(bank.context.engine) as connection:
        assert chain.verify(connection).problems == ()
        assert len(rows(connection)) >= 50
    return bank


@pytest.fixture
def forger(lived: Bank) -> Iterator[Connection]:
    """Somebody with the rights of the database's owner; what he does is undone."""
    with rehearsing(lived.context.engine) as connection:
        unlock(connection)
        yield connection


def problems(connection: Connection) -> tuple[str, ...]:
    return chain.verify(connection).problems


def test_every_edit_of_every_byte_is_found(forger: Connection, dice: random.Random, full: bool) -> None:
    """Exhaustive over the places: each byte of each column of each entry becomes another one.

    The walk along the record is given the forged entry and the one after it, for speed; what has
    to be found is found there, or the seal that was noted would be the only witness.
    """
    entries = [Entry(**row) for row in rows(forger)]
    walk, places, edits = chain._Walk(), 0, 0
    for place, entry in enumerate(entries):
        for column in Entry.__dataclass_fields__:
            for at, original in enumerate(_bytes_of(entry, column)):
                others = [other for other in BYTES if other != original]
                forgeries = (_forged(entry, column, at, other) for other in dice.sample(others, 255))
                readable = (forged for forged in forgeries if forged is not None)
                places += 1
                for forged in readable if full else islice(readable, 1):
                    found = _walked(walk, [forged, *entries[place + 1 : place + 2]])
                    assert found, f"byte {at} of {column} of entry {entry.seq}: {forged!r}"
                    edits += 1
        walk.step(entry)
    assert walk.problems == []
    assert places > 15_000
    assert edits >= places - 50  # a lone byte of two that write one letter: see the next test
    print(f"{len(entries)} entries, {places} bytes, {edits} edits, all found")  # noqa: T201


def _bytes_of(entry: Entry, column: str) -> bytes:
    value = getattr(entry, column)
    return b"" if value is None else str(value).encode()


def _forged(entry: Entry, column: str, at: int, other: int) -> Entry | None:
    """The entry with one byte changed; nothing if that is no text, which no database gives out."""
    changed = bytearray(_bytes_of(entry, column))
    changed[at] = other
    try:
        value: Any = changed.decode()
    except UnicodeDecodeError:
        return None
    if isinstance(getattr(entry, column), int):
        if column == "seq" and not value.isascii():
            return None
        try:
            value = int(value)
        except ValueError:
            if column == "seq":
                return None  # the database's own key is a number
        if value == getattr(entry, column):
            return None
    return Entry(**{**_fields(entry), column: value})


def _fields(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in Entry.__dataclass_fields__}


def _walked(before: chain._Walk, entries: list[Entry]) -> list[str]:
    walk = copy.copy(before)
    walk.states, walk.answers, walk.quiet, walk.problems = dict(before.states), set(), set(), []
    for entry in entries:
        walk.step(entry)
    return walk.problems


def test_edits_are_found_in_the_database_itself(forger: Connection, dice: random.Random, full: bool) -> None:
    """From the bytes in the table to the words of the verdict, also for bytes that are no text."""
    entries = [Entry(**row) for row in rows(forger)]
    on_sqlite = forger.dialect.name == "sqlite"
    tried = 0
    for _ in range(2_000 if full else 100):
        entry = dice.choice(entries)
        column = dice.choice(["at", "provider", "kind", "body", "body", "previous_hash", "hash"])
        changed = bytearray(_bytes_of(entry, column))
        changed[dice.randrange(len(changed))] ^= dice.randrange(1, 256)
        value: Any = bytes(changed)
        if not on_sqlite:
            try:
                value = value.decode()
            except UnicodeDecodeError:
                continue  # PostgreSQL takes no such bytes
        if not _stored(forger, entry.seq, column, value):
            continue
        assert problems(forger), f"{column} of entry {entry.seq} became {value!r}"
        tried += 1
        _stored(forger, entry.seq, column, getattr(entry, column))
    assert problems(forger) == ()
    assert tried > 20


def _stored(connection: Connection, seq: int, column: str, value: Any) -> bool:
    """Whether the database took it: what is too long, or holds a NUL on PostgreSQL, it does not."""
    cast = "CAST(:value AS TEXT)" if connection.dialect.name == "sqlite" else ":value"
    statement = text(f"UPDATE audit_records SET {column} = {cast} WHERE seq = :seq")
    try:
        with connection.begin_nested():
            connection.execute(statement, {"value": value, "seq": seq})
    except DBAPIError:
        return False
    return True


def test_every_deletion_is_found(forger: Connection) -> None:
    """No entry of a real day can be taken out, whether the gap is closed or not."""
    original = rows(forger)
    for gone in original:
        kept = [entry for entry in original if entry is not gone]
        for closed in (kept, _renumbered(kept)):
            rewrite(forger, closed)
            assert problems(forger), f"entry {gone['seq']} is gone"


def test_every_cut_off_end_is_found(forger: Connection) -> None:
    """The record is cut after each entry: the journal knows of what is missing."""
    original = rows(forger)
    head = chain.verify(forger).head
    for kept in range(len(original) - 1, -1, -1):
        forger.execute(delete(audit_records).where(audit_records.c.seq > kept))
        assert problems(forger), f"only {kept} entries are left"
        assert chain.verify(forger).head != head
    rewrite(forger, original)
    assert problems(forger) == ()


def test_every_swap_of_neighbours_is_found(forger: Connection) -> None:
    """What happened first stays first."""
    original = rows(forger)
    for place in range(len(original) - 1):
        order = [*original[:place], original[place + 1], original[place], *original[place + 2 :]]
        rewrite(forger, _renumbered(order))
        assert problems(forger), f"entries {place + 1} and {place + 2} changed places"


def test_every_insertion_is_found(forger: Connection) -> None:
    """An entry is put in before each of the others, with a right seal of its own."""
    original = rows(forger)
    for place, next_one in enumerate(original):
        slipped_in = _sealed({**next_one, "body": '{"to": "accepted"}'})
        rewrite(forger, _renumbered([*original[:place], slipped_in, *original[place:]]))
        assert problems(forger), f"an entry before entry {place + 1}"
    last = original[-1]
    state = {"kind": "state", "submission": 1, "body": '{"to": "refused"}'}
    state = {"kind": "state", "submission": 1, "body": '{"to": "refused"}'}
    appended = {**last, **state, "seq": last["seq"] + 1, "previous_hash": last["hash"]}
    rewrite(forger, [*original, _sealed(appended)])
    assert problems(forger), "an entry after the last one tells of a state that is not so"


def test_a_byte_that_is_put_back_leaves_no_trace(forger: Connection) -> None:
    """The proofs above find the edit, and not the editing."""
    entry = rows(forger)[7]
    for body in ("{}", entry["body"]):
        forger.execute(update(audit_records).where(audit_records.c.seq == 8).values(body=body))
    assert problems(forger) == ()


def _renumbered(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**entry, "seq": seq} for seq, entry in enumerate(entries, 1)]


def _sealed(entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "hash": Entry(**entry).expected_hash()}
