"""Databases as they were at one moment: read beside a worker that stands still, and put back later."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import URL, make_url

from ajpes_reporting.database.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .world import World

_SQLITE_FILES = ("", "-wal")
_SEQUENCES = (
    "SELECT format('%I.%I', schemaname, sequencename), coalesce(last_value, start_value),"
    " last_value IS NOT NULL FROM pg_sequences WHERE schemaname = current_schema()"
)
_END_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@dataclass(frozen=True, slots=True)
class Rows:
    """What a database on the server held, and where its sequences stood.

    Copying a database there takes a third of a second, and nobody may be using it; its rows do not.
    """

    tables: Mapping[str, Sequence[tuple[Any, ...]]]
    sequences: Sequence[tuple[str, int, bool]]

    @classmethod
    def read(cls, url: str) -> Rows:
        with psycopg.connect(plain(url)) as connection:
            tables = {
                table.name: connection.execute(f"SELECT * FROM {table.name}".encode()).fetchall()
                for table in metadata.sorted_tables
            }
            return cls(tables, connection.execute(_SEQUENCES).fetchall())

    def put_back(self, url: str) -> None:
        """Everybody else's session ends."""
        with psycopg.connect(plain(url)) as connection:
            connection.execute(_END_OTHERS.encode())
            connection.execute("SET session_replication_role = replica")  # the tables are append-only
            for name, rows in self.tables.items():
                connection.execute(f"DELETE FROM {name}".encode())
                if rows:
                    places = ", ".join(["%s"] * len(rows[0]))
                    insert = f"INSERT INTO {name} VALUES ({places})"
                    connection.cursor().executemany(insert.encode(), rows)
            connection.cursor().executemany("SELECT setval(%s::regclass, %s, %s)", self.sequences)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A world's database at one moment; `folder` is a copy of the whole workspace, if that was asked for."""

    world: World
    kept: Path
    rows: Rows | None
    folder: Path | None

    def put_back(self) -> None:
        """As a virtual machine that is set back: what has happened since is not known here any more."""
        bank, url = self.world.bank, self.world.engine.url
        if self.folder is not None:
            bank.rename(self.kept / "forgotten")
            shutil.copytree(self.folder, bank)
        if self.rows is not None:
            self.rows.put_back(url.render_as_string(hide_password=False))
        else:
            _copy_sqlite(self.kept / "ajpes.db", Path(str(url.database)))


def take(world: World, *, whole_folder: bool) -> Snapshot:
    """A copy of the database as it is on its disk; nobody may be writing to it but who stands still."""
    kept = world.folder / "snapshot"
    kept.mkdir()
    url = world.engine.url
    folder = kept / "bank" if whole_folder else None
    if folder is not None:
        shutil.copytree(world.bank, folder)
    if url.drivername.startswith("sqlite"):
        _copy_sqlite(Path(str(url.database)), kept / "ajpes.db")
        return Snapshot(world, kept, None, folder)
    return Snapshot(world, kept, Rows.read(url.render_as_string(hide_password=False)), folder)


def _copy_sqlite(source: Path, target: Path) -> None:
    for ending in (*_SQLITE_FILES, "-shm"):
        Path(f"{target}{ending}").unlink(missing_ok=True)
    for ending in _SQLITE_FILES:
        if (path := Path(f"{source}{ending}")).exists():
            shutil.copy2(path, f"{target}{ending}")


def plain(url: str | URL) -> str:
    """A URL as libpq understands it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
