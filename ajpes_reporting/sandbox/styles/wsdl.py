"""The WSDL of a style, and the schema by which the authority reads a call: both from the same pieces."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from lxml import etree

from ..schemas import NODURS, SERVICE, shipped_wsdl

if TYPE_CHECKING:
    from .style import Style

SERVICE_SCHEMA, NODURS_SCHEMA = "wsBlokIzmenjava.xsd", "nodurs.xsd"
_XS = "http://www.w3.org/2001/XMLSchema"
_ANY_COUNT = '<xs:any minOccurs="0" maxOccurs="unbounded" '

_DEFINITIONS = """<?xml version="1.0" encoding="UTF-8"?>
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="{soap}" xmlns:xs="{xs}"
                  xmlns:tns="{service}" xmlns:n="{nodurs}"
                  name="wsBlokIzmenjava" targetNamespace="{service}">
  <wsdl:types>{types}</wsdl:types>
  <wsdl:message name="BlokPodOddajSoapIn">{parts_in}</wsdl:message>
  <wsdl:message name="BlokPodOddajSoapOut">{parts_out}</wsdl:message>{header_message}
  <wsdl:portType name="wsBlokIzmenjavaSoap">
    <wsdl:operation name="BlokPodOddaj">
      <wsdl:input message="tns:BlokPodOddajSoapIn"/>
      <wsdl:output message="tns:BlokPodOddajSoapOut"/>
    </wsdl:operation>
  </wsdl:portType>
  <wsdl:binding name="wsBlokIzmenjavaSoap" type="tns:wsBlokIzmenjavaSoap">
    <soap:binding transport="http://schemas.xmlsoap.org/soap/http" style="{binding}"/>
    <wsdl:operation name="BlokPodOddaj">
      <soap:operation soapAction={action} style="{binding}"/>
      <wsdl:input><soap:body use="literal"{body}/>{header}</wsdl:input>
      <wsdl:output><soap:body use="literal"{body}/></wsdl:output>
    </wsdl:operation>
  </wsdl:binding>
  <wsdl:service name="wsBlokIzmenjava">
    <wsdl:port name="wsBlokIzmenjavaSoap" binding="tns:wsBlokIzmenjavaSoap">
      <soap:address location={address}/>
    </wsdl:port>
  </wsdl:service>
</wsdl:definitions>
"""
_SCHEMA = """<xs:schema xmlns:xs="{xs}" xmlns:tns="{service}" xmlns:n="{nodurs}" xmlns="{service}"
           targetNamespace="{service}" elementFormDefault="{form}">
{imported}{inside}
</xs:schema>"""
_ENVELOPE = """<xs:schema xmlns:xs="{xs}" xmlns:tns="{service}" xmlns="{soap}" targetNamespace="{soap}"
           elementFormDefault="qualified">
<xs:import namespace="{service}" schemaLocation="{file}"/>
<xs:element name="Envelope"><xs:complexType><xs:sequence>{header}
<xs:element name="Body"><xs:complexType>
<xs:sequence><xs:element ref="tns:BlokPodOddaj"/></xs:sequence><xs:anyAttribute processContents="lax"/>
</xs:complexType></xs:element>
</xs:sequence><xs:anyAttribute processContents="lax"/></xs:complexType></xs:element>
</xs:schema>"""
_ANY_HEADER = '<xs:element name="Header" type="xs:anyType" minOccurs="0"/>'
_IDENT_HEADER = (
    '<xs:element name="Header"><xs:complexType><xs:sequence><xs:element ref="tns:Ident"/></xs:sequence>'
    "</xs:complexType></xs:element>"
)


def wsdl(style: Style, address: str, location: str = "{}") -> bytes:
    """Return the WSDL of a style; `location` makes the address of an imported schema from its file name."""
    if style.asks_as_shipped:
        return shipped_wsdl(address)
    is_rpc, ident = style.binding.is_rpc, style.ident
    return _DEFINITIONS.format(
        soap=style.binding.version.wsdl_namespace,
        xs=_XS,
        service=SERVICE,
        nodurs=NODURS,
        types=_types(style, location),
        parts_in=_parts(style) if is_rpc else _part("parameters", element="tns:BlokPodOddaj"),
        parts_out=(
            _part("BlokPodOddajResult", type=style.result.type)
            if is_rpc
            else _part("parameters", element="tns:BlokPodOddajResponse")
        ),
        header_message=(
            f'<wsdl:message name="BlokPodOddajIdent">{_part("Ident", element="tns:Ident")}</wsdl:message>'
            if ident.is_header
            else ""
        ),
        binding="rpc" if is_rpc else "document",
        action=quoteattr(style.action.text),
        body=f' namespace="{SERVICE}"' if is_rpc else "",
        header=(
            '<soap:header message="tns:BlokPodOddajIdent" part="Ident" use="literal"/>'
            if ident.is_header
            else ""
        ),
        address=quoteattr(address),
    ).encode()


def imported_schemas(style: Style, location: str = "{}") -> dict[str, bytes]:
    """Return the schemas that the WSDL of a style imports, by file name; none if it holds everything."""
    if not style.imports_schemas:
        return {}
    texts = {SERVICE_SCHEMA: _service(style, location.format(NODURS_SCHEMA)), **_nodurs(style)}
    return {name: text.encode() for name, text in texts.items()}


@cache
def call_schema(style: Style) -> etree.XMLSchema:
    """Return the schema to which a call in this style must conform, envelope and all."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in _call_schemas(style).items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        return etree.XMLSchema(etree.parse(Path(folder) / "envelope.xsd"))


def _call_schemas(style: Style) -> dict[str, str]:
    """Return the schema of a call, "envelope.xsd", and those that it imports, by file name.

    How many reports lie in a Blok that takes any element is for the answer to say, not for a fault.
    """
    envelope = _ENVELOPE.format(
        xs=_XS,
        service=SERVICE,
        soap=style.binding.version.namespace,
        file=SERVICE_SCHEMA,
        header=_IDENT_HEADER if style.ident.is_header else _ANY_HEADER,
    )
    service = _service(style, NODURS_SCHEMA, has_call=True).replace("<xs:any ", _ANY_COUNT)
    return {"envelope.xsd": envelope, SERVICE_SCHEMA: service, **_nodurs(style)}


def _types(style: Style, location: str) -> str:
    if style.imports_schemas:
        at = quoteattr(location.format(SERVICE_SCHEMA))
        return f'<xs:schema><xs:import namespace="{SERVICE}" schemaLocation={at}/></xs:schema>'
    return _service(style) + "".join(_nodurs(style).values())


def _service(style: Style, nodurs_at: str = "", *, has_call: bool = False) -> str:
    """The schema of the service's own namespace; `has_call`: with the element of a call by RPC, too."""
    elements = ""
    if has_call or not style.binding.is_rpc:
        elements = _wrapper("BlokPodOddaj", _parameters(style)) + _wrapper(
            "BlokPodOddajResponse",
            _parameter(style, "BlokPodOddajResult", style.result.type, 'minOccurs="0"'),
        )
    if style.ident.is_header:
        elements += f'<xs:element name="Ident" type="{style.ident.type}"/>'
    at = f" schemaLocation={quoteattr(nodurs_at)}" if nodurs_at else ""
    pieces = (style.blok.definitions, style.ident.definitions, style.result.definitions, _own_nodurs(style))
    return _SCHEMA.format(
        xs=_XS,
        service=SERVICE,
        nodurs=NODURS,
        form=style.form,
        imported=f'<xs:import namespace="{NODURS}"{at}/>\n' if _nodurs(style) else "",
        inside="\n".join((elements, *pieces)),
    )


def _nodurs(style: Style) -> dict[str, str]:
    """The schema of the report, where Blok refers to it in a namespace of its own."""
    if style.blok.nodurs is None or style.blok.is_own:
        return {}
    return {NODURS_SCHEMA: etree.tostring(etree.fromstring(style.blok.nodurs()), encoding="unicode")}


def _own_nodurs(style: Style) -> str:
    if style.blok.nodurs is None or not style.blok.is_own:
        return ""
    schema = etree.fromstring(style.blok.nodurs())
    return "".join(etree.tostring(one, encoding="unicode") for one in schema.iterchildren(etree.Element))


def _parameters(style: Style) -> str:
    ident = style.ident
    in_body = bool(ident.type) and not ident.is_header
    return _parameter(style, "Blok", style.blok.type) + (
        _parameter(style, "Ident", ident.type, ident.occurs) if in_body else ""
    )


def _parameter(style: Style, name: str, type_name: str, occurs: str = "") -> str:
    # A part of a message by RPC stands in no namespace, and exactly once.
    how = 'form="unqualified"' if style.binding.is_rpc else occurs
    return f'<xs:element name="{name}" type="{type_name}" {how}/>'


def _parts(style: Style) -> str:
    ident = style.ident
    in_body = bool(ident.type) and not ident.is_header
    return _part("Blok", type=style.blok.type) + (_part("Ident", type=ident.type) if in_body else "")


def _part(name: str, **of: str) -> str:
    ((kind, value),) = of.items()
    return f'<wsdl:part name="{name}" {kind}="{value}"/>'


def _wrapper(name: str, inside: str) -> str:
    return (
        f'<xs:element name="{name}"><xs:complexType><xs:sequence>{inside}</xs:sequence></xs:complexType>'
        "</xs:element>"
    )
