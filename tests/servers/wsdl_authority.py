"""An authority that knows nothing but a WSDL: it checks each message against it, by libxml2, and answers.

Written from the WSDL and the SOAP notes alone; it shares nothing with the program that it judges.
"""

from __future__ import annotations

import base64
import html
import re
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from tests.servers.https import Behaviour, Request, Visit, http

WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
XS = "{http://www.w3.org/2001/XMLSchema}"
SOAP = {"1.1": "{http://schemas.xmlsoap.org/wsdl/soap/}", "1.2": "{http://schemas.xmlsoap.org/wsdl/soap12/}"}
ENVELOPE = {
    "1.1": "{http://schemas.xmlsoap.org/soap/envelope/}",
    "1.2": "{http://www.w3.org/2003/05/soap-envelope}",
}
NODURS = "http://www.ajpes.si/xml_sheme/nodurs/nodurs-20100601"
SCHEMAS = Path(__file__).parents[2] / "schemas"
ANSWER = (
    '<BlokOdgovor><Ident iErr="0" maticnaPonudnika="5860571000" datumPriprave="2026-11-17T18:01:00" '
    'iWrn="0" datumPodatkov="{day}"/></BlokOdgovor>'
)


@dataclass
class WsdlAuthority:
    """`received` are the messages it found right, `objections` what it has against the others."""

    wsdl: Path
    folder: Path
    received: list[etree._Element] = field(default_factory=list)
    objections: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._documents = [*self._read(self.wsdl)]
        self._schema = self._compile()

    def behaviour(self) -> Behaviour:
        def behave(visit: Visit) -> None:
            visit.send(self.answer(visit.read_request()))

        return behave

    def answer(self, request: Request) -> bytes:
        objection = self._objection(request)
        if objection:
            self.objections.append(objection)
            return http(objection.encode(), "500 Internal Server Error", "text/plain")
        version = self._version(request)
        kind = "text/xml" if version == "1.1" else "application/soap+xml"
        namespace = ENVELOPE[version][1:-1]
        day = re.search(rb'datumPodatkov="([0-9-]+)"', request.body)
        answer = ANSWER.replace("{day}", day[1].decode() if day else "2026-11-17")
        body = f'<e:Envelope xmlns:e="{namespace}"><e:Body>{self._result(answer)}</e:Body></e:Envelope>'
        return http(body.encode(), content_type=f"{kind}; charset=utf-8")

    # --- the message ---

    def _version(self, request: Request) -> str:
        return "1.2" if request.headers["content-type"].startswith("application/soap+xml") else "1.1"

    def _objection(self, request: Request) -> str:
        version = self._version(request)
        action = next(
            (
                node.get("soapAction", "")
                for document in self._documents
                for node in document.iter(f"{SOAP[version]}operation")
            ),
            None,
        )
        if action is None:
            return f"no binding for SOAP {version}"
        if wrong := _wrong_headers(request, version, action.strip('"')):
            return wrong
        envelope = etree.fromstring(request.body)
        if envelope.tag != f"{ENVELOPE[version]}Envelope":
            return f"the envelope is {envelope.tag}"
        header, body = (envelope.find(f"{ENVELOPE[version]}{name}") for name in ("Header", "Body"))
        parts = [*(header if header is not None else ()), *(body if body is not None else ())]
        if body is None or len(body) != 1:
            return "the body does not hold one element"
        for part in parts:
            if not self._schema.validate(etree.ElementTree(part)):
                return f"{part.tag}: {self._schema.error_log.last_error}"
        self.received.append(envelope)
        return ""

    # --- the WSDL ---

    def _read(self, path: Path) -> list[etree._Element]:
        root = etree.parse(path, etree.XMLParser(remove_comments=True)).getroot()
        for node in root.iter(f"{XS}import", f"{XS}include"):
            location = node.get("schemaLocation")
            if location and (path.parent / location).exists():
                node.set("schemaLocation", (path.parent / location).resolve().as_uri())
            elif node.get("namespace") == NODURS:
                node.set("schemaLocation", (SCHEMAS / "nodurs-20100601.xsd").as_uri())
            elif node.get("namespace") == "http://www.w3.org/2005/05/xmlmime":
                stub = self.folder / "xmlmime.xsd"
                stub.write_text(XMLMIME)
                node.set("schemaLocation", stub.as_uri())
        imported = [
            document
            for node in root.iterchildren(f"{WSDL}import")
            for document in self._read(path.parent / node.get("location", ""))
        ]
        return [root, *imported]

    def _compile(self) -> etree.XMLSchema:
        """One schema of all that the WSDL holds; the report's own is always known."""
        driver = etree.Element(f"{XS}schema", nsmap={"xs": XS[1:-1]})
        places = {NODURS: (SCHEMAS / "nodurs-20100601.xsd").as_uri()}
        schemas = [each for document in self._documents for each in document.iter(f"{XS}schema")]
        rpc = self._rpc_wrapper()
        for number, schema in enumerate(schemas):
            target = schema.get("targetNamespace", "")
            if rpc is not None and target == rpc.get("targetNamespace"):
                schema.extend([*rpc])
            path = self.folder / f"schema{number}.xsd"
            path.write_bytes(etree.tostring(schema))
            places[target] = path.as_uri()
        for namespace, place in places.items():
            etree.SubElement(driver, f"{XS}import", namespace=namespace, schemaLocation=place)
        return etree.XMLSchema(driver)

    def _rpc_wrapper(self) -> etree._Element | None:
        """For RPC the wrapper is in no schema: an element of the operation's name, with the parts in it."""
        for document in self._documents:
            for binding in document.iter(*(f"{each}binding" for each in SOAP.values())):
                if binding.get("style") != "rpc":
                    continue
                body = next(document.iter(*(f"{each}body" for each in SOAP.values())))
                operation = next(document.iter(f"{WSDL}operation")).get("name", "")
                schema = etree.Element(
                    f"{XS}schema",
                    targetNamespace=body.get("namespace"),
                    nsmap={**document.nsmap, "xs": XS[1:-1]},
                )
                element = etree.SubElement(schema, f"{XS}element", name=operation)
                parts = etree.SubElement(etree.SubElement(element, f"{XS}complexType"), f"{XS}sequence")
                for part in next(document.iter(f"{WSDL}message")).iter(f"{WSDL}part"):
                    etree.SubElement(
                        parts,
                        f"{XS}element",
                        name=part.get("name"),
                        type=part.get("type"),
                        form="unqualified",
                    )
                return schema
        return None

    def _result(self, answer: str) -> str:
        """The answer in the element that the WSDL's second message is about."""
        document = next(each for each in self._documents if each.find(f"{WSDL}message") is not None)
        part = [*document.iter(f"{WSDL}message")][1].find(f"{WSDL}part")
        assert part is not None
        if part.get("type"):
            name, namespace = part.get("name", ""), "urn:BlokIzmenjava"
            inner = html.escape(answer) if part.get("type") == "xsd:string" else answer
            return f'<r:R xmlns:r="{namespace}"><{name}>{inner}</{name}></r:R>'
        prefix, _, local = (part.get("element") or "").rpartition(":")
        namespace = document.nsmap[prefix] or ""
        declared = next(
            element
            for schema in self._schemas()
            for element in schema.iterchildren(f"{XS}element")
            if element.get("name") == local
        )
        inside = [*declared.iter(f"{XS}element")][1:2]
        if not inside:
            return f'<r:{local} xmlns:r="{namespace}">{answer}</r:{local}>'
        is_qualified = declared.getparent().get("elementFormDefault") == "qualified"
        tag = f"r:{inside[0].get('name')}" if is_qualified else inside[0].get("name")
        is_text = (inside[0].get("type") or "").endswith("string")
        inner = html.escape(answer) if is_text else answer
        return f'<r:{local} xmlns:r="{namespace}"><{tag}>{inner}</{tag}></r:{local}>'

    def _schemas(self) -> list[etree._Element]:
        beside = [etree.parse(each).getroot() for each in self.wsdl.parent.rglob("*.xsd")]
        return [each for document in self._documents for each in document.iter(f"{XS}schema")] + beside


def _wrong_headers(request: Request, version: str, action: str) -> str:
    kind, _, parameters = request.headers["content-type"].partition(";")
    if "charset=utf-8" not in parameters:
        return f"Content-Type: {request.headers['content-type']}"
    if version == "1.1":
        right = kind == "text/xml" and request.headers.get("soapaction") == f'"{action}"'
    else:
        right = "soapaction" not in request.headers and (
            parameters.endswith(f'; action="{action}"') if action else "action" not in parameters
        )
    if "content-length" not in request.headers or not right:
        return f"these headers do not fit the binding: {request.headers}"
    return ""


def report_in(place: etree._Element, form: str) -> bytes:
    """The report that an element of a message holds, canonical, its elements in their own namespace."""
    if form == "text":
        root = etree.fromstring((place.text or "").encode())
    elif form == "base64":
        root = etree.fromstring(base64.b64decode(place.text or ""))
    elif form == "content":
        root = place
    else:
        [root] = [child for child in place if isinstance(child.tag, str)]
    return canonical(root)


def canonical(root: etree._Element) -> bytes:
    """A report as canonical XML, with its elements in the report's namespace whatever they were in."""
    copy = etree.Element(f"{{{NODURS}}}Nodurs", nsmap={None: NODURS})
    _copy_into(copy, root)
    return etree.tostring(copy, method="c14n", exclusive=True)


def _copy_into(copy: etree._Element, original: etree._Element) -> None:
    copy.text = original.text
    below: etree._Element | None = None
    for child in original:
        if isinstance(child.tag, str):
            tag = f"{{{NODURS}}}{etree.QName(child).localname}"
            below = etree.SubElement(copy, tag, dict(child.attrib))
            _copy_into(below, child)
        # Comments do not count; the text behind one does.
        if below is None:
            copy.text = (copy.text or "") + (child.tail or "")
        else:
            below.tail = (below.tail or "") + (child.tail or "")


XMLMIME = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="http://www.w3.org/2005/05/xmlmime"
    targetNamespace="http://www.w3.org/2005/05/xmlmime">
  <xs:attribute name="contentType" type="xs:string"/>
  <xs:complexType name="base64Binary"><xs:simpleContent><xs:extension base="xs:base64Binary">
    <xs:attribute ref="t:contentType"/></xs:extension></xs:simpleContent></xs:complexType>
</xs:schema>
"""
