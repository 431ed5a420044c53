"""A web shop's own server on loopback: pages to come back to, and an address for webhooks."""

from __future__ import annotations

import json
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class ShopSite:
    """`received` are the bodies of webhooks as they came; `statuses` is what the next ones get, else 200."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.statuses: deque[int] = deque()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _visit(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.received]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _visit(site: ShopSite) -> type[BaseHTTPRequestHandler]:
    class Visit(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200, f"shop {self.path}".encode())

        def do_POST(self) -> None:
            site.received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(site.statuses.popleft() if site.statuses else 200, b"")

        def log_message(self, format: str, *args: object) -> None:
            pass

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Visit
