"""The auditor: reads the authority's own records and our journal, and nothing else.

It knows neither what went wrong in a trial nor what the program meant to do.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ajpes_reporting.config import open_workspace
from ajpes_reporting.pipeline.audit import verify_all
from ajpes_reporting.sandbox.book import REFUSED
from ajpes_reporting.wiring import open_desk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ajpes_reporting.sandbox.book import Submission

    from .world import World

LOST, DOUBLED, UNEXPLAINED = "lost", "doubled", "unexplained"

# As docs/architecture.md tells it, under "The life of a submission".
_STEPS = {
    (None, "prepared"), ("prepared", "sending"), ("unreachable", "sending"),
    ("sending", "delivered"), ("sending", "unreachable"), ("sending", "refused"), ("sending", "unknown"),
    ("delivered", "accepted"), ("delivered", "accepted_with_warnings"), ("delivered", "refused"),
    ("unknown", "accepted"), ("unknown", "accepted_with_warnings"), ("unknown", "refused"),
    ("unknown", "delivered"), ("unknown", "unreachable"), ("delivered", "unreachable"),
    ("unreachable", "unknown"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be: `kind` is LOST, DOUBLED or UNEXPLAINED."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


def audit(world: World, days: Sequence[str], recorded: Sequence[str]) -> list[Finding]:
    """What is wrong at the end of a trial, when these days were due and these events were recorded.

    `recorded` are the rows of CSV that the bank entered into its ledger.
    """
    book = world.book.submissions()
    return [
        *_reports(book, days),
        *_events(world, recorded),
        *_files(world, book),
        *_answers(world, book),
        *_states(world, book, days),
        *_record(world),
    ]


def _reports(book: Sequence[Submission], days: Sequence[str]) -> Iterator[Finding]:
    """Every due report was received exactly once."""
    for day in days:
        accepted = [one for one in book if one.period == day and one.is_accepted]
        if not accepted:
            yield Finding(LOST, f"the authority has no report for {day}")
        if len(accepted) > 1:
            yield Finding(DOUBLED, f"the authority has {len(accepted)} reports for {day}")
    seen: set[str] = set()
    for one in book:
        if one.content_sha256 is None or one.verdict == REFUSED:
            continue
        if one.content_sha256 in seen:
            yield Finding(DOUBLED, f"the same content came again by {one.via}, for {one.period}")
        seen.add(one.content_sha256)


def _events(world: World, recorded: Sequence[str]) -> Iterator[Finding]:
    """The authority has what the bank recorded, to the cent."""
    columns = [row.split(",") for row in recorded]
    ours = {(row[0], row[5], int(row[9])) for row in columns}
    theirs = {(row["obligation_id"], row["event_id"], row["amount_cents"]) for row in world.book.events()}
    if missing := ours - theirs:
        yield Finding(LOST, f"the authority does not know the events {sorted(missing)}")
    if others := theirs - ours:
        yield Finding(UNEXPLAINED, f"the authority knows events that are not in the ledger: {sorted(others)}")


def _files(world: World, book: Sequence[Submission]) -> Iterator[Finding]:
    """What the authority took from its folder is what we archived; half a file never has a final name."""
    ours = {row.sha256 for row in world.rows("SELECT sha256 FROM submissions")}
    for one in book:
        if one.via == "sftp" and one.sha256 not in ours:
            yield Finding(UNEXPLAINED, f"{one.file_name} was taken, and is not what we meant to send")
    for path in (world.counters / "nodurs" / "v_ajpes").iterdir():
        if not path.name.endswith(".part"):
            yield Finding(UNEXPLAINED, f"{path.name} is still in v_ajpes")


def _answers(world: World, book: Sequence[Submission]) -> Iterator[Finding]:
    """Every answer that was put out is stored once, and still lies where it was put."""
    stored = world.rows("SELECT sha256, status, remote_name FROM answers")
    kept = Counter(row.sha256 for row in stored if row.status != "duplicate")
    fetched = Counter(row.remote_name for row in stored if row.remote_name)
    for one in book:
        if one.via == "sftp" and one.answered_at is not None:
            yield from _one_answer(world, one, kept, fetched)
    for row in stored:
        if row.status not in ("applied", "duplicate"):
            yield Finding(UNEXPLAINED, f"an answer is left as {row.status}")


def _one_answer(
    world: World, one: Submission, kept: Counter[str], fetched: Counter[str]
) -> Iterator[Finding]:
    path = world.counters / one.report / "iz_ajpes" / str(one.answer_name)
    if not path.exists():
        yield Finding(LOST, f"{path.name} is gone from iz_ajpes")
    count = kept[hashlib.sha256(world.book.answer(one.id) or b"").hexdigest()]
    if count == 0:
        yield Finding(LOST, f"{path.name} was put out and is not stored")
    if count > 1 or fetched[f"{one.report}/{path.name}"] > 1:
        yield Finding(DOUBLED, f"{path.name} is stored more than once")


def _states(world: World, book: Sequence[Submission], days: Sequence[str]) -> Iterator[Finding]:
    """Nothing is left in the middle, and we believe of every report what the authority decided."""
    for row in world.rows("SELECT id, period, state FROM submissions WHERE superseded_by IS NULL"):
        verdicts = {one.verdict for one in book if one.period == row.period}
        if row.state not in verdicts:
            yield Finding(
                UNEXPLAINED, f"submission {row.id} is {row.state}, the authority says {sorted(verdicts)}"
            )
    late = world.rows("SELECT period FROM due_reports WHERE settled_at IS NULL OR settled_at > deadline")
    for row in late:
        yield Finding(UNEXPLAINED, f"{row.period} is late")
    settled = {
        row.period for row in world.rows("SELECT period FROM due_reports WHERE submission IS NOT NULL")
    }
    for day in set(days) - settled:
        yield Finding(LOST, f"{day} is not settled")
    if pending := world.rows("SELECT event FROM pending_events"):
        yield Finding(UNEXPLAINED, f"{len(pending)} events count as not reported")


def _record(world: World) -> Iterator[Finding]:
    """Every state is explained, from the first to the last, and the record is whole."""
    at: dict[int, str | None] = {}
    for row in world.rows("SELECT submission, body FROM audit_records WHERE kind = 'state' ORDER BY seq"):
        body: dict[str, Any] = json.loads(row.body)
        before, after = at.get(row.submission), body["to"]
        if (before, after) not in _STEPS:
            yield Finding(UNEXPLAINED, f"submission {row.submission} went from {before} to {after}")
        at[row.submission] = after
    for row in world.rows("SELECT id, state FROM submissions"):
        if at.get(row.id) != row.state:
            yield Finding(
                UNEXPLAINED, f"submission {row.id} is {row.state}, the record ends with {at.get(row.id)}"
            )
    desk = open_desk(open_workspace(world.bank))
    try:
        yield from (Finding(UNEXPLAINED, problem) for problem in verify_all(desk).problems)
    finally:
        desk.engine.dispose()


def leftovers(world: World) -> list[Path]:
    """Files under another name that were left behind in v_ajpes: harmless, but worth counting."""
    return list((world.counters / "nodurs" / "v_ajpes").glob("*.part"))
