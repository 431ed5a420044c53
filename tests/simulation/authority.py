"""The authority of a simulation, in a process of its own: it outlives every worker that is killed.

It reads one order per line of JSON, and replies with one line. It ends when its input does.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from ajpes_reporting.sandbox import Sandbox
from tests.servers.cutting_proxy import CuttingProxy

_POLL_SECONDS = 0.01
_RESTS_AT_LATEST_SECONDS = 4.0


class Authority:
    """Speaks with the authority's process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.simulation.authority"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def open(self, folder: Path, now: datetime, line: dict[str, Any] | None = None) -> str:
        """Opens a new authority in `folder`, with empty books; gives the settings for `bank` beside it.

        `line` says how the lines to it break, in the words of `CuttingProxy`.
        """
        return str(self._ask(order="open", folder=str(folder), now=now.isoformat(), line=line))

    def set_clock(self, now: datetime) -> None:
        self._ask(order="clock", now=now.isoformat())

    def rest(self) -> bool:
        """Waits until nothing is under way there any more; False if that did not come."""
        return bool(self._ask(order="rest"))

    def close(self) -> None:
        """Closes the authority that is open, so that its folder can be removed."""
        self._ask(order="close")

    def die_and_return(self) -> None:
        """Drops every line and everything half done, and starts again with what it had written down."""
        self._ask(order="restart")

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def _ask(self, **order: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        reply = self._process.stdout.readline()
        if not reply:
            raise RuntimeError("the authority's process has ended")
        return json.loads(reply)


class _Service:
    """What the process does; one sandbox at a time."""

    def __init__(self) -> None:
        self._now = datetime.now().astimezone()
        self._sandbox: Sandbox | None = None
        self._lines: list[CuttingProxy] = []

    def serve(self, orders: IO[str], replies: IO[str]) -> None:
        for text in orders:
            order = json.loads(text)
            reply = getattr(self, f"_{order.pop('order')}")(**order)
            replies.write(json.dumps(reply) + "\n")
            replies.flush()
        self._close()

    def _open(self, folder: str, now: str, line: dict[str, Any] | None) -> str:
        self._close()
        self._clock(now)
        path = Path(folder)
        self._sandbox = Sandbox(path, clock=lambda: self._now, poll_seconds=_POLL_SECONDS)
        self._sandbox.start()
        settings = self._sandbox.settings(path.parent / "bank")
        return settings if line is None else self._by_a_bad_line(settings, line)

    def _by_a_bad_line(self, settings: str, line: dict[str, Any]) -> str:
        assert self._sandbox is not None
        for port in (self._sandbox.soap_port, self._sandbox.sftp_port):
            proxy = CuttingProxy(port, **line)
            proxy.__enter__()
            self._lines.append(proxy)
            settings = settings.replace(f":{port}/", f":{proxy.port}/")
            settings = settings.replace(f"port = {port}\n", f"port = {proxy.port}\n")
        return settings

    def _clock(self, now: str) -> None:
        self._now = datetime.fromisoformat(now)

    def _rest(self) -> bool:
        give_up = time.monotonic() + _RESTS_AT_LATEST_SECONDS
        while self._is_busy():
            if time.monotonic() > give_up:
                return False
            time.sleep(0.005)
        assert self._sandbox is not None
        self._sandbox.process_now()
        return True

    def _is_busy(self) -> bool:
        """Calls over SOAP have a thread each, sessions over SFTP a connection."""
        assert self._sandbox is not None
        ours = sum("process_request_thread" in thread.name for thread in threading.enumerate())
        return bool(ours or self._sandbox._sftp.connections)

    def _restart(self) -> None:
        assert self._sandbox is not None
        self._sandbox.stop()
        self._sandbox.start()

    def _close(self) -> None:
        for line in self._lines:
            line.__exit__(None, None, None)
        self._lines.clear()
        if self._sandbox is not None:
            self._sandbox._processor.stop()  # it looks into the folders, which are about to go
            threading.Thread(target=self._sandbox.stop).start()
            self._sandbox = None


if __name__ == "__main__":
    # What is said of a session that ended in the middle: that is what the trials are about.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    _Service().serve(sys.stdin, sys.stdout)
