"""The answers of the interface: what 6.3, 6.5 and 6.6 say stands in them, as JSON."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from .payments import Status, invoice_number

if TYPE_CHECKING:
    from .codes import ApiError, InvalidError
    from .rules import Rules
    from .store import Payment

# A sample of 6.5.3 says MONETA-S where its table says MONETA.
_SAMPLE_METHODS = {"MONETA": "MONETA-S"}
PAYMENT_SERVICE = "12345679"  # the tax number of whoever takes the money


class AnswerWriter:
    """Writes answers as `Rules` say where the description leaves it open."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._is_sample = rules.like == "samples"

    def opened(self, payment: Payment, entry_url: str) -> dict[str, Any]:
        """The answer to init (6.5.2)."""
        return {
            "transactionId": payment.transaction_id,
            "id": payment.order_id,
            "ids": payment.ids,
            "status": payment.status,
            "responseUrl": entry_url,
        }

    def status(self, payment: Payment) -> dict[str, Any]:
        """The state of a payment (6.5.3), for an answer or a webhook."""
        is_paid = payment.status == Status.PAID
        return {
            "transactionId": payment.transaction_id,
            "ids": payment.ids,
            "id": payment.order_id,
            "status": payment.status,
            "eid": payment.eid,
            "extId": external_id(payment),
            "davcnaps": PAYMENT_SERVICE if payment.way else "",
            "znesek": amount(payment.amount_cents if is_paid else 0),
            "valuta": "EUR",
            "stevilkaRacuna": invoice_number(payment),
            "casPlacila": self.moment(payment.paid_at),
            "urlPar" if self._is_sample else "urlpar": payment.urlpar,
            "znesekStornacij": amount(payment.reversed_cents) if payment.reversed_cents else None,
            "casZadnjeStornacije": self.moment(payment.reversed_at),
            "opomba": payment.remark,
            "epsid": str(100_000 + payment.number),
            "nacinPlacila": self.way(payment),
        }

    def way(self, payment: Payment) -> str | None:
        if self._is_sample and payment.way:
            return _SAMPLE_METHODS.get(payment.way, payment.way)
        return payment.way

    def moment(self, seconds: int | None) -> str | None:
        """A sample ends in Z, the table in +00:00."""
        if seconds is None:
            return None
        written = datetime.fromtimestamp(seconds, UTC).isoformat()
        return written.replace("+00:00", "Z") if self._is_sample else written

    def numbers(self, value: Any) -> Any:
        """The answer with its numbers as the rules want them: as numbers, or as strings."""
        if self._rules.numbers == "number" or isinstance(value, bool):
            return value
        if isinstance(value, dict):
            return {name: self.numbers(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self.numbers(one) for one in value]
        if isinstance(value, Decimal):
            return f"{value:f}"
        return str(value) if isinstance(value, int | float) else value


def amount(cents: int) -> int | float:
    """Euros as a JSON number, exact to the cent: 1, 12.21."""
    return cents // 100 if cents % 100 == 0 else cents / 100


def external_id(payment: Payment) -> str | None:
    """Returns the identifier of the payment service; None before a way was chosen."""
    return f"SIM{payment.number}" if payment.way else None


def failed(error: ApiError) -> dict[str, Any]:
    """6.3.2; all of it strings."""
    return {
        "traceId": secrets.token_hex(16),
        "errorId": secrets.token_hex(8),
        "source": error.source,
        "errorCode": str(error.code.value),
        "statusCode": str(error.status),
        "messages": [error.text],
    }


def invalid(error: InvalidError) -> dict[str, Any]:
    """6.3.1."""
    return {
        "traceId": secrets.token_hex(16),
        "errorCode": "-99",
        "validationErrors": [
            {"identifier": one.identifier, "message": one.code.text, "errorCode": str(one.code.value)}
            for one in error.field_errors
        ],
    }
