"""Alarms as one HTTPS POST of JSON for all that is to be told.

With a secret, the message is signed: `X-Ajpes-Reporting-Signature` is `sha256=` and the
HMAC-SHA256, in hex, of the time in `X-Ajpes-Reporting-Time` (seconds since 1970), a full stop and
the body. A receiver that checks both cannot be told anything by others, nor the same once more.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from ajpes_reporting.domain.errors import AlarmNotTold, ConfigurationError
from ajpes_reporting.i18n import Message, _
from ajpes_reporting.network.address import require_place
from ajpes_reporting.network.transport import Transport
from ajpes_reporting.network.trouble import Explained, connection_trouble, root_cause
from ajpes_reporting.network.watchdog import Watchdog, watched

if TYPE_CHECKING:
    import ssl

    from ajpes_reporting.alarms.notification import Notification
    from ajpes_reporting.network.line import Proxy

TIME_HEADER = "X-Ajpes-Reporting-Time"
SIGNATURE_HEADER = "X-Ajpes-Reporting-Signature"


@dataclass(frozen=True, slots=True)
class WebhookReceiver:
    """The receiver of alarms. Its address may hold a key, so only its host is ever shown.

    `timeout_seconds` bounds the whole call.
    """

    url: str = field(repr=False)
    context: ssl.SSLContext
    secret: str | None = field(default=None, repr=False)
    timeout_seconds: float = 20
    proxy: Proxy | None = None


class WebhookChannel:
    """Tells alarms by a webhook. Raises `ConfigurationError` if its address cannot be used."""

    def __init__(self, receiver: WebhookReceiver) -> None:
        self._receiver = receiver
        self._url = _checked(receiver.url)

    def tell(self, notification: Notification) -> Message:
        """Posts once; returns what came back. Raises `AlarmNotTold`."""
        body = json.dumps(notification.document).encode()  # in ASCII, whatever stands in a text
        headers = self._headers(body, str(int(notification.at.timestamp())))
        with watched(self._receiver.timeout_seconds) as watchdog:
            try:
                status = self._post(body, headers, watchdog)
            except (httpx.HTTPError, OSError, UnicodeError) as error:
                raise self._not_told(error, is_late=watchdog.expired) from None
        if not httpx.codes.is_success(status):
            raise AlarmNotTold(
                _(
                    "The webhook at {host} answered {status}, and did not take the alarms.",
                    host=self._url.host,
                    status=status,
                ),
                _("check webhook.url and webhook.secret, or ask who runs it"),
            )
        return _("{host} answered {status}", host=self._url.host, status=status)

    def _post(self, body: bytes, headers: dict[str, str], watchdog: Watchdog) -> int:
        """The status alone is read: what else is said there concerns nobody."""

        def trace(event: str, info: dict[str, Any]) -> None:
            if event == "connection.connect_tcp.complete":
                watchdog.guard(info["return_value"].get_extra_info("socket"))

        with (
            self._client() as client,
            client.stream(
                "POST", self._url, content=body, headers=headers, extensions={"trace": trace}
            ) as response,
        ):
            return response.status_code

    def _client(self) -> httpx.Client:
        receiver = self._receiver
        return httpx.Client(
            transport=Transport(receiver.context, receiver.proxy),
            timeout=receiver.timeout_seconds,
            # Neither a redirect nor the environment decides where alarms go.
            follow_redirects=False,
            trust_env=False,
        )

    def _headers(self, body: bytes, seconds: str) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Connection": "close", TIME_HEADER: seconds}
        if self._receiver.secret is not None:
            headers[SIGNATURE_HEADER] = f"sha256={signature(self._receiver.secret, seconds, body)}"
        return headers

    def _not_told(self, error: Exception, *, is_late: bool) -> AlarmNotTold:
        cause = root_cause(error)
        reason, remedy = connection_trouble(cause)
        if not isinstance(cause, Explained):
            remedy = _("check webhook.url and webhook.server_ca, then try again later")
            if is_late or isinstance(error, httpx.TimeoutException):
                reason = _("the receiver did not answer in time")
        message = _(
            "The webhook at {host} did not take the alarms: {reason}.", host=self._url.host, reason=reason
        )
        return AlarmNotTold(message, remedy)


def signature(secret: str, seconds: str, body: bytes) -> str:
    """HMAC-SHA256 over the time and the body, in hex."""
    return hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()


def _checked(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
        if url.scheme == "https" and url.host and not url.userinfo:
            require_place(url.host, url.port)
            return url
    except (httpx.InvalidURL, ValueError):
        raise _unusable() from None
    raise _unusable()


def _unusable() -> ConfigurationError:
    """The address is not repeated: it may hold a key."""
    return ConfigurationError(
        _("webhook.url must begin with https:// and name a host, and no user."),
        _("write it like https://host/path"),
    )
