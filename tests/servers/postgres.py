"""A throwaway PostgreSQL on a free loopback port; it goes with the folder it lives in.

PostgreSQL refuses to run as root, so a test run by root starts it as the user `postgres`, or
`nobody`. It sorts text as a Slovenian database does, to catch whatever counts on another order.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

_START_SECONDS = 60
_WITH_ICU = 15  # the first version whose clusters may sort by ICU


def find_programs() -> Path | None:
    """The folder of the newest installed `initdb` and `postgres`; None: install postgresql."""
    folders = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()]
    return max(folders, key=_version, default=None)


class NotStartedError(RuntimeError):
    """The server did not come up; what it said last says why."""


class Cluster:
    """A running server. Every database in it is made by a test and dropped after it.

    One with a `folder` of its own stays there when it is stopped, and goes on from there.
    """

    def __init__(self, programs: Path, folder: Path | None = None) -> None:
        self._programs = programs
        self._is_kept = folder is not None
        self._folder = folder or Path(tempfile.mkdtemp(prefix="ajpes-postgres-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self.port = _free_port()

    def __enter__(self) -> Self:
        try:
            self._initialise()
            self._start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._remove()

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database in the cluster."""
        return f"postgresql+psycopg://tester@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """The URL of a new database, a copy of `template`, for as long as the context lasts."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def restart(self, seconds_down: float = 0) -> None:
        """Ends every session and starts anew, as after an update of the server."""
        self._stop()
        time.sleep(seconds_down)
        self._start()

    def execute(self, statement: str) -> None:
        """Runs one statement outside of any of the tests' databases."""
        with psycopg.connect(self._address, autocommit=True) as connection:
            connection.execute(statement.encode())

    @property
    def _address(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=tester dbname=postgres"

    @property
    def pid(self) -> int:
        """The process that all others of the server descend from."""
        assert self._process
        return self._process.pid

    def _initialise(self) -> None:
        user = _as_user()
        self._folder.mkdir(parents=True, exist_ok=True)
        if (self._data / "PG_VERSION").exists():
            return
        if user:
            os.chown(self._folder, user["user"], user["group"])
        sorting = (
            ["--locale-provider=icu", "--icu-locale=sl"] if _version(self._programs) >= _WITH_ICU else []
        )
        subprocess.run(
            [self._programs / "initdb", "--pgdata", self._data, "--username", "tester", "--auth", "trust",
             "--encoding", "UTF8", "--locale", "C.UTF-8", *sorting, "--no-sync", "--no-instructions"],
            check=True, capture_output=True, cwd=self._folder, **user,
        )  # fmt: skip

    def _start(self) -> None:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, *options],
                stdout=log, stderr=log, cwd=self._folder, **_as_user(),
            )  # fmt: skip
        self._wait_until_it_answers(time.monotonic() + _START_SECONDS)

    def _wait_until_it_answers(self, deadline: float) -> None:
        assert self._process
        while True:
            try:
                psycopg.connect(self._address, connect_timeout=5).close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    said = (self._folder / "log").read_text(errors="replace").strip()
                    raise NotStartedError(said) from None
                time.sleep(0.05)

    def _stop(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGINT)  # "fast": ends the sessions, then stops
            self._process.wait(_START_SECONDS)

    def _remove(self) -> None:
        self._stop()
        if not self._is_kept:
            shutil.rmtree(self._folder)

    @property
    def _data(self) -> Path:
        return self._folder / "data"


def _version(programs: Path) -> int:
    name = programs.parent.name
    return int(name) if name.isdigit() else 0


def _as_user() -> dict[str, Any]:
    """How a subprocess is told to run as somebody else than root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
