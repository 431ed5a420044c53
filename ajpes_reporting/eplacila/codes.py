"""Every code with which UJP refuses (sections 6.3.3 and 6.3.4), and its meaning."""

from __future__ import annotations

from enum import Enum

from ajpes_reporting.i18n import Message, _


class Code(Enum):
    """A code of UJP: `number` as it is sent, `meaning` for the reader, `slovene` in the words of UJP."""

    AUTHORISATION = (
        "1",
        _("the credentials are missing or wrong"),
        "napaka pri avtorizaciji (manjka zaglavje Authorization ali vsebuje napačne poverilnice)",
    )
    TIMESTAMP = (
        "2",
        _("the time of the request is missing, malformed or outside the allowed window"),
        "napaka pri preverjanju časovnega žiga (napačen format, ne obstaja ali zunaj dovoljenega okna)",
    )
    NONCE = (
        "3",
        _("the nonce of the request is missing, malformed or used already"),
        "napaka pri preverjanju podatka nonce (napačen format ali ne obstaja)",
    )
    FORBIDDEN = ("4", _("access to this resource is not allowed"), "nedovoljen dostop do vira")
    NOT_FOUND = ("10", _("the resource does not exist"), "vir ne obstaja")
    OTHER = (
        "-99",
        _("the request is not valid, or something unknown went wrong"),
        "validacijska ali neznana napaka",
    )

    EMPTY = ("101", _("the value is empty"), "prazna vrednost")
    TOO_LONG = ("102", _("the text is too long"), "predolg niz")
    BAD_LINK = ("103", _("this is no valid link"), "neveljaven format povezave")
    WRONG_LENGTH = ("104", _("the length of the value is wrong"), "neujemanje dolžine parametra")
    BAD_NUMBER = ("105", _("this is no valid number"), "neveljavna številka")
    BAD_DATE = ("106", _("this is no valid date"), "neveljaven datum")
    BAD_TRANSACTION_ID = (
        "107",
        _("this is no valid transaction identifier"),
        "neveljaven identifikator transakcije",
    )

    CURRENCY = ("201", _("the currency is not supported"), "nepodprta valuta")
    UNKNOWN_RECIPIENT = (
        "202",
        _("UJP does not know the registration number of this budget user"),
        "matična številka proračunskega uporabnika ne obstaja v sistemu",
    )
    OLD_WORKFLOW = (
        "203",
        _("the e-service does not support the new way of paying"),
        "e-storitev ne podpira novega delovnega toka plačevanja",
    )
    NO_SERVICE = (
        "204",
        _("the e-service does not exist or is not active"),
        "e-storitev ni aktivna ali ne obstaja",
    )
    URL_NOT_REGISTERED = (
        "205",
        _("the address is not one that was registered for the e-service"),
        "neveljaven URL v klicu inicializacije plačila",
    )
    ORDER_USED = (
        "206",
        _("the identifier of the order has been used already"),
        "identifikator naročila je že uporabljen",
    )
    BAD_METHOD = (
        "207",
        _("the way of paying is not valid"),
        "neveljaven način plačila, podan pri inicializaciji",
    )
    BAD_LANGUAGE = ("208", _("the language is not supported"), "nepodprt jezik, podan pri inicializaciji")
    NO_ITEMS = ("209", _("the order has no items"), "naročilo ne vsebuje nobene postavke")
    NEGATIVE_VAT = ("210", _("the VAT is negative"), "negativna vrednost DDV")
    NEGATIVE_ITEM = (
        "211",
        _("the quantity or the price of an item is negative"),
        "negativna količina ali cena postavke",
    )
    NEGATIVE_TOTAL = (
        "212",
        _("the items of the order add up to less than nothing"),
        "vsota vseh postavk v naročilu je negativna",
    )
    COMMISSION = (
        "213",
        _("an item asks that the payer be charged the commission, which is not allowed"),
        "postavka vsebuje oznako za zaračunavanje provizije (imaProvizijo) - ni dovoljeno",
    )

    PERIOD_REVERSED = (
        "301",
        _("the period of the statement ends before it begins"),
        "izpiski: datum od kasnejši od datuma do",
    )
    BAD_PERIOD = (
        "302",
        _("the period of the statement is not valid"),
        "izpiski: neveljavno datumsko obdobje",
    )
    PERIOD_TOO_LONG = (
        "303",
        _("the period of the statement is too long"),
        "izpiski: predolgo datumsko obdobje",
    )
    BAD_STATUSES = (
        "304",
        _("the statuses asked for are not valid"),
        "izpiski: neveljavni statusi za izpiske",
    )

    def __init__(self, number: str, meaning: Message, slovene: str) -> None:
        self.number = number
        self.meaning = meaning
        self.slovene = slovene


def code_of(number: object) -> Code | None:
    """Return the code that UJP sent as text or as a number; None for one that the document does not have."""
    return _BY_NUMBER.get(str(number).strip())


_BY_NUMBER = {code.number: code for code in Code}
