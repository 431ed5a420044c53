"""Answers of the authority, whichever report they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.i18n import _, _n
from ajpes_reporting.reports.head import check_own
from ajpes_reporting.reports.kind import FileRules, ReportKind
from ajpes_reporting.xmlread import Element, load_schema, record, records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ajpes_reporting.domain.answers import AnswerHead, AnswerRow
    from ajpes_reporting.i18n import Message


_RECORDS = frozenset({"Ident", "Napaka"})


class Tally:
    """The tally of an answer, as far as it has been read."""

    def __init__(self) -> None:
        self.head: AnswerHead | None = None
        self.error_rows = 0
        self.warning_rows = 0

    @property
    def errors(self) -> int:
        """The worse reading: what the head declares or what the rows show."""
        return max(self.error_rows, (self.head and self.head.declared_errors) or 0)

    @property
    def warnings(self) -> int:
        return max(self.warning_rows, (self.head and self.head.declared_warnings) or 0)

    def add(self, row: AnswerRow) -> None:
        if row.severity == "error":
            self.error_rows += 1
        else:
            self.warning_rows += 1


class AnswerReader:
    """One pass over an answer: its head, then its rows, validated on the way.

    What has been read counts only when the rows have come to their end: `SchemaBroken` and
    `UnreadableXml` are raised where the file is wrong, at first for its head.
    """

    def __init__(self, path: Path, kind: ReportKind, schema: Path, *, plain: bool = False) -> None:
        """`plain` as for `xmlread.stream`: an answer may come in a namespace that nobody announced."""
        self.kind = kind
        self.tally = Tally()
        self._records = records(path, _RECORDS, load_schema(schema), plain=plain)
        ident = next(self._records)  # the schema wants it, and first
        self.head = self.tally.head = kind.read_answer_head(ident)

    def rows(self) -> Iterator[AnswerRow]:
        """The rows, as a stream; once."""
        for one in self._records:
            row = self.kind.read_answer_row(one)
            self.tally.add(row)
            yield row


class AnswerRules(FileRules):
    """Counts the rows of an answer and compares them with what its head declares."""

    ends = _RECORDS

    def __init__(self, kind: ReportKind, provider: str = "") -> None:
        """`provider` is the registration number of the workspace, empty where there is none."""
        self._kind = kind
        self._provider = provider
        self.tally = Tally()

    @property
    def record_count(self) -> int:
        return self.tally.error_rows + self.tally.warning_rows

    def end(self, element: Element) -> Iterator[Finding]:
        one = record(element)
        if one.name == "Ident":
            self.tally.head = self._kind.read_answer_head(one)
            yield from check_own(self.tally.head.provider, self._provider)
        else:
            self.tally.add(self._kind.read_answer_row(one))

    def finish(self) -> Iterator[Finding]:
        tally = self.tally
        if tally.head is None:
            return
        declared, found = tally.head.declared_errors, tally.error_rows
        if declared is not None and declared != found:
            yield _other_count(
                "iErr",
                _n(
                    "the answer declares {count:count} error, the answer has {found:count}",
                    "the answer declares {count:count} errors, the answer has {found:count}",
                    declared,
                    found=found,
                ),
            )
        declared, found = tally.head.declared_warnings, tally.warning_rows
        if declared is not None and declared != found:
            yield _other_count(
                "iWrn",
                _n(
                    "the answer declares {count:count} warning, the answer has {found:count}",
                    "the answer declares {count:count} warnings, the answer has {found:count}",
                    declared,
                    found=found,
                ),
            )


def _other_count(field: str, message: Message) -> Finding:
    remedy = _("the worse reading holds; ask AJPES if in doubt")
    return Finding(
        Severity.WARNING, _("the head of the answer"), field, "answer.count", message, remedy, "Ident"
    )
