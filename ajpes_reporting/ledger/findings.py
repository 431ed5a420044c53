"""The findings of an import: enough to act on, never so many that they fill memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ajpes_reporting.domain.errors import LedgerRefused
from ajpes_reporting.i18n import Message, _, _n, sentences

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from ajpes_reporting.domain.findings import Finding

MOST = 100
"""Errors after which an import stops, and warnings that are kept."""


@dataclass(frozen=True, slots=True)
class Source:
    """The source of rows: its name in messages, the remedy when it is refused, and the time of reading.

    `has_lines`: the places of its rows are lines that a person can look up.
    """

    name: str
    remedy: Message
    read_at: datetime
    has_lines: bool = True


@dataclass(slots=True)
class Found:
    """The errors and warnings of one source. Of the warnings beyond the first, only the number."""

    source: Source
    errors: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    warning_count: int = 0

    def add(self, findings: Iterable[Finding], line: int | None = None) -> None:
        """Keeps the findings; `line` is the place of the row they are about, if they do not say it."""
        for finding in findings:
            if self.is_full:
                return
            self._keep(replace(finding, line=(finding.line or line) if self.source.has_lines else None))

    def _keep(self, finding: Finding) -> None:
        if finding.is_error:
            self.errors.append(finding)
            return
        self.warning_count += 1
        if len(self.warnings) < MOST:
            self.warnings.append(finding)

    @property
    def is_full(self) -> bool:
        return len(self.errors) >= MOST

    def refuse_errors(self) -> None:
        """Raises LedgerRefused, with the errors as its findings, if there are any."""
        if not self.errors:
            return
        if self.is_full:
            message = _(
                "{source} was not taken into the ledger: {most} errors or more, these are the first.",
                source=self.source.name,
                most=MOST,
            )
        else:
            message = _n(
                "{source} was not taken into the ledger: {count} error.",
                "{source} was not taken into the ledger: {count} errors.",
                len(self.errors),
                source=self.source.name,
            )
        raise LedgerRefused(message, sentences([self.source.remedy]), self.errors)
