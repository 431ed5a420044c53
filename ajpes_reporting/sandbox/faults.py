"""Injected faults: what a sandbox is told to do badly, so that a client can be tried against a bad day.

The faults stand in one JSON file, read anew at each request: a person at another terminal edits
it, a test uses `FaultInjector.add`. An entry is

    {"channel": "soap", "kind": "slow", "seconds": 30, "times": 1}

Without `times` it holds until it is removed. The first entry that fits is played.

    soap  refuse        closes the connection before the TLS handshake
          drop_request  closes it before the body is read
          drop_answer   reads and processes everything, then closes without a word
          slow          answers after `seconds`
          html          a web page with `status` (200)
          fault         a SOAP fault with `code` (Server or Client)
          empty         an empty body with `status` (200)
          truncated     half of the answer, as if it were whole
          redirect      `status` (307) to `location` (here again)
          drip          the answer byte by byte, `seconds` (0.2) apart
          other_answer  after `seconds`, the bytes of the file `path` as its result
          style         the reply as the styles named in `style` have it: "json", "typed mime"
          broken_mime   a reply in multipart/related that breaks off in the middle
          contradiction  two verdicts in one reply, one for and one against the report
    sftp  refuse        closes the connection at once
          silent_login  never replies to the login
          silent        never replies once a file is opened for writing
          cut           closes the connection after `bytes` of a file
          delay         puts the answer out after `seconds`
          no_answer     takes the file, but never puts an answer out
          sweep         takes a report away the moment it is closed, whatever its name; it is seen in
                        no folder any more, or, if `shown`, in accepted
          sweep_renamed the same, the moment it gets its final name
          copy          takes a copy of the file, and leaves it where it was put
          lying_rename  says yes to a rename, and does nothing
          bare_stat     tells no sizes, for a whole session
          bare_listing  lists names without any attributes, for a whole session
          vague_status  says FAILURE of a file that is not there
          no_rename     refuses a rename, for want of a right; no_remove a removal, no_list a listing of
                        v_ajpes, no_stat a look at a file there
          other_answer  puts out the bytes of the file `path`: `place` says whether before or after its
                        own answer, which comes after `seconds`, or instead of it (instead)

    api   slow          answers after `seconds`
          drop_answer   does what it is asked to, then closes the connection without a word
          error         an error of 6.3.2 with `status` (500)
          wrong_signature  signs something else
    webhook  duplicate  tells the same twice
          reorder       holds it back until another one has gone
          wrong_signature  signs something else
          truncated     half of it, as if it were whole
          lose          never sends it

`path` is relative to the folder in which the file of faults lies. The quirks of a style's exchange
server are kinds of sftp that hold all the time, after those in the file.

`processed` says whether the submission is received and validated before the fault is played; html,
fault, redirect and error stand for somebody in front, and by default it is not.
"""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from .errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_log = logging.getLogger(__name__)

_KINDS = {
    "soap": {
        "refuse", "drop_request", "drop_answer", "slow", "html", "fault", "empty", "truncated",
        "redirect", "drip", "other_answer", "style", "broken_mime", "contradiction",
    },
    "sftp": {
        "refuse", "silent_login", "silent", "cut", "delay", "no_answer", "sweep", "sweep_renamed", "copy",
        "lying_rename", "bare_stat", "bare_listing", "other_answer", "vague_status", "no_rename", "no_remove",
        "no_list", "no_stat",
    },
    "api": {"slow", "drop_answer", "error", "wrong_signature"},
    "webhook": {"duplicate", "reorder", "wrong_signature", "truncated", "lose"},
}  # fmt: skip
_IN_FRONT = {"html", "fault", "redirect", "error"}
BEFORE, AFTER, INSTEAD = "before", "after", "instead"


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """One fault; which fields count depends on `kind`, see the module."""

    channel: str
    kind: str
    times: int | None = None
    seconds: float | None = None
    bytes: int = 0
    status: int | None = None
    code: str = "Server"
    location: str = ""
    processed: bool | None = None
    shown: bool = False
    path: str = ""
    place: str = INSTEAD
    style: str = ""

    def __post_init__(self) -> None:
        if self.kind not in _KINDS.get(self.channel, ()):
            raise ValueError(f"no fault {self.kind!r} for {self.channel!r}")
        if self.place not in (BEFORE, AFTER, INSTEAD):
            raise ValueError(f"no place {self.place!r} for an answer")
        if self.style:
            _check_style(self.style)

    @property
    def is_after_processing(self) -> bool:
        return self.kind not in _IN_FRONT if self.processed is None else self.processed


class FaultInjector:
    """The faults in one file. `played` is the history, oldest first, of this process.

    `quirks` are kinds on the channel sftp that hold all the time.
    """

    def __init__(self, path: Path, quirks: Iterable[str] = ()) -> None:
        self.path = path
        self._quirks = [InjectedFault("sftp", kind) for kind in quirks]
        self._lock = threading.Lock()
        self.played: list[InjectedFault] = []

    def add(self, channel: str, kind: str, **details: Any) -> None:
        """Add a fault after those that are there. Raises `ValueError` for one that does not exist."""
        fault = InjectedFault(channel, kind, **details)
        with self._lock:
            self._store([*self._load(), fault])

    def clear(self) -> None:
        with self._lock:
            self.path.unlink(missing_ok=True)

    def take(self, channel: str, *kinds: str) -> InjectedFault | None:
        """Return the first fault of one of these kinds, counted down; None on a good day."""
        with self._lock:
            faults = self._load()
            fault = next((one for one in faults if one.channel == channel and one.kind in kinds), None)
            if fault is not None:
                self.played.append(fault)
                self._count_down(faults, fault)
                return fault
            return next((one for one in self._quirks if one.channel == channel and one.kind in kinds), None)

    def other_answer(self, fault: InjectedFault) -> bytes:
        """Return the bytes that a fault puts in the place of an answer; none if its file is not there."""
        try:
            return (self.path.parent / fault.path).read_bytes()
        except OSError as reason:
            _log.warning("the other answer %s cannot be read: %s", fault.path, reason)
            return b""

    def _count_down(self, faults: list[InjectedFault], fault: InjectedFault) -> None:
        if fault.times is None:
            return
        at = faults.index(fault)
        faults[at : at + 1] = [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
        self._store(faults)

    def _load(self) -> list[InjectedFault]:
        try:
            return [InjectedFault(**entry) for entry in json.loads(self.path.read_bytes())]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError) as reason:
            # Somebody may be in the middle of editing it: the authority goes on as usual.
            _log.warning("%s is not understood, no fault is played: %s", self.path.name, reason)
            return []

    def _store(self, faults: list[InjectedFault]) -> None:
        whole = self.path.with_suffix(".new")
        whole.write_text(json.dumps([_written(fault) for fault in faults], indent=2))
        whole.replace(self.path)


def _check_style(names: str) -> None:
    from .styles import style_of

    try:
        style_of(names.split())
    except SandboxError as error:
        raise ValueError(error.message) from None


def _written(fault: InjectedFault) -> dict[str, Any]:
    defaults = {field.name: field.default for field in fields(InjectedFault)}
    return {name: value for name, value in asdict(fault).items() if value != defaults[name]}
