"""wsBlokIzmenjava by a stranger who types his results: spyne, behind mutual TLS, as a program of its own.

    python spyne_replies.py CERTIFICATE CLIENT_CA

Prints its port. The address says how a report is answered: /typed, /elements, /text, /json, /base64, /error,
/refused, /broken; each refuses it with error 12 but the last, which breaks, and those with ?yes accept it.
"""

from __future__ import annotations

import json
import ssl
import sys
import warnings
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

warnings.simplefilter("ignore")  # spyne 2.14 is older than the Pythons that deprecate what it uses

from spyne import (  # noqa: E402  after the filter
    AnyXml,
    Application,
    Array,
    ByteArray,
    ComplexModel,
    Date,
    Fault,
    Integer,
    ServiceBase,
    Unicode,
    XmlAttribute,
    rpc,
)
from spyne.protocol.soap import Soap11, Soap12  # noqa: E402  after the filter
from spyne.server.wsgi import WsgiApplication  # noqa: E402  after the filter

NAMESPACE = "http://www.ajpes.si/wsBlokIzmenjava"
DAY = "2026-11-17"
HEAD = f'maticnaPonudnika="5860571000" datumPriprave="{DAY}T18:01:00" iWrn="0" datumPodatkov="{DAY}"'
ROW = '<Napaka blokId="O-1" dogId="1" id="12" vrsta="ERR"><Opis>račun ni pravi</Opis></Napaka>'
REFUSAL = f'<?xml version="1.0" encoding="utf-16"?><BlokOdgovor><Ident iErr="1" {HEAD}/>{ROW}</BlokOdgovor>'


class TypedIdent(ComplexModel):
    __namespace__ = NAMESPACE
    __type_name__ = "Ident"
    iErr = XmlAttribute(Integer)  # noqa: N815  the instruction's names, here and below
    iWrn = XmlAttribute(Integer)  # noqa: N815
    maticnaPonudnika = XmlAttribute(Unicode)  # noqa: N815
    datumPriprave = XmlAttribute(Unicode)  # noqa: N815
    datumPodatkov = XmlAttribute(Date)  # noqa: N815


class TypedRow(ComplexModel):
    __namespace__ = NAMESPACE
    __type_name__ = "Napaka"
    blokId = XmlAttribute(Unicode)  # noqa: N815
    dogId = XmlAttribute(Unicode)  # noqa: N815
    id = XmlAttribute(Integer)
    vrsta = XmlAttribute(Unicode)
    Opis = Unicode


class Typed(ComplexModel):
    __namespace__ = NAMESPACE
    Ident = TypedIdent
    Napaka = TypedRow.customize(max_occurs="unbounded")


class PlainIdent(ComplexModel):
    __namespace__ = "urn:elements"
    __type_name__ = "Ident"
    iErr = Integer  # noqa: N815
    maticnaPonudnika = Unicode  # noqa: N815
    datumPodatkov = Date  # noqa: N815


class PlainRow(ComplexModel):
    __namespace__ = "urn:elements"
    __type_name__ = "Napaka"
    blokId = Unicode  # noqa: N815
    dogId = Unicode  # noqa: N815
    id = Integer
    vrsta = Unicode
    Opis = Unicode


class Elements(ComplexModel):
    __namespace__ = "urn:elements"
    Ident = PlainIdent
    Napake = Array(PlainRow)


class ErrorIdent(ComplexModel):
    __namespace__ = NAMESPACE
    __type_name__ = "Ident"
    dtDatumPriprave = XmlAttribute(Unicode)  # noqa: N815
    idNapake = XmlAttribute(Integer)  # noqa: N815
    OpisNapake = Unicode


class ServiceError(ComplexModel):
    __namespace__ = NAMESPACE
    Ident = ErrorIdent


def typed(errors: int) -> Typed:
    head = TypedIdent(iErr=errors, iWrn=0, maticnaPonudnika="5860571000", datumPriprave=f"{DAY}T18:01:00",
                      datumPodatkov=date.fromisoformat(DAY))  # fmt: skip
    row = TypedRow(blokId="O-1", dogId="1", id=12, vrsta="ERR", Opis="račun ni pravi")
    return Typed(Ident=head, Napaka=[row] * errors)


def elements(errors: int) -> Elements:
    head = PlainIdent(iErr=errors, maticnaPonudnika="5860571000", datumPodatkov=date.fromisoformat(DAY))
    row = PlainRow(blokId="O-1", dogId="1", id=12, vrsta="ERR", Opis="račun ni pravi")
    return Elements(Ident=head, Napake=[row] * errors)


def text(errors: int) -> str:
    return REFUSAL if errors else REFUSAL.replace('iErr="1"', 'iErr="0"').replace(ROW, "")


def as_json(errors: int) -> str:
    rows = [{"number": 12, "text": "račun ni pravi"}] * errors
    return json.dumps({"success": 1 - errors, "failure": errors, "rows": rows})


def as_base64(errors: int) -> list[bytes]:
    return [text(errors).encode("utf-16")]


def service_error(errors: int) -> ServiceError:
    number = 12 * errors
    return ServiceError(Ident=ErrorIdent(dtDatumPriprave=DAY, idNapake=number, OpisNapake="Ni pravic."))


def refused(_errors: int) -> str:
    raise Fault("Client.Authentication", "Ni pravic.", detail={"koda": "12"})


def broken(_errors: int) -> str:
    raise ValueError("zaklep")


def service(returns: Any, answer: Callable[[int], Any], protocol: type = Soap11) -> WsgiApplication:
    """A service whose operation returns this type."""

    class Exchange(ServiceBase):
        @rpc(AnyXml, Array(Unicode), _returns=returns)
        def BlokPodOddaj(ctx, Blok, Ident):  # noqa: N802, N803, N805  the instruction's names, spyne's ctx
            return answer(0 if "yes" in ctx.transport.req_env["QUERY_STRING"] else 1)

    return WsgiApplication(
        Application([Exchange], NAMESPACE, in_protocol=Soap11(), out_protocol=protocol())
    )  # fmt: skip


SERVICES = {
    "/typed": service(Typed, typed),
    "/typed12": service(Typed, typed, Soap12),
    "/elements": service(Elements, elements),
    "/text": service(Unicode, text),
    "/json": service(Unicode, as_json),
    "/base64": service(ByteArray, as_base64),
    "/error": service(ServiceError, service_error),
    "/refused": service(Unicode, refused),
    "/broken": service(Unicode, broken),
}


def application(environment: dict[str, Any], respond: Any) -> Iterable[bytes]:
    found: Iterable[bytes] = SERVICES[environment["PATH_INFO"]](environment, respond)
    return found


class Quiet(WSGIRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        pass


if __name__ == "__main__":
    certificate, client_ca = sys.argv[1:]
    server = make_server("127.0.0.1", 0, application, handler_class=Quiet)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.load_verify_locations(client_ca)
    context.verify_mode = ssl.CERT_REQUIRED
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_port, flush=True)  # noqa: T201  this is how it tells its port
    server.serve_forever()
