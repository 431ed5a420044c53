"""Workspaces with made-up ledgers, made once and kept in a folder for the next time.

`python -m benchmarks.workspaces FOLDER --contents new --size 1000000 [--url URL]` makes a single one.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import psycopg
from sqlalchemy import make_url

from ajpes_reporting.database import migrations
from benchmarks import filling, ledgers
from tests.servers.postgres import Cluster

Kind = Literal["sqlite", "postgresql"]
PROGRAM = str(Path(sys.executable).parent / "ajpes-reporting")
_URL_VARIABLE = "AJPES_REPORTING_DATABASE__URL"
_MARK = "filled"


@dataclass(frozen=True)
class Workspace:
    """A folder with settings, and the database that belongs to it, wherever that lies."""

    folder: Path
    url: str

    @property
    def environment(self) -> dict[str, str]:
        """What the program is told; a server of ours has another port each time."""
        return {**os.environ, "AJPES_WORKSPACE": str(self.folder), _URL_VARIABLE: self.url}

    @property
    def kind(self) -> Kind:
        return "sqlite" if make_url(self.url).get_backend_name() == "sqlite" else "postgresql"

    @property
    def database(self) -> str:
        """The file of SQLite, or the name in the server."""
        return make_url(self.url).database or ""

    @property
    def address(self) -> str:
        """How psql and psycopg name a database of PostgreSQL."""
        return make_url(self.url).set(drivername="postgresql").render_as_string(hide_password=False)


class Workspaces:
    """All workspaces below one folder. `cluster` is needed for those on PostgreSQL."""

    def __init__(self, folder: Path, cluster: Cluster | None = None) -> None:
        self._folder = folder
        self._cluster = cluster

    def get(self, kind: Kind, contents: filling.Contents | None, size: int = 0) -> Workspace:
        """The workspace with this in it, made now if it is not there, or if its recipe has changed.

        Without contents it is as `ajpes-reporting init` leaves it.
        """
        name = f"{contents or 'empty'}_{size}_{kind}"
        workspace = Workspace(self._folder / name, self._url(kind, name))
        mark = workspace.folder / _MARK
        if not mark.exists() or mark.read_text() != _recipe():
            self._remove(workspace)
            make(workspace, contents, size)
            mark.write_text(_recipe())
        return workspace

    @contextmanager
    def copy(self, original: Workspace) -> Iterator[Workspace]:
        """A copy to be changed, gone afterwards."""
        name = f"{original.folder.name}_copy"
        copied = Workspace(self._folder / name, self._url(original.kind, name))
        self._remove(copied)
        shutil.copytree(original.folder, copied.folder)
        if original.kind == "postgresql":
            self._server.execute(f"CREATE DATABASE {copied.database} TEMPLATE {original.database}")
        try:
            yield copied
        finally:
            self._remove(copied)

    def _url(self, kind: Kind, name: str) -> str:
        return f"sqlite:///{self._folder / name / 'ajpes.db'}" if kind == "sqlite" else self._server.url(name)

    def _remove(self, workspace: Workspace) -> None:
        shutil.rmtree(workspace.folder, ignore_errors=True)
        if workspace.kind == "postgresql":
            self._server.execute(f"DROP DATABASE IF EXISTS {workspace.database} WITH (FORCE)")

    @property
    def _server(self) -> Cluster:
        if self._cluster is None:
            raise ValueError("workspaces on PostgreSQL need a server")
        return self._cluster


def make(workspace: Workspace, contents: filling.Contents | None, size: int) -> None:
    """Makes a workspace where there is none, and fills it."""
    if workspace.kind == "postgresql":
        _create_database(workspace)
    _run_init(workspace, "--registration-number", ledgers.PROVIDER, "--name", ledgers.PROVIDER_NAME)
    if contents is not None:
        filling.fill(workspace.url, contents, size)


def _create_database(workspace: Workspace) -> None:
    beside = make_url(workspace.address).set(database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(beside, autocommit=True) as connection:
        known = "SELECT 1 FROM pg_database WHERE datname = %s"
        if not connection.execute(known, (workspace.database,)).fetchone():
            connection.execute(f"CREATE DATABASE {workspace.database} TEMPLATE template0".encode())


def _run_init(workspace: Workspace, *options: str) -> None:
    subprocess.run(
        [PROGRAM, "init", str(workspace.folder), *options], env=workspace.environment, check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip


def _recipe() -> str:
    """Changes when the made-up ledgers do, or the tables."""
    versions = Path(next(iter(migrations.__path__))) / "versions"
    recipe = [Path(ledgers.__file__), Path(filling.__file__), *sorted(versions.glob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in recipe)).hexdigest()


def main() -> None:
    """One workspace, for whoever wants to look at it or measure something else."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workspaces", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="a new folder")
    parser.add_argument("--contents", choices=get_args(filling.Contents), default="new")
    parser.add_argument("--size", type=int, default=100_000, help="events, or accounts for SPAPP (100000)")
    parser.add_argument("--url", help="a new database on PostgreSQL; SQLite in the folder by default")
    options = parser.parse_args()
    url = options.url or f"sqlite:///{options.folder.absolute() / 'ajpes.db'}"
    make(Workspace(options.folder.absolute(), url), options.contents, options.size)


if __name__ == "__main__":
    main()
