"""Reads the words of the web server before the service: did it turn the message away?

Only what proves it counts. A server that is overloaded (503) or stands before another one (502, 504) may have
passed the message on before it said so, and a failure inside (500) may be one of the service: these are for
the reply to tell, or for a person.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import NamedTuple

PAGE_BYTES = 64 * 1024


class TurnedAway(NamedTuple):
    """Why the message was not taken, as the rest of a sentence about the server, and what to do."""

    meaning: str
    remedy: str


_TOO_LARGE = TurnedAway(
    "does not take a report of this size", "Send it by SFTP; the instruction allows that (section 4.2)."
)
_NO_CERTIFICATE = TurnedAway(
    "got no client certificate from us",
    "Check soap.client_certificate, then ask the authority from which issuers it takes certificates.",
)
_WRONG_CERTIFICATE = TurnedAway(
    "does not accept our client certificate",
    "Ask the authority whether this certificate is registered, and whether it trusts its issuer.",
)
_LARGE_HEADER = TurnedAway(
    "does not take the head of our request, as being too large",
    "Check soap.soap_action and the password for HTTP Basic; then ask the authority.",
)
BAD_REQUEST = TurnedAway(
    "does not understand the request", "Check the names in [soap] against the authority's WSDL."
)

_BY_STATUS = {
    401: TurnedAway(
        "does not accept our user name and password", "Check soap.username, password and authentication."
    ),
    403: TurnedAway(
        "does not let us in", "Ask the authority whether this certificate and user are registered."
    ),
    404: TurnedAway(
        "has no such service",
        "Check soap.endpoint. If smaller reports get through, this one is too large for it, which IIS tells "
        "in the same way (404.13): send it by SFTP.",
    ),
    405: TurnedAway("takes no messages at this address", "Check soap.endpoint."),
    411: TurnedAway(
        "wants to know the length beforehand, which was lost on the way", "Check the proxy between us."
    ),
    413: _TOO_LARGE,
    415: TurnedAway(
        "does not take SOAP 1.1 messages here", "Check soap.endpoint and ask for the authority's WSDL."
    ),
    421: TurnedAway("does not serve this host name", "Check soap.endpoint."),
    429: TurnedAway("takes no more messages from us for a while", "Try again later."),
    431: _LARGE_HEADER,
}

# The sub-statuses of IIS, which count with their own status: elsewhere such a number is an amount.
_BY_SUB_STATUS: dict[int, list[tuple[re.Pattern[bytes], TurnedAway]]] = {
    404: [(re.compile(rb"\b404\.13\b"), _TOO_LARGE)],
    403: [
        (re.compile(rb"\b403\.7\b"), _NO_CERTIFICATE),
        (re.compile(rb"\b403\.1[367]\b"), _WRONG_CERTIFICATE),
    ],
}
# What servers write on their pages, of IIS with ASP.NET and of nginx, where the status says less.
_BY_PAGE: list[tuple[re.Pattern[bytes], TurnedAway]] = [
    (re.compile(rb"request content length|maximum request length exceeded", re.I), _TOO_LARGE),
    (re.compile(rb"no required SSL certificate was sent", re.I), _NO_CERTIFICATE),
    (re.compile(rb"SSL certificate error", re.I), _WRONG_CERTIFICATE),
    (re.compile(rb"request header or cookie too large", re.I), _LARGE_HEADER),
]
# ASP.NET, once its method has begun: the words that follow may be those of another service that it called.
_INSIDE = re.compile(rb"unable to process request", re.I)


def turned_away(status: int, page: bytes) -> TurnedAway | None:
    """Why the message was not taken, if `status` and the first `PAGE_BYTES` of the reply prove it."""
    if status < HTTPStatus.BAD_REQUEST:
        return None
    if not _INSIDE.search(page):
        for words, meaning in [*_BY_SUB_STATUS.get(status, []), *_BY_PAGE]:
            if words.search(page):
                return meaning
    return _BY_STATUS.get(status)
