"""Forms of an answer in BlokPodOddajResult: an element, typed, text, or JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from lxml import etree

from ..schemas import SERVICE

if TYPE_CHECKING:
    from collections.abc import Callable

_ANY = (
    '<xs:complexType name="Odgovor"><xs:sequence><xs:any processContents="lax"/></xs:sequence>'
    "</xs:complexType>"
)
_TYPED = (
    '<xs:complexType name="Odgovor"><xs:sequence>'
    '<xs:element name="Ident" type="tns:IdentOdgovora"/>'
    '<xs:element name="Napaka" type="tns:Napaka" minOccurs="0" maxOccurs="unbounded"/>'
    "</xs:sequence></xs:complexType>"
    '<xs:complexType name="IdentOdgovora"><xs:sequence>'
    '<xs:element name="OpisNapake" type="xs:string" minOccurs="0"/></xs:sequence>'
    '<xs:attribute name="iErr" type="xs:int"/><xs:attribute name="iWrn" type="xs:int"/>'
    '<xs:attribute name="maticnaPonudnika" type="xs:string"/>'
    '<xs:attribute name="datumPriprave" type="xs:dateTime"/>'
    '<xs:attribute name="datumPodatkov" type="xs:date"/>'
    '<xs:attribute name="dtDatumPriprave" type="xs:dateTime"/><xs:attribute name="idNapake" type="xs:int"/>'
    "</xs:complexType>"
    '<xs:complexType name="Napaka"><xs:sequence><xs:element name="Opis" type="xs:string"/></xs:sequence>'
    '<xs:attribute name="refId" type="xs:string"/><xs:attribute name="blokId" type="xs:string"/>'
    '<xs:attribute name="dogId" type="xs:string"/><xs:attribute name="id" type="xs:int"/>'
    '<xs:attribute name="vrsta" type="xs:string"/></xs:complexType>'
)

_IDENT = re.compile(rb"<Ident [^>]*/>")
_ERRORS = re.compile(rb'iErr="\d+"')


@dataclass(frozen=True, slots=True)
class Result:
    """One way to type the result in a WSDL; `put` gives its content from an element of the authority's."""

    type: str
    put: Callable[[bytes], bytes]
    definitions: str = ""


def _as_element(answer: bytes) -> bytes:
    # The answer has no namespace of its own, so the service's must not reach into it.
    return answer.replace(b"<BlokOdgovor", b'<BlokOdgovor xmlns=""', 1)


def _as_typed(answer: bytes) -> bytes:
    """Return the content of BlokOdgovor, in the service's namespace, as the result itself."""
    if not answer.startswith(b"<BlokOdgovor"):
        return answer
    return answer.partition(b">")[2].rpartition(b"</BlokOdgovor")[0]


def _as_text(answer: bytes) -> bytes:
    return escape(f'<?xml version="1.0" encoding="utf-16"?>{answer.decode()}').encode()


def _as_cdata(answer: bytes) -> bytes:
    return b"<![CDATA[" + answer.replace(b"]]>", b"]]]]><![CDATA[>") + b"]]>"


def _as_json(answer: bytes) -> bytes:
    root = etree.fromstring(answer)
    rows = [
        {"number": int(row.get("id") or 0), "text": _row_text(row)} for row in root.iterchildren("Napaka")
    ]
    if root.tag == "Ident":
        rows = [{"number": int(root.get("idNapake") or 0), "text": root.findtext("OpisNapake") or ""}]
    success = root.xpath("string(Ident/@iErr)") == "0"
    told = json.dumps({"success": success, "failure": not success, "rows": rows}, ensure_ascii=False)
    return escape(told).encode()


def _row_text(row: etree._Element) -> str:
    record = "/".join(name for name in (row.get("blokId"), row.get("dogId")) if name)
    return f"{record}: {row.findtext('Opis')}" if record else str(row.findtext("Opis"))


def service_error(number: int, text: str, at: str) -> bytes:
    """An error of the service itself, which its siblings tell in Ident: nothing was taken."""
    return (
        f'<Ident dtDatumPriprave="{at}" idNapake="{number}"><OpisNapake>{escape(text)}</OpisNapake></Ident>'
    ).encode()


def contradiction(own: Result) -> Result:
    """A result with two verdicts, one for and one against the report."""

    def put(answer: bytes) -> bytes:
        ident = _IDENT.search(answer)
        if ident is None:
            raise AssertionError("every answer has an Ident")
        is_accepted = b'iErr="0"' in ident[0]
        other = _ERRORS.sub(b'iErr="%d"' % is_accepted, ident[0])
        return _as_element(answer) + b'<BlokOdgovor xmlns="">%s</BlokOdgovor>' % other

    return replace(own, put=put)


ELEMENT = Result("tns:Odgovor", _as_element, _ANY)
TYPED = Result("tns:Odgovor", _as_typed, _TYPED)
TEXT = Result("xs:string", _as_text)
CDATA = Result("xs:string", _as_cdata)
JSON = Result("xs:string", _as_json)


def response(content: bytes, *, qualified: bool) -> bytes:
    """BlokPodOddajResponse; `qualified`: its result is in the service's namespace, as it is itself."""
    namespace = "" if qualified else ' xmlns=""'
    before = f'<BlokPodOddajResponse xmlns="{SERVICE}"><BlokPodOddajResult{namespace}>'.encode()
    return before + content + b"</BlokPodOddajResult></BlokPodOddajResponse>"
