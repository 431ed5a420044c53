"""The auditor: reads the authority's own records and our journal, and nothing else.

It knows neither what went wrong in a trial nor what the program meant to do.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import zstandard

from ajpes_reporting.config import open_workspace
from ajpes_reporting.pipeline.audit import verify_all
from ajpes_reporting.sandbox import reading
from ajpes_reporting.sandbox.store import REFUSED
from ajpes_reporting.wiring import open_context

from .poison import OTHER_ANSWERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from ajpes_reporting.sandbox.store import Submission

    from .world import World

LOST, DOUBLED, UNEXPLAINED = "lost", "doubled", "unexplained"

# As docs/architecture.md tells it, under "The life of a submission".
_STEPS = {
    (None, "prepared"), ("prepared", "sending"), ("unreachable", "sending"),
    ("sending", "delivered"), ("sending", "unreachable"), ("sending", "refused"), ("sending", "unknown"),
    ("delivered", "accepted"), ("delivered", "accepted_with_warnings"), ("delivered", "refused"),
    ("unknown", "accepted"), ("unknown", "accepted_with_warnings"), ("unknown", "refused"),
    ("unknown", "delivered"), ("unknown", "unreachable"), ("delivered", "unreachable"),
    ("unreachable", "unknown"), ("prepared", "delivered"),
}  # fmt: skip
_A_PERSON = "a person's word"
# Clocks stand still while a worker is at work, and workers follow one another at greater distances.
_AT_ONCE = timedelta(minutes=5)


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
    book = world.store.submissions()
    return [
        *_reports(book, days),
        *_events(world, recorded),
        *_files(world, book),
        *_answers(world, book),
        *_states(world, book, days),
        *_deliveries(world, book),
        *_record(world, book),
    ]


class _Archive:
    """The bank's archive as it lies on the disk, and what our journal does not know of it.

    Where the whole folder was set back, what was archived meanwhile was archived all the same.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._root = world.bank / "archive"

    @cached_property
    def orphans(self) -> list[Path]:
        known = {
            row.path
            for row in self._world.rows(
                "SELECT archive_path AS path FROM submissions UNION SELECT archive_path FROM answers"
                " UNION SELECT evidence_path FROM attempts"
            )
        }
        found = sorted(self._root.rglob("*.zst"))
        return [path for path in found if path.relative_to(self._root).as_posix() not in known]

    @cached_property
    def orphaned_reports(self) -> dict[str, Path]:
        """By the SHA-256 of what they report, as the authority reckons it."""
        return self._by_content(self.orphans)

    @cached_property
    def forgotten_reports(self) -> dict[str, Path]:
        return self._by_content((self._world.folder / "snapshot").glob("forgotten/archive/**/*.zst"))

    def _by_content(self, paths: Iterable[Path]) -> dict[str, Path]:
        return {self._content(path): path for path in paths if path.name.startswith("NODURS")}

    def _content(self, path: Path) -> str:
        plain = self._world.folder / "plain.xml"
        with path.open("rb") as packed:
            plain.write_bytes(zstandard.ZstdDecompressor().stream_reader(packed).read())
        return reading.content_sha256(plain, reading.outline(plain))


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
    theirs = {(row["obligation_id"], row["event_id"], row["amount_cents"]) for row in world.store.events()}
    if missing := ours - theirs:
        yield Finding(LOST, f"the authority does not know the events {sorted(missing)}")
    if others := theirs - ours:
        yield Finding(UNEXPLAINED, f"the authority knows events that are not in the ledger: {sorted(others)}")


def _files(world: World, book: Sequence[Submission]) -> Iterator[Finding]:
    """What the authority took from its folder is what we archived; half a file never has a final name."""
    ours, archive = {row.sha256 for row in world.rows("SELECT sha256 FROM submissions")}, _Archive(world)
    for one in book:
        if one.via != "sftp" or one.sha256 in ours:
            continue
        if one.content_sha256 in archive.orphaned_reports or one.content_sha256 in archive.forgotten_reports:
            continue
        yield Finding(UNEXPLAINED, f"{one.file_name} was taken, and is not what we meant to send")
    taken = {one.sha256 for one in book}
    for path in (world.counters / "nodurs" / "v_ajpes").iterdir():
        # It may leave there what it has taken.
        if not path.name.endswith(".part") and _sha256(path.read_bytes()) not in taken:
            yield Finding(UNEXPLAINED, f"{path.name} is still in v_ajpes")


def _answers(world: World, book: Sequence[Submission]) -> Iterator[Finding]:
    """Every answer that was put out is stored once, and still lies where it was put.

    Its own ones count. What else it has put out is set aside and keeps nothing from going on.
    """
    stored = world.rows("SELECT sha256, status, remote_name, via FROM answers")
    applied = {row.sha256 for row in stored if row.status == "applied"}
    # It may have come before it fitted, and once more when it did.
    stored = [row for row in stored if row.status != "unmatched" or row.sha256 not in applied]
    kept = Counter(row.sha256 for row in stored if row.status != "duplicate")
    fetched = Counter(row.remote_name for row in stored if row.remote_name and row.status != "duplicate")
    others = {_sha256(path.read_bytes()) for path in (world.folder / "authority" / OTHER_ANSWERS).glob("*")}
    for one in book:
        if one.via == "sftp" and one.answered_at is not None:
            yield from _one_answer(world, one, kept, fetched)
    for row in stored:
        # What came in the call is cut out of its envelope, and has another hash than the authority's file.
        is_other = row.sha256 in others or bool(others and row.via == "soap")
        final = ("applied", "duplicate", *(("unreadable", "unmatched") if is_other else ()))
        if row.status not in final:
            yield Finding(UNEXPLAINED, f"an answer is left as {row.status}")
        if row.sha256 in others and row.status == "applied":
            yield Finding(UNEXPLAINED, "an answer that says nothing of a report was applied to one")
    for sha256 in others:
        if kept[sha256] > 1:
            yield Finding(DOUBLED, "another answer is stored more than once")


def _one_answer(
    world: World, one: Submission, kept: Counter[str], fetched: Counter[str]
) -> Iterator[Finding]:
    path = world.counters / one.report / "iz_ajpes" / str(one.answer_name)
    if not path.exists():
        yield Finding(LOST, f"{path.name} is gone from iz_ajpes")
    count = kept[_sha256(world.store.answer(one.id) or b"")]
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


def _deliveries(world: World, book: Sequence[Submission]) -> Iterator[Finding]:
    """What we called delivered by ourselves, the authority had by then."""
    for row in world.rows(
        "SELECT r.at, r.submission, r.body, s.period FROM audit_records r"
        " JOIN submissions s ON s.id = r.submission WHERE r.kind = 'state'"
    ):
        body = json.loads(row.body)
        if body["to"] != "delivered" or body["why"].startswith(_A_PERSON):
            continue
        until = datetime.fromisoformat(row.at) + _AT_ONCE
        received = [datetime.fromisoformat(one.received_at) for one in book if one.period == row.period]
        if not any(at <= until for at in received):
            yield Finding(UNEXPLAINED, f"submission {row.submission} was called delivered and was not")


def _record(world: World, book: Sequence[Submission]) -> Iterator[Finding]:
    """Every state is explained, from the first to the last, and the record is whole.

    It also speaks of each report that the authority has and the journal does not know as one of its own.
    """
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
    yield from (Finding(UNEXPLAINED, problem) for problem in _verified(world))
    told = world.rows("SELECT body FROM audit_records WHERE kind <> 'state'")
    yield from _not_named(world, book, [row.body for row in told])


def audit_what_was_set_back(world: World) -> list[Finding]:
    """What the authority has and a journal that was set back does not know, `audit verify` names at once."""
    return list(_not_named(world, world.store.submissions(), _verified(world)))


def _not_named(world: World, book: Sequence[Submission], told: Sequence[str]) -> Iterator[Finding]:
    received = {one.content_sha256 for one in book}
    for content, path in _Archive(world).orphaned_reports.items():
        file_name = path.name.removesuffix(".zst").rpartition(".")[0]
        if content in received and not any(file_name in text for text in told):
            yield Finding(UNEXPLAINED, f"the authority has {path.name}, of which nothing is told")


def _verified(world: World) -> Sequence[str]:
    context = open_context(open_workspace(world.bank))
    try:
        return verify_all(context).problems
    finally:
        context.engine.dispose()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def leftovers(world: World) -> list[Path]:
    """Files under another name that were left behind in v_ajpes: harmless, but worth counting."""
    return list((world.counters / "nodurs" / "v_ajpes").glob("*.part"))
