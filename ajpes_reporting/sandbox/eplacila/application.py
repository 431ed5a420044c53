"""The web application: which address leads to which method or page, and the faults on the way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from .answers import failed, invalid
from .api import Answer, Call, Reply, reply
from .codes import ApiError, Code, FieldError, InvalidError
from .openapi import document
from .server import HANG_UP

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from ..faults import FaultInjector, InjectedFault
    from .api import Api
    from .pages import Pages
    from .rules import Rules
    from .services import Credentials

    Method = Callable[[Call, Credentials], Answer]
    Endpoint = Callable[[Request], Awaitable[Response]]

_LARGEST_BYTES = 1 << 20
_API = "/api/v1/{key}"


def application(api: Api, pages: Pages, faults: FaultInjector, rules: Rules) -> Starlette:
    """Everything under one roof: the interface, the payment pages, the OpenAPI document."""

    def route(path: str, method: Method, verb: str = "GET") -> Route:
        return Route(_API + path, _endpoint(api, method, faults), methods=[verb])

    async def openapi(request: Request) -> Response:
        return JSONResponse(document(str(request.base_url).rstrip("/"), rules))

    return Starlette(
        routes=[
            route("/health", api.health),
            # 6.5.2 says the one, 3.2 the other.
            route("/transaction/transaction/init", api.init, "POST"),
            route("/transaction/init", api.init, "POST"),
            route("/transaction/status/{transaction_id}", api.status),
            route("/transaction/statusbynarocilo/{order_id:path}", api.status_of_order),
            route("/racun/{kind}/{transaction_id}", api.receipt),
            route("/izpiski/{registration_number}", api.statement),
            route("/izpiskidata/{kind}/{registration_number}", api.statement_file),
            Route("/swagger.json", openapi),
            Route("/", lambda _request: RedirectResponse("/nadzor", 303)),
            *pages.routes(),
        ],
        exception_handlers={404: _no_such_address, 405: _wrong_verb, 500: _unforeseen},
    )


def _endpoint(api: Api, method: Method, faults: FaultInjector) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        fault = faults.take("api", "slow", "drop_answer", "error", "wrong_signature")
        if fault is not None and not fault.is_after_processing:
            return _response(_fault_reply(fault))
        body = await _body(request)
        if body is None:
            return _response(reply(400, invalid(InvalidError(FieldError("", Code.TOO_LONG)))))
        wrong = fault is not None and fault.kind == "wrong_signature"
        answer = await run_in_threadpool(api.answer, method, _call(request, body), wrong_signature=wrong)
        return _response(answer) if fault is None else await _spoil(fault, answer, request)

    return endpoint


def _call(request: Request, body: bytes) -> Call:
    # As sent, octet for octet: the password is made of it.
    path = request.scope["raw_path"].decode("latin-1")
    query = request.scope["query_string"].decode("latin-1")
    host = request.headers.get("host", "")
    return Call(
        url=f"{request.url.scheme}://{host}{path}" + (f"?{query}" if query else ""),
        # 6.4.1 calls the header Authentication, 6.3.3 and the standard call it Authorization.
        authorization=request.headers.get("authorization") or request.headers.get("authentication", ""),
        path=dict(request.path_params),
        query=query,
        body=body,
    )


async def _body(request: Request) -> bytes | None:
    """Return the body of a request; None if it is too long."""
    body = bytearray()
    async for block in request.stream():
        body += block
        if len(body) > _LARGEST_BYTES:
            return None
    return bytes(body)


async def _spoil(fault: InjectedFault, answer: Reply, request: Request) -> Response:
    match fault.kind:
        case "slow":
            await asyncio.sleep(fault.seconds or 0)
        case "drop_answer":
            await _hang_up(request)
        case "error":
            return _response(_fault_reply(fault))
    return _response(answer)


async def _hang_up(request: Request) -> None:
    hang_up: Callable[[], None] = request.scope["extensions"][HANG_UP]
    hang_up()
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _fault_reply(fault: InjectedFault) -> Reply:
    status = fault.status or 500
    return reply(status, failed(ApiError(status, Code.UNKNOWN, "Simulator", "Obdelava ni uspela.")))


def _response(answer: Reply) -> Response:
    return StreamingResponse(answer.pieces, answer.status, media_type="application/json")


async def _no_such_address(request: Request, _error: Any) -> Response:
    return _response(reply(404, failed(ApiError(404, Code.NOT_FOUND, request.url.path))))


async def _wrong_verb(request: Request, error: Any) -> Response:
    refusal = ApiError(405, Code.UNKNOWN, request.url.path, "Napačna metoda HTTP.")
    return JSONResponse(failed(refusal), 405, headers=error.headers)


async def _unforeseen(request: Request, _error: Any) -> Response:
    return _response(reply(500, failed(ApiError(500, Code.UNKNOWN, request.url.path))))
