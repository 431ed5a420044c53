"""How findings are shown: errors first, each with what to do."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ajpes_reporting.cli.output import echo
from ajpes_reporting.domain.remedies import as_order

if TYPE_CHECKING:
    from ajpes_reporting.check.log import FindingLog
    from ajpes_reporting.domain.findings import Finding


def show_log(log: FindingLog) -> None:
    """The findings on stdout, and how many more there are than shown."""
    for finding in sorted(log.shown, key=lambda item: not item.is_error):
        echo(f"  {finding.severity.value}: {finding}")
        if finding.remedy:
            echo(f"    Do: {as_order(finding.remedy)}.")
    for rule, count in log.hidden().items():
        echo(f"  … and {count} more of the rule {rule}")


def log_json(log: FindingLog) -> dict[str, Any]:
    """The findings for a program."""
    return {
        "errors": log.error_count,
        "warnings": log.warning_count,
        "findings": [finding_json(finding) for finding in log.shown],
        "hidden": log.hidden(),
    }


def finding_json(finding: Finding) -> dict[str, Any]:
    """A finding as programs read it."""
    return {**asdict(finding), "severity": finding.severity.value}
