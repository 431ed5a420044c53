"""Shows findings: errors first, each with what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ajpes_reporting.cli.output import echo, echo_order
from ajpes_reporting.i18n import _, _n
from ajpes_reporting.queries.words import severity_in_words

if TYPE_CHECKING:
    from ajpes_reporting.queries.findings import Found


def show_findings(found: Found) -> None:
    """Prints the findings on stdout, and how many more of each rule there are."""
    for finding in found.findings:
        severity = severity_in_words(finding.severity)
        echo(_("{severity}: {finding}", severity=severity, finding=finding.in_words()), indent=2)
        if finding.remedy:
            echo_order(finding.remedy, indent=4)
    for rule, count in found.hidden.items():
        echo(
            _n(
                "… and {count:count} more of the rule {rule}",
                "… and {count:count} more of the rule {rule}",
                count,
                rule=rule,
            ),
            indent=2,
        )
