"""Replies to a SOAP call as services write them, each with the verdict that a person reads in it.

`WRAPPINGS` take any answer, so that a refusal goes through each of them as an acceptance does. The others
are whole replies, by what they are: what they say was written down here by reading them, never by a program.
"""

from __future__ import annotations

import base64
import html
import json
import quopri
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import SMTP
from typing import Any

from lxml import etree

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
XOP = 'xmlns:xop="http://www.w3.org/2004/08/xop/include"'
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
BOUNDARY = "uuid:7f3c+id=1"
RELATED = (
    f'multipart/related; type="application/xop+xml"; boundary="{BOUNDARY}"; start="<root@ajpes>"; '
    'start-info="text/xml"'
)


@dataclass(frozen=True)
class Reply:
    """What comes back over HTTP."""

    body: bytes
    content_type: str = "text/xml; charset=utf-8"
    status: str = "200 OK"


Wrapping = Callable[[str], Reply]


def ident(errors: int = 0, warnings: int = 0, more: str = "") -> str:
    """The head of an answer about the report of 17 November 2026."""
    return (
        f'<Ident iErr="{errors}" maticnaPonudnika="5860571000" datumPriprave="2026-11-17T18:01:00"'
        f' iWrn="{warnings}" datumPodatkov="2026-11-17"{more}/>'
    )


def row(kind: str = "ERR", text: str = "račun ni pravi") -> str:
    """A row about an event."""
    return f'<Napaka blokId="O-1" dogId="1" id="12" vrsta="{kind}"><Opis>{text}</Opis></Napaka>'


YES = ident()
MAYBE = ident(0, 1) + row("WRN", "znesek je visok")
NO = ident(1, 0) + row()


def envelope(body: str, namespace: str = SOAP, declaration: str = "") -> str:
    """A SOAP envelope round this body."""
    return (
        f'{declaration}<soap:Envelope xmlns:soap="{namespace}"><soap:Header/><soap:Body>{body}'
        "</soap:Body></soap:Envelope>"
    )


def call(result: str, attributes: str = "") -> str:
    """The envelope of a response whose result is this."""
    return envelope(
        '<BlokPodOddajResponse xmlns="http://www.ajpes.si/wsBlokIzmenjava">'
        f"<BlokPodOddajResult{attributes}>{result}</BlokPodOddajResult></BlokPodOddajResponse>"
    )


def block(content: str) -> str:
    """A BlokOdgovor with this in it."""
    return f'<BlokOdgovor xmlns="">{content}</BlokOdgovor>'


def xml(text: str, encoding: str = "utf-8", content_type: str = "text/xml; charset=utf-8") -> Reply:
    return Reply(text.encode(encoding), content_type)


def related(root: str, transfer: str = "8bit", attachment: str = "", content_type: str = RELATED) -> Reply:
    """A MIME message with this envelope as its root, after an attachment or before."""
    encoded = {
        "base64": lambda: base64.encodebytes(root.encode()),
        "quoted-printable": lambda: quopri.encodestring(root.encode()),
    }.get(transfer, root.encode)()
    parts = (
        f"--{BOUNDARY}\r\nContent-Type: text/xml; charset=UTF-8\r\nContent-ID: <answer@ajpes>\r\n\r\n"
        f"{attachment}\r\n--{BOUNDARY}\r\n"
        'Content-Type: application/xop+xml; charset=UTF-8; type="text/xml"\r\n'
        f"Content-Transfer-Encoding: {transfer}\r\nContent-ID: <root@ajpes>\r\n\r\n"
    )
    body = b"This is a MIME message.\r\n" + parts.encode() + encoded + f"\r\n--{BOUNDARY}--\r\n".encode()
    return Reply(body, content_type)


def related_by_email(root: str) -> Reply:
    """The same as Python's email package makes it."""
    message = MIMEMultipart("related", type="text/xml", start="<root@ajpes>")
    attachment, part = MIMEText("priloga", "plain", "utf-8"), MIMEText(root, "xml", "utf-8")
    part["Content-ID"] = "<root@ajpes>"
    for each in (attachment, part):
        message.attach(each)
    body = message.as_bytes(policy=SMTP).partition(b"\r\n\r\n")[2]
    return Reply(body, str(message["Content-Type"]))


def as_elements(content: str) -> str:
    """The same with elements in the place of attributes, and a list round the rows, as serialisers do."""
    root = etree.fromstring(f"<r>{content}</r>")
    head, *rows = root

    def fields(element: Any) -> str:
        own = "".join(f"<{name}>{value}</{name}>" for name, value in element.attrib.items())
        return own + "".join(etree.tostring(child, encoding="unicode") for child in element)

    listed = "".join(f"<Napaka>{fields(each)}</Napaka>" for each in rows)
    return f"<Ident>{fields(head)}</Ident><Napake>{listed}</Napake>"


DECLARED_UTF16 = '<?xml version="1.0" encoding="utf-16"?>\r\n'
DECLARED_UTF8 = '<?xml version="1.0" encoding="utf-8"?>'
CP1250 = "text/xml; charset=windows-1250"

WRAPPINGS: dict[str, Wrapping] = {
    "as the instruction has it": lambda it: xml(call(block(it))),
    "typed result": lambda it: xml(call(it)),
    "typed result in a namespace of its own": lambda it: xml(call(it, ' xmlns="http://www.ajpes.si/x"')),
    "typed result, one wrapper more": lambda it: xml(call(f"<Odgovor>{it}</Odgovor>")),
    "typed result, one wrapper less": lambda it: xml(envelope(f"<Response>{it}</Response>")),
    "typed result in the body itself": lambda it: xml(envelope(it)),
    "typed result with prefixes": lambda it: xml(
        envelope(
            '<a:r xmlns:a="urn:a">'
            + it.replace("</", "</a:").replace("<Ident", "<a:Ident").replace("<Napaka", "<a:Napaka")
            .replace("<Opis", "<a:Opis")
            + "</a:r>"
        )
    ),
    "types of XML Schema": lambda it: xml(
        call(it.replace("<Ident", f'<Ident {XSI} xsi:type="q1:Ident"'), f' {XSI} xsi:type="q1:Odgovor"')
    ),
    "elements for attributes": lambda it: xml(call(as_elements(it))),
    "elements for attributes in a BlokOdgovor": lambda it: xml(call(block(as_elements(it)))),
    "a list round the rows": lambda it: xml(
        call(block(it.replace("/><Napaka", "/><ArrayOfNapaka><Napaka", 1)
                   + ("</ArrayOfNapaka>" if "<Napaka" in it else "")))
    ),
    "other letter case": lambda it: xml(
        call(f"<BLOKODGOVOR>{it.replace('Ident', 'ident').replace('Napaka', 'NAPAKA')}</BLOKODGOVOR>")
    ),
    "elements that nobody announced": lambda it: xml(
        call(block(f"<Status>1</Status>{it}<Podpis>x</Podpis>"))
    ),
    "head and rows apart": lambda it: xml(
        call(f"<Glava>{it.partition('/>')[0]}/></Glava><Vrstice>{it.partition('/>')[2]}</Vrstice>")
    ),
    "SOAP 1.2": lambda it: xml(
        envelope(f"<r>{block(it)}</r>", SOAP12),
        content_type='application/soap+xml; charset=utf-8; action="x"',
    ),
    "escaped": lambda it: xml(call(html.escape(block(it)))),
    "escaped, under another name": lambda it: xml(
        envelope(f"<r><return>{html.escape(block(it))}</return></r>")
    ),
    "escaped twice": lambda it: xml(call(html.escape(html.escape(block(it))))),
    "escaped twice, with a declaration": lambda it: xml(
        call(html.escape(html.escape(DECLARED_UTF16 + block(it))))
    ),
    "escaped typed result": lambda it: xml(call(html.escape(f"<Odgovor>{it}</Odgovor>"))),
    "escaped rows without a root": lambda it: xml(call(html.escape(it))),
    "CDATA": lambda it: xml(call(f"<![CDATA[{block(it)}]]>")),
    "CDATA with a declaration": lambda it: xml(call(f"<![CDATA[\r\n{DECLARED_UTF16}{block(it)}\r\n]]>")),
    "CDATA with a BOM": lambda it: xml(call(f"<![CDATA[\ufeff{DECLARED_UTF8}{block(it)}]]>")),
    "CDATA in a BlokOdgovor": lambda it: xml(call(f"<BlokOdgovor><![CDATA[{block(it)}]]></BlokOdgovor>")),
    "an envelope as text": lambda it: xml(call(html.escape(envelope(block(it))))),
    "base64": lambda it: xml(call(base64.encodebytes((DECLARED_UTF8 + block(it)).encode()).decode())),
    "base64 of UTF-16": lambda it: xml(
        call(base64.b64encode((DECLARED_UTF16 + block(it)).encode("utf-16")).decode())
    ),
    "bare": lambda it: xml(block(it), content_type="application/xml"),
    "MIME": lambda it: related(call(block(it))),
    "MIME with a typed result": lambda it: related(call(it), "binary"),
    "MIME in base64": lambda it: related(call(block(it)), "base64"),
    "MIME in quoted-printable": lambda it: related(call(block(it)), "quoted-printable"),
    "MIME without a start": lambda it: replace(
        related(call(block(it))),
        body=related(call(block(it))).body.replace(b"Content-Type: text/xml;", b"Content-Type: text/plain;"),
        content_type=f'multipart/related; boundary="{BOUNDARY}"',
    ),
    "MIME as Python's email package writes it": lambda it: related_by_email(call(block(it))),
    "MIME, boundary without quotes": lambda it: replace(
        related(call(block(it)).replace(BOUNDARY, "b7")),
        body=related(call(block(it))).body.replace(BOUNDARY.encode(), b"b7"),
        content_type="Multipart/Related; start=root@ajpes; boundary=b7",
    ),
    "MIME with line ends of Unix": lambda it: replace(
        related(call(block(it))), body=related(call(block(it))).body.replace(b"\r\n", b"\n")
    ),
    "MIME that its header does not announce": lambda it: Reply(
        b"--x\r\nContent-ID: <1>\r\n\r\n" + call(block(it)).encode() + b"\r\n--x--", "text/xml"
    ),
    "XOP": lambda it: related(
        call(f'<xop:Include {XOP} href="cid:answer%40ajpes"/>'), "binary", DECLARED_UTF8 + block(it)
    ),
    "an attachment by its address": lambda it: related(
        envelope('<r><BlokPodOddajResult href="cid:answer@ajpes"/></r>'), "8bit", block(it)
    ),
    "the answer of a BlokOdgovor, by JSON": lambda it: Reply(
        json.dumps({"d": {"__type": "Odgovor", "BlokOdgovor": _as_json(it)}}).encode(), "application/json"
    ),
    "the answer as a string of JSON": lambda it: Reply(
        json.dumps({"d": block(it)}).encode(), "application/json; charset=utf-8"
    ),
    "windows-1250, by its header alone": lambda it: xml(call(block(it)), "cp1250", CP1250),
    "windows-1250, by its declaration": lambda it: xml(
        f'<?xml version="1.0" encoding="Windows-1250"?>{call(block(it))}', "cp1250", "text/xml"
    ),
    "windows-1250, and its declaration lies": lambda it: xml(
        DECLARED_UTF8 + call(block(it)), "cp1250", CP1250.upper()
    ),
    "windows-1250, and nobody says so": lambda it: xml(call(block(it)), "cp1250", "text/xml"),
    "iso-8859-2": lambda it: xml(call(block(it)), "iso-8859-2", "text/xml; charset='ISO-8859-2'"),
    "UTF-8 with a BOM": lambda it: xml(DECLARED_UTF8 + call(block(it)), "utf-8-sig", "text/xml"),
    "a declaration of XML 1.1": lambda it: xml(
        DECLARED_UTF8.replace("1.0", "1.1") + call(block(it)), content_type="text/xml"
    ),
    "a declaration in the wrong order": lambda it: xml(
        "<?xml encoding='windows-1250' version='1.0' ?>" + call(block(it)), "cp1250", "text/xml"
    ),
    "UTF-8, and its declaration lies": lambda it: xml(
        DECLARED_UTF8.replace("utf-8", "windows-1250") + call(block(it))
    ),
    "UTF-8 that says UTF-16": lambda it: xml(DECLARED_UTF16 + call(block(it)), content_type="text/xml"),
    "UTF-8, and its header says UTF-16": lambda it: xml(
        call(block(it)), content_type="text/xml; charset=utf-16"
    ),
    "UTF-8 with a BOM, and its declaration lies": lambda it: xml(
        DECLARED_UTF8.replace("utf-8", "windows-1250") + call(block(it)), "utf-8-sig", "text/xml"
    ),
    "UTF-16 with a BOM": lambda it: xml(DECLARED_UTF16 + call(block(it)), "utf-16", "text/xml"),
    "UTF-16, by its header": lambda it: xml(call(block(it)), "utf-16-le", "text/xml; charset=utf-16"),
    "UTF-16, and nobody says so": lambda it: xml(call(block(it)), "utf-16-be", "text/xml"),
    "UTF-16, and its declaration says UTF-8": lambda it: xml(
        DECLARED_UTF8 + call(block(it)), "utf-16", "text/xml"
    ),
    "UTF-16, and its header says UTF-8": lambda it: xml(call(block(it)), "utf-16-le"),
    "UTF-16 with a BOM, and its header says UTF-8": lambda it: xml(call(block(it)), "utf-16"),
    "an encoding that nobody knows": lambda it: xml(
        call(block(it)), content_type="text/xml; charset=klingon"
    ),
    "line ends before the declaration": lambda it: xml("\r\n\r\n \t" + DECLARED_UTF8 + call(block(it))),
    "line ends before a BOM": lambda it: Reply(
        b"\r\n\xef\xbb\xbf\r\n" + (DECLARED_UTF8 + call(block(it))).encode(), "text/xml"
    ),
    "NUL before it": lambda it: xml("\0\0" + DECLARED_UTF8 + call(block(it))),
    "NULs after the end": lambda it: xml(call(block(it)) + "\0" * 5_000),
    "NUL and blanks after the end": lambda it: xml(DECLARED_UTF8 + call(block(it)) + "\0\r\n \0\t"),
    "UTF-16 with a NUL after the end": lambda it: Reply(
        call(block(it)).encode("utf-16") + b"\0\0\0", "text/xml"
    ),
    "HTTP 202": lambda it: replace(xml(call(block(it))), status="202 Accepted"),
}  # fmt: skip
"""What may be round the head and the rows of an answer."""


def _as_json(content: str) -> dict[str, Any]:
    """As Json.NET writes XML: attributes with an @, one row as an object, several as a list."""
    head, *rows = etree.fromstring(f"<r>{content}</r>")
    found: dict[str, Any] = {"Ident": {f"@{name}": value for name, value in head.attrib.items()}}
    listed = [
        {**{f"@{name}": value for name, value in each.attrib.items()}, "Opis": each.findtext("Opis")}
        for each in rows
    ]
    if listed:
        found["Napaka"] = listed if len(listed) > 1 else listed[0]
    return found


def as_json(document: Any, status: str = "200 OK") -> Reply:
    return Reply(json.dumps(document).encode(), "application/json; charset=utf-8", status)


def fault(code: str, text: str, more: str = "") -> str:
    """A fault of SOAP 1.1."""
    return envelope(
        f"<soap:Fault><faultcode>{code}</faultcode><faultstring>{text}</faultstring>{more}</soap:Fault>"
    )


SERVICE_ERROR = (
    '<Ident dtDatumPriprave="2026-11-17T18:00:00" idNapake="12"><OpisNapake>Ni pravic.</OpisNapake></Ident>'
)
ACCEPTED: dict[str, Reply] = {
    "JSON: success and no rows": as_json({"success": True, "failure": False, "rows": []}),
    "JSON: counts": as_json({"success": 1, "failure": 0}),
    "JSON: numbers as text": as_json({"Success": "1", "Failure": "0", "Rows": None}),
    "JSON in Slovene": as_json({"Uspešno": "true", "Sporočila": []}),
    "JSON in d and Result": as_json({"d": {"Result": {"success": True}}}),
    "JSON as a string in d": as_json({"d": json.dumps({"uspeh": True, "neuspeh": False})}),
    "JSON in a list": as_json([{"success": True}]),
    "JSON as the result": xml(call(html.escape('{"success":true,"rows":[]}'))),
    "JSON of Json.NET, and a row that reports no trouble": as_json(
        {"data": {"@failure": "0", "@success": "1", "row": {"@id": "1", "@msg": "0", "@msgTxt": ""}}}
    ),
    "JSON: a row that says it is well": as_json(
        {"success": True, "rows": [{"vrsta": "OK", "text": "sprejeto"}]}
    ),
    "JSON: rows that each succeeded": as_json({"success": True, "rows": [{"id": 1, "success": True}]}),
    "JSON: lists of what succeeded and failed": as_json(
        {"success": [{"number": 0, "text": "sprejeto"}], "failure": []}
    ),
    "JSON: numbers of what succeeded": as_json({"success": [1, 2], "failure": []}),
    "JSON in UTF-16": Reply('{"success":true}'.encode("utf-16"), "application/json"),
    "JSON with a BOM and blanks": Reply(b'\xef\xbb\xbf\r\n{"success":true}\0\0', "application/json"),
    "success and failure in XML": xml(call('<data failure="0" success="1" packageGuid="x"/>')),
    "success and failure as elements": xml(call("<success>true</success><napake/>")),
    "no service error": xml(
        call('<Ident iErr="0" iWrn="0" maticnaPonudnika="5860571000" datumPodatkov="2026-11-17"'
             ' idNapake="0"><OpisNapake/></Ident>')
    ),
}  # fmt: skip

WARNED: dict[str, Reply] = {
    "JSON: success and rows": as_json({"success": True, "rows": [{"number": 12, "text": "znesek"}]}),
    "JSON: rows under the instruction's name": as_json(
        {"uspeh": True, "napake": [{"stevilka": "12", "besedilo": "znesek"}]}
    ),
    "JSON: warnings": as_json({"success": True, "warnings": ["znesek"]}),
    "JSON: a severity": as_json({"success": True, "rows": [{"vrsta": "opozorilo", "koda": 1, "opis": "x"}]}),
    "rows in XML": xml(call('<data failure="0" success="1"><row id="1" msg="12" msgTxt="znesek"/></data>')),
}

REFUSED: dict[str, Reply] = {
    "JSON: failure and rows": as_json(
        {"success": False, "failure": True, "rows": [{"number": 12, "text": "slabo"}]}
    ),
    "JSON: counts": as_json({"success": "0", "failure": "1", "rows": [{"number": "12", "text": "slabo"}]}),
    "JSON: some taken, some not": as_json(
        {"success": 3, "failure": 1, "rows": [{"number": 12, "text": "x"}]}
    ),
    "JSON in Slovene": as_json({"Uspeh": "NE", "Sporočila": [{"Številka": 12, "Besedilo": "slabo"}]}),
    "JSON: success, and an error": as_json({"success": True, "rows": [{"severity": "ERR", "text": "slabo"}]}),
    "JSON: success, and a count of errors": as_json({"success": True, "errors": 2}),
    "JSON: a list of what failed": as_json({"success": [], "failure": [{"number": 12, "text": "slabo"}]}),
    "JSON: a row that failed": as_json({"success": True, "rows": [{"id": 1, "success": False}]}),
    "JSON: rows by their places": as_json({"success": False, "rows": [[12, "slabo"], ["13", "slabo"]]}),
    "JSON: texts by their numbers": as_json({"success": False, "rows": {"12": "slabo", "13": "slabo"}}),
    "JSON: numbers of what failed": as_json({"success": [1, 2], "failure": [3]}),
    "JSON: failure with a reason": as_json({"success": False, "message": "Ni pravic."}),
    "JSON: texts": as_json({"uspelo": False, "errors": ["slabo"], "warnings": ["znesek"]}),
    "JSON: a service error": as_json({"d": {"idNapake": "12", "opisNapake": "Ni pravic."}}),
    "JSON: a list of errors": as_json({"success": False, "errors": [{"text": "slabo"}]}),
    "JSON: an error as an object": as_json({"success": False, "error": {"code": 12, "message": "slabo"}}),
    "a failure in words": xml(call("<success>false</success><failure>Podpis ni veljaven.</failure>")),
    "JSON with HTTP 400": as_json(
        {"success": False, "rows": [{"number": 1, "text": "x"}]}, "400 Bad Request"
    ),
    "JSON with HTTP 422": as_json({"success": False, "rows": [{"number": 1, "text": "x"}]}, "422 No"),
    "JSON with HTTP 500": as_json({"success": False, "rows": [{"number": 1, "text": "x"}]}, "500 No"),
    "JSON as the result": xml(call('<![CDATA[{"success":0,"failure":1}]]>')),
    "rows in XML": xml(call('<data failure="1" success="0"><row id="1" msg="12" msgTxt="slabo"/></data>')),
    "an error beside a head that counts none": xml(call(ident(0) + row())),
    "an error in a list elsewhere": xml(call(f"{block(YES)}<Napake>{row()}</Napake>")),
    "an error, and no count": xml(call(block(f"<Ident/>{row()}"))),
    "a count, and no error": xml(call(ident(2))),
    "an answer with HTTP 500": replace(xml(call(block(NO))), status="500 Internal Server Error"),
    "a typed result with HTTP 500": replace(xml(call(NO)), status="500 Internal Server Error"),
    "references of Axis": xml(
        envelope(
            '<r><BlokPodOddajReturn href="#id0"/></r>'
            f'<multiRef id="id0" {XSI} xsi:type="n:O"><Ident href="#id1"/><Napaka href="#id2"/></multiRef>'
            f'<multiRef id="id1" {XSI} xsi:type="n:Ident"><iErr>0</iErr><iWrn>0</iWrn></multiRef>'
            f'<multiRef id="id2" {XSI} xsi:type="n:Napaka"><vrsta>ERR</vrsta><Opis>slabo</Opis></multiRef>'
        )
    ),
    "success 0 on the typed result": xml(call(YES, ' failure="1" success="0"')),
    "a text beside the answer that is none": xml(
        envelope(f"<r><BlokPodOddajResult>0</BlokPodOddajResult>{block(NO)}</r>")
    ),
    "success false round the answer": xml(call(block(YES), ' success="false"')),
    "a service error on the answer itself": xml(
        call(block(YES).replace("<BlokOdgovor", '<BlokOdgovor idNapake="12" OpisNapake="Ni pravic."'))
    ),
    "JSON: success of the call, and a refusal as text": as_json({"success": True, "result": block(NO)}),
    "JSON: failure, and a message in HTML": as_json({"success": False, "message": "<b>Ni pravic.</b>"}),
    "JSON: success, and counts of what failed": as_json({"successCount": 3, "failureCount": 1}),
    "a service error in a row": xml(
        call('<Napake><Napaka idNapake="12"><OpisNapake>Ni pravic.</OpisNapake></Napaka></Napake>')
    ),
    "JSON: a service error in a list": as_json({"napake": [{"idNapake": 12, "opisNapake": "Ni pravic."}]}),
    "a fault of ours as text": xml(call(html.escape(fault("soap:Client", "Ni pravic.")))),
    "an answer with HTTP 403": replace(xml(call(block(NO))), status="403 Forbidden"),
    "a service error with HTTP 401": replace(xml(call(SERVICE_ERROR)), status="401 Unauthorized"),
    "an amount that looks like a sub-status of IIS": replace(
        xml(call(block(NO.replace("račun", "znesek 404.13")))), status="500 Internal Server Error"
    ),
    "bytes that are no letters": Reply(
        call(block(NO)).encode().replace("č".encode(), b"\xe8\x81"), "text/xml; charset=utf-8"
    ),
}

KEYS = (
    "success",
    "failure",
    "uspeh",
    "iErr",
    "idNapake",
    "OpisNapake",
    "vrsta",
    "Napaka",
    "Ident",
    "rows",
    "d",
)
"""Names that say something in one notation or another."""

SERVICE_ERRORS: dict[str, Reply] = {
    "in the result": xml(call(SERVICE_ERROR)),
    "in a BlokOdgovor": xml(call(block(SERVICE_ERROR))),
    "in the body": xml(envelope(SERVICE_ERROR)),
    "escaped": xml(call(html.escape(SERVICE_ERROR))),
    "escaped, in a BlokOdgovor": xml(call(html.escape(DECLARED_UTF16 + block(SERVICE_ERROR)))),
    "in other letter case": xml(
        call('<IDENT dtdatumpriprave="x" IDNAPAKE="12"><opisnapake>Ni pravic.</opisnapake></IDENT>')
    ),
    "in elements": xml(
        call("<Ident><idNapake>12</idNapake><OpisNapake> Ni pravic. </OpisNapake></Ident>")
    ),
    "in attributes": xml(call('<Ident idNapake="12" OpisNapake="Ni pravic."/>')),
    "beside counts that nobody filled in": xml(
        call('<Ident iErr="0" iWrn="0" idNapake="12"><OpisNapake>Ni pravic.</OpisNapake></Ident>')
    ),
    "in MIME": related(call(SERVICE_ERROR)),
    "in windows-1250": xml(call(SERVICE_ERROR), "cp1250", CP1250),
    "with HTTP 500": replace(xml(call(SERVICE_ERROR)), status="500 Internal Server Error"),
    "in JSON": as_json({"Ident": {"idNapake": 12, "OpisNapake": "Ni pravic."}}),
}  # fmt: skip
"""Each says that error 12 is "Ni pravic."; nothing was taken."""


def fault12(code: str, text: str, subcode: str = "", detail: str = "") -> str:
    """A fault of SOAP 1.2."""
    more = f"<soap:Subcode><soap:Value>{subcode}</soap:Value></soap:Subcode>" if subcode else ""
    told = f"<soap:Detail>{detail}</soap:Detail>" if detail else ""
    return envelope(
        f"<soap:Fault><soap:Code><soap:Value>{code}</soap:Value>{more}</soap:Code><soap:Reason>"
        f'<soap:Text xml:lang="sl">{text}</soap:Text></soap:Reason>{told}</soap:Fault>',
        SOAP12,
    )


FAILED = "500 Internal Server Error"
FAULTS_OF_OURS: dict[str, tuple[Reply, str]] = {
    "Client": (xml(fault("soap:Client", "Ni pravic.")), "Ni pravic."),
    "Client with a subcode": (xml(fault("Client.Authentication", "Ni pravic.")), "Ni pravic."),
    "Client in another letter case": (xml(fault("soap:client", "Ni pravic.")), "Ni pravic."),
    "with its reason in the detail": (
        xml(fault("soap:Client", "Napaka", "<detail><n xmlns='u'>12</n><t> Ni \n pravic.</t></detail>")),
        "Napaka (12 Ni pravic.)",
    ),
    "Sender": (xml(fault12("soap:Sender", "Ni pravic.")), "Ni pravic."),
    "Sender with a subcode and a detail": (
        xml(fault12("soap:Sender", "Ni pravic.", "w:FailedAuthentication", "geslo")),
        "Ni pravic. (FailedAuthentication; geslo)",
    ),
    "WS-Security": (xml(fault("wsse:FailedAuthentication", "Ni pravic.")), "Ni pravic."),
    "another version of SOAP": (xml(fault("soap:VersionMismatch", "SOAP 1.1, prosim")), "SOAP 1.1, prosim"),
    "a header that must be understood": (xml(fault("soap:MustUnderstand", "x")), "x"),
    "no such operation, as WCF says it": (xml(fault("a:ActionNotSupported", "x")), "x"),
    "in MIME": (related(fault("soap:Client", "Ni pravic.")), "Ni pravic."),
    "in MIME and base64": (related(fault("soap:Client", "Ni pravic."), "base64"), "Ni pravic."),
    "in windows-1250": (xml(fault("soap:Client", "Geslo je poteklo, žal."), "cp1250", CP1250),
                        "Geslo je poteklo, žal."),
    "after line ends": (xml("\r\n" + DECLARED_UTF8 + fault("soap:Client", "x") + "\0"), "x"),
}  # fmt: skip
"""Faults that blame the message, each with the reason that a person reads in it."""

UNKNOWN: dict[str, tuple[Reply, str]] = {
    "neither yes nor no": (xml(call("<Ident/>")), "neither yes nor no"),
    "no service error, and nothing else": (
        xml(call('<Ident dtDatumPriprave="2026-11-17T18:00:00" idNapake="0"><OpisNapake/></Ident>')),
        "neither yes nor no",
    ),
    "warnings, and no count of errors": (xml(call(f"<Ident/>{row('WRN')}")), "neither yes nor no"),
    "a word": (xml(call("Sprejeto")), "only 'Sprejeto'"),
    "JSON that says nothing": (as_json({"status": "ok"}), "neither yes nor no"),
    "JSON of a gateway": (as_json({"errors": [{"message": "timeout"}]}, "504 No"), "neither yes nor no"),
    "JSON: yes and no": (as_json({"success": True, "failure": True}), "contradicts itself"),
    "JSON: neither taken nor not": (as_json({"success": 0, "failure": 0}), "contradicts itself"),
    "JSON: twice, and otherwise": (Reply(b'{"success":true,"success":false}'), "contradicts itself"),
    "JSON: success, and errors": (
        as_json({"success": True, "errors": [{"text": "slabo"}]}), "contradicts itself"
    ),
    "JSON: success, and a text among errors": (
        as_json({"success": True, "errors": ["slabo"]}), "contradicts itself"
    ),
    "a word for a yes": (xml(call("<success>neuspešno</success>")), "holds no BlokOdgovor"),
    "JSON: success, and a service error": (
        as_json({"success": True, "idNapake": 12, "opisNapake": "x"}), "contradicts itself"
    ),
    "JSON: a program that broke": (
        as_json({"success": False, "message": "An error has occurred."}, FAILED), "An error has occurred."
    ),
    "JSON: success with HTTP 500": (as_json({"success": True}, FAILED), "HTTP 500"),
    "JSON with a number of 5,000 digits": (Reply(b'{"success":%s}' % (b"9" * 5_000)), "digits"),
    "JSON with a long number across two blocks": (
        Reply(b'{"text":"%s","success":%s}' % (b"x" * 65_000, b"9" * 5_000)), "digits",
    ),
    "JSON that breaks off": (Reply(b'{"success":true,"rows":['), "breaks off"),
    "JSON with something behind it": (Reply(b'{"success":true} {"success":false}'), "not well-formed JSON"),
    "an acceptance with HTTP 500": (replace(xml(call(block(YES))), status=FAILED), "HTTP 500"),
    "an acceptance with HTTP 400": (replace(xml(call(block(YES))), status="400 No"), "HTTP 400"),
    "a refusal with a redirect": (replace(xml(call(block(NO))), status="302 Found"), "redirect"),
    "an answer and a fault": (
        xml(envelope(block(YES) + "<soap:Fault><faultcode>soap:Client</faultcode></soap:Fault>")),
        "contradicts itself",
    ),
    "a fault and an answer": (
        xml(envelope(f"<soap:Fault><faultcode>soap:Client</faultcode></soap:Fault>{block(YES)}")),
        "contradicts itself",
    ),
    "a fault and a typed result": (
        xml(envelope(f"<soap:Fault><faultcode>soap:Client</faultcode></soap:Fault><r>{YES}</r>")),
        "contradicts itself",
    ),
    "success and a fault": (
        xml(envelope("<r><success>true</success></r><soap:Fault><faultcode>soap:Client</faultcode>"
                     "</soap:Fault>")),
        "contradicts itself",
    ),
    "a failure beside an acceptance as text": (
        xml(envelope(f"<r><success>false</success><odgovor>{html.escape(block(YES))}</odgovor></r>")),
        "contradicts itself",
    ),
    "a failure on an acceptance as text": (
        xml(call(html.escape(block(YES)), ' success="0"')), "contradicts itself"
    ),
    "a service error beside an acceptance as text": (
        xml(envelope(f"<r><odgovor>{html.escape(block(YES))}</odgovor><idNapake>12</idNapake></r>")),
        "contradicts itself",
    ),
    "errors beside an acceptance as text": (
        xml(envelope(f"<r><odgovor>{html.escape(block(YES))}</odgovor><errors><error>x</error></errors></r>")),
        "contradicts itself",
    ),
    "a refusal as text beside an acceptance": (
        xml(envelope(f"<r>{block(YES)}<odgovor>{html.escape(block(NO))}</odgovor></r>")), "contradicts itself"
    ),
    "a refusal as text before an acceptance": (
        xml(envelope(f"<r><odgovor>{html.escape(block(NO))}</odgovor>{block(YES)}</r>")), "contradicts itself"
    ),
    "an error beside an acceptance as text": (
        xml(envelope(f"<r><odgovor>{html.escape(block(YES))}</odgovor><napake>{row()}</napake></r>")),
        "contradicts itself",
    ),
    "a failure beside an acceptance elsewhere": (
        related(
            envelope('<r success="0"><BlokPodOddajResult href="cid:answer@ajpes"/></r>'), "8bit", block(YES)
        ),
        "contradicts itself",
    ),
    "JSON: a failure beside an acceptance as text": (
        as_json({"success": False, "result": block(YES)}), "contradicts itself"
    ),
    "JSON: success of the call, and half an answer as text": (
        as_json({"success": True, "result": block(NO)[:-20]}), "not well-formed XML"
    ),
    "JSON: success of the call, and rows as text": (
        as_json({"success": True, "rows": '[{"vrsta":"ERR","text":"slabo"}]'}), "neither yes nor no"
    ),
    "JSON: success, and a row in a word that nobody knows": (
        as_json({"success": True, "rows": [{"vrsta": "ZAVRNITEV", "text": "x"}]}), "contradicts itself"
    ),
    "JSON: success, and the number of an error": (
        as_json({"success": True, "rows": [{"idNapake": 12, "text": "x"}]}), "contradicts itself"
    ),
    "an acceptance with HTTP 403": (replace(xml(call(block(YES))), status="403 Forbidden"), "HTTP 403"),
    "an amount in the fault of a server": (
        replace(xml(fault("soap:Server", "obresti 403.7")), status=FAILED), "obresti 403.7"
    ),
    "two answers": (xml(call(block(YES) + block(NO))), "more than one"),
    "an answer to the monthly report": (
        xml(call('<PsOdgovor><Ident iErr="0" iWrn="0" maticnaPonudnika="5860571000" mesecPodatkov="202610"/>'
                 "</PsOdgovor>")),
        "about the month 202610",
    ),
    "two heads": (xml(call(f"<a>{YES}</a><b>{NO}</b>")), "contradicts itself"),
    "a fault of the server": (
        xml(fault("soap:Server", "Server was unable to process request. ---> Timeout expired."), content_type=
            "text/xml; charset=utf-8"),
        "Timeout expired.",
    ),
    "a fault of the server in SOAP 1.2": (xml(fault12("soap:Receiver", "x", "", "zaklep")), "zaklep"),
    "MIME that breaks off": (
        replace(related(call(block(YES))), body=related(call(block(YES))).body[:-12]), "breaks off",
    ),
    "MIME without its answer": (
        related(call(f'<xop:Include {XOP} href="cid:nowhere"/>')), "a part that is not there",
    ),
    "MIME of nothing": (Reply(b"--b--\r\n", "multipart/related; boundary=b"), "no parts"),
    "base64 that breaks off": (
        xml(call(base64.b64encode(block(NO).encode()).decode()[:-5])), "gives no verdict",
    ),
    "nothing but blanks": (Reply(b"\r\n\0\0 "), "nothing but blanks"),
    "nothing": (Reply(b""), "empty"),
    "nothing, and HTTP 204": (Reply(b"", status="204 No Content"), "empty"),
    "nothing, and HTTP 202": (Reply(b"", status="202 Accepted"), "empty"),
    "something behind the end": (xml(call(block(YES)) + "<x/>"), "not well-formed XML"),
    "a NUL in the middle": (xml(call(block(YES).replace("/>", "/>\0"))), "not well-formed XML"),
    "documents in documents": (xml(call(html.escape(call(html.escape(call(html.escape(call(html.escape(
        call(html.escape(block(YES)))))))))))), "documents in one another"),
}  # fmt: skip
"""Each with a word of what is told: there is no verdict, or there are two."""
