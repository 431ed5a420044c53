"""A database that cannot keep every name is refused before anything goes into it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ajpes_reporting.shipped import sample
from tests.servers.postgres import Cluster

COMMANDS = [
    ("init", "."), ("status",), ("ledger", "import", str(sample("ledger/accounts.csv"))), ("run", "nodurs"),
    ("build", "nodurs"), ("tick",), ("collect",), ("ledger", "show", "O-314"), ("audit", "verify"),
    ("doctor",), ("purge",), ("show", "1"),
]  # fmt: skip


FEW = [("init", "."), ("doctor",)]


def call(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The program, in this workspace."""
    program = [sys.executable, "-m", "ajpes_reporting", *arguments]
    return subprocess.run(program, cwd=folder, capture_output=True, text=True, timeout=300, check=False)


def workspace(folder: Path, url: str) -> Path:
    (folder / "ajpes.toml").write_text(
        '[provider]\nregistration_number = "5860571000"\nname = "Banka"\n'
        f"[database]\nurl = {json.dumps(url)}\n",
        encoding="utf-8",
    )
    return folder


@pytest.mark.parametrize(
    ("encoding", "commands"), [("LATIN1", COMMANDS), ("LATIN2", FEW), ("WIN1250", FEW), ("SQL_ASCII", FEW)]
)
def test_another_encoding_than_utf_8_is_refused_by_every_command(
    postgres: Cluster, encoding: str, commands: list[tuple[str, ...]], tmp_path: Path
) -> None:
    """In words, with what to do, and exit code 2; the first name with a č would have ended a run."""
    name = f"in_{encoding.lower()}"
    like = "TEMPLATE template0 LOCALE 'C' LOCALE_PROVIDER libc"
    postgres.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' {like}")
    try:
        folder = workspace(tmp_path, postgres.url(name))
        for command in commands:
            done = call(folder, *command)
            said = done.stdout + done.stderr
            assert done.returncode == 2, (command, said)
            assert f"keeps text as {encoding}" in said, command
            assert "ENCODING 'UTF8'" in said, command
    finally:
        postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_what_an_administrator_set_for_his_own_sessions_spoils_no_name(
    postgres: Cluster, tmp_path: Path
) -> None:
    """`client_encoding` of a role or a database is only how a session talks."""
    with postgres.database() as url:
        postgres.execute(f"ALTER DATABASE {url.rpartition('/')[2]} SET client_encoding TO LATIN1")
        folder = workspace(tmp_path, url)
        assert call(folder, "init", ".").returncode == 0
        assert call(folder, "ledger", "import", str(sample("ledger/events.csv"))).returncode == 0
        assert "Žagar" in call(folder, "ledger", "show", "O-301").stdout
