"""Serves the receiver of notices; a client that is slow or silent holds nobody up for long."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.network.address import parse_address

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.applications import Starlette

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_MOST_AT_ONCE = 64
_SILENCE_SECONDS = 15
_LEAVE_SECONDS = 20


@contextmanager
def served(
    app: Starlette, listen: str, certificate: Path | None = None, key: Path | None = None
) -> Iterator[tuple[str, int]]:
    """Answers at `listen`, "HOST:PORT", as long as the block lasts; gives the address.

    `certificate` and `key` are PEM files; without them only this machine may call.
    Raises `ConfigurationError`.
    """
    host, port = parse_address(listen, "eplacila.listen")
    if certificate is None and host not in _LOOPBACK:
        raise ConfigurationError(
            f"eplacila.listen is {listen}, without an eplacila.listen_certificate; UJP calls over https.",
            "name a certificate, or listen on 127.0.0.1 behind a proxy that has one",
        )
    server = uvicorn.Server(_config(app, certificate, key))
    with _listening(host, port) as line:
        thread = threading.Thread(target=server.run, args=([line],), name="eplacila", daemon=True)
        thread.start()
        try:
            yield line.getsockname()[:2]
        finally:
            server.should_exit = True
            thread.join(_LEAVE_SECONDS)


def _config(app: Starlette, certificate: Path | None, key: Path | None) -> uvicorn.Config:
    config = uvicorn.Config(
        app, http=_Impatient, log_config=None, access_log=False, server_header=False, lifespan="off",
        limit_concurrency=_MOST_AT_ONCE, timeout_keep_alive=_SILENCE_SECONDS,
        timeout_graceful_shutdown=_SILENCE_SECONDS, ssl_certfile=certificate, ssl_keyfile=key,
    )  # fmt: skip
    try:
        config.load()
    except OSError:  # ssl.SSLError is one
        raise ConfigurationError(
            f"eplacila.listen_certificate names {certificate}, which cannot be read or fits no key.",
            "put the certificate with its chain there, and its key into eplacila.listen_key, both PEM",
        ) from None
    return config


class _Impatient(H11Protocol):
    """Leaves whoever does not ask: uvicorn waits for the first request for ever, and has few places."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._look_again()

    def connection_lost(self, exc: Exception | None) -> None:
        self._next_look.cancel()
        super().connection_lost(exc)

    def _look_again(self) -> None:
        self._next_look = self.loop.call_later(_SILENCE_SECONDS, self._leave_if_idle)

    def _leave_if_idle(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        else:
            self._look_again()


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        line = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise ConfigurationError(
            f"eplacila.listen is {host}, port {port}, which this machine does not give: {why}.",
            "see what listens there, or name another port; nothing was started",
        ) from None
    with line:
        yield line
