"""No byte of the audit record can be edited, moved or taken away unseen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, delete, insert, text, update

from ajpes_reporting.database.engine import rehearsing, snapshot, writing
from ajpes_reporting.database.tables import audit_records, submissions
from ajpes_reporting.i18n import Message, _, joined
from ajpes_reporting.journal import chain
from ajpes_reporting.journal.orphans import is_doubt
from tests.journal.forging import rewrite, rows, unlock

AT = datetime(2026, 11, 17, 17, 30, tzinfo=UTC)
BANK = "5860571000"


def add_submission(connection: Connection, state: str) -> int:
    """A submission without its files; the chain only minds its state."""
    key: int = connection.execute(
        insert(submissions)
        .values(
            provider=BANK, report="NODURS", period="2026-11-17", state=state, prepared_at=AT,
            file_name="NODURS_20261117_5860571.xml", archive_path="x", size_bytes=1, sha256="0" * 64,
            content_sha256="0" * 64, record_count=1, totals="{}",
        )
        .returning(submissions.c.id)
    ).scalar_one()  # fmt: skip
    return key


def note(connection: Connection, submission: int | None = None, **body: Any) -> None:
    kind = chain.STATE_CHANGED if submission else "nothing_to_report"
    chain.append(connection, at=AT, provider=BANK, kind=kind, body=body, submission=submission)


@pytest.fixture
def record(engine: Engine) -> Engine:
    """A database with a record of three entries, the last of them about a submission's state."""
    with writing(engine) as connection:
        key = add_submission(connection, "sending")
        note(connection, period="2026-11-16", why="čakamo na »FURS« 𝄞")
        note(connection, key, to="prepared")
        note(connection, key, to="sending")
    return engine


@pytest.fixture
def forger(record: Engine) -> Iterator[Connection]:
    """Somebody who can get past the triggers; what he does is undone."""
    with rehearsing(record) as connection:
        unlock(connection)
        yield connection


def problems(connection: Connection) -> tuple[str, ...]:
    return chain.verify(connection).problems


def test_an_untouched_record_is_whole(record: Engine) -> None:
    """An auditor is not alarmed without a reason."""
    with snapshot(record) as connection:
        newest = list(chain.entries(connection))[-1]
        assert chain.verify(connection) == chain.ChainReport(3, newest.hash, ())


def test_an_empty_record_is_whole(engine: Engine) -> None:
    """A new workspace has no past, and nothing is wrong with that."""
    with snapshot(engine) as connection:
        assert chain.verify(connection) == chain.ChainReport(0, "0" * 64, ())


def test_the_seal_is_what_the_documentation_says(record: Engine) -> None:
    """An auditor can compute the hashes without our program: SHA-256 of a JSON array of the fields."""
    import hashlib

    with snapshot(record) as connection:
        previous = "0" * 64
        for entry in rows(connection):
            fields = [entry[name] for name in ("seq", "at", "provider", "kind", "submission", "body")]
            sealed = json.dumps([*fields, previous], ensure_ascii=False)
            previous = hashlib.sha256(sealed.encode()).hexdigest()
            assert entry["hash"] == previous


def test_every_edit_of_a_single_character_is_found(forger: Connection) -> None:
    """Exhaustive: each character of each column of each entry, changed, left out and doubled."""
    original = rows(forger)
    edits = 0
    for place, entry in enumerate(original):
        for column, value in entry.items():
            for other in _edits(value):
                forged = [dict(row) for row in original]
                forged[place][column] = other
                if not _fits(forged):
                    continue
                rewrite(forger, forged)
                assert problems(forger), f"{column} of entry {entry['seq']}: {value!r} became {other!r}"
                edits += 1
    assert edits > 1_000
    rewrite(forger, original)
    assert problems(forger) == ()


def _edits(value: Any) -> Iterator[Any]:
    """Every way to change one place of a value."""
    if value is None:
        yield 1
    elif isinstance(value, int):
        yield from (value + 1, value - 1, value * 10)
    else:
        for place, character in enumerate(value):
            before, after = value[:place], value[place + 1 :]
            yield f"{before}{chr(ord(character) ^ 1)}{after}"
            if len(value) < 64:  # what is longer does not fit into the columns of hashes
                yield before + after
                yield before + character + character + after


def _fits(entries: list[dict[str, Any]]) -> bool:
    """Whether a database would take the entries at all."""
    keys = {entry["seq"] for entry in entries}
    seals = {entry["hash"] for entry in entries}
    short = all(len(entry["provider"]) <= 10 and len(entry["at"]) <= 35 for entry in entries)
    return short and len(keys) == len(seals) == len(entries)


@pytest.mark.parametrize("gone", [1, 2, 3])
def test_every_missing_entry_is_found(forger: Connection, gone: int) -> None:
    """An entry cannot be taken out, not even the last while its submission is left behind."""
    forger.execute(delete(audit_records).where(audit_records.c.seq == gone))
    assert problems(forger)


def test_a_renumbered_gap_is_found(forger: Connection) -> None:
    """Closing the gap after a deletion breaks the seals."""
    kept = [rows(forger)[0], rows(forger)[2]]
    rewrite(forger, [{**entry, "seq": seq} for seq, entry in enumerate(kept, 1)])
    assert problems(forger)


def test_every_other_order_is_found(forger: Connection) -> None:
    """What happened first stays first."""
    original = rows(forger)
    for order in permutations(original):
        if list(order) != original:
            rewrite(forger, [{**entry, "seq": seq} for seq, entry in enumerate(order, 1)])
            assert problems(forger)


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_cut_off_end_is_found_by_the_submissions_left_behind(forger: Connection, kept: int) -> None:
    """Whoever cuts the record must also forge the submissions it tells of."""
    rewrite(forger, rows(forger)[:kept])
    found = problems(forger)
    assert len(found) == 1
    assert "is sending, but the record ends with" in found[0]


def test_a_state_that_nobody_recorded_is_found(forger: Connection) -> None:
    """A refused report cannot be made an accepted one by an UPDATE."""
    forger.execute(update(submissions).values(state="accepted"))
    (problem,) = problems(forger)
    assert "accepted" in problem


def test_a_submission_that_nobody_recorded_is_found(forger: Connection) -> None:
    """A report cannot be slipped in beside the record."""
    add_submission(forger, "accepted")
    assert len(problems(forger)) == 1


def test_a_submission_that_is_gone_is_found(forger: Connection) -> None:
    """A report cannot be made never to have been sent."""
    forger.execute(delete(submissions))
    assert problems(forger) == ("submission 1 is in the record, but not in the journal",)


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '{"to": ["sending"]}', "čš"])
def test_a_forged_entry_with_a_right_seal_is_read_without_a_traceback(forger: Connection, body: str) -> None:
    """Whoever forges the seal too need not have written what we write."""
    *before, last = rows(forger)
    forged = chain.Entry(**{**last, "body": body})
    rewrite(forger, [*before, {**last, "body": body, "hash": forged.expected_hash()}])
    assert problems(forger)


def test_bytes_that_are_no_text_are_found_without_a_traceback(forger: Connection) -> None:
    """A byte flipped on the disk may leave something that is not UTF-8."""
    if forger.dialect.name == "postgresql":
        return  # it does not take such bytes, and pages damaged on its disk are its own to find
    forger.execute(text("UPDATE audit_records SET body = CAST(x'7bff7d' AS TEXT) WHERE seq = 2"))
    assert any("damaged" in problem for problem in problems(forger))


def test_what_is_rolled_back_leaves_no_entry(record: Engine) -> None:
    """The record tells of what happened, and of nothing that was undone."""
    with pytest.raises(RuntimeError), writing(record) as connection:
        note(connection, period="2026-11-17")
        assert chain.verify(connection).entries == 4
        raise RuntimeError
    with snapshot(record) as connection:
        assert chain.verify(connection).entries == 3
    with writing(record) as connection:
        note(connection, period="2026-11-18")
    with snapshot(record) as connection:
        assert (chain.verify(connection).entries, problems(connection)) == (4, ())


def test_the_head_changes_with_every_entry(record: Engine) -> None:
    """Whoever noted the head sees by it that nothing was cut off behind it."""
    with rehearsing(record) as connection:
        before = chain.verify(connection).head
        note(connection, period="2026-11-17")
        assert chain.verify(connection).head != before
        assert next(iter(list(chain.entries(connection))[-1:])).previous_hash == before


def test_an_entry_tells_its_messages_with_their_parts(record: Engine) -> None:
    """Whoever reads the record years later reads it in his own language; its bytes are English."""
    why = _("a person's word: {reason}", reason="AJPES, Ms Novak")
    with writing(record) as connection:
        note(connection, why=why, period="2026-11-17")
        entry = list(chain.entries(connection))[-1]
    assert json.loads(entry.body)["why"] == "a person's word: AJPES, Ms Novak"
    told = chain.told_by(entry)
    assert told == {"why": why, "period": "2026-11-17"}
    assert isinstance(told["why"], Message)
    assert (told["why"].template, dict(told["why"].values)) == (why.template, dict(why.values))
    with snapshot(record) as connection:
        assert problems(connection) == ()


@pytest.mark.parametrize(
    "parts", [[], "x", {"why": {"message": "All is well."}}, {"why": 1}, {"other": {"message": "x"}}]
)
def test_parts_that_say_something_else_are_not_told(record: Engine, parts: Any) -> None:
    """Nobody is told in Slovene what the English of the record does not say."""
    with writing(record) as connection:
        note(connection, why="AJPES has refused", messages=parts)
        told = chain.told_by(list(chain.entries(connection))[-1])
    assert told == {"why": "AJPES has refused"}
    assert not isinstance(told["why"], Message)


RESTORED = _(
    "the journal was restored on {until:moment} from a backup of {since:moment}; "
    "whether it was sent in between is not known here: ask AJPES",
    since=AT,
    until=AT,
)
VOLUME = _("it has {records:count} records; {more}", records=7, more="the journal was restored by a name")


@pytest.mark.parametrize(
    ("held_because", "right"),
    [
        (RESTORED, True),
        (joined((RESTORED, VOLUME)), True),
        (str(RESTORED), True),
        ("the journal does not know all that was sent: NODURS_1.xml", True),
        (VOLUME, False),
        ("it has 7 records", False),
        (None, False),
    ],
)
def test_a_doubt_is_told_by_its_message(held_because: str | None, right: bool) -> None:
    """A report that may have gone out is not sent again, whatever language its reason is told in.

    Rows of before messages had parts hold the English text.
    """
    assert is_doubt(held_because) is right
