"""Files to check, and the check as `check FILE` makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from ajpes_reporting import shipped
from ajpes_reporting.check.file import FileKind, check_file, recognise
from ajpes_reporting.domain.errors import ChecksRefused
from ajpes_reporting.domain.findings import Finding
from ajpes_reporting.domain.money import Amounts
from ajpes_reporting.domain.rules import RuleSettings
from ajpes_reporting.reports.answers import AnswerRules
from ajpes_reporting.reports.kind import FileRuleSettings, ReportKind
from ajpes_reporting.reports.nodurs import NODURS
from ajpes_reporting.reports.spapp import SPAPP

NODURS_SAMPLE = shipped.sample("reports/NODURS_20261104_5860571.xml").read_bytes()
SPAPP_SAMPLE = shipped.sample("reports/SPAPP_202610_5860571.xml").read_bytes()
ANSWER_SAMPLE = shipped.sample("answers/blokodgovor-refused.xml").read_bytes()


@dataclass(frozen=True)
class Settings:
    """What a workspace may set."""

    nodurs: Amounts = "cents"
    spapp: Amounts = "euros"
    strict: bool = False
    rules: RuleSettings = field(default_factory=RuleSettings)
    file_name: str = ""
    provider: str = ""
    now: datetime | None = None


DEFAULTS = Settings()


@dataclass(frozen=True)
class Checked:
    """What was found; `refused` says why if the file was not even recognised."""

    findings: tuple[Finding, ...]
    record_count: int = 0
    encoding: str = ""
    refused: str = ""

    @property
    def ok(self) -> bool:
        return not self.refused and not any(finding.is_error for finding in self.findings)

    @property
    def errors(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.is_error]

    @property
    def rules(self) -> set[str]:
        return {finding.rule for finding in self.findings}


Check = Callable[..., Checked]


def kinds(settings: Settings) -> list[FileKind]:
    """Every kind of file there is."""
    amounts = {NODURS.code: settings.nodurs, SPAPP.code: settings.spapp}
    return [made for kind in (NODURS, SPAPP) for made in _kinds_of(kind, amounts[kind.code], settings)]


def _kinds_of(kind: ReportKind, amounts: Amounts, settings: Settings) -> list[FileKind]:
    rules = FileRuleSettings(amounts, settings.rules, settings.file_name, settings.provider, settings.now)
    return [
        FileKind(kind.root, kind.namespace, shipped.schema(kind.schema), lambda: kind.file_rules(rules)),
        FileKind(
            kind.answer_root,
            None,
            shipped.schema(kind.answer_schema),
            lambda: AnswerRules(kind, settings.provider),
        ),
    ]


def check_path(path: Path, settings: Settings = DEFAULTS) -> Checked:
    """Checks one file; nothing but the designed refusal may come out of it."""
    try:
        root, kind = recognise(path, kinds(settings))
    except ChecksRefused as refused:
        return Checked(refused.findings, refused=refused.message)
    report = check_file(path, root, kind, strict=settings.strict)
    return Checked(tuple(report.log.shown), report.record_count, root.encoding)


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Checks bytes as a file."""

    def checked(content: bytes, settings: Settings = DEFAULTS) -> Checked:
        path = tmp_path / "file.xml"
        path.write_bytes(content)
        return check_path(path, settings)

    return checked


def changed(sample: bytes, old: str, new: str) -> bytes:
    """A sample with one thing changed; it must be there exactly so."""
    assert old.encode() in sample, f"{old} is not in the sample"
    return sample.replace(old.encode(), new.encode(), 1)
