"""Findings of our own checks, as every document tells them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ajpes_reporting.check.log import FindingLog
    from ajpes_reporting.domain.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The numbers of errors and warnings, the first findings of each rule, and how many more by rule."""

    errors: int = 0
    warnings: int = 0
    findings: tuple[Finding, ...] = ()
    hidden: Mapping[str, int] = field(default_factory=dict)


def found_in(log: FindingLog) -> dict[str, Any]:
    """Returns the fields of `Found`, errors first, for whatever extends it."""
    return {
        "errors": log.error_count,
        "warnings": log.warning_count,
        "findings": tuple(sorted(log.shown, key=lambda finding: not finding.is_error)),
        "hidden": log.hidden(),
    }
