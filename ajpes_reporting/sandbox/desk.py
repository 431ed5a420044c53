"""The desk where submissions come in: entered in the book first, then judged, then answered."""

from __future__ import annotations

import hashlib
import logging
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from . import answers, judge, reading
from .book import ACCEPTED, REFUSED, UNREADABLE, WITH_WARNINGS, Book, Page, Verdict
from .judge import ERROR, WARNING, Expected, Judgement
from .reading import Outline, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from .clients import Provider
    from .folders import NameParts
    from .schemas import Schemas
    from .styles import Style

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the authority expects: the format of amounts ("cents", "decimal", "euros"), the longest file."""

    nodurs_amounts: str
    spapp_amounts: str
    largest_bytes: int


class Desk:
    """Takes and judges submissions, one at a time."""

    def __init__(
        self, book: Book, schemas: Schemas, rules: Rules, style: Style, clock: Callable[[], datetime]
    ) -> None:
        self.rules = rules
        self._style = style
        self._book = book
        self._schemas = schemas
        self._clock = clock
        self._one_at_a_time = threading.Lock()

    def now(self) -> str:
        """The time as it stands in answers."""
        return self._clock().isoformat(timespec="seconds")

    def take(
        self, path: Path, *, provider: Provider, report: str, via: str, file_name: str | None = None
    ) -> int:
        """Enters what has come, whatever it may be; gives its number."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return self._book.take(
            provider=provider.registration_number,
            report=report,
            via=via,
            file_name=file_name,
            received_at=self.now(),
            size_bytes=path.stat().st_size,
            sha256=digest,
        )

    def judge_message(self, submission_id: int, provider: Provider, path: Path, found: Outline) -> bytes:
        """Judges a SOAP message that is known to come from the provider; gives the BlokOdgovor."""
        expected = Expected(provider.registration_number)
        with self._one_at_a_time, self._book.page(submission_id) as page:
            judgement = self._judgement_of_message(path, found, expected, page)
            answer = answers.blok_odgovor(judgement, self._clock())
            page.enter(_verdict(judgement, answer))
        return answer

    def _judgement_of_message(self, path: Path, found: Outline, expected: Expected, page: Page) -> Judgement:
        if (unpack := self._style.blok.unpack) is not None:
            return self._judgement_of_unpacked(path, unpack, expected, page)
        if not found.has_one_report_in_place:
            return judge.unreadable(
                "Klic ne vsebuje natanko enega elementa Nodurs v elementu Blok.", expected
            )
        style = self.rules.nodurs_amounts
        return judge.judge_nodurs(path, self._schemas.envelope, found, expected, style, page)

    def _judgement_of_unpacked(
        self, path: Path, unpack: Callable[[Path, IO[bytes]], None], expected: Expected, page: Page
    ) -> Judgement:
        with tempfile.NamedTemporaryFile(dir=path.parent) as report:
            try:
                unpack(path, report)
            except UnreadableError as reason:
                return judge.unreadable(str(reason), expected)
            report.flush()
            return self._judgement(Path(report.name), "nodurs", expected, page)

    def turn_away(self, submission_id: int) -> None:
        """A message that cannot even be answered with a BlokOdgovor."""
        with self._one_at_a_time, self._book.page(submission_id) as page:
            page.enter(Verdict(UNREADABLE, None, None, 0, 0, b""))

    def judge_file(
        self, submission_id: int, provider: str, path: Path, report: str, name: NameParts, due: float | None
    ) -> None:
        """Judges a file from a provider's folder. Its answer is to be put out at `due`, None for never."""
        expected = Expected(provider, name.period, name.provider)
        answer = answers.blok_odgovor if report == "nodurs" else answers.ps_odgovor
        with self._one_at_a_time, self._book.page(submission_id) as page:
            judgement = self._judgement(path, report, expected, page)
            now = self._clock()
            answer_name = f"Odgovor_{now:%Y%m%d_%H%M%S}_{submission_id:04d}.xml"
            whole = self._style.deviation(answer(judgement, now))
            page.enter(_verdict(judgement, whole, answer_name, due))
        _log.info("submission %d judged: %s", submission_id, "refused" if judgement.refuses else "accepted")

    def _judgement(self, path: Path, report: str, expected: Expected, page: Page) -> Judgement:
        if path.stat().st_size > self.rules.largest_bytes:
            return judge.unreadable("Datoteka je prevelika.", expected)
        try:
            found = reading.outline(path)
        except UnreadableError as reason:
            return judge.unreadable(str(reason), expected)
        if report == "nodurs":
            schema, style = self._schemas.nodurs, self.rules.nodurs_amounts
            return judge.judge_nodurs(path, schema, found, expected, style, page)
        schema, style = self._schemas.spapp, self.rules.spapp_amounts
        return judge.judge_spapp(path, schema, found, expected, style, page)


def _verdict(
    judgement: Judgement, answer: bytes, name: str | None = None, due: float | None = None
) -> Verdict:
    errors, warnings = answers.count(judgement, ERROR), answers.count(judgement, WARNING)
    outcome = REFUSED if errors else WITH_WARNINGS if warnings else ACCEPTED
    return Verdict(outcome, judgement.period, judgement.content_sha256, errors, warnings, answer, name, due)
