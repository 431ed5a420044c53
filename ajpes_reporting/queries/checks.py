"""The result of checking one file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ajpes_reporting.i18n import Message, _, _n
from ajpes_reporting.queries.findings import Found

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFile(Found):
    """A file with its encoding and its findings. `root` is the name of its outermost element."""

    file: Path
    root: str
    encoding: str
    records: int
    ok: bool

    def in_words(self) -> Message:
        """Returns the verdict on one line."""
        return _(
            "{file}: {root}, {encoding}, {records}: {verdict}",
            file=str(self.file),
            root=self.root,
            encoding=self.encoding,
            records=_n("{count:count} record", "{count:count} records", self.records),
            verdict=_verdict(self),
        )


def _verdict(found: Found) -> Message:
    errors = (
        _n("{count:count} error", "{count:count} errors", found.errors) if found.errors else _("no errors")
    )
    if not found.warnings:
        return errors
    warnings = _n("{count:count} warning", "{count:count} warnings", found.warnings)
    return _("{errors}, {warnings}", errors=errors, warnings=warnings)
