"""Tells systemd that the service is ready, still alive, or about to stop (sd_notify).

Outside systemd, or where the unit does not ask for it, nothing is told.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 1.0
_MICROSECONDS = 1_000_000
_PINGS_PER_LIMIT = 3


@contextmanager
def supervised(hangs: Callable[[], bool]) -> Iterator[None]:
    """Tells that the service is ready; then, again and again, that it is alive, unless it hangs."""
    notify("READY=1")
    done = threading.Event()
    thread = threading.Thread(target=_ping, args=(hangs, done), name="watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        notify("STOPPING=1")


def notify(state: str) -> None:
    """Sends one word to systemd, if it listens. Reports are sent, too, if it does not take it."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.settimeout(_PATIENCE_SECONDS)
            line.connect(f"\0{address[1:]}" if address.startswith("@") else address)
            line.send(state.encode())
    except OSError as error:
        _log.warning("systemd was not told %s: %s", state, error)


def _ping(hangs: Callable[[], bool], done: threading.Event) -> None:
    limit = int(os.environ.get("WATCHDOG_USEC") or 0)
    while limit and not done.wait(limit / _MICROSECONDS / _PINGS_PER_LIMIT):
        if not hangs():
            notify("WATCHDOG=1")
