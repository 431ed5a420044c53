"""Every code with which UJP says no (sections 6.3.3 and 6.3.4), in English and in Slovene."""

from __future__ import annotations

from enum import Enum


class Code(Enum):
    """A code of UJP: `number` as it is sent, `english` and `slovene` say what it means."""

    AUTHORISATION = (
        "1",
        "the credentials are missing or wrong",
        "napaka pri avtorizaciji (manjka zaglavje Authorization ali vsebuje napačne poverilnice)",
    )
    TIMESTAMP = (
        "2",
        "the time of the request is missing, malformed or outside the allowed window",
        "napaka pri preverjanju časovnega žiga (napačen format, ne obstaja ali zunaj dovoljenega okna)",
    )
    NONCE = (
        "3",
        "the nonce of the request is missing, malformed or used already",
        "napaka pri preverjanju podatka nonce (napačen format ali ne obstaja)",
    )
    FORBIDDEN = ("4", "access to this resource is not allowed", "nedovoljen dostop do vira")
    NOT_FOUND = ("10", "the resource does not exist", "vir ne obstaja")
    OTHER = ("-99", "the request is not valid, or something unknown went wrong",
             "validacijska ali neznana napaka")  # fmt: skip

    EMPTY = ("101", "the value is empty", "prazna vrednost")
    TOO_LONG = ("102", "the text is too long", "predolg niz")
    BAD_LINK = ("103", "this is no valid link", "neveljaven format povezave")
    WRONG_LENGTH = ("104", "the length of the value is wrong", "neujemanje dolžine parametra")
    BAD_NUMBER = ("105", "this is no valid number", "neveljavna številka")
    BAD_DATE = ("106", "this is no valid date", "neveljaven datum")
    BAD_TRANSACTION_ID = (
        "107",
        "this is no valid transaction identifier",
        "neveljaven identifikator transakcije",
    )

    CURRENCY = ("201", "the currency is not supported", "nepodprta valuta")
    UNKNOWN_RECIPIENT = (
        "202",
        "UJP does not know the registration number of this budget user",
        "matična številka proračunskega uporabnika ne obstaja v sistemu",
    )
    OLD_WORKFLOW = (
        "203",
        "the e-service does not support the new way of paying",
        "e-storitev ne podpira novega delovnega toka plačevanja",
    )
    NO_SERVICE = ("204", "the e-service does not exist or is not active",
                  "e-storitev ni aktivna ali ne obstaja")  # fmt: skip
    URL_NOT_REGISTERED = (
        "205",
        "the address is not one that was registered for the e-service",
        "neveljaven URL v klicu inicializacije plačila",
    )
    ORDER_USED = (
        "206",
        "the identifier of the order has been used already",
        "identifikator naročila je že uporabljen",
    )
    BAD_METHOD = ("207", "the way of paying is not valid",
                  "neveljaven način plačila, podan pri inicializaciji")  # fmt: skip
    BAD_LANGUAGE = ("208", "the language is not supported",
                    "nepodprt jezik, podan pri inicializaciji")  # fmt: skip
    NO_ITEMS = ("209", "the order has no items", "naročilo ne vsebuje nobene postavke")
    NEGATIVE_VAT = ("210", "the VAT is negative", "negativna vrednost DDV")
    NEGATIVE_ITEM = (
        "211",
        "the quantity or the price of an item is negative",
        "negativna količina ali cena postavke",
    )
    NEGATIVE_TOTAL = (
        "212",
        "the items of the order add up to less than nothing",
        "vsota vseh postavk v naročilu je negativna",
    )
    COMMISSION = (
        "213",
        "an item asks that the payer be charged the commission, which is not allowed",
        "postavka vsebuje oznako za zaračunavanje provizije (imaProvizijo) - ni dovoljeno",
    )

    PERIOD_REVERSED = (
        "301",
        "the period of the statement ends before it begins",
        "izpiski: datum od kasnejši od datuma do",
    )
    BAD_PERIOD = ("302", "the period of the statement is not valid",
                  "izpiski: neveljavno datumsko obdobje")  # fmt: skip
    PERIOD_TOO_LONG = (
        "303",
        "the period of the statement is too long",
        "izpiski: predolgo datumsko obdobje",
    )
    BAD_STATUSES = ("304", "the statuses asked for are not valid",
                    "izpiski: neveljavni statusi za izpiske")  # fmt: skip

    def __init__(self, number: str, english: str, slovene: str) -> None:
        self.number = number
        self.english = english
        self.slovene = slovene


def code_of(number: object) -> Code | None:
    """The code that UJP sent as text or as a number; None for one the document does not know."""
    return _BY_NUMBER.get(str(number).strip())


_BY_NUMBER = {code.number: code for code in Code}
