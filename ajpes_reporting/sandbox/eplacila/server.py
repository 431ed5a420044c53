"""The simulator's HTTP server: a thread with uvicorn, on loopback."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..sftp import LOOPBACK, port_taken

if TYPE_CHECKING:
    from starlette.applications import Starlette

HANG_UP = "sandbox.hang_up"


class HttpServer:
    """Serves one application. `port` is 0 for a free one, until `start`."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def start(self, application: Starlette) -> None:
        """Raises `SandboxError` if the port is taken."""
        try:
            listener = socket.create_server((LOOPBACK, self.port))
        except OSError as reason:
            raise port_taken("e-plačila", self.port, reason, "name another one with --port") from None
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            application,
            http=_Protocol,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="eplacila simulator"
        )
        self._thread.start()
        self._server.ready.wait()

    def stop(self) -> None:
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join()
        self._server = self._thread = None


class _Server(uvicorn.Server):
    """Says when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


class _Protocol(H11Protocol):
    """Lets the application close the connection without an answer, as a network does."""

    def handle_events(self) -> None:
        super().handle_events()
        if self.scope is not None:
            extensions: dict[str, Any] = self.scope.setdefault("extensions", {})
            extensions[HANG_UP] = self.transport.close
