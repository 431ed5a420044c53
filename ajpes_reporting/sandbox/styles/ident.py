"""Forms of Ident(), which holds the registration number, the user name and the password, in this order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SEPARATOR = ";"
_ARRAY = (
    '<xs:complexType name="ArrayOfString"><xs:sequence>'
    '<xs:element name="string" type="xs:string" nillable="true" minOccurs="0" maxOccurs="unbounded"/>'
    "</xs:sequence></xs:complexType>"
)
_FIELDS = (
    '<xs:complexType name="Prijava"><xs:sequence>'
    '<xs:element name="MaticnaStevilka" type="xs:string"/>'
    '<xs:element name="UporabniskoIme" type="xs:string"/>'
    '<xs:element name="Geslo" type="xs:string"/>'
    "</xs:sequence></xs:complexType>"
)


def _as_found(texts: list[str]) -> list[str]:
    return texts


def _split(texts: list[str]) -> list[str]:
    return SEPARATOR.join(texts).split(SEPARATOR)


@dataclass(frozen=True, slots=True)
class Ident:
    """One way to type Ident in a WSDL; `type` is empty where it does not exist.

    `entries` gives what it says, from the texts that stand in it.
    """

    type: str
    definitions: str = ""
    occurs: str = ""
    is_header: bool = False
    entries: Callable[[list[str]], list[str]] = _as_found


ARRAY = Ident("tns:ArrayOfString", _ARRAY, 'minOccurs="0"')
REPEATED = Ident("xs:string", occurs='minOccurs="0" maxOccurs="unbounded"')
SINGLE = Ident("xs:string", entries=_split)
FIELDS = Ident("tns:Prijava", _FIELDS)
HEADER = Ident("tns:Prijava", _FIELDS, is_header=True)
BASIC = Ident("")
