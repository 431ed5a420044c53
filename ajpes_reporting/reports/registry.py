"""The kinds of reports that this program knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ajpes_reporting.reports.nodurs import NODURS
from ajpes_reporting.reports.spapp import SPAPP

if TYPE_CHECKING:
    from ajpes_reporting.reports.kind import ReportKind

KINDS: tuple[ReportKind, ...] = (NODURS, SPAPP)
"""A further kind of report is one more here; nothing else names it."""


def by_code(code: str) -> ReportKind:
    """The kind with this code, in any case of letters. Raises `KeyError`."""
    return {kind.code: kind for kind in KINDS}[code.upper()]
