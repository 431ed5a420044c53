"""The bank of the pipeline's tests, and a place to restore it to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import make_url

from ajpes_reporting.backup.make import Backup, back_up
from ajpes_reporting.backup.restore import restore
from ajpes_reporting.config import open_workspace
from ajpes_reporting.wiring import open_context
from tests.pipeline.conftest import Bank, authority, bank, clock

__all__ = ["authority", "bank", "clock"]

PROGRAM = (sys.executable, "-m", "ajpes_reporting")
URL = "AJPES_REPORTING_DATABASE__URL"


def ajpes(*arguments: str | Path, code: int = 0) -> str:
    """Runs the program as an administrator does; gives what it says, which must end with that code."""
    done = subprocess.run([*PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@dataclass
class Vault:
    """Where the bank's backup lies, and new places to restore it to."""

    bank: Bank
    folder: Path
    empty_database: Callable[[], str]
    environment: pytest.MonkeyPatch

    def back_up(self, folder: Path | None = None) -> Backup:
        return back_up(open_workspace(self.bank.folder), self.bank.context, folder or self.folder)

    def restore(self, name: str = "restored", folder: Path | None = None) -> Bank:
        """The bank as it comes back on another machine, with a database of its own."""
        target = self.folder.parent / name
        self.environment.setenv(URL, self.empty_database())
        restore(folder or self.folder, target, self.bank.time)
        return Bank(target, open_context(open_workspace(target), self.bank.time), self.bank.time,
                    self.bank.authority)  # fmt: skip


@pytest.fixture
def vault(
    bank: Bank, tmp_path: Path, database_url: str, request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Vault]:  # fmt: skip
    """A place for backups of the bank, and for what is restored from them."""
    with ExitStack() as stack:

        def empty_database() -> str:
            if make_url(database_url).get_backend_name() == "sqlite":
                return "sqlite:///ajpes.db"
            return str(stack.enter_context(request.getfixturevalue("postgres").database()))

        yield Vault(bank, tmp_path / "backup", empty_database, monkeypatch)
