"""Reads the words of the web server before the service: did it turn the message away?

Only what proves it counts. A server that is overloaded (503) or stands before another one (502, 504) may have
passed the message on before it said so, and a failure inside (500) may be one of the service: these are for
the reply to tell, or for a person.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import NamedTuple

from ajpes_reporting.i18n import Message, _

PAGE_BYTES = 64 * 1024


class Rejection(NamedTuple):
    """Why a web server did not take the message, as a clause about it, and what to do."""

    reason: Message
    remedy: Message


_TOO_LARGE = Rejection(
    _("the server does not take a report of this size"),
    _("send it by SFTP; the instruction allows that (section 4.2)"),
)
_NO_CERTIFICATE = Rejection(
    _("the server got no client certificate from us"),
    _("check soap.client_certificate, then ask the authority from which issuers it takes certificates"),
)
_WRONG_CERTIFICATE = Rejection(
    _("the server does not accept our client certificate"),
    _("ask the authority whether this certificate is registered, and whether it trusts its issuer"),
)
_LARGE_HEADER = Rejection(
    _("the server does not take the head of our request, as being too large"),
    _("check soap.soap_action and the password for HTTP Basic; then ask the authority"),
)
BAD_REQUEST = Rejection(
    _("the server does not understand the request"),
    _("check the names in [soap] against the authority's WSDL"),
)

_BY_STATUS = {
    401: Rejection(
        _("the server does not accept our user name and password"),
        _("check soap.username, password and authentication"),
    ),
    403: Rejection(
        _("the server does not let us in"),
        _("ask the authority whether this certificate and user are registered"),
    ),
    404: Rejection(
        _("the server has no such service"),
        _(
            "check soap.endpoint; if smaller reports get through, this one is too large for "
            "it, which IIS tells in the same way (404.13): send it by SFTP"
        ),
    ),
    405: Rejection(_("the server takes no messages at this address"), _("check soap.endpoint")),
    411: Rejection(
        _("the server wants to know the length beforehand, which was lost on the way"),
        _("check the proxy between us"),
    ),
    413: _TOO_LARGE,
    415: Rejection(
        _("the server does not take SOAP 1.1 messages here"),
        _("check soap.endpoint and ask for the authority's WSDL"),
    ),
    421: Rejection(_("the server does not serve this host name"), _("check soap.endpoint")),
    429: Rejection(_("the server takes no more messages from us for a while"), _("try again later")),
    431: _LARGE_HEADER,
}

# The sub-statuses of IIS, which count with their own status: elsewhere such a number is an amount.
_BY_SUB_STATUS: dict[int, list[tuple[re.Pattern[bytes], Rejection]]] = {
    404: [(re.compile(rb"\b404\.13\b"), _TOO_LARGE)],
    403: [
        (re.compile(rb"\b403\.7\b"), _NO_CERTIFICATE),
        (re.compile(rb"\b403\.1[367]\b"), _WRONG_CERTIFICATE),
    ],
}
# What servers write on their pages, of IIS with ASP.NET and of nginx, where the status says less.
_BY_PAGE: list[tuple[re.Pattern[bytes], Rejection]] = [
    (re.compile(rb"request content length|maximum request length exceeded", re.I), _TOO_LARGE),
    (re.compile(rb"no required SSL certificate was sent", re.I), _NO_CERTIFICATE),
    (re.compile(rb"SSL certificate error", re.I), _WRONG_CERTIFICATE),
    (re.compile(rb"request header or cookie too large", re.I), _LARGE_HEADER),
]
# ASP.NET, once its method has begun: the words that follow may be those of another service that it called.
_INSIDE = re.compile(rb"unable to process request", re.I)


def rejection(status: int, page: bytes) -> Rejection | None:
    """Why the message was not taken, if `status` and the first `PAGE_BYTES` of the reply prove it."""
    if status < HTTPStatus.BAD_REQUEST:
        return None
    if not _INSIDE.search(page):
        for words, meaning in [*_BY_SUB_STATUS.get(status, []), *_BY_PAGE]:
            if words.search(page):
                return meaning
    return _BY_STATUS.get(status)
