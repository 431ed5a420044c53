"""The pages in a browser: choosing a way, the payment service, the QR code, the administrator.

They work without JavaScript, and bring nothing from anywhere else.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import jinja2
import segno
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from . import receipts, slovene
from .payment_methods import DELAYED, METHODS, method_name
from .payments import Outcome, Status, invoice_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from .payments import Payments
    from .services import Register, Service
    from .store import Payment, Store

_FOLDER = Path(__file__).parent / "templates"
_BLANKS = "\t\n\r\xa0"
_NEWEST = 50
_LARGEST_FORM = 10_000
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
STATES = {
    Status.PAID: "plačano",
    Status.ABANDONED: "opuščeno",
    Status.DOUBTFUL: "neustrezno potrdilo",
    Status.GOING_ON: "v izvajanju",
    Status.FAILED: "neuspešno",
    Status.WAITING: "čaka na potrditev",
}


class Pages:
    """The pages of the customer, and those of the administrator of an e-service."""

    def __init__(self, payments: Payments, store: Store, register: Register) -> None:
        self._payments = payments
        self._store = store
        self._register = register
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_FOLDER),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            finalize=_visible,
        )
        self._templates.filters |= {
            "euros": slovene.euros,
            "moment": slovene.moment,
            "amount": slovene.amount,
            "number": slovene.number,
            "method": method_name,
            "attempt": _attempt,
        }

    def routes(self) -> list[BaseRoute]:
        def page(path: str, work: Callable[[dict[str, str]], Response]) -> Route:
            return Route(path, _in_thread(work), methods=["GET"])

        def step(path: str, work: Callable[[dict[str, str]], Response]) -> Route:
            return Route(path, _in_thread(work), methods=["POST"])

        return [
            page("/vstop/index", self.entry),
            step("/vstop/nacin", self.choose),
            page("/vstop/placilo", self.pay),
            step("/vstop/placilo", self.report),
            step("/vstop/zakljuci", self.conclude),
            step("/vstop/preklici", self.cancel),
            page("/nadzor", self.overview),
            page("/nadzor/placilo", self.details),
            step("/nadzor/potrdi", self.confirm),
            step("/nadzor/zavrni", self.reject),
            step("/nadzor/storniraj", self.reverse),
            step("/nadzor/naknadno", self.pay_late),
            page("/nadzor/racun", self.receipt),
            Mount("/slog", StaticFiles(directory=_FOLDER / "slog")),
        ]

    # --- The customer ---

    def entry(self, given: dict[str, str], *, problem: str = "") -> Response:
        """The page that init leads to (3.4)."""
        payment = self._visited(given)
        if isinstance(payment, Response):
            return payment
        if payment.way == DELAYED:
            return _go("/vstop/placilo", payment)
        ways = [(way, METHODS[way]) for way in json.loads(payment.ways)]
        return self._show(
            "choose_method.html", payment, ways=ways, problem=problem, status=422 if problem else 200
        )

    def choose(self, given: dict[str, str]) -> Response:
        payment = self._visited(given)
        if isinstance(payment, Response):
            return payment
        if not given.get("nacin"):
            return self.entry(given, problem="Izberite način plačila.")
        if self._payments.choose(payment.transaction_id, given["nacin"]) is None:
            return self.entry(given, problem="Ta način plačila ni na voljo. Izberite drugega.")
        return _go("/vstop/placilo", payment)

    def pay(self, given: dict[str, str]) -> Response:
        """The payment service, or the QR code."""
        payment = self._visited(given)
        if isinstance(payment, Response):
            return payment
        if payment.way is None:
            return _go("/vstop/index", payment)
        if payment.way != DELAYED:
            return self._show("payment_service.html", payment, way=METHODS[payment.way])
        service = self._service(payment)
        code = segno.make(
            _upn(payment, service), version=15, error="m", encoding="iso-8859-2", eci=True, boost_error=False
        )
        transfer = _transfer(payment, service)
        return self._show("qr.html", payment, code=code.svg_data_uri(scale=3, border=4), transfer=transfer)

    def report(self, given: dict[str, str]) -> Response:
        """The customer's button at the payment service."""
        payment = self._visited(given)
        if isinstance(payment, Response):
            return payment
        if given.get("izid") not in list(Outcome):
            return _go("/vstop/placilo", payment)
        outcome = Outcome(given["izid"])
        self._payments.report(payment.transaction_id, outcome)
        return _leave(payment.success_url if outcome is Outcome.PAID else payment.failure_url)

    def conclude(self, given: dict[str, str]) -> Response:
        payment = self._visited(given)
        if isinstance(payment, Response):
            return payment
        if self._payments.conclude(payment.transaction_id) is None:
            return _go("/vstop/index", payment)
        return _leave(payment.success_url)

    def cancel(self, given: dict[str, str]) -> Response:
        payment = self._visited(given)
        if isinstance(payment, Response):
            return payment
        self._payments.cancel(payment.transaction_id)
        return _leave(payment.failure_url)

    # --- The administrator (section 4) ---

    def overview(self, _given: dict[str, str]) -> Response:
        self._payments.abandon_idle()
        return self._render("overview.html", payments=self._store.newest(_NEWEST), states=STATES)

    def details(self, given: dict[str, str], *, problem: str = "") -> Response:
        self._payments.abandon_idle()
        payment = self._found(given)
        if payment is None:
            return self._missing()
        notices = self._store.notices(payment.transaction_id)
        return self._show(
            "payment.html",
            payment,
            notices=notices,
            states=STATES,
            invoice=invoice_number(payment),
            problem=problem,
            status=422 if problem else 200,
        )

    def confirm(self, given: dict[str, str]) -> Response:
        return self._done(given, self._payments.confirm)

    def reject(self, given: dict[str, str]) -> Response:
        return self._done(given, self._payments.reject)

    def pay_late(self, given: dict[str, str]) -> Response:
        return self._done(given, lambda idt: self._payments.report(idt, Outcome.PAID))

    def reverse(self, given: dict[str, str]) -> Response:
        payment = self._found(given)
        if payment is None:
            return self._missing()
        if self._payments.reverse(payment.transaction_id, _cents(given.get("znesek", ""))) is None:
            return self.details(given, problem="Tega zneska ni mogoče stornirati.")
        return _go("/nadzor/placilo", payment)

    def receipt(self, given: dict[str, str]) -> Response:
        payment = self._found(given)
        if payment is None or payment.paid_at is None:
            return self._missing()
        return Response(receipts.as_pdf(payment, self._service(payment)), media_type="application/pdf")

    def _done(self, given: dict[str, str], work: Callable[[str], object]) -> Response:
        payment = self._found(given)
        if payment is None:
            return self._missing()
        work(payment.transaction_id)
        return _go("/nadzor/placilo", payment)

    # --- What they share ---

    def _found(self, given: dict[str, str]) -> Payment | None:
        return self._store.payment(given.get("idt", ""))

    def _visited(self, given: dict[str, str]) -> Payment | Response:
        """Return the payment, or where the customer must go if there is nothing left to do (7.1)."""
        self._payments.abandon_idle()
        payment = self._found(given)
        if payment is None:
            return self._missing()
        if payment.status in (Status.PAID, Status.WAITING):
            return _leave(payment.success_url)
        if payment.status in (Status.ABANDONED, Status.DOUBTFUL):
            return self._show("closed.html", payment, status=410)
        return payment

    def _missing(self) -> Response:
        return self._render("not_found.html", status=404)

    def _service(self, payment: Payment) -> Service:
        credentials = self._register.by_ids(payment.ids)
        if credentials is None:
            raise LookupError(f"nobody is registered as {payment.ids}")
        return credentials.service

    def _show(self, name: str, payment: Payment, *, status: int = 200, **more: Any) -> Response:
        service = self._service(payment)
        return self._render(
            name, status=status, payment=payment, order=payment.order, service=service, **more
        )

    def _render(self, name: str, *, status: int = 200, **content: Any) -> Response:
        text = self._templates.get_template(name).render(**content, Status=Status)
        return Response(text, status, headers=_HEADERS, media_type="text/html")


def _in_thread(work: Callable[[dict[str, str]], Response]) -> Any:
    async def endpoint(request: Request) -> Response:
        given = dict(request.query_params)
        if request.method == "POST":
            given |= dict(parse_qsl((await request.body())[:_LARGEST_FORM].decode("ascii", "replace")))
        return await run_in_threadpool(work, given)

    return endpoint


def _go(path: str, payment: Payment) -> Response:
    return RedirectResponse(f"{path}?idt={payment.transaction_id}", 303)


def _leave(url: str) -> Response:
    """Back to the e-service; its address was checked when the payment was opened."""
    return RedirectResponse(url, 303, headers={"Referrer-Policy": "no-referrer"})


def _transfer(payment: Payment, service: Service) -> tuple[str, str, str]:
    """Return account, reference and purpose of a transfer, as the order has them or by default."""
    order = payment.order
    reference = order["sklicDobro"] or f"SI00{payment.number:08}"
    return order["racunDobro"] or service.account, reference, order["opisPlacila"] or service.name


def _upn(payment: Payment, service: Service) -> str:
    """Return the twenty lines of a UPN QR code, with their length in the last."""
    account, reference, purpose = _transfer(payment, service)
    lines = [
        "UPNQR", "", "", "", "", "", "", "", f"{payment.amount_cents:011}", "", "", "OTHR", purpose[:42],
        "", account, reference, service.name[:33], "Ulica 1", "1000 Ljubljana",
    ]  # fmt: skip
    # A break inside a field would move all that follow.
    text = (
        "".join(" ".join(line.split()) + "\n" for line in lines)
        .encode("iso-8859-2", "replace")
        .decode("iso-8859-2")
    )
    return f"{text}{len(text):03}\n"


def _cents(text: str) -> int:
    """Return the cents of an amount as a person writes it, 12,30 or 12.30; 0 for anything else."""
    try:
        amount = Decimal(text.strip().replace(",", ".")) * 100
    except InvalidOperation:
        return 0
    return int(amount) if amount.is_finite() and amount == amount.to_integral_value() else 0


def _visible(value: object) -> object:
    """Return a stranger's text, with all characters escaped that would reorder a line, or hide."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return "".join(
        letter if letter.isprintable() or letter in _BLANKS else letter.encode("unicode_escape").decode()
        for letter in value
    )


def _attempt(answer: str | None) -> str:
    """Return how the last attempt to tell the e-service ended."""
    if answer is None:
        return "še ni poslan"
    if answer.isdigit():
        return f"HTTP {answer}"
    return "ni odgovora v roku" if "Timeout" in answer else "ponudnik ni dosegljiv"
