"""Error codes (6.3.3, 6.3.4) and the two shapes in which they are told (6.3.1, 6.3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Code(IntEnum):
    """A code and, as `text`, what the description says of it."""

    text: str

    def __new__(cls, value: int, text: str) -> Code:
        code = int.__new__(cls, value)
        code._value_ = value
        code.text = text
        return code

    CREDENTIALS = 1, "Napaka pri avtorizaciji."
    TIMESTAMP = 2, "Napaka pri preverjanju časovnega žiga."
    NONCE = 3, "Napaka pri preverjanju nonce podatka."
    FORBIDDEN = 4, "Nedovoljen dostop do vira."
    NOT_FOUND = 10, "Vir ne obstaja."
    UNKNOWN = -99, "Validacijska / neznana napaka."
    EMPTY = 101, "Prazna vrednost."
    TOO_LONG = 102, "Predolg niz."
    URL_FORMAT = 103, "Neveljaven format povezave."
    LENGTH = 104, "Neujemanje dolžine parametra."
    NUMBER = 105, "Neveljavna številka."
    DATE = 106, "Neveljaven datum."
    TRANSACTION_ID = 107, "Neveljaven identifikator transakcije."
    CURRENCY = 201, "Nepodprta valuta."
    REGISTRATION_NUMBER = 202, "Matična številka proračunskega uporabnika ne obstaja v sistemu."
    OLD_FLOW = 203, "E-storitev ne podpira novega delovnega toka plačevanja."
    NO_SERVICE = 204, "E-storitev ni aktivna ali ne obstaja."
    URL = 205, "Neveljaven URL v klicu inicializacije plačila."
    ORDER_USED = 206, "Identifikator naročila je že uporabljen."
    METHOD = 207, "Neveljaven način plačila, podan pri inicializaciji."
    LANGUAGE = 208, "Nepodprt jezik, podan pri inicializaciji."
    NO_ITEM = 209, "Naročilo ne vsebuje nobene postavke."
    NEGATIVE_VAT = 210, "Negativna vrednost DDV."
    NEGATIVE_ITEM = 211, "Negativna količina ali cena postavke."
    NEGATIVE_SUM = 212, "Vsota vseh postavk v naročilu je negativna."
    PROVISION = 213, "Postavka vsebuje oznako za zaračunavanje provizije (imaProvizijo), kar ni dovoljeno."
    PERIOD_REVERSED = 301, "Izpiski: datum od je kasnejši od datuma do."
    PERIOD = 302, "Izpiski: neveljavno datumsko obdobje."
    PERIOD_TOO_LONG = 303, "Izpiski: predolgo datumsko obdobje."
    STATUSES = 304, "Izpiski: neveljavni statusi za izpiske."


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with a request: the parameter, and the code that says why."""

    identifier: str
    code: Code


class ApiError(Exception):
    """A call that is answered with an error of 6.3.2. `status` is the HTTP status."""

    def __init__(self, status: int, code: Code, source: str, text: str = "") -> None:
        super().__init__(text or code.text)
        self.status = status
        self.code = code
        self.source = source
        self.text = text or code.text


class InvalidError(Exception):
    """A request that is answered with the field_errors of 6.3.1."""

    def __init__(self, *field_errors: FieldError) -> None:
        super().__init__(", ".join(f"{one.identifier}: {one.code.value}" for one in field_errors))
        self.field_errors = field_errors


def forbidden(source: str) -> ApiError:
    """Returns the error about a resource of somebody else."""
    return ApiError(403, Code.FORBIDDEN, source)


def not_found(source: str) -> ApiError:
    """Returns the error about a resource that does not exist."""
    return ApiError(404, Code.NOT_FOUND, source)
