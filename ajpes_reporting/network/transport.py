"""HTTPS over our own lines: the settings alone say which proxy is asked, never the environment.

httpx has a way of its own through proxies. It is not used: it tells of the proxy's answer with the words of a
server's, waits for it as long as for a verdict, cannot name an IPv6 address, and hides the inner TLS socket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpcore
import httpx
from httpcore._backends.sync import SyncStream

from ajpes_reporting.network.line import Proxy, open_line

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable
    from typing import Any

_CONNECT_SECONDS = 20.0


class Transport(httpx.HTTPTransport):
    """httpx's transport for calls with `context`, through `proxy` if there is one."""

    def __init__(self, context: ssl.SSLContext, proxy: Proxy | None = None) -> None:
        super().__init__(verify=context, trust_env=False)
        if proxy is not None:
            # httpx cannot be given a backend; httpcore, which it stands on, can.
            self._pool = httpcore.ConnectionPool(ssl_context=context, network_backend=_Lines(proxy))


class _Lines(httpcore.SyncBackend):
    """Connects through a proxy; httpcore does not know that there is one."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            return SyncStream(open_line(host, port, timeout or _CONNECT_SECONDS, self._proxy))
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
