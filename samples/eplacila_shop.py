"""A web shop in under a hundred lines: it sells one ticket, paid through UJP e-plačila.

    python samples/eplacila_shop.py WORKSPACE [PORT]

WORKSPACE has an `[eplacila]` section. The shop opens at http://127.0.0.1:8000/. A ticket is valid
when UJP has told that it is paid; that the payer came back to a page proves nothing.
"""

from __future__ import annotations

import logging
import sys
import uuid
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from ajpes_reporting.config import open_workspace
from ajpes_reporting.domain.errors import AjpesReportingError
from ajpes_reporting.eplacila.answers import State
from ajpes_reporting.eplacila.order import Item, Order
from ajpes_reporting.wiring.eplacila import eplacila_payments, eplacila_receiver, eplacila_recipient

PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 8000
ADDRESS = f"http://127.0.0.1:{PORT}"  # a real shop has an https address, registered at UJP
TICKET = Item(price_cents=1223, description="Vstopnica", vat_percent=22)
WORDS = {
    State.PAID: "Plačano. Vstopnica je veljavna.",
    State.AWAITING_CONFIRMATION: "Hvala. Vstopnica bo veljavna, ko bo plačilo potrjeno.",
}

workspace = open_workspace(Path(sys.argv[1]))
payments = eplacila_payments(workspace)


def page(text: str, more: str = "") -> Response:
    """One page of the shop."""
    return HTMLResponse(f"<!doctype html><html lang=sl><title>Vstopnice</title><h1>{text}</h1>{more}")


async def window(_request: Request) -> Response:
    """The ticket, and a button."""
    return page("Vstopnica, 12,23 €", "<form method=post action=/buy><button>Plačilo</button></form>")


async def buy(_request: Request) -> Response:
    """Begins a payment under an identifier nobody can guess, and sends the payer to UJP."""
    number = uuid.uuid4().hex
    order = Order(
        id=number,
        recipient=eplacila_recipient(workspace),
        items=(TICKET,),
        success_url=f"{ADDRESS}/ticket/{number}",
        failure_url=f"{ADDRESS}/ticket/{number}",
        callback_url=f"{ADDRESS}/notices/{number}",
    )
    try:
        started = await run_in_threadpool(payments.begin, order)
    except AjpesReportingError as error:
        logging.error(error.message)  # the payer learns nothing of the reason
        return page("Plačilo ta hip ni mogoče. Poskusite kasneje.")
    return RedirectResponse(started.pay_url, status_code=303)


async def ticket(request: Request) -> Response:
    """What is known of the payment: told by a notice, or by UJP when it is asked now."""
    entry = await run_in_threadpool(payments.find, request.path_params["number"])
    if entry is None or entry.is_of_another_amount:
        return page("Ni take vstopnice.")
    return page(WORDS.get(entry.state, "Vstopnica še ni plačana."))


app = Starlette(
    routes=[
        Route("/", window),
        Route("/buy", buy, methods=["POST"]),
        Route("/ticket/{number}", ticket),
        Mount("/notices", eplacila_receiver(workspace, payments)),
    ]
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning")
