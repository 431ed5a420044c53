"""The audit record: a chain in which each entry seals the one before it.

An entry commits in the same transaction as the change it explains. The hash covers every column
of the entry and the hash of its predecessor, so that no byte of the past can be edited unseen;
cutting off the end is seen too, since every state, every answer and every quiet day in the journal
must have its entry.

Several providers in one database share one chain. Of its own entries a provider sees everything, of
those of the others the hashes alone, which keep the chain together.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Select, func, select
from sqlalchemy.exc import DBAPIError

from ajpes_reporting.database.tables import (
    answers,
    attempts,
    audit_records,
    due_reports,
    purged_files,
    submissions,
)
from ajpes_reporting.domain.answers import status_label
from ajpes_reporting.domain.states import State
from ajpes_reporting.i18n.message import Message, _, pack, unpack
from ajpes_reporting.journal import chores

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from sqlalchemy import Row, Table

GENESIS = "0" * 64
STATE_CHANGED = "state"
ANSWER = "answer "  # and then its status
NOTHING_TO_REPORT = "nothing_to_report"
LATE_OUTCOME = "late outcome"
RELEASED = "released"
PURGED = "purged"
COUNTED = "audit entries"
"""The note of how many entries were a provider's own, up to which one of all."""
SENT_AGAIN = "sent again"
_PARTS = "messages"
_UNREADABLE = ""
"""The state of an entry that names none."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the audit record. `body` is JSON text; `at` is ISO 8601 with an offset."""

    seq: int
    at: str
    provider: str
    kind: str
    submission: int | None
    body: str
    previous_hash: str
    hash: str

    def expected_hash(self) -> str:
        """The hash that the other fields give."""
        sealed = [self.seq, self.at, self.provider, self.kind, self.submission, self.body, self.previous_hash]
        return hashlib.sha256(json.dumps(sealed, ensure_ascii=False).encode()).hexdigest()

    def is_sealed(self) -> bool:
        """Whether it is as it was written."""
        return self.hash == self.expected_hash()

    def was_of(self, provider: str) -> bool:
        """Whether it was written as an entry of that provider, whatever it says now."""
        return replace(self, provider=provider).is_sealed()


@dataclass(frozen=True, slots=True)
class ChainReport:
    """The verdict over the record. `head` is the hash to compare with one noted earlier.

    `entries` are all that are chained together, `others` those among them of other providers;
    `remarks` say of these that one does not match, which is for their owner to clear up.
    """

    entries: int
    head: str
    problems: tuple[Message, ...]
    remarks: tuple[Message, ...] = ()
    others: int = 0


def append(
    connection: Connection,
    *,
    at: datetime,
    provider: str,
    kind: str,
    body: Mapping[str, Any],
    submission: int | None = None,
) -> None:
    """Adds an entry within the running transaction, which must be one made by `writing`.

    A message in `body` stands there as its English text, and its parts beside it, for `told_by`.
    """
    last = connection.execute(
        select(audit_records.c.seq, audit_records.c.hash).order_by(audit_records.c.seq.desc()).limit(1)
    ).one_or_none()
    seq, previous = (last.seq + 1, last.hash) if last else (1, GENESIS)
    text = json.dumps({**body, **_parts_of(body)}, ensure_ascii=False, sort_keys=True)
    entry = Entry(seq, at.isoformat(timespec="milliseconds"), provider, kind, submission, text, previous, "")
    connection.execute(
        audit_records.insert().values(
            seq=seq,
            at=entry.at,
            provider=provider,
            kind=kind,
            submission=submission,
            body=text,
            previous_hash=previous,
            hash=entry.expected_hash(),
        )
    )


def _parts_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the parts of a body's messages for other languages, under a key of their own."""
    parts = {
        key: json.loads(pack(value)) for key, value in body.items() if isinstance(value, Message) and value
    }
    return {_PARTS: parts} if parts else {}


def entries(connection: Connection) -> Iterator[Entry]:
    """The whole record in order, as a stream."""
    rows = connection.execute(
        select(audit_records).order_by(audit_records.c.seq), execution_options={"yield_per": 1_000}
    )
    return (Entry(**row._mapping) for row in rows)


def exported(connection: Connection, provider: str) -> Iterator[dict[str, Any]]:
    """The whole record as a provider hands it out: of the entries of others only what links the chain."""
    for entry in entries(connection):
        if entry.provider == provider:
            yield asdict(entry)
        else:
            yield {"seq": entry.seq, "previous_hash": entry.previous_hash, "hash": entry.hash}


def count_of(connection: Connection, provider: str) -> int:
    """Returns the number of a provider's own entries: those counted by the last check, and those since."""
    counted = chores.note(connection, provider, COUNTED).split()
    seq, count = map(int, counted) if counted else (0, 0)
    since = select(func.count()).where(audit_records.c.provider == provider, audit_records.c.seq > seq)
    return count + connection.execute(since).scalar_one()


def note_count(connection: Connection, provider: str, report: ChainReport, *, at: datetime) -> None:
    """Keeps how many entries a check of the whole record has found to be a provider's own."""
    note = f"{report.entries} {report.entries - report.others}"
    chores.note_done(connection, provider, COUNTED, at=at, note=note)


def of_submission(connection: Connection, submission: int) -> list[Entry]:
    """Returns the entries about one submission, in order."""
    rows = connection.execute(
        select(audit_records).where(audit_records.c.submission == submission).order_by(audit_records.c.seq)
    )
    return [Entry(**row._mapping) for row in rows]


def told_by(entry: Entry) -> dict[str, Any]:
    """Returns the body of an entry; a forger of its hash, too, need not have written JSON."""
    try:
        told = json.loads(entry.body)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        return {}
    parts = told.pop(_PARTS, None)
    for key, packed in parts.items() if isinstance(parts, dict) else ():
        # The English text is what counts: parts that say something else are none of its own.
        if (message := unpack(json.dumps(packed))) == told.get(key):
            told[key] = message
    return told


def verify(connection: Connection, provider: str | None = None) -> ChainReport:
    """Checks every hash and every link, that no number is missing, and that the journal agrees.

    For one provider its own entries and rows are judged, and those of the others only as links of the
    chain; without one, everything is.
    """
    walk = _Walk(provider)
    try:
        for entry in entries(connection):
            walk.step(entry)
    except DBAPIError:  # SQLite gives out no text that is not UTF-8, however it came there
        walk.problems.append(
            _("the record is damaged after entry {entry} and cannot be read further", entry=walk.seq)
        )
    remarks = tuple(walk.judge_others())
    walk.problems.extend(_unsealed(connection, walk))
    return ChainReport(walk.seq, walk.previous, tuple(walk.problems), remarks, walk.others)


@dataclass(slots=True)
class _Walk:
    """A walk along the record: its place, its problems, and the part of the journal that the record has."""

    provider: str | None = None
    seq: int = 0
    previous: str = GENESIS
    others: int = 0
    states: dict[int, str] = field(default_factory=dict)
    prepared: dict[int, dict[str, Any]] = field(default_factory=dict)
    released: set[int] = field(default_factory=set)
    ended: dict[Any, dict[str, Any]] = field(default_factory=dict)  # attempts, by number
    stored: dict[Any, dict[str, Any]] = field(default_factory=dict)  # answers, by number
    answers: set[tuple[str, Any]] = field(default_factory=set)
    quiet: set[tuple[str, Any, Any]] = field(default_factory=set)
    purged: dict[tuple[str, Any], Any] = field(default_factory=dict)  # the hash, by provider and path
    problems: list[Message] = field(default_factory=list)
    _sound: set[str] = field(default_factory=set)  # other providers of whom an entry matches its hash
    _suspects: dict[int, str] = field(default_factory=dict)  # entries of others that do not match
    _owner: str | None = None  # of the entry before

    def step(self, entry: Entry) -> None:
        is_sealed = entry.is_sealed()
        if entry.seq != self.seq + 1:
            self.problems.append(
                _(
                    "entry {missing} is missing; the next one is {entry}",
                    missing=self.seq + 1,
                    entry=entry.seq,
                )
            )
        if entry.previous_hash != self.previous:
            self._broken(entry, is_sealed)
        if not is_sealed:
            self._changed(entry)
        elif self._is_own(entry.provider):
            self._take_in(entry)
        else:
            self._sound.add(entry.provider)
        self.others += not self._is_own(entry.provider)
        self.seq, self.previous, self._owner = entry.seq, entry.hash, entry.provider

    def judge_others(self) -> Iterator[Message]:
        """Remarks about others' entries. Of a provider who has no other entry, it was one of ours."""
        for seq, provider in self._suspects.items():
            if provider in self._sound:
                yield (
                    _(
                        "entry {entry} is of another provider and does not match; what is yours matches. "
                        "Tell the administrator of the database",
                        entry=seq,
                    )
                )
            else:
                self.problems.append(_("entry {entry} was changed after it was written", entry=seq))

    def _is_own(self, provider: str | None) -> bool:
        return self.provider is None or provider == self.provider

    def _broken(self, entry: Entry, is_sealed: bool) -> None:
        """An entry that is whole says truly what came before it; then that one is the wrong one."""
        doubtful = (self._owner,) if is_sealed else (self._owner, entry.provider)
        if self._owner is None or any(map(self._is_own, doubtful)):
            self.problems.append(_("entry {entry} does not follow the entry before it", entry=entry.seq))
        else:
            self._suspects.setdefault(self.seq, self._owner)

    def _changed(self, entry: Entry) -> None:
        if self._is_own(entry.provider) or (self.provider is not None and entry.was_of(self.provider)):
            self.problems.append(_("entry {entry} was changed after it was written", entry=entry.seq))
        else:
            self._suspects.setdefault(entry.seq, entry.provider)

    def _take_in(self, entry: Entry) -> None:
        body = told_by(entry)
        if entry.kind in (STATE_CHANGED, LATE_OUTCOME):
            self._submission(entry, body)
        elif entry.kind == RELEASED and entry.submission is not None:
            self.released.add(entry.submission)
        elif entry.kind == ANSWER + "stored":
            self.stored[_number(body, "answer")] = body
        elif entry.kind.startswith(ANSWER):
            self.answers.add((entry.kind.removeprefix(ANSWER), _number(body, "answer")))
        elif entry.kind == NOTHING_TO_REPORT:
            self.quiet.add((entry.provider, str(body.get("report")), str(body.get("period"))))
        elif entry.kind == PURGED:
            self._purged(entry.provider, body)

    def _submission(self, entry: Entry, body: dict[str, Any]) -> None:
        if "attempt" in body:
            self.ended.setdefault(_number(body, "attempt"), body)
        if entry.kind == STATE_CHANGED and entry.submission is not None:
            if entry.submission not in self.states:
                self.prepared[entry.submission] = body
            self.states[entry.submission] = str(body.get("to", _UNREADABLE))

    def _purged(self, provider: str, body: dict[str, Any]) -> None:
        path = str(body.get("path"))
        if (provider, path) in self.purged:
            self.problems.append(_("the record says twice that the file {path} was purged", path=path))
        self.purged[provider, path] = body.get("sha256")


def _number(body: Mapping[str, Any], key: str) -> int | None:
    """Returns the number that an entry names; a forger need not have named a number."""
    number = body.get(key)
    return number if isinstance(number, int) else None


# What an entry holds of the row that it tells of, and the row's own column. Entries from before a key was
# added do not have it.
_OF_A_SUBMISSION = {
    "report": "report",
    "period": "period",
    "file_name": "file_name",
    "path": "archive_path",
    "sha256": "sha256",
    "content_sha256": "content_sha256",
    "size": "size_bytes",
    "records": "record_count",
}
_OF_AN_ANSWER = {
    "via": "via",
    "name": "remote_name",
    "path": "archive_path",
    "sha256": "sha256",
    "size": "size_bytes",
}
_OF_AN_ATTEMPT = {"evidence": "evidence_sha256", "path": "evidence_path"}


def _unsealed(connection: Connection, walk: _Walk) -> Iterator[Message]:
    """Yields rows of the journal that the record lacks: its end was cut off, or a row says otherwise."""
    yield from _submissions_that_differ(connection, walk)
    yield from _attempts_that_differ(connection, walk)
    yield from _answers_that_differ(connection, walk)
    quiet = _own(due_reports, walk).where(due_reports.c.settled_as == NOTHING_TO_REPORT)
    for row in connection.execute(quiet):
        if (row.provider, row.report, row.period) not in walk.quiet:
            yield _(
                "{report} for {period} counts as quiet, but the record does not say so",
                report=row.report,
                period=row.period,
            )
    yield from _purged_that_differ(connection, walk)


def _own(table: Table, walk: _Walk) -> Select[Any]:
    """The rows that are judged."""
    rows = select(table)
    return rows if walk.provider is None else rows.where(table.c.provider == walk.provider)


def _state_in_words(state: str) -> str:
    if state == _UNREADABLE:
        return _("something that cannot be read")
    return State(state).label if state in set(State) else state


def _submissions_that_differ(connection: Connection, walk: _Walk) -> Iterator[Message]:
    known = set()
    for row in connection.execute(_own(submissions, walk).order_by(submissions.c.id)):
        known.add(row.id)
        name = _("submission {number}", number=row.id)
        if (state := walk.states.get(row.id)) != row.state:
            if state is None:
                ends = _(
                    "{what} is {state}, but the record ends with nothing about it",
                    what=name,
                    state=_state_in_words(row.state),
                )
            else:
                ends = _(
                    "{what} is {state}, but the record ends with {other}",
                    what=name,
                    state=_state_in_words(row.state),
                    other=_state_in_words(state),
                )
            yield ends
        if (told := walk.prepared.get(row.id)) is not None:
            yield from _differing(name, row, told, _OF_A_SUBMISSION)
            if "totals" in told and told["totals"] != _json(row.totals):
                yield _("{what} has other totals than the record says", what=name)
            if told.get("held_because") != row.held_because:
                yield _("{what} is held, or not held, against the record", what=name)
        if row.released_at is not None and row.id not in walk.released:
            yield _("{what} counts as released, but the record does not say so", what=name)
    for missing in sorted(set(walk.states) - known):
        yield _("submission {number} is in the record, but not in the journal", number=missing)


def _attempts_that_differ(connection: Connection, walk: _Walk) -> Iterator[Message]:
    rows = select(attempts).join(submissions, submissions.c.id == attempts.c.submission)
    if walk.provider is not None:
        rows = rows.where(submissions.c.provider == walk.provider)
    for row in connection.execute(rows.order_by(attempts.c.id)):
        yield from _differing(
            _("attempt {number}", number=row.id), row, walk.ended.get(row.id, {}), _OF_AN_ATTEMPT
        )


def _answers_that_differ(connection: Connection, walk: _Walk) -> Iterator[Message]:
    known = set()
    for row in connection.execute(_own(answers, walk).order_by(answers.c.id)):
        known.add(row.id)
        if (told := walk.stored.get(row.id)) is None:
            yield _("answer {number} is in the journal, but not in the record", number=row.id)
            continue
        if row.status not in ("stored", "applied") and (row.status, row.id) not in walk.answers:
            yield _(
                "answer {number} is {status}, but the record does not say so",
                number=row.id,
                status=status_label(row.status),
            )
        yield from _differing(_("answer {number}", number=row.id), row, told, _OF_AN_ANSWER)
    for missing in sorted(key for key in walk.stored if key is not None and key not in known):
        yield _("answer {number} is in the record, but not in the journal", number=missing)


def _purged_that_differ(connection: Connection, walk: _Walk) -> Iterator[Message]:
    rows = connection.execute(_own(purged_files, walk))
    known = {(row.provider, row.path): row.sha256 for row in rows}
    for key, sha256 in known.items():
        if walk.purged.get(key) != sha256:
            yield _("the file {path} counts as purged, but the record does not say so", path=key[1])
    for _provider, path in sorted(set(walk.purged) - set(known)):
        yield _("the file {path} was purged by the record, but not by the journal", path=path)


def _differing(
    name: str, row: Row[Any], told: Mapping[str, Any], columns: Mapping[str, str]
) -> Iterator[Message]:
    for key, column in columns.items():
        if key in told and told[key] != getattr(row, column):
            yield _("{what} has another {column} than the record says", what=name, column=column)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
