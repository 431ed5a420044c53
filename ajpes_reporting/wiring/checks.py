"""The kinds of files that can be checked, with their rules."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ajpes_reporting import shipped
from ajpes_reporting.check.file import FileKind
from ajpes_reporting.domain.rules import RuleSettings
from ajpes_reporting.reports import registry as reports
from ajpes_reporting.reports.answers import AnswerRules
from ajpes_reporting.reports.kind import FileRuleSettings

if TYPE_CHECKING:
    from datetime import datetime

    from ajpes_reporting.config import Settings


def rule_settings(settings: Settings) -> RuleSettings:
    """Returns the settings that the rules need."""
    checks = settings.checks
    return RuleSettings(
        settings.provider.account_prefixes, frozenset(checks.change_types), checks.large_amount_cents
    )


def file_kinds(settings: Settings | None, file_name: str = "", now: datetime | None = None) -> list[FileKind]:
    """Returns every kind of file that can be checked, by the settings of a workspace or by the defaults.

    A name that follows the form of a report's must agree with the content, and a month be over `now`.
    """
    provider = settings.provider.registration_number if settings else ""
    rules = rule_settings(settings) if settings else RuleSettings()
    found = []
    for kind in reports.KINDS:
        section = settings.report(kind) if settings else kind.settings()
        known = FileRuleSettings(section.amounts, rules, file_name, provider, now)
        report_rules = partial(kind.file_rules, known)
        found.append(FileKind(kind.root, kind.namespace, shipped.schema(kind.schema), report_rules))
        answer_schema = shipped.schema(kind.answer_schema)
        found.append(FileKind(kind.answer_root, None, answer_schema, partial(AnswerRules, kind, provider)))
    return found
