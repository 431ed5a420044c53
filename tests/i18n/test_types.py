"""A text that cannot be told in Slovene does not pass mypy, wherever a person would read it."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_REFUSED = {
    "a finding": 'Finding(Severity.ERROR, _("the whole file"), "", "schema", "it is broken")',
    "a record": 'Finding(Severity.ERROR, "the whole file", "", "schema", _("it is broken"))',
    "a remedy": 'UsageError(_("It is broken."), "repair it")',
    "a detail": 'UsageError(_("It is broken."), _("repair it"), ["line 3"])',
    "an alarm": 'Alarm("clock", alarm.Severity.WARNING, "The clock is wrong.", _("set the clock"))',
    "a diagnosis": 'Diagnosis("clock", Health.OK, f"{0} minutes")',
    "an outcome": 'Unknown("The line broke.")',
    "a line": 'echo("It is broken.")',
    "a heading": 'session.table(NOTHING, ("account",), [])',
}
_ALLOWED = {
    "a message": 'echo(_("It is broken."))',
    "somebody else's words": 'echo(verbatim("550 no such user"))',
}
_SNIPPET = """
from ajpes_reporting.alarms import alarm
from ajpes_reporting.alarms.alarm import Alarm
from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import Session
from ajpes_reporting.doctor import Diagnosis, Health
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.domain.outcomes import Unknown
from ajpes_reporting.i18n import NOTHING, _, verbatim

def tell(session: Session) -> None:
"""


def test_mypy_refuses_a_text_that_cannot_be_translated(tmp_path: Path) -> None:
    """Protects a clerk who reads Slovene from the one English line that somebody forgot."""
    lines = [*_REFUSED.values(), *_ALLOWED.values()]
    snippet = tmp_path / "snippet.py"
    snippet.write_text(_SNIPPET + "".join(f"    {line}\n" for line in lines), encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path / "cache"), str(snippet)]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    first = _SNIPPET.count("\n") + 1
    refused = {int(line) - first for line in re.findall(r"snippet\.py:(\d+): error:", said)}
    assert refused == set(range(len(_REFUSED))), said
