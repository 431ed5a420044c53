"""Serves the receiver of notices; a caller that is slow or silent holds nobody up."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.i18n import _
from ajpes_reporting.logs import sparing
from ajpes_reporting.network.address import parse_address
from ajpes_reporting.network.pem import as_pem, in_memory
from ajpes_reporting.network.places import Places

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from pathlib import Path

    from starlette.applications import Starlette
    from uvicorn.server import ServerState

_log = logging.getLogger(__name__)

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_MOST_AT_ONCE = 256
_SILENCE_SECONDS = 15
_LEAVE_SECONDS = 20
_PAUSE_SECONDS = 1.0


@contextmanager
def serving(
    app: Starlette, listen: str, certificate: Path | None = None, key: Path | None = None
) -> Iterator[tuple[str, int]]:
    """Answer at `listen`, "HOST:PORT", as long as the block lasts; give host and port.

    `certificate` and `key` are PEM files; without them only this machine may call.
    Raises `ConfigurationError`.
    """
    host, port = parse_address(listen, "eplacila.listen")
    if certificate is None and host not in _LOOPBACK:
        raise ConfigurationError(
            _(
                "eplacila.listen is {address}, without an eplacila.listen_certificate; UJP calls over https.",
                address=listen,
            ),
            _("name a certificate, or listen on 127.0.0.1 behind a proxy that has one"),
        )
    config = _config(app, certificate, key)
    with _listening(host, port) as listener, sparing(logging.getLogger("uvicorn.error")):
        server = _Server(config, listener)
        thread = threading.Thread(target=server.run, name="eplacila", daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[:2]
        finally:
            server.should_exit = True
            thread.join(_LEAVE_SECONDS)


def _config(app: Starlette, certificate: Path | None, key: Path | None) -> uvicorn.Config:
    if certificate is None:
        return _loaded(app, None)
    try:
        pem = as_pem(certificate.read_bytes(), (key or certificate).read_bytes())
        with in_memory(pem) as name:
            return _loaded(app, name)
    except (OSError, TypeError, ValueError):  # ssl.SSLError is an OSError
        raise ConfigurationError(
            _(
                "eplacila.listen_certificate names {file}, which cannot be read or fits no key.",
                file=str(certificate),
            ),
            _("put the certificate with its chain there, and its key into eplacila.listen_key, both PEM"),
        ) from None


def _loaded(app: Starlette, certificate: str | None) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        http=H11Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_SILENCE_SECONDS,
        timeout_graceful_shutdown=_SILENCE_SECONDS,
        ssl_certfile=certificate,
    )
    config.load()
    return config


class _Server(uvicorn.Server):
    """A server that accepts connections itself: a place is taken with the first packet, before any TLS."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        super().__init__(config)
        self._listener = listener
        self._places: Places[_Caller] = Places(_MOST_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept; uvicorn itself is given nothing to listen at."""
        await super().startup(sockets=[])
        self._listener.setblocking(False)
        self._begin(self._accept())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nobody any more, and answer whoever has asked."""
        for task in self._tasks:
            task.cancel()
        await super().shutdown(sockets=[])

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(self._listener)
            except OSError as error:  # no file is left, or the caller has gone
                _log.warning("A call was not accepted: %s.", error.strerror)
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            caller = _Caller(connection, self._places)
            if leaving := self._places.enter(caller, str(peer[0])):
                leaving.cut()
            if leaving is not caller:
                self._begin(self._take(caller))

    async def _take(self, caller: _Caller) -> None:
        """Hand a connection to uvicorn, after the handshake if there is one."""
        loop, context = asyncio.get_running_loop(), self.config.ssl

        def protocol() -> _ImpatientProtocol:
            return _ImpatientProtocol(self.config, self.server_state, self.lifespan.state, loop, caller)

        limits = {"ssl_handshake_timeout": _SILENCE_SECONDS, "ssl_shutdown_timeout": _PAUSE_SECONDS}
        try:
            await loop.connect_accepted_socket(
                protocol, caller.connection, ssl=context, **(limits if context else {})
            )
        except OSError:  # no handshake came about; ssl.SSLError is one
            self._places.leave(caller)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Caller:
    """A connection that holds a place."""

    def __init__(self, connection: socket.socket, places: Places[_Caller]) -> None:
        self.connection = connection
        self.places = places

    def cut(self) -> None:
        """End the connection, whatever the caller is about to do."""
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            _log.debug("The caller had left already.")


class _ImpatientProtocol(H11Protocol):
    """A protocol that ends idle connections: uvicorn waits for the first request without any limit."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        loop: asyncio.AbstractEventLoop,
        caller: _Caller,
    ) -> None:
        super().__init__(config, server_state, app_state, loop)
        self._caller = caller
        self.access_log = False  # whatever handlers there are: anybody may call as often as he likes

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._look_again()

    def connection_lost(self, exc: Exception | None) -> None:
        self._next_look.cancel()
        self._caller.places.leave(self._caller)
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        if self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete:
            self._caller.places.asked(self._caller)

    def on_response_complete(self) -> None:
        self._caller.places.answered(self._caller)
        super().on_response_complete()

    def _look_again(self) -> None:
        self._next_look = self.loop.call_later(_SILENCE_SECONDS, self._leave_if_idle)

    def _leave_if_idle(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()
        else:
            self._look_again()


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        listener = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise ConfigurationError(
            _(
                "eplacila.listen is {host}, port {port}, where this machine cannot listen: {reason}.",
                host=host,
                port=port,
                reason=why,
            ),
            _("see what listens there, or name another port; nothing was started"),
        ) from None
    with listener:
        yield listener
