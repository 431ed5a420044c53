"""wsBlokIzmenjava by a stranger: spyne, behind mutual TLS, as a program of its own.

    python spyne_authority.py CERTIFICATE CLIENT_CA FOLDER

Prints its port. Stores each report as FOLDER/N.xml and its Ident as FOLDER/N.ident.
"""

from __future__ import annotations

import itertools
import ssl
import sys
import warnings
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

warnings.simplefilter("ignore")  # spyne 2.14 is older than the Pythons that deprecate what it uses

from lxml import etree  # noqa: E402  after the filter
from spyne import AnyXml, Application, Array, Fault, ServiceBase, Unicode, rpc  # noqa: E402  after the filter
from spyne.protocol.soap import Soap11  # noqa: E402  after the filter
from spyne.server.wsgi import WsgiApplication  # noqa: E402  after the filter

NAMESPACE = "http://www.ajpes.si/wsBlokIzmenjava"
NODURS = "{http://www.ajpes.si/xml_sheme/nodurs/nodurs-20100601}Nodurs"

certificate, client_ca, folder = sys.argv[1:]
numbers = itertools.count(1)


class Exchange(ServiceBase):
    @rpc(AnyXml, Array(Unicode), _returns=AnyXml)
    def BlokPodOddaj(ctx, Blok, Ident):  # noqa: N802, N803, N805  the instruction's names, spyne's ctx
        if Blok is None or Blok.tag != NODURS:
            raise Fault("Client", "Blok does not hold a Nodurs")
        number = next(numbers)
        Path(folder, f"{number}.xml").write_bytes(etree.tostring(Blok))
        Path(folder, f"{number}.ident").write_text("\n".join(Ident or []))
        return etree.fromstring(
            '<BlokOdgovor><Ident iErr="0" maticnaPonudnika="5860571000" datumPriprave="2026-11-17T18:01:00" '
            'iWrn="0" datumPodatkov="2026-11-17"/></BlokOdgovor>'
        )


class Quiet(WSGIRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        pass


application = Application([Exchange], NAMESPACE, in_protocol=Soap11(), out_protocol=Soap11())
server = make_server("127.0.0.1", 0, WsgiApplication(application), handler_class=Quiet)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate)
context.load_verify_locations(client_ca)
context.verify_mode = ssl.CERT_REQUIRED
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)  # noqa: T201  this is how it tells its port
server.serve_forever()
