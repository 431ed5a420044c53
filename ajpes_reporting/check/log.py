"""Collects findings without drowning: each rule is shown a limited number of times, and counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from ajpes_reporting.domain.findings import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN_PER_RULE = 100


class FindingLog:
    """The findings of a check. With `strict`, warnings count as errors, except those that were taken back."""

    def __init__(self, *, strict: bool = False) -> None:
        self._strict = strict
        self.shown: list[Finding] = []
        self._per_rule: Counter[str] = Counter()
        self.error_count = 0
        self.warning_count = 0

    def add(self, findings: Iterable[Finding]) -> None:
        """Takes findings in; the first ones of each rule are kept, the rest only counted."""
        for finding in findings:
            hardened = self._strict and finding.severity is Severity.WARNING and not finding.taken_back
            self._add(replace(finding, severity=Severity.ERROR) if hardened else finding)

    def note(self, findings: Iterable[Finding]) -> None:
        """Takes in what keeps no report from going: a warning stays one, also with `strict`."""
        for finding in findings:
            self._add(finding)

    def hidden(self) -> dict[str, int]:
        """The number of further findings, by rule."""
        return {
            rule: count - _SHOWN_PER_RULE for rule, count in self._per_rule.items() if count > _SHOWN_PER_RULE
        }

    def _add(self, finding: Finding) -> None:
        if finding.is_error:
            self.error_count += 1
        elif finding.severity is Severity.WARNING:
            self.warning_count += 1
        self._per_rule[finding.rule] += 1
        if self._per_rule[finding.rule] <= _SHOWN_PER_RULE:
            self.shown.append(finding)
