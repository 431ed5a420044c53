"""What goes wrong: at which step of a worker, and how; and what the authority does badly.

The product has no hooks for this. A step is seen from outside: a commit, a file that gets its name, a
connection, the bytes that pass. Each has a name that says what it is for, such as
"before commit: state sending", and a number, for it may come more than once.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import ssl
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paramiko
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import OperationalError

from ajpes_reporting.deliver.sftp.carrier import SftpCarrier
from ajpes_reporting.deliver.soap.carrier import SoapCarrier
from ajpes_reporting.journal.archive import Archive

from .poison import OTHER_ANSWERS, POISONS

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from ajpes_reporting.sandbox.faults import FaultInjector

KILL, PAUSE, PARTITION, LOST_COMMIT = "kill", "pause", "partition", "commit reported lost"
LONG_PAUSE = "long pause"
DATABASE, FILE = "database", "file"
READ_ONLY = "read-only database"
COPIED_BACK, FOLDER_BACK = "database copied back", "folder copied back"
STANDS_STILL = (PAUSE, LONG_PAUSE, COPIED_BACK, FOLDER_BACK)
_GOOD_DAYS = 0.5
_READ_ONLY_FOR = 3  # transactions that want to write
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGES = ("os.rename", "os.remove", "os.mkdir")


@dataclass(frozen=True, slots=True)
class Strike:
    """What happens to a worker: at the `number`-th time that `step` is reached.

    In the scenes of copies it stands still there until the copy is made, and goes on.

    For `DATABASE` and `FILE` the step is the call itself, which fails; with `for_ever` all that
    follow fail, too, until the worker is started again.
    """

    kind: str
    step: str = ""
    number: int = 1
    for_ever: bool = False

    def __str__(self) -> str:
        how = " and all that follow" if self.for_ever else ""
        return f"{self.kind} at {self.step or 'call'} #{self.number}{how}"


# --- What the authority does badly ----------------------------------------------------------------

SOAP_MOODS: tuple[dict[str, Any], ...] = (
    {"kind": "refuse"}, {"kind": "drop_request"}, {"kind": "drop_answer"},
    {"kind": "slow", "seconds": 0.2}, {"kind": "slow", "seconds": 1.5},
    {"kind": "html", "status": 502}, {"kind": "html", "status": 502, "processed": True},
    {"kind": "fault", "code": "Server", "processed": True}, {"kind": "fault", "code": "Client"},
    {"kind": "empty"}, {"kind": "truncated"}, {"kind": "drip", "seconds": 0.001},
)  # fmt: skip
SFTP_MOODS: tuple[dict[str, Any], ...] = (
    {"kind": "refuse"}, {"kind": "cut", "bytes": 0}, {"kind": "cut", "bytes": 700}, {"kind": "silent"},
    {"kind": "silent_login"}, {"kind": "delay", "seconds": 0.3}, {"kind": "delay", "seconds": 1.0},
    {"kind": "no_answer"},
)  # fmt: skip


def spoil(faults: FaultInjector, via: str, kind: str, rng: random.Random) -> str:
    """Gives the authority a bad day of this kind, or, if it is empty, any day; says which."""
    if not kind and rng.random() < _GOOD_DAYS:
        return "well"
    moods = SOAP_MOODS if via == "soap" else SFTP_MOODS
    mood = dict(rng.choice([mood for mood in moods if kind in ("", mood["kind"])]))
    faults.add(via, mood.pop("kind"), **mood, times=1)
    return ", ".join(f"{fault.channel} {fault.kind}" for fault in faults._load())


def poison(faults: FaultInjector, via: str, name: str, place: str, rng: random.Random) -> str:
    """Has the authority put out an answer of this name, before, after or instead of its own; says how.

    Over SOAP there is only one answer to a call.
    """
    path = faults.path.parent / OTHER_ANSWERS / "poison.xml"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(POISONS[name])
    seconds = rng.choice((None, 0.3))
    faults.add(via, "other_answer", path=str(path), place=place, seconds=seconds, times=1)
    return f"{via} other answer: {name}, {place}, {seconds or 0} s"


STRANGE_SERVERS: dict[str, dict[str, Any]] = {
    "sweeps what is closed": {"kind": "sweep"},
    "sweeps what is closed into accepted": {"kind": "sweep", "shown": True},
    "sweeps what is renamed": {"kind": "sweep_renamed"},
    "sweeps what is renamed into accepted": {"kind": "sweep_renamed", "shown": True},
    "copies": {"kind": "copy"},
    "lies about a rename": {"kind": "lying_rename", "times": 1},
    "tells no sizes": {"kind": "bare_stat"},
    "lists names alone": {"kind": "bare_listing"},
    "says FAILURE of a missing file": {"kind": "vague_status"},
    "has no right to rename for a while": {"kind": "no_rename", "times": 2},
    "has no right to rename": {"kind": "no_rename"},
    "has no right to list reports": {"kind": "no_list"},
    "has no right to look at reports": {"kind": "no_stat"},
    "has no right to remove": {"kind": "no_remove"},
}


def estrange(faults: FaultInjector, name: str, rng: random.Random) -> str:
    """Gives the exchange server such a habit; its answers may be late besides, or never come."""
    faults.add("sftp", **STRANGE_SERVERS[name])
    late = rng.choice((None, {"kind": "delay", "seconds": 0.7}, {"kind": "no_answer"}))
    if late is not None:
        faults.add("sftp", **late, times=1)
    return f"sftp {name}{', ' + str(late['kind']) if late else ''}"


STRANGE_REPLIES: dict[str, dict[str, Any]] = {
    "typed": {"kind": "style", "style": "typed"},
    "text": {"kind": "style", "style": "text"},
    "CDATA": {"kind": "style", "style": "cdata"},
    "JSON": {"kind": "style", "style": "json"},
    "MIME": {"kind": "style", "style": "mime"},
    "typed in MIME": {"kind": "style", "style": "typed mime"},
    "another encoding": {"kind": "style", "style": "windows-1250"},
    "a declaration that lies": {"kind": "style", "style": "false-declaration"},
    "a byte order mark": {"kind": "style", "style": "bom"},
    "something before the beginning": {"kind": "style", "style": "crlf"},
    "something after the end": {"kind": "style", "style": "nul"},
    "looser than its schema": {"kind": "style", "style": "loose"},
    "an error of the service": {"kind": "style", "style": "service-error"},
    "broken MIME": {"kind": "broken_mime"},
    "two verdicts": {"kind": "contradiction"},
}


def talk_strangely(faults: FaultInjector, name: str, rng: random.Random) -> str:
    """Has the authority reply so, and sometimes once more in another strange way; says how."""
    others = rng.sample(list(STRANGE_REPLIES), k=rng.choice((0, 0, 1, 2)))
    for one in (name, *others):
        faults.add("soap", **STRANGE_REPLIES[one], times=1)
    return f"soap replies: {', '.join((name, *others))}"


def bad_line(rng: random.Random) -> dict[str, Any]:
    """How the lines to the authority break: after how many bytes, in which direction."""
    side = rng.choice(("cut_after_sent", "cut_after_received"))
    return {
        side: rng.randint(1, 9_000),
        "silent": rng.random() < 0.2,
        "faulty_connections": rng.randint(1, 3),
    }


# --- What happens to a worker ---------------------------------------------------------------------


@dataclass(slots=True)
class Steps:
    """Counts the steps of this process, and strikes when the one has come."""

    strike: Strike | None
    private: Path
    seen: list[tuple[str, int]] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    lines: list[socket.socket] = field(default_factory=list)
    is_cut_off: bool = False
    read_only_for: int = 0
    _counts: Counter[str] = field(default_factory=Counter)

    def reach(self, step: str) -> None:
        self._counts[step] += 1
        number = self._counts[step]
        self.seen.append((step, number))
        if self.strike is not None and (self.strike.step, self.strike.number) == (step, number):
            self._strike_now(self.strike.kind)

    def call(self, kind: str) -> bool:
        """Whether this call, the n-th of its kind, is to fail."""
        self.calls[kind] += 1
        strike = self.strike
        if strike is None or strike.kind != kind:
            return False
        count = self.calls[kind]
        return count == strike.number or (strike.for_ever and count > strike.number)

    def write_down(self, path: Path) -> None:
        path.write_text(json.dumps({"steps": self.seen, "calls": self.calls}))

    def _strike_now(self, kind: str) -> None:
        if kind == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        elif kind in STANDS_STILL:
            os.kill(os.getpid(), signal.SIGSTOP)
        elif kind == PARTITION:
            self.is_cut_off = True
            for line in self.lines:
                _shut_down(line)
        elif kind == READ_ONLY:
            self.read_only_for = _READ_ONLY_FOR
        elif kind == LOST_COMMIT:
            raise _database_failure("the connection broke in the commit")


def watch(steps: Steps) -> None:
    """Puts the eyes in. Once in the life of a process; they cannot be taken out again."""
    _watch_database(steps)
    _watch_files(steps)
    _watch_lines(steps)


def _watch_database(steps: Steps) -> None:
    written: list[str] = []

    @event.listens_for(Engine, "begin")
    def begun(connection: Connection) -> None:
        written.clear()
        if steps.strike is not None and steps.strike.kind == READ_ONLY:
            _refuse_writes(steps, connection)

    @event.listens_for(Engine, "before_cursor_execute")
    def executes(
        _connection: Connection, _cursor: Any, statement: str, _values: Any, context: Any, _many: bool
    ) -> None:
        if steps.call(DATABASE):
            raise _database_failure("disk I/O error")
        if statement.lstrip()[:6].upper() in ("INSERT", "UPDATE", "DELETE"):
            written.append(_purpose(statement, context))

    commit = DefaultDialect.do_commit

    def do_commit(dialect: DefaultDialect, connection: Any) -> None:
        if steps.call(DATABASE):
            raise _database_failure("disk I/O error")
        if not written:
            commit(dialect, connection)
            return
        name = max(written, key=lambda purpose: (not purpose.startswith("table"), -written.index(purpose)))
        written.clear()
        steps.reach(f"before commit: {name}")
        commit(dialect, connection)
        steps.reach(f"after commit: {name}")

    DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]


def _refuse_writes(steps: Steps, connection: Connection) -> None:
    """The server says so itself, as it does where a copy of it has not yet taken its place."""
    is_refused = steps.read_only_for > 0
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA query_only = {is_refused:d}")
    elif is_refused:
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
    steps.read_only_for -= bool(is_refused and connection.get_execution_options().get("ajpes_immediate"))


def _purpose(statement: str, context: Any) -> str:
    """What a write is for: the entry of the audit record says it best."""
    if "handed_over_at=" in statement:
        return "handed over"
    values = context.compiled_parameters[0] if context is not None and context.compiled else {}
    if "audit_records" in statement and "kind" in values:
        return f"{values['kind']} {json.loads(values['body']).get('to', '')}".strip()
    words = statement.split()
    return f"table {words[1] if words[0].upper() == 'UPDATE' else words[2]}"


def _watch_files(steps: Steps) -> None:
    def heard(name: str, arguments: tuple[Any, ...]) -> None:
        writes = bool(arguments[2] & _WRITES) if name == "open" else name in _CHANGES
        if writes and _lies_in(arguments[0], steps.private):
            _file_call(steps)

    sync = os.fsync

    def fsync(handle: int) -> None:
        _file_call(steps)
        sync(handle)

    sys.addaudithook(heard)
    os.fsync = fsync
    _around(steps, Archive, "store", lambda arguments: f"archive: {_sort_of(arguments[2])}")


def _file_call(steps: Steps) -> None:
    if steps.call(FILE):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _watch_lines(steps: Steps) -> None:
    def heard(name: str, arguments: tuple[Any, ...]) -> None:
        if name != "socket.connect" or arguments[0].family != socket.AF_INET:
            return
        if steps.strike is not None and steps.strike.kind == PARTITION:
            steps.lines.append(arguments[0].dup())
        steps.reach("before connecting")
        if steps.is_cut_off:
            raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))

    sys.addaudithook(heard)
    for carrier in (SoapCarrier, SftpCarrier):
        _around(steps, carrier, "deliver", lambda arguments: f"delivery by {arguments[0].name}")
    _around(steps, ssl.SSLSocket, "send", lambda _arguments: "block of the SOAP request")
    _before_first(steps, ssl.SSLSocket, "recv", "before the SOAP reply is read")
    _around(steps, paramiko.SFTPClient, "rename", lambda _arguments: "rename on the server")
    _around(steps, paramiko.SFTPClient, "open", lambda arguments: f"opening on the server, {arguments[2]}")


def _around(steps: Steps, owner: type, name: str, told: Callable[[tuple[Any, ...]], str]) -> None:
    original = getattr(owner, name)

    def watched(*arguments: Any, **named: Any) -> Any:
        what = told(arguments)
        steps.reach(f"before {what}")
        result = original(*arguments, **named)
        steps.reach(f"after {what}")
        return result

    setattr(owner, name, watched)


def _before_first(steps: Steps, owner: type, name: str, step: str) -> None:
    original = getattr(owner, name)
    met: list[object] = []

    def watched(connection: Any, *arguments: Any, **named: Any) -> Any:
        if connection not in met and any(seen.startswith("after block") for seen, _ in steps.seen):
            met.append(connection)
            steps.reach(step)
        return original(connection, *arguments, **named)

    setattr(owner, name, watched)


def _sort_of(name: str) -> str:
    if name.startswith(("answer", "reply")):
        return name.partition("-")[0]
    return "report" if name.startswith(("NODURS", "SPAPP")) else "answer"


def _lies_in(path: object, folder: Path) -> bool:
    text = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else ""
    return text.startswith(str(folder))


def _database_failure(why: str) -> OperationalError:
    return OperationalError("", {}, Exception(why))


def _shut_down(line: socket.socket) -> None:
    try:
        line.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it was over already
