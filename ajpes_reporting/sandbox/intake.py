"""The intake of submissions: each is stored first, then validated, then answered."""

from __future__ import annotations

import hashlib
import logging
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from . import answers, reading, validation
from .reading import Outline, UnreadableError
from .store import ACCEPTED, REFUSED, UNREADABLE, WITH_WARNINGS, Store, SubmissionTransaction, Verdict
from .validation import ERROR, WARNING, ExpectedHeader, ValidationResult

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from .clients import Provider
    from .folders import NameParts
    from .schemas import Schemas
    from .styles import Style

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IntakeRules:
    """The agreed formats of amounts ("cents", "decimal", "euros"), and the longest file in bytes."""

    nodurs_amounts: str
    spapp_amounts: str
    largest_bytes: int


class Intake:
    """Receives and validates submissions, one at a time."""

    def __init__(
        self, store: Store, schemas: Schemas, rules: IntakeRules, style: Style, clock: Callable[[], datetime]
    ) -> None:
        self.rules = rules
        self._style = style
        self._store = store
        self._schemas = schemas
        self._clock = clock
        self._one_at_a_time = threading.Lock()

    def now(self) -> str:
        """The time as it stands in answers."""
        return self._clock().isoformat(timespec="seconds")

    def receive(
        self, path: Path, *, provider: Provider, report: str, via: str, file_name: str | None = None
    ) -> int:
        """Store a submission, whatever it may be; return its number."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return self._store.add(
            provider=provider.registration_number,
            report=report,
            via=via,
            file_name=file_name,
            received_at=self.now(),
            size_bytes=path.stat().st_size,
            sha256=digest,
        )

    def validate_message(self, submission_id: int, provider: Provider, path: Path, found: Outline) -> bytes:
        """Validate a SOAP message that is known to come from the provider; return the BlokOdgovor."""
        expected = ExpectedHeader(provider.registration_number)
        with self._one_at_a_time, self._store.transaction(submission_id) as transaction:
            result = self._result_of_message(path, found, expected, transaction)
            answer = answers.blok_odgovor(result, self._clock())
            transaction.record_verdict(_verdict(result, answer))
        return answer

    def _result_of_message(
        self, path: Path, found: Outline, expected: ExpectedHeader, transaction: SubmissionTransaction
    ) -> ValidationResult:
        if (unpack := self._style.blok.unpack) is not None:
            return self._result_of_unpacked(path, unpack, expected, transaction)
        if not found.has_exactly_one_report:
            return validation.unreadable(
                "Klic ne vsebuje natanko enega elementa Nodurs v elementu Blok.", expected
            )
        style = self.rules.nodurs_amounts
        return validation.validate_nodurs(path, self._schemas.envelope, found, expected, style, transaction)

    def _result_of_unpacked(
        self,
        path: Path,
        unpack: Callable[[Path, IO[bytes]], None],
        expected: ExpectedHeader,
        transaction: SubmissionTransaction,
    ) -> ValidationResult:
        with tempfile.NamedTemporaryFile(dir=path.parent) as report:
            try:
                unpack(path, report)
            except UnreadableError as reason:
                return validation.unreadable(str(reason), expected)
            report.flush()
            return self._result(Path(report.name), "nodurs", expected, transaction)

    def reject_unreadable(self, submission_id: int) -> None:
        """Record a message that cannot even be answered with a BlokOdgovor."""
        with self._one_at_a_time, self._store.transaction(submission_id) as transaction:
            transaction.record_verdict(Verdict(UNREADABLE, None, None, 0, 0, b""))

    def validate_file(
        self, submission_id: int, provider: str, path: Path, report: str, name: NameParts, due: float | None
    ) -> None:
        """Validate a file from a provider's folder; its answer is due at `due`, None for never."""
        expected = ExpectedHeader(provider, name.period, name.provider)
        answer = answers.blok_odgovor if report == "nodurs" else answers.ps_odgovor
        with self._one_at_a_time, self._store.transaction(submission_id) as transaction:
            result = self._result(path, report, expected, transaction)
            now = self._clock()
            answer_name = f"Odgovor_{now:%Y%m%d_%H%M%S}_{submission_id:04d}.xml"
            whole = self._style.deviation(answer(result, now))
            transaction.record_verdict(_verdict(result, whole, answer_name, due))
        _log.info("submission %d validated: %s", submission_id, "refused" if result.refuses else "accepted")

    def _result(
        self, path: Path, report: str, expected: ExpectedHeader, transaction: SubmissionTransaction
    ) -> ValidationResult:
        if path.stat().st_size > self.rules.largest_bytes:
            return validation.unreadable("Datoteka je prevelika.", expected)
        try:
            found = reading.outline(path)
        except UnreadableError as reason:
            return validation.unreadable(str(reason), expected)
        if report == "nodurs":
            schema, style = self._schemas.nodurs, self.rules.nodurs_amounts
            return validation.validate_nodurs(path, schema, found, expected, style, transaction)
        schema, style = self._schemas.spapp, self.rules.spapp_amounts
        return validation.validate_spapp(path, schema, found, expected, style, transaction)


def _verdict(
    result: ValidationResult, answer: bytes, name: str | None = None, due: float | None = None
) -> Verdict:
    errors, warnings = answers.count(result, ERROR), answers.count(result, WARNING)
    outcome = REFUSED if errors else WITH_WARNINGS if warnings else ACCEPTED
    return Verdict(outcome, result.period, result.content_sha256, errors, warnings, answer, name, due)
