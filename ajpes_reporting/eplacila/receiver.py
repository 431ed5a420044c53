"""The receiver of notices from UJP (section 6.6), as an ASGI application.

It answers 200 after the change is committed, and only then: whatever else it answers, UJP tries
again. No caller is told why a notice was turned away; the log says so, without the payment.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from ajpes_reporting.domain.errors import AjpesReportingError
from ajpes_reporting.eplacila.errors import NotAuthentic
from ajpes_reporting.eplacila.notices import read_notice
from ajpes_reporting.logs import Sparing

if TYPE_CHECKING:
    from ajpes_reporting.eplacila.notices import TimeWindow
    from ajpes_reporting.eplacila.payments import Payments
    from ajpes_reporting.eplacila.signing import Verifier

_log = logging.getLogger(__name__)
_log.addFilter(Sparing(_log))  # anybody may send what is no notice

_READING_SECONDS = 15
_TAKEN, _NOT_AUTHENTIC, _TOO_LONG, _TOO_SLOW, _LATER = 200, 403, 413, 408, 503


class _TooLong(Exception):
    """More bytes than any notice has."""


def receiver(
    payments: Payments, verifier: Verifier, window: TimeWindow, largest_bytes: int = 65_536
) -> Starlette:
    """Return the application that takes notices by POST at any path: the signature says whose they are.

    A notice of more than `largest_bytes` is answered with 413, one that is not authentic with 403.
    """

    async def take(request: Request) -> Response:
        try:
            async with asyncio.timeout(_READING_SECONDS):
                content = await _body(request, largest_bytes)
        except _TooLong:
            return Response(status_code=_TOO_LONG)
        except (TimeoutError, ClientDisconnect):
            return Response(status_code=_TOO_SLOW)
        return Response(status_code=await run_in_threadpool(_take, content))

    def _take(content: bytes) -> int:
        try:
            notice = read_notice(content, verifier, window, payments.clock())
        except NotAuthentic as error:
            _log.warning("A notice of UJP was not believed: %s.", error.reason)
            return _NOT_AUTHENTIC
        try:
            change = payments.receive(notice)
        except (AjpesReportingError, SQLAlchemyError) as error:
            _log.error("A notice of UJP is not taken yet: %s.", type(error).__name__)
            return _LATER
        if change is not None:
            _log.info("A payment is %s.", change.entry.state.label, extra={"payment": change.entry.id})
        return _TAKEN

    return Starlette(routes=[Route("/{path:path}", take, methods=["POST"])])


async def _body(request: Request, largest_bytes: int) -> bytes:
    content = b""
    async for block in request.stream():
        content += block
        if len(content) > largest_bytes:
            raise _TooLong
    return content
