"""One submission with everything that is known of it: attempts, answers, findings, files, and its history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ajpes_reporting.domain.answers import status_label
from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.domain.states import State
from ajpes_reporting.i18n import NOTHING, Message, _, verbatim
from ajpes_reporting.i18n.formats import LJUBLJANA
from ajpes_reporting.journal import answers, chain, purged, submissions
from ajpes_reporting.queries.words import record_in_words, severity_in_words, totals_in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from sqlalchemy import Connection, Row

    from ajpes_reporting.journal.submissions import Submission
    from ajpes_reporting.pipeline.context import Context

FIRST_ROWS = 20
"""So many rows of an answer are told where nobody has asked for all of them."""

_STEPS = {
    f"{chain.ANSWER}{answers.STORED}": _("answer stored"),
    f"{chain.ANSWER}{answers.APPLIED}": _("answer applied"),
    f"{chain.ANSWER}{answers.UNMATCHED}": _("answer unmatched"),
    f"{chain.ANSWER}{answers.UNREADABLE}": _("answer unreadable"),
    f"{chain.ANSWER}{answers.DUPLICATE}": _("answer came again"),
    f"{chain.ANSWER}{answers.DISCARDED}": _("answer discarded"),
    f"{chain.ANSWER}{answers.ASSIGNED}": _("answer assigned"),
    chain.LATE_OUTCOME: _("late outcome"),
    chain.RELEASED: _("released"),
    chain.PURGED: _("file removed"),
    chain.SENT_AGAIN: _("sent again"),
} | {state.value: state.label for state in State}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to deliver it, with its number within the submission.

    `evidence` says where the raw reply is kept, or when that was removed.
    """

    number: int
    id: int
    submission: int
    via: str
    started_at: datetime
    handed_over_at: datetime | None
    handed_over_as: str | None
    finished_at: datetime | None
    outcome: str | None
    detail: Message | None
    evidence_path: str | None
    evidence_sha256: str | None
    text: Message
    evidence: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer that came for it. `kept` says where its bytes are, or when they were removed."""

    id: int
    provider: str
    submission: int | None
    received_at: datetime
    via: str
    remote_name: str
    remote_size: int
    remote_modified_at: int
    archive_path: str
    size_bytes: int
    sha256: str
    status: str
    note: Message
    declared_errors: int | None
    declared_warnings: int | None
    error_rows: int | None
    warning_rows: int | None
    report: str | None
    period: str | None
    text: Message
    kept: Message

    @property
    def counts(self) -> bool:
        """Whether the answer counts: nobody has discarded it."""
        return self.status != answers.DISCARDED


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow:
    """A row of an answer: AJPES on one record, or on the report as a whole."""

    id: int
    answer: int
    severity: str
    code: str
    text: str
    obligation_id: str | None
    event_id: str | None
    ref_id: str | None
    account: str | None

    @property
    def record(self) -> Message:
        """The record that AJPES speaks of; nothing for the report as a whole."""
        return record_in_words(self.obligation_id, self.event_id, self.account)

    def in_words(self) -> Message:
        """Returns the row as one line."""
        said = {"severity": severity_in_words(self.severity), "text": self.text}
        if self.code and self.record:
            return _("AJPES, {severity} {code}: {record}: {text}", **said, code=self.code, record=self.record)
        if self.code:
            return _("AJPES, {severity} {code}: {text}", **said, code=self.code)
        if self.record:
            return _("AJPES, {severity}: {record}: {text}", **said, record=self.record)
        return _("AJPES, {severity}: {text}", **said)


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of the audit record: when, which state or act, and why. `text` says `state` in words."""

    at: datetime
    state: str
    text: Message
    why: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionDetails:
    """One submission. `answer_rows` are the first rows of each answer; `rows_left_out` are how many more."""

    id: int
    report: str
    period: str
    state: State
    text: Message
    held_because: Message | None
    released_at: datetime | None
    to_do: Message
    file_name: str
    archive: Path
    kept: Message
    purged_at: datetime | None
    sha256: str
    size_bytes: int
    records: int
    totals: Mapping[str, str]
    totals_in_words: tuple[Message, ...]
    prepared_at: datetime
    superseded_by: int | None
    attempts: tuple[Attempt, ...]
    answers: tuple[Answer, ...]
    answer_rows: tuple[AnswerRow, ...]
    rows_left_out: int
    findings: tuple[Finding, ...]
    history: tuple[Step, ...]


def submission_details(
    connection: Connection, context: Context, submission: Submission, most_rows: int | None = FIRST_ROWS
) -> SubmissionDetails:
    """Returns all that is known of a submission; of each answer `most_rows` rows, or all of them for None."""
    key = submission.id
    root = context.archive.root
    tries = submissions.attempts_of(connection, key)
    replies = answers.of_submission(connection, key)
    evidence = [row.evidence_path for row in tries if row.evidence_path]
    paths = [submission.archive_path, *evidence, *(reply.archive_path for reply in replies)]
    gone = purged.times(connection, context.provider, paths)

    def kept(path: str | None) -> Message:
        return _where(root, path, gone) if path else NOTHING

    rows = [
        AnswerRow(**row._mapping)
        for reply in replies
        for row in answers.rows_of(connection, reply.id, most_rows)
    ]
    findings = tuple(map(_finding, submissions.findings_of(connection, key)))
    return SubmissionDetails(
        id=key,
        report=submission.report,
        period=submission.period,
        state=submission.state,
        text=_(
            "Submission {number}: {report} for {period:period}, {state}",
            number=key,
            report=submission.report,
            period=submission.period,
            state=submission.state.label,
        ),
        held_because=submission.held_because,
        released_at=submission.released_at,
        to_do=to_do(submission, is_refused_by_us=is_refused_by_us(findings)),
        file_name=submission.file_name,
        archive=root / submission.archive_path,
        kept=kept(submission.archive_path),
        purged_at=gone.get(submission.archive_path),
        sha256=submission.sha256,
        size_bytes=submission.size_bytes,
        records=submission.record_count,
        totals=dict(submission.totals),
        totals_in_words=_totals(context, submission),
        prepared_at=submission.prepared_at,
        superseded_by=submission.superseded_by,
        attempts=tuple(
            Attempt(**row._mapping, number=number, text=_attempt(row), evidence=kept(row.evidence_path))
            for number, row in enumerate(tries, start=1)
        ),
        answers=tuple(
            Answer(**reply._mapping, text=_answer(reply), kept=kept(reply.archive_path)) for reply in replies
        ),
        answer_rows=tuple(rows),
        rows_left_out=sum(map(_row_count, replies)) - len(rows),
        findings=findings,
        history=tuple(map(_step, chain.of_submission(connection, key))),
    )


def _totals(context: Context, submission: Submission) -> tuple[Message, ...]:
    kind = next((kind for kind in context.kinds if kind.code == submission.report), None)
    settings = context.report_settings.get(submission.report)
    return totals_in_words(kind, submission.totals, settings.amounts if settings else "cents")


def is_refused_by_us(findings: Iterable[Finding]) -> bool:
    """Returns whether our own checks have found an error."""
    return any(finding.is_error for finding in findings)


def to_do(submission: Submission, *, is_refused_by_us: bool = False, has_moved: bool = False) -> Message:
    """Returns what a person does about a submission as it stands; nothing where nothing is to be done.

    `has_moved`: the ledger has other figures by now than AJPES accepted with it.
    """
    number = submission.id
    if submission.superseded_by:
        return _("superseded by {newer}", newer=submission.superseded_by)
    if has_moved:
        return _(
            "the report's figures have moved, see below: resubmit {number}, or leave it so", number=number
        )
    match submission.state:
        case State.PREPARED if submission.is_held:
            return _(
                "held, {because}: show {number}, then release {number} --reason …",
                because=submission.held_because,
                number=number,
            )
        case State.PREPARED if is_refused_by_us:
            return _("our own checks refused it: see show {number}, correct, run again", number=number)
        case State.PREPARED:
            return _("the report was cut off before it was sent: run again")
        case State.SENDING:
            return _("a run is at work, or was cut off")
        case State.DELIVERED:
            return _("collect the answer")
        case State.REFUSED:
            return _("see show {number}, correct, resubmit {number} (or --same)", number=number)
        case State.UNREACHABLE:
            return _("nothing arrived: run again, or resubmit {number}", number=number)
        case State.UNKNOWN:
            return _("ask AJPES, then resolve {number} --as … --reason …", number=number)
    return NOTHING


def _where(root: Path, path: str, gone: Mapping[str, datetime]) -> Message:
    if path in gone:
        day = gone[path].astimezone(LJUBLJANA).date()
        return _("removed on {day:date}, when its time was over", day=day)
    return _("kept in {path}", path=str(root / path))


def _attempt(row: Row[Any]) -> Message:
    said = {"at": row.started_at, "way": row.via}
    if row.outcome == State.DELIVERED:  # of a try, whether or not the answer has come since then
        if row.detail:
            return _("{at:moment} by {way:way}: delivered; {detail}", **said, detail=row.detail)
        return _("{at:moment} by {way:way}: delivered", **said)
    said["outcome"] = State(row.outcome).label if row.outcome else _("cut off")
    if row.detail:
        return _("{at:moment} by {way:way}: {outcome}. {detail}", **said, detail=row.detail)
    return _("{at:moment} by {way:way}: {outcome}", **said)


def _answer(row: Row[Any]) -> Message:
    status = status_label(row.status)
    said = {"at": row.received_at, "number": row.id, "way": row.via, "status": status}
    if row.note:
        return _("{at:moment} answer {number} by {way:way}, {status}: {note}", **said, note=row.note)
    return _("{at:moment} answer {number} by {way:way}, {status}", **said)


def _row_count(reply: Row[Any]) -> int:
    return (reply.error_rows or 0) + (reply.warning_rows or 0)


def _finding(row: Row[Any]) -> Finding:
    return Finding(
        Severity(row.severity), row.record, row.field, row.rule, row.message, row.remedy, row.location
    )


def _step(entry: chain.Entry) -> Step:
    body = chain.told_by(entry)
    state = body.get("to", entry.kind)
    why = body.get("why") or body.get("note") or body.get("name") or ""
    return Step(datetime.fromisoformat(entry.at), state, _STEPS.get(state) or verbatim(state), verbatim(why))
