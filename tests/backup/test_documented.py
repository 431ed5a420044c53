"""The pages on backup, restoration and retention, followed to the letter."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest

from tests.backup.conftest import URL, ajpes
from tests.pipeline.conftest import HEADER, Bank, event
from tests.servers.postgres import Cluster

PAGE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def blocks(title: str, language: str = "") -> list[str]:
    """The code blocks of a section, of one language; console blocks have none."""
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", section(title), re.S)
    return found


def follow(commands: str, places: Mapping[str, str], environment: Mapping[str, str] | None = None) -> str:
    """Does what a shell does with the commands of the page, at other places than it names."""
    for written, real in {**places, "ajpes-reporting": f"{sys.executable} -m ajpes_reporting"}.items():
        commands = commands.replace(written, real)
    done = subprocess.run(
        ["bash", "-e", "-c", commands],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    assert done.returncode == 0, commands + done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_backup_restoration_and_retention_go_as_they_are_described(
    bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An administrator in trouble copies commands from the page; they must be right."""
    bank.record(event("O-1", 1))
    bank.run()
    places = {"/srv/ajpes": str(bank.folder), "/backup/ajpes": str(tmp_path / "backup")}
    (shown,) = (block for block in blocks("Backup") if block.startswith("$ "))
    command, *expected = shown.splitlines()
    told = follow(command.removeprefix("$ "), places).splitlines()
    assert [_shape(line, places) for line in told] == [_shape(line, {}) for line in expected]
    restoring, *_postgresql = blocks("Restoring", "sh")
    monkeypatch.setenv(URL, "sqlite:///ajpes.db")
    new = {**places, "/srv/ajpes": str(tmp_path / "new")}
    told = follow(restoring, new)
    assert "ajpes.toml names another database" in told
    assert "The record is whole." in told
    (purging,) = blocks("Retention", "sh")
    assert "0 files would be removed" in follow(purging, new)


def _shape(line: str, places: Mapping[str, str]) -> str:
    """A line without its figures, which differ from day to day."""
    for written, real in places.items():
        line = line.replace(real, written)
    return re.sub(r"[0-9a-f]{64}|[0-9][0-9: -]*", "#", line)


def test_every_kind_of_file_in_a_backup_is_explained(bank: Bank, tmp_path: Path) -> None:
    """Nobody finds a file in a backup that the page does not name."""
    ajpes("-w", bank.folder, "backup", tmp_path / "backup")
    explained = re.findall(r"^\| `([a-z]+)", section("Backup"), re.M)
    names = {path.name for path in (tmp_path / "backup").iterdir()}
    assert {re.split("[-.]", name)[0] for name in names} == set(explained)


def make_database(cluster: Cluster, *, roles: bool) -> None:
    """The SQL of the page, as the owner of the server."""
    sql, _rights, _queue = blocks("PostgreSQL", "sql")
    outside, inside = sql.replace("'…'", "'secret'").split("\\c ajpes\n")
    for statement in outside.strip().splitlines():
        if roles or not statement.startswith("CREATE ROLE"):
            cluster.execute(statement)
    with psycopg.connect(cluster.url("ajpes").replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(inside.encode())


def give_rights(cluster: Cluster) -> None:
    """The SQL of the page, as the owner of the tables."""
    _sql, rights, _queue = blocks("PostgreSQL", "sql")
    address = f"postgresql://ajpes_owner@127.0.0.1:{cluster.port}/ajpes"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(rights.encode())


@pytest.mark.skipif(shutil.which("pg_dump") is None, reason="install postgresql-client")
def test_with_the_two_roles_of_the_page_a_database_is_backed_up_and_restored(
    postgres: Cluster, tmp_path: Path
) -> None:
    """The working role may read all that a backup needs; the owner restores, and the role works on."""
    make_database(postgres, roles=True)
    server = f"127.0.0.1:{postgres.port}"
    places = {
        "@db/": f"@{server}/", "-h db": f"-h 127.0.0.1 -p {postgres.port}",
        "/srv/ajpes": str(tmp_path / "bank"), "/backup/ajpes": str(tmp_path / "backup"),
    }  # fmt: skip
    ajpes("init", tmp_path / "bank")
    (making,) = blocks("PostgreSQL", "sh")
    follow(making, places)
    give_rights(postgres)
    working = {URL: f"postgresql://ajpes@{server}/ajpes"}
    rows = tmp_path / "rows.csv"
    rows.write_text(f"{HEADER}\n{event('O-1', 1)}\n", encoding="utf-8")
    follow(f"ajpes-reporting -w /srv/ajpes ledger import {rows}", places, working)
    follow("ajpes-reporting -w /srv/ajpes backup /backup/ajpes", places, working)
    postgres.execute("DROP DATABASE ajpes WITH (FORCE)")
    make_database(postgres, roles=False)
    new = {**places, "/srv/ajpes": str(tmp_path / "new")}
    _sqlite, restoring = blocks("Restoring", "sh")
    assert "is restored" in follow(restoring, new)
    give_rights(postgres)
    assert "The record is whole." in follow("ajpes-reporting -w /srv/ajpes audit verify", new, working)
    rows.write_text(f"{HEADER}\n{event('O-2', 1)}\n", encoding="utf-8")
    assert "1 new" in follow(f"ajpes-reporting -w /srv/ajpes ledger import {rows}", new, working)
    assert "O-1" in follow("ajpes-reporting -w /srv/ajpes ledger show O-1", new, working)
    postgres.execute("DROP DATABASE ajpes WITH (FORCE)")
    for role in ("ajpes", "ajpes_owner"):
        postgres.execute(f"DROP ROLE {role}")
