"""The published schemas and the WSDL: the only thing the sandbox shares with its clients."""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

from lxml import etree

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
SERVICE = "http://www.ajpes.si/wsBlokIzmenjava"
NODURS = "http://www.ajpes.si/xml_sheme/nodurs/nodurs-20100601"
SPAPP = "http://www.ajpes.si/xml_sheme/spapp/spapp-20100601"

_WSDL_SOAP = "http://schemas.xmlsoap.org/wsdl/soap/"


class Schemas(NamedTuple):
    """The schemas of submissions; `envelope` is that of a NODURS report inside a SOAP message."""

    nodurs: etree.XMLSchema
    spapp: etree.XMLSchema
    envelope: etree.XMLSchema


def load_schemas(soap: str = SOAP) -> Schemas:
    """Return the schemas; `soap` is the namespace of the version of SOAP."""
    folder = schema_folder()
    nodurs = folder / "nodurs-20100601.xsd"
    return Schemas(
        nodurs=etree.XMLSchema(etree.parse(nodurs)),
        spapp=etree.XMLSchema(etree.parse(folder / "spapp-20100601.xsd")),
        envelope=etree.XMLSchema(etree.parse(io.BytesIO(_envelope_schema(nodurs, soap)))),
    )


def shipped_wsdl(address: str) -> bytes:
    """Return the service's WSDL with the address where it can be called."""
    tree = etree.parse(schema_folder() / "wsBlokIzmenjava.wsdl")
    for place in tree.iter(f"{{{_WSDL_SOAP}}}address"):
        place.set("location", address)
    return etree.tostring(tree, xml_declaration=True, encoding="UTF-8")


def schema_folder() -> Path:
    """Return `schemas/` inside the installed package, else at the top of a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "schemas"
    return inside if inside.is_dir() else package.parent / "schemas"


def _envelope_schema(nodurs: Path, soap: str) -> bytes:
    """Return a schema that allows anything in an envelope, and Nodurs only as its own schema has it."""
    return f"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="{soap}">
      <xs:import namespace="{NODURS}" schemaLocation={quoteattr(nodurs.resolve().as_uri())}/>
      <xs:element name="Envelope" type="xs:anyType"/>
    </xs:schema>""".encode()
