"""Answers of the authority, whichever report they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.reports.kind import FileRules, ReportKind
from ajpes_reporting.xmlread import Element, forget, local_name, stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ajpes_reporting.domain.answers import AnswerHead, AnswerRow


class AnswerRules(FileRules):
    """Counts the rows of an answer and compares them with what its head declares."""

    ends = frozenset({"Ident", "Napaka"})

    def __init__(self, kind: ReportKind) -> None:
        self._kind = kind
        self.head: AnswerHead | None = None
        self.error_rows = 0
        self.warning_rows = 0

    @property
    def record_count(self) -> int:
        return self.error_rows + self.warning_rows

    @property
    def errors(self) -> int:
        """The worse reading: what the head declares or what the rows show."""
        return max(self.error_rows, self.head.declared_errors if self.head else 0)

    @property
    def warnings(self) -> int:
        return max(self.warning_rows, self.head.declared_warnings if self.head else 0)

    def end(self, element: Element) -> Iterator[Finding]:
        if local_name(element) == "Ident":
            self.head = self._kind.read_answer_head(element)
        elif self._kind.read_answer_row(element).severity == "error":
            self.error_rows += 1
        else:
            self.warning_rows += 1
        return iter(())

    def finish(self) -> Iterator[Finding]:
        if self.head is None:
            return
        for noun, declared, found in (
            ("errors", self.head.declared_errors, self.error_rows),
            ("warnings", self.head.declared_warnings, self.warning_rows),
        ):
            if declared != found:
                yield Finding(
                    Severity.WARNING, "the head of the answer", "iErr" if noun == "errors" else "iWrn",
                    "answer.count", f"it declares {declared} {noun}, the answer has {found}",
                    "the worse reading holds; ask AJPES if in doubt", "Ident",
                )  # fmt: skip


def read_rows(path: Path, kind: ReportKind) -> Iterator[AnswerRow]:
    """The rows of an answer that has been checked, as a stream."""
    for _event, element in stream(path, ("end",)):
        if local_name(element) == "Napaka":
            yield kind.read_answer_row(element)
            forget(element)
