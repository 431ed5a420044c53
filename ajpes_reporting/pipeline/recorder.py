"""Writes down what happens while a submission is delivered, each step before the next begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ajpes_reporting.database.engine import writing
from ajpes_reporting.domain.outcomes import Delivered, Outcome, Unknown
from ajpes_reporting.journal import answers, submissions
from ajpes_reporting.pipeline.collect import AnswerProblem, Reading, apply_rows, read_answer

if TYPE_CHECKING:
    from pathlib import Path

    from ajpes_reporting.domain.ports import Carrier
    from ajpes_reporting.journal.archive import Stored
    from ajpes_reporting.journal.submissions import Submission
    from ajpes_reporting.pipeline.desk import Desk
    from ajpes_reporting.reports.kind import ReportKind


class Recorder:
    """The journal's side of a delivery; see `deliver.route.Log`."""

    def __init__(self, desk: Desk, kind: ReportKind, submission: Submission, folder: Path) -> None:
        self._desk = desk
        self._kind = kind
        self._folder = folder
        self._attempt = 0
        self.submission = submission

    def started(self, carrier: Carrier) -> None:
        """Commits `sending`, so that a machine that dies now knows that the report may have left."""
        with writing(self._desk.engine) as connection:
            self._attempt = submissions.begin_attempt(
                connection, self.submission, carrier.name, at=self._desk.clock()
            )

    def ended(self, carrier: Carrier, outcome: Outcome) -> None:
        """Stores what came back, raw, then says what it means: an answer is checked before it counts."""
        if isinstance(outcome, Delivered) and outcome.answer is not None:
            self._answered(carrier, outcome.answer, outcome)
        else:
            self._end_attempt(outcome, self._keep_evidence(outcome))

    def _answered(self, carrier: Carrier, path: Path, outcome: Outcome) -> None:
        desk = self._desk
        stored = desk.archive.store(path, f"answer-to-{self.submission.file_name}", desk.clock())
        evidence = self._keep_evidence(outcome)
        with writing(desk.engine) as connection:
            answer = answers.store(
                connection, desk.provider, stored, carrier.name, None, self.submission.id, at=desk.clock()
            )
        try:
            reading = read_answer(desk, path, self._folder)
            self._refuse_foreign(reading)
        except AnswerProblem as problem:
            self._end_attempt(Unknown(f"The authority's answer cannot be used: {problem.note}."), evidence)
            with writing(desk.engine) as connection:
                answers.set_aside(
                    connection, desk.provider, answer, problem.status, problem.note, self.submission.id,
                    at=desk.clock(),
                )  # fmt: skip
            return
        self._end_attempt(outcome, evidence)
        self.submission = apply_rows(desk, answer, self.submission, reading)

    def _refuse_foreign(self, reading: Reading) -> None:
        expected = (self._kind, self.submission.period)
        if (reading.kind, reading.head.period_key) != expected:
            raise AnswerProblem(
                answers.UNMATCHED, f"it is about {reading.kind.code} {reading.head.period_key}"
            )

    def _end_attempt(self, outcome: Outcome, evidence: Stored | None) -> None:
        with writing(self._desk.engine) as connection:
            self.submission = submissions.end_attempt(
                connection, self.submission, self._attempt, outcome, evidence, at=self._desk.clock()
            )

    def _keep_evidence(self, outcome: Outcome) -> Stored | None:
        if outcome.evidence is None or not outcome.evidence.exists():
            return None
        return self._desk.archive.store(
            outcome.evidence, f"reply-to-{self.submission.file_name}", self._desk.clock()
        )
