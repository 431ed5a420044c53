"""SOAP: BlokPodOddaj(Blok, Ident()) of wsBlokIzmenjava (instruction, section 4.1.1).

The report file is streamed in an envelope made after the WSDL, and the reply is streamed to a file.
zeep reads the WSDL, and neither sends nor reads messages: it would hold both in memory, follow a
redirect with the whole report, and let a truncated reply pass.
"""

from __future__ import annotations

import secrets
import ssl
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx

from ajpes_reporting.deliver.soap.envelope import Envelope, SoapNames, make_envelope
from ajpes_reporting.deliver.soap.http_status import BAD_REQUEST, PAGE_BYTES, Rejection, rejection
from ajpes_reporting.deliver.soap.payload import make_payload
from ajpes_reporting.deliver.soap.replies.answer import Call as AnsweredCall
from ajpes_reporting.deliver.soap.replies.answer import refuses
from ajpes_reporting.deliver.soap.replies.read import Question, Reading, read_reply
from ajpes_reporting.deliver.soap.replies.unusable import UnusableReplyError
from ajpes_reporting.domain.errors import ConfigurationError, NotDelivered, UsageError
from ajpes_reporting.domain.outcomes import Delivered, Outcome, Refused, Unknown, Unreachable
from ajpes_reporting.domain.ports import (
    UNRECORDED,
    Handover,
    Inspection,
    Parcel,
    Progress,
    no_progress,
)
from ajpes_reporting.i18n import Message, _
from ajpes_reporting.i18n.system import system_reason
from ajpes_reporting.network.address import require_place
from ajpes_reporting.network.line import Proxy, open_line
from ajpes_reporting.network.transport import Transport
from ajpes_reporting.network.trouble import (
    connection_trouble,
    hear_objection,
    refused_certificate,
    root_cause,
)
from ajpes_reporting.network.watchdog import Watchdog, watched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ajpes_reporting.deliver.soap.replies.envelope import Fault
    from ajpes_reporting.deliver.soap.replies.verdict import Refusal

_BLOCK_BYTES = 64 * 1024
_SETTLE = _(
    "do not send it again before this is settled: ask the authority whether it has "
    "the report, then say so with `ajpes-reporting resolve`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SoapEndpoint:
    """The service: its address, our credentials, and our time limits.

    `ident` are the entries of the parameter Ident, ready to send. `username` and `password` go
    into HTTP Basic if `authentication` is "basic"; with "ident" they only stand in `ident`.
    `operation_timeout_seconds` bounds each wait for the other side, also that for its verdict;
    `call_timeout_seconds` bounds the whole call.
    """

    url: str
    wsdl: Path
    ident: tuple[str, ...] = field(repr=False)
    authentication: str = "ident"
    username: str = ""
    password: str = field(default="", repr=False)
    names: SoapNames = field(default_factory=SoapNames)
    connect_timeout_seconds: float
    operation_timeout_seconds: float
    call_timeout_seconds: float
    largest_reply_bytes: int
    proxy: Proxy | None = None


class SoapCarrier:
    """Delivers a report in one call; the answer comes in the same call.

    Replies are kept in the folder `replies`: NAME.envelope.xml as it came, and NAME.xml with the
    BlokOdgovor alone. Raises `ConfigurationError` at once if the settings cannot be used.
    """

    name = "soap"

    def __init__(self, endpoint: SoapEndpoint, context: ssl.SSLContext, replies: Path) -> None:
        self._url = _checked_url(endpoint.url)
        self._context = context
        self._replies = replies
        self._envelope = make_envelope(endpoint.wsdl, endpoint.names, endpoint.ident)
        self._endpoint = replace(endpoint, names=replace(endpoint.names, result=self._envelope.result))

    def deliver(
        self, parcel: Parcel, progress: Progress = no_progress, handover: Handover = UNRECORDED
    ) -> Outcome:
        """Sends the report and says what became of it.

        Raises `UsageError` if the file is not the parcel's, or not in UTF-8.
        """
        message = _Message(self._envelope, parcel, progress)
        self._replies.mkdir(parents=True, exist_ok=True)
        stem = f"{parcel.file_name.removesuffix('.xml')}.{secrets.token_hex(4)}"
        reply = self._replies / f"{stem}.envelope.xml"
        with watched(self._endpoint.call_timeout_seconds) as watchdog:
            call = _Call(watchdog, handover)
            try:
                response = self._post(message, call, reply)
            except NotDelivered as error:
                if call.request_begun:
                    return Unknown(
                        _("{reason} The message was cut before its end.", reason=error.message), _SETTLE
                    )
                return Unreachable(error.message, error.remedy)
            except (httpx.HTTPError, OSError, _OversizeError) as error:
                return self._broken(call, error, reply if reply.exists() else None)
        return self._judge(response, _Reply(parcel, reply, self._replies / f"{stem}.xml"))

    def inspect(self) -> Inspection:
        """Says how the authority is reached, without sending it a report, or any message.

        Raises `NotDelivered` with the reason if it is not.
        """
        try:
            return Inspection(self._shake_hands())
        except OSError as error:
            reason, remedy = connection_trouble(error, self.name)
            raise NotDelivered(self._unreachable(reason), remedy) from error

    def _post(self, message: _Message, call: _Call, reply: Path) -> httpx.Response:
        """Sends the message, stores the reply, returns its head."""
        with (
            self._client() as client,
            client.stream(
                "POST",
                self._url,
                content=message.stream(call.handover),
                headers=self._headers(message),
                extensions={"trace": call.trace},
            ) as response,
            reply.open("xb") as file,
        ):
            left = self._endpoint.largest_reply_bytes
            for block in response.iter_bytes(_BLOCK_BYTES):
                file.write(block)
                left -= len(block)
                if left < 0:
                    raise _OversizeError
            return response

    def _client(self) -> httpx.Client:
        seconds = self._endpoint.operation_timeout_seconds
        basic = (self._endpoint.username, self._endpoint.password)
        return httpx.Client(
            transport=Transport(self._context, self._endpoint.proxy),
            auth=basic if self._endpoint.authentication == "basic" else None,
            timeout=httpx.Timeout(seconds, connect=self._endpoint.connect_timeout_seconds),
            # A redirect would post the report once more, a proxy or .netrc from the environment
            # would send it, or the password, where nobody decided it should go.
            follow_redirects=False,
            trust_env=False,
        )

    def _headers(self, message: _Message) -> dict[str, str]:
        return {
            **self._envelope.headers,
            "Content-Length": str(message.size_bytes),
            "Accept-Encoding": "identity",
            "Connection": "close",
        }

    def _broken(self, call: _Call, error: Exception, evidence: Path | None) -> Outcome:
        """The call came to no proper end: could the authority have the report?"""
        if not call.request_begun:
            cause = TimeoutError() if call.watchdog.expired else error
            reason, remedy = connection_trouble(cause, self.name)
            return Unreachable(self._unreachable(reason), remedy)
        if not call.reply_begun and (reason := refused_certificate(error)):
            # With TLS 1.3 this alert comes after we have begun to write.
            return Unreachable(self._unreachable(reason), _("ask the authority about our certificate"))
        return Unknown(
            _("{told} The authority may have the report.", told=self._told(call, error)), _SETTLE, evidence
        )

    def _told(self, call: _Call, error: Exception) -> Message:
        if call.watchdog.expired:
            return _(
                "The call was not over after {seconds} seconds and was cut.",
                seconds=format(call.watchdog.seconds, "g"),
            )
        if isinstance(error, _OversizeError):
            return _(
                "The reply is larger than {bytes:count} bytes and was cut.",
                bytes=self._endpoint.largest_reply_bytes,
            )
        if isinstance(error, httpx.TimeoutException):
            seconds = self._endpoint.operation_timeout_seconds
            return _(
                "The authority was silent for {seconds} seconds in the middle of the call.",
                seconds=format(seconds, "g"),
            )
        if isinstance(error, httpx.DecodingError):
            return _("The reply is not packed as its Content-Encoding says.")
        if isinstance(error, httpx.HTTPError):
            return _(
                "The connection broke in the middle of the call ({cause:foreign}).",
                cause=str(root_cause(error)),
            )
        return _(
            "A file on this machine failed in the middle of the call ({error:foreign}).",
            error=system_reason(error) if isinstance(error, OSError) else str(error),
        )

    def _judge(self, response: httpx.Response, reply: _Reply) -> Outcome:
        """Returns the authority's word, if there is one; else that of the web server before it."""
        status = response.status_code
        why = rejection(status, _page(reply.path))
        content_type = response.headers.get("Content-Type", "")
        question = Question(self._endpoint.names.result, content_type, reply.call)
        try:
            reading = read_reply(reply.path, reply.answer, question)
        except UnusableReplyError as error:
            if why is None and status == httpx.codes.BAD_REQUEST:
                why = BAD_REQUEST
            if why is not None:
                return self._not_taken(why, status, reply.path)
            return Unknown(_no_verdict(status, self._masked(error.reason)), _SETTLE, reply.path)
        if why is not None and not reading.is_definite:
            return self._not_taken(why, status, reply.path)
        return self._outcome(status, reading, reply)

    def _outcome(self, status: int, reading: Reading, reply: _Reply) -> Outcome:
        """Returns the outcome that a reply tells, unless its HTTP status contradicts it."""
        if reading.fault is not None:
            return self._faulted(reading.fault, status, reply.path, reading.deviations)
        if reading.refusal is not None:
            return self._refused(reading.refusal, status, reply.path, reading.deviations)
        is_error = status >= httpx.codes.BAD_REQUEST
        if httpx.codes.is_success(status) or (is_error and refuses(reply.answer)):
            return Delivered(reply.answer, evidence=reply.path, deviations=reading.deviations)
        return Unknown(
            _no_verdict(status, _("the acceptance in it contradicts its status")), _SETTLE, reply.path
        )

    def _faulted(self, fault: Fault, status: int, evidence: Path, deviations: tuple[Message, ...]) -> Outcome:
        text = self._masked(Message(fault.text, {}) if fault.text else _("no reason given"))
        if fault.blames_sender:
            return Refused(text, evidence, deviations)
        return self._failed(text, status, evidence)

    def _refused(
        self, refusal: Refusal, status: int, evidence: Path, deviations: tuple[Message, ...]
    ) -> Outcome:
        """A program that breaks says "failed", too, and may have stored the report before it did."""
        text = self._masked(refusal.told)
        breaks = status >= httpx.codes.INTERNAL_SERVER_ERROR and not refusal.is_definite
        if breaks or httpx.codes.is_redirect(status):
            return self._failed(text, status, evidence)
        return Refused(text, evidence, deviations)

    def _failed(self, text: Message, status: int, evidence: Path) -> Unknown:
        why = _("the service reports a failure of its own ({text:foreign})", text=text)
        return Unknown(_no_verdict(status, why), _SETTLE, evidence)

    def _masked(self, text: Message) -> Message:
        """The text without our password; one in which it stands is told in English alone."""
        password = self._endpoint.password
        return Message(text.replace(password, "***"), {}) if password and password in text else text

    def _not_taken(self, why: Rejection, status: int, reply: Path) -> Unreachable:
        return Unreachable(
            _(
                "The server {host} did not take the report (HTTP {status}): {why}.",
                host=self._url.host,
                status=status,
                why=why.reason,
            ),
            why.remedy,
            reply,
        )

    def _unreachable(self, reason: Message) -> Message:
        proxy, host, port = self._endpoint.proxy, self._url.host, self._port
        if proxy is None or str(proxy) in reason:
            return _(
                "The authority's service at {host}, port {port}, was not reached: {reason}.",
                host=host,
                port=port,
                reason=reason,
            )
        return _(
            "The authority's service at {host}, port {port}, through the proxy {proxy}, was not reached: "
            "{reason}.",
            host=host,
            port=port,
            proxy=str(proxy),
            reason=reason,
        )

    @property
    def _port(self) -> int:
        return self._url.port or 443

    def _shake_hands(self) -> Message:
        seconds = self._endpoint.connect_timeout_seconds
        host = self._url.raw_host.decode("ascii")
        with (
            open_line(host, self._port, seconds, self._endpoint.proxy) as plain,
            self._context.wrap_socket(plain, server_hostname=host) as connection,
        ):
            hear_objection(connection)
            until = (connection.getpeercert() or {})["notAfter"]  # every certificate has it (RFC 5280)
            return _(
                "{version}; the authority's certificate is valid until {until:moment}",
                version=connection.version() or "TLS",
                until=datetime.fromtimestamp(ssl.cert_time_to_seconds(str(until)), UTC),
            )


@dataclass(frozen=True, slots=True)
class _Reply:
    """The files of a reply: the raw one, and the one for the answer."""

    parcel: Parcel
    path: Path
    answer: Path

    @property
    def call(self) -> AnsweredCall:
        return AnsweredCall(self.parcel.path, datetime.fromtimestamp(self.path.stat().st_mtime, UTC))


class _OversizeError(Exception):
    """The reply exceeds its bound."""


class _Call:
    """The progress of a call, exactly as httpcore tells it."""

    def __init__(self, watchdog: Watchdog, handover: Handover) -> None:
        self.watchdog = watchdog
        self.handover = handover
        self.request_begun = False
        self.reply_begun = False
        self._line: ssl.SSLSocket | None = None

    def trace(self, event: str, info: dict[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            self.watchdog.guard(info["return_value"].get_extra_info("socket"))
        elif event == "connection.start_tls.complete":
            self._line = info["return_value"].get_extra_info("socket")
        elif event == "http11.send_request_headers.started":
            self._begin()
        elif event == "http11.receive_response_headers.complete":
            self.reply_begun = True

    def _begin(self) -> None:
        if self._line is not None:
            hear_objection(self._line)
        self.handover.begin("")
        self.request_begun = True


class _Message:
    """The envelope with the report in it, as a stream of known size."""

    def __init__(self, envelope: Envelope, parcel: Parcel, progress: Progress) -> None:
        self._envelope = envelope
        self._progress = progress
        self._payload = make_payload(parcel, envelope.form, envelope.root)
        self.size_bytes = len(envelope.head) + self._payload.size_bytes + len(envelope.tail)

    def stream(self, handover: Handover) -> Iterator[bytes]:
        yield self._envelope.head
        try:
            yield from self._payload.blocks(self._progress)
        except UsageError as error:  # it was not so when its length was taken
            raise OSError(error.message) from error
        handover.still_ours()  # without its end nobody can read the message
        yield self._envelope.tail


def _checked_url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
        if url.host:
            require_place(url.host, url.port)
    except (httpx.InvalidURL, ValueError) as error:
        raise ConfigurationError(
            _("soap.endpoint is not an address: {text:quoted}.", text=text), _HTTPS
        ) from error
    if url.scheme != "https" or not url.host or url.userinfo:
        raise ConfigurationError(
            _("soap.endpoint must begin with https:// and name a host, and no user."), _HTTPS
        )
    return url


_HTTPS = _("write it like https://host/wsBlokIzmenjava.asmx")


def _page(reply: Path) -> bytes:
    """As much of a reply as a server's own page may be long."""
    with reply.open("rb") as file:
        return file.read(PAGE_BYTES)


def _no_verdict(status: int, why: Message) -> Message:
    if httpx.codes.is_redirect(status):
        return _(
            "The authority may have the report, but its reply (HTTP {status}), a redirect that was not "
            "followed, gives no verdict: {why}.",
            status=status,
            why=why,
        )
    return _(
        "The authority may have the report, but its reply (HTTP {status}) gives no verdict: {why}.",
        status=status,
        why=why,
    )
