"""Sends one signed call over the network, and leaves nothing of it in any log.

Requests go straight to httpx's transport: its client would log every address, and the API key is
part of it. Neither a redirect nor the environment decides where they go.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlencode

import httpx

from ajpes_reporting.domain.errors import ConfigurationError, UsageError
from ajpes_reporting.eplacila.errors import AnswerUnusable
from ajpes_reporting.eplacila.signing import authorization, make_nonce
from ajpes_reporting.eplacila.urls import parse_url
from ajpes_reporting.i18n import _
from ajpes_reporting.network.transport import Transport
from ajpes_reporting.network.trouble import connection_trouble, root_cause
from ajpes_reporting.network.watchdog import Watchdog, watched

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from typing import BinaryIO

    from ajpes_reporting.domain.ports import Clock
    from ajpes_reporting.eplacila.signing import Credentials
    from ajpes_reporting.network.line import Proxy

_BLOCK_BYTES = 64 * 1024
_SUCCESS = range(HTTPStatus.OK, HTTPStatus.NON_AUTHORITATIVE_INFORMATION + 1)  # section 6.3


class NothingSent(Exception):
    """No connection came about: UJP has seen nothing of the request. `reason` is a clause."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Lost(Exception):
    """The request may have arrived, its answer has not. `reason` is a clause."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits in seconds: until the connection stands, for each silence in it, and for the whole call."""

    connect: float = 20
    silence: float = 60
    call: float = 300


@dataclass(frozen=True, slots=True)
class Reply:
    """The head of an answer; its body lies in the file that the caller named."""

    status: int

    @property
    def is_success(self) -> bool:
        return self.status in _SUCCESS

    @property
    def is_refusal(self) -> bool:
        return self.status >= HTTPStatus.BAD_REQUEST


class SignedTransport:
    """Calls UJP at `base_url`, such as https://eplacila.ujp.gov.si. Raises `ConfigurationError`."""

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        context: ssl.SSLContext,
        clock: Clock,
        timeouts: Timeouts,
        proxy: Proxy | None = None,
    ) -> None:
        self._root = f"{_checked(base_url)}/api/v1/{quote(credentials.api_key, safe='')}"
        self._credentials = credentials
        self._context = context
        self._clock = clock
        self._timeouts = timeouts
        self._proxy = proxy

    def get(self, path: str, query: Mapping[str, str], body: BinaryIO, limit: int) -> Reply:
        """Ask once, and write the answer into `body`, which must be empty.

        Raises `NothingSent`, `Lost`, and `AnswerUnusable` if the answer is longer than `limit` bytes.
        """
        question = f"?{urlencode(query)}" if query else ""
        return self._call("GET", f"{self._root}/{path}{question}", None, body, limit)

    def post(self, path: str, document: Mapping[str, Any], body: BinaryIO, limit: int) -> Reply:
        """Send a document once; otherwise as `get`."""
        content = json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
        return self._call("POST", f"{self._root}/{path}", content, body, limit)

    def _call(
        self, method: Literal["GET", "POST"], url: str, content: bytes | None, body: BinaryIO, limit: int
    ) -> Reply:
        with watched(self._timeouts.call) as watchdog:
            request = self._request(method, url, content, watchdog)
            try:
                with Transport(self._context, self._proxy) as transport:
                    return _exchange(transport, request, body, limit)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                raise NothingSent(_reason(error, watchdog)) from None
            except (httpx.HTTPError, OSError) as error:
                raise Lost(_reason(error, watchdog)) from None

    def _request(self, method: str, url: str, content: bytes | None, watchdog: Watchdog) -> httpx.Request:
        """Return a request that is signed for one attempt: each has a nonce and a time of its own."""

        def trace(event: str, info: dict[str, Any]) -> None:
            if event == "connection.connect_tcp.complete":
                watchdog.guard(info["return_value"].get_extra_info("socket"))

        silence = self._timeouts.silence
        timeouts = httpx.Timeout(silence, connect=self._timeouts.connect).as_dict()
        request = httpx.Request(
            method,
            url,
            content=content,
            headers={"Accept": "application/json", "Connection": "close"},
            extensions={"timeout": timeouts, "trace": trace},
        )
        if content is not None:
            request.headers["Content-Type"] = "application/json"
        request.headers["Authorization"] = authorization(
            self._credentials, str(request.url), make_nonce(), self._clock()
        )
        return request


def path_of(*parts: str) -> str:
    """Return a path whose parts stay apart, whatever characters they have. Raises `UsageError`."""
    for part in parts:
        if set(part) <= {"."}:  # httpx would take ".." for the folder above, and ask for something else
            raise UsageError(
                _("“{part}” is no identifier.", part=part),
                _("name one that UJP has given, or one of ours"),
            )
    return "/".join(quote(part, safe="") for part in parts)


def _exchange(transport: httpx.HTTPTransport, request: httpx.Request, body: BinaryIO, limit: int) -> Reply:
    response = transport.handle_request(request)
    try:
        received = 0
        for block in response.iter_raw(_BLOCK_BYTES):
            received += len(block)
            if received > limit:
                raise AnswerUnusable(_("the answer is longer than {limit:count} bytes", limit=limit))
            body.write(block)
    finally:
        response.close()
    return Reply(response.status_code)


def _reason(error: Exception, watchdog: Watchdog) -> str:
    """Return the reason as a clause; never in the words of httpx, in which the address may stand."""
    if watchdog.expired or isinstance(error, httpx.TimeoutException):
        return _("UJP did not answer in time")
    if isinstance(error, httpx.ProtocolError):
        return _("UJP hung up before its answer was whole")
    return connection_trouble(root_cause(error))[0]


def _checked(base_url: str) -> str:
    try:
        url = parse_url(base_url)
    except ValueError:
        raise _unusable() from None
    if url.userinfo or url.query or url.fragment:
        raise _unusable()
    return str(url).rstrip("/")


def _unusable() -> ConfigurationError:
    return ConfigurationError(
        _("eplacila.base_url must begin with https:// and name a host, and no user, query or fragment."),
        _("write it like https://eplacila.ujp.gov.si; http:// goes to this machine itself only"),
    )
