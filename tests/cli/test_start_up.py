"""What a command loads before it does anything: the slow libraries only where they are used."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ajpes_reporting.config import open_workspace
from ajpes_reporting.database.engine import open_engine, writing
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.periods import Month
from ajpes_reporting.journal import due
from ajpes_reporting.reports.spapp import SPAPP
from ajpes_reporting.workspace import make_workspace

NETWORK = {
    "zeep",
    "paramiko",
    "httpx",
    "cryptography",
    "asyncssh",
    "procrastinate",
    "psycopg",
    "urllib.request",
}
RARE = {"alembic", "xmlschema", "holidays", "sqlalchemy.dialects.postgresql"}
EVERYTHING = {"sqlalchemy", "lxml", "pydantic", "rich", "zstandard", "stdnum"}

_LOADED = """
import sys
from ajpes_reporting.cli.main import run
code = run(sys.argv[1:])
print(code, *sorted(sys.modules), file=sys.stderr)
"""


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """A new workspace whose last month stands in the table of due reports, as after the first tick."""
    folder = tmp_path / "bank"
    make_workspace(folder)
    workspace = open_workspace(folder)
    provider = workspace.settings.provider.registration_number
    today = datetime.now(UTC).astimezone(LJUBLJANA).date()
    month = Month(today.year, today.month).previous()
    engine = open_engine(workspace.database_url())
    with writing(engine) as connection:
        due.expect(connection, provider, SPAPP.code, month.key, SPAPP.deadline(month, frozenset()))
    engine.dispose()
    return folder


def loaded(*arguments: str) -> set[str]:
    """The modules that one call of the command line has loaded in the end."""
    call = [sys.executable, "-c", _LOADED, *arguments]
    said = subprocess.run(call, capture_output=True, text=True, check=True).stderr.splitlines()[-1]
    code, *modules = said.split()
    assert code == "0"
    return set(modules)


def test_help_loads_nothing_but_the_command_line() -> None:
    """Whoever asks what there is has the answer at once."""
    assert not loaded("--help") & (NETWORK | RARE | EVERYTHING)


def test_status_loads_no_network_and_no_calendar(bank: Path) -> None:
    """It is asked many times a day, by people and by monitoring; tables are only drawn for people."""
    assert not loaded("-w", str(bank), "status") & (NETWORK | RARE)
    assert not loaded("-w", str(bank), "--json", "status") & (NETWORK | RARE | {"rich"})


def test_build_loads_no_network(bank: Path, tmp_path: Path) -> None:
    """A look at the file that would be sent sends nothing."""
    modules = loaded(
        "-w", str(bank), "build", "nodurs", "--date", "2026-11-17", "-o", str(tmp_path / "x.xml")
    )
    assert not modules & (NETWORK | {"alembic", "xmlschema", "holidays", "rich"})
