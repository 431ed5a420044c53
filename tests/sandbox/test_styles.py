"""The styles of the authority: called by zeep from the WSDL of each, and by hand-made messages."""

from __future__ import annotations

import base64
import email.policy
import json
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.parser import BytesParser
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import httpx
import pytest
import requests
import zeep
from lxml import etree

from ajpes_reporting.sandbox import STYLES, Sandbox, SandboxError
from ajpes_reporting.sandbox.styles import style_of
from ajpes_reporting.sandbox.styles.wsdl import wsdl
from tests.sandbox.conftest import NOW, SCHEMAS, letter, tls, validated
from tests.sandbox.letters import NODURS, SERVICE, SOAP, event, message, one

GOOD = one(event("1"), count=1, total=10000)
WRONG = one(event("1"), count=2, total=10000)
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
CONTENT = GOOD.partition(">")[2].removesuffix("</Nodurs>")
VALUES = {
    "Ident": {
        "Naziv": "BANKA VZOREC", "datumPriprave": NOW, "steviloZapisov": "1", "sestevekZneskov": "10000",
        "datumPodatkov": "2026-11-17", "maticnaPonudnika": "5860571000",
    },
    "Dolznik": [{
        "Naziv": "DOLŽNIK", "davcna": "12345679",
        "Tr": [{"rn": "011006030000086", "Blok": [{"id": "O-1", "izdajatelj": "3", "No": [{
            "id": "1", "znesek": "10000", "sSpre": "01", "dSpre": "2026-11-17",
            "dtVpis": NOW.replace(hour=8, minute=0, second=0, tzinfo=None),
            "Upnik": {"rn": "SI56X1", "Naziv": "UPNIK"},
        }]}]}],
    }],
}  # fmt: skip
REQUESTS = (
    "asmx", "anytype", "nodurs", "content", "content-own", "content-bare", "string", "base64", "repeated",
    "single", "fields", "header", "basic", "soap12", "rpc", "unqualified", "imported", "action",
    "action-empty", "action-joined",
)  # fmt: skip
# What a client that knows only the shipped WSDL gets wrong; in the others its message fits as well.
OTHER_REQUESTS = [
    name for name in REQUESTS if name not in ("asmx", "anytype", "nodurs", "imported", "action")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One authority's folder, keys and all; each test starts it in a style of its own."""
    return tmp_path_factory.mktemp("styles") / "ajpes"


@pytest.fixture
def in_style(folder: Path) -> Iterator[Callable[..., Sandbox]]:
    """Starts the authority in a style."""
    started = []

    def start(*names: str) -> Sandbox:
        sandbox = Sandbox(folder, style=names, clock=lambda: NOW, poll_seconds=None)
        sandbox.start()
        started.append(sandbox)
        return sandbox

    yield start
    for sandbox in started:
        sandbox.stop()


def post(sandbox: Sandbox, body: bytes, **headers: str) -> httpx.Response:
    with httpx.Client(verify=tls(sandbox), timeout=30, trust_env=False) as client:
        return client.post(sandbox.soap_url, content=body, headers=headers)


def entries(sandbox: Sandbox) -> list[str]:
    return ["5860571000", "banka", sandbox.keys.soap_password.read_text().strip()]


@contextmanager
def zeep_client(sandbox: Sandbox, *, basic: bool) -> Iterator[Any]:
    """A client by a third party, from the WSDL as it is served."""
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(sandbox.keys.ca)
        session.cert = str(sandbox.keys.client_certificate), str(sandbox.keys.client_key)
        if basic:
            session.auth = tuple(entries(sandbox)[1:])
        yield zeep.Client(sandbox.wsdl_url, transport=zeep.Transport(session=session))  # type: ignore[no-untyped-call]  # zeep ships no types


def blok(style: str, client: Any) -> Any:
    match style:
        case "anytype":
            return zeep.xsd.AnyObject(client.get_element(f"{{{NODURS}}}Nodurs"), VALUES)  # type: ignore[no-untyped-call]
        case "nodurs":
            return {"Nodurs": VALUES}
        case "content" | "content-own" | "content-bare":
            return VALUES
        case "string":
            return GOOD
        case "base64":
            return GOOD.encode()
    return {"_value_1": etree.fromstring(GOOD)}


def ident(style: str, said: list[str]) -> dict[str, Any]:
    fields = dict(zip(("MaticnaStevilka", "UporabniskoIme", "Geslo"), said, strict=True))
    match style:
        case "repeated":
            return {"Ident": said}
        case "single":
            return {"Ident": ";".join(said)}
        case "fields":
            return {"Ident": fields}
        case "header":
            return {"_soapheaders": {"Ident": fields}}
        case "basic":
            return {}
    return {"Ident": {"string": said}}


@pytest.mark.parametrize("style", [name for name in REQUESTS if name != "anytype"])
def test_zeep_reports_by_the_wsdl_of_each_style(in_style: Callable[..., Sandbox], style: str) -> None:
    """Whoever rehearses: a client that keeps to the WSDL is understood, whatever it asks for."""
    sandbox = in_style(style)
    before = len(sandbox.store.submissions())
    with zeep_client(sandbox, basic=style == "basic") as client:
        client.service.BlokPodOddaj(Blok=blok(style, client), **ident(style, entries(sandbox)))
    assert [found.verdict for found in sandbox.store.submissions()[before:]] == ["accepted"]
    assert [row["amount_cents"] for row in sandbox.store.events()] == [10000]


@pytest.mark.parametrize("style", OTHER_REQUESTS)
def test_a_client_that_does_not_keep_to_the_wsdl_is_found_out(
    in_style: Callable[..., Sandbox], style: str
) -> None:
    """The bank: a rehearsal that takes any message proves nothing about the first day."""
    sandbox = in_style(style)
    before = len(sandbox.store.submissions())
    action = f'"{SERVICE}/BlokPodOddaj"'
    response = post(sandbox, letter(sandbox, GOOD), SOAPAction=action, **{"Content-Type": "text/xml"})
    assert response.status_code == 500 or (style, response.status_code) == ("soap12", 415)
    assert response.status_code == 415 or b"Fault" in response.content
    assert len(sandbox.store.submissions()) == before


def test_a_message_in_the_other_soap_is_not_even_read(in_style: Callable[..., Sandbox]) -> None:
    """The bank that took the wrong port of a WSDL: IIS says 415, and nothing has arrived."""
    sandbox = in_style("asmx")
    body = call(sandbox, GOOD, soap=SOAP12)
    assert post(sandbox, body, **{"Content-Type": "application/soap+xml; charset=utf-8"}).status_code == 415
    assert b"Fault" in post(sandbox, body, **{"Content-Type": "text/xml"}).content


def call(sandbox: Sandbox, blok: str, ident: str = "", header: str = "", soap: str = SOAP) -> bytes:
    """A hand-made call in the service's namespace; `ident` stands for the default where there is none."""
    said = "".join(f"<string>{text}</string>" for text in entries(sandbox))
    return (
        f'<e:Envelope xmlns:e="{soap}">{header}<e:Body><BlokPodOddaj xmlns="{SERVICE}"><Blok>{blok}</Blok>'
        f"{ident or f'<Ident>{said}</Ident>'}</BlokPodOddaj></e:Body></e:Envelope>"
    ).encode()


HAND_MADE: list[tuple[str, Callable[[Sandbox], bytes]]] = [
    ("anytype", lambda at: call(at, GOOD)),
    ("nodurs", lambda at: call(at, GOOD)),
    ("string", lambda at: call(at, escape(GOOD))),
    ("string", lambda at: call(at, f'<![CDATA[<?xml version="1.0" encoding="utf-16"?>{GOOD}]]>')),
    ("base64", lambda at: call(at, base64.encodebytes(GOOD.encode()).decode())),
    ("base64", lambda at: call(at, base64.b64encode(b"\xef\xbb\xbf" + GOOD.encode()).decode())),
    ("content", lambda at: call(at, CONTENT.replace("<Ident ", f'<Ident xmlns="{NODURS}" ')
                                .replace("<Dolznik ", f'<Dolznik xmlns="{NODURS}" '))),
    ("content-own", lambda at: call(at, CONTENT)),
    ("content-bare", lambda at: call(at, CONTENT.replace("<Ident ", '<Ident xmlns="" ')
                                     .replace("<Dolznik ", '<Dolznik xmlns="" '))),
    ("soap12", lambda at: call(at, GOOD, soap=SOAP12)),
]  # fmt: skip


@pytest.mark.parametrize(("style", "made"), HAND_MADE)
def test_a_hand_made_call_is_read_to_the_letter(
    in_style: Callable[..., Sandbox], style: str, made: Callable[[Sandbox], bytes]
) -> None:
    """Clients that zeep is not: namespaces, declarations and blanks as others write them."""
    sandbox = in_style(style)
    before = len(sandbox.store.submissions())
    media_type = "application/soap+xml" if style == "soap12" else "text/xml"
    response = post(sandbox, made(sandbox), **{"Content-Type": f"{media_type}; charset=utf-8"})
    assert response.status_code == 200, response.text
    assert [found.verdict for found in sandbox.store.submissions()[before:]] == ["accepted"]


@pytest.mark.parametrize("style", ["string", "base64", "content"])
def test_a_report_in_disguise_is_judged_like_any_other(in_style: Callable[..., Sandbox], style: str) -> None:
    """The bank: a wrong total is refused with its reason, however Blok carries it."""
    sandbox = in_style(style)
    with_namespace = CONTENT.replace("<Ident ", f'<Ident xmlns="{NODURS}" ')
    wrong = with_namespace.replace("<Dolznik ", f'<Dolznik xmlns="{NODURS}" ').replace(
        'steviloZapisov="1"', 'steviloZapisov="2"'
    )
    disguised = {
        "string": escape(WRONG),
        "base64": base64.b64encode(WRONG.encode()).decode(),
        "content": wrong,
    }
    response = post(sandbox, call(sandbox, disguised[style]))
    (answer,) = etree.fromstring(response.content).iter("BlokOdgovor")
    assert "Število zapisov v glavi (2)" in str(answer.findtext("Napaka/Opis"))


@pytest.mark.parametrize(
    ("style", "content"), [("base64", "Tm8%"), ("base64", "Tm9=="), ("string", "no XML")]
)
def test_what_is_no_report_is_refused_in_words(
    in_style: Callable[..., Sandbox], style: str, content: str
) -> None:
    """The bank, whose client packs it wrongly: an answer or a fault blames it, and says why."""
    sandbox = in_style(style)
    response = post(sandbox, call(sandbox, content))
    assert b"<Opis>" in response.content or b":Client<" in response.content
    assert sandbox.store.submissions()[-1:][0].verdict != "taken"


def answer_in(response: httpx.Response) -> etree._Element:
    """The result element of a reply."""
    (found,) = etree.fromstring(response.content).iter(f"{{{SERVICE}}}BlokPodOddajResult")
    return found


def ask(sandbox: Sandbox, report: str = WRONG) -> httpx.Response:
    return post(sandbox, letter(sandbox, report))


def test_a_typed_result_holds_ident_directly(in_style: Callable[..., Sandbox]) -> None:
    """As AJPES's sibling services reply: no BlokOdgovor, and everything in the service's namespace."""
    result = answer_in(ask(in_style("typed")))
    assert [etree.QName(child).localname for child in result] == ["Ident", "Napaka"]
    assert {etree.QName(child).namespace for child in result.iter()} == {SERVICE}
    assert result[0].get("iErr") == "1"


@pytest.mark.parametrize("style", ["text", "cdata"])
def test_a_result_as_text_holds_the_answer_as_a_document(
    in_style: Callable[..., Sandbox], style: str
) -> None:
    """As services with a string for a result reply."""
    response = ask(in_style(style))
    assert (b"CDATA" in response.content) == (style == "cdata")
    text = (
        str(answer_in(response).text).partition("?>")[2] if style == "text" else str(answer_in(response).text)
    )
    assert validated(text.encode()).find("Ident").get("iErr") == "1"  # type: ignore[union-attr]


@pytest.mark.parametrize(("report", "success", "rows"), [(GOOD, True, 0), (WRONG, False, 1)])
def test_a_result_in_json_says_success_or_failure(
    in_style: Callable[..., Sandbox], report: str, success: bool, rows: int
) -> None:
    """As one of AJPES's services replies: success, failure, and rows of number and text."""
    told = json.loads(str(answer_in(ask(in_style("json"), report)).text))
    assert (told["success"], told["failure"], len(told["rows"])) == (success, not success, rows)
    assert all(row.keys() == {"number", "text"} for row in told["rows"])


def test_a_service_error_stands_in_ident_and_nothing_is_taken(in_style: Callable[..., Sandbox]) -> None:
    """The bank that reports out of hours, or with a wrong password: the normal envelope says why."""
    sandbox = in_style("service-error")
    before = len(sandbox.store.submissions())
    (closed,) = answer_in(ask(sandbox, GOOD))
    (unknown,) = answer_in(post(sandbox, message(GOOD, "5860571000", "banka", "wrong")))
    assert (closed.get("idNapake"), unknown.get("idNapake")) == ("12", "1")
    assert closed.get("dtDatumPriprave") == "2026-11-17T17:05:01+01:00"
    assert "času" in str(closed.findtext(f"{{{SERVICE}}}OpisNapake"))
    assert len(sandbox.store.submissions()) == before


def test_a_loose_answer_breaks_its_schema_and_keeps_its_verdict(in_style: Callable[..., Sandbox]) -> None:
    """The bank: by both ways, a refusal must be read whatever else an answer brings."""
    sandbox = in_style("loose")
    (answer,) = answer_in(ask(sandbox))
    schema = etree.XMLSchema(etree.parse(SCHEMAS / "blokodgovor.xsd"))
    assert not schema.validate(etree.fromstring(etree.tostring(answer)))
    assert answer.find("Ident").get("iErr") == "1"  # type: ignore[union-attr]
    assert answer.find("Napaka").get("vrsta") == "err"  # type: ignore[union-attr]
    assert len(str(answer.findtext("Napaka/Opis"))) > 500
    row = '<Pi sta="1" dob="1" rn="070000000000187" bre="0"/>'
    report = (
        '<Spapp xmlns="http://www.ajpes.si/xml_sheme/spapp/spapp-20100601">'
        '<Ident datumPriprave="2026-11-05T09:00:00" skupajZnesekBreme="0" skupajZnesekDobro="2"'
        f' skupajZnesekStanj="2" maticnaPonudnika="5860571000" mesecPodatkov="202610"/>{row}{row}</Spapp>'
    )
    (sandbox.folder / "spapp" / "v_ajpes" / "SPAPP_202610_5860571.xml").write_text(report)
    sandbox.process_now()
    (file,) = (sandbox.folder / "spapp" / "iz_ajpes").iterdir()
    # Every right Slovenian account has these two control digits.
    assert etree.parse(file).getroot().find("Napaka").get("racun") == "SI56070000000000187"  # type: ignore[union-attr]


def test_a_reply_in_mime_has_the_envelope_as_its_root_part(in_style: Callable[..., Sandbox]) -> None:
    """Services that speak MTOM, faults included; read here by Python's own e-mail parser."""
    sandbox = in_style("mime")
    for response in (ask(sandbox), post(sandbox, b"<a/>")):
        head = f"Content-Type: {response.headers['content-type']}\r\n\r\n".encode()
        mail = BytesParser(policy=email.policy.HTTP).parsebytes(head + response.content)
        (part,) = mail.iter_parts()
        assert (mail.get_content_type(), part["Content-ID"]) == ("multipart/related", mail.get_param("start"))
        assert etree.fromstring(part.get_payload(decode=True)).tag == f"{{{SOAP}}}Envelope"


@pytest.mark.parametrize("style", ["windows-1250", "false-declaration"])
def test_content_type_alone_says_windows_1250(in_style: Callable[..., Sandbox], style: str) -> None:
    """RFC 7303: the header counts, before any declaration."""
    response = ask(in_style(style))
    assert response.headers["content-type"] == "text/xml; charset=windows-1250"
    assert response.content.startswith(b"<?xml") == (style == "false-declaration")
    assert "Število".encode("cp1250") in response.content


@pytest.mark.parametrize(
    ("style", "starts", "ends"),
    [("bom", b"\xef\xbb\xbf<?xml", b">"), ("crlf", b"\r\n<?xml", b">"), ("nul", b"<?xml", b"\r\n  \0")],
)
def test_the_edges_of_a_reply_are_frayed(
    in_style: Callable[..., Sandbox], style: str, starts: bytes, ends: bytes
) -> None:
    """Servers that put something before or after what they have to say."""
    body = ask(in_style(style)).content
    assert body.startswith(starts)
    assert body.endswith(ends)


def test_styles_that_change_different_things_go_together(in_style: Callable[..., Sandbox]) -> None:
    """AJPES's WSDL will not differ in one point only."""
    sandbox = in_style("base64", "single", "unqualified", "text", "mime")
    with zeep_client(sandbox, basic=False) as client:
        client.service.BlokPodOddaj(Blok=GOOD.encode(), Ident=";".join(entries(sandbox)))
    assert sandbox.store.submissions()[-1].verdict == "accepted"


@pytest.mark.parametrize(
    "names", [("string", "base64"), ("text", "json"), ("rpc", "repeated"), ("nonsense",)]
)
def test_styles_that_exclude_each_other_are_named(names: tuple[str, ...]) -> None:
    """Whoever tries one after the other: silence would play only the last."""
    with pytest.raises(SandboxError, match=names[-1]):
        style_of(names)


def test_habits_of_the_exchange_server_add_up() -> None:
    """Servers want for more than one right."""
    style = style_of(["no-list", "base64", "no-stat", "basic"])
    assert style.quirks == {"no_list", "no_stat"}
    assert style.settings["soap"] == 'authentication = "basic"\n'


def test_every_style_has_a_name_of_its_own_and_a_sentence() -> None:
    """Whoever looks for the one that AJPES's letter describes."""
    assert len({one.name for one in STYLES}) == len({one.description for one in STYLES}) == len(STYLES)
    assert set(REQUESTS) <= {one.name for one in STYLES}
    told = (SCHEMAS.parent / "docs" / "operating.md").read_text()
    assert [one.name for one in STYLES if f"| `{one.name}` | {one.description} |" not in told] == []


def test_the_wsdl_that_is_made_describes_what_the_shipped_one_does() -> None:
    """The default style hands out the shipped WSDL, the others one of the authority's own making."""
    assert wsdl(style_of(["asmx"]), "https://a").count(b'<xs:any processContents="lax"/>') == 2
    shipped, made = (etree.fromstring(wsdl(style_of([name]), "https://a")) for name in ("asmx", "action"))

    def told(wsdl: etree._Element) -> list[tuple[str, dict[str, str]]]:
        wanted = ("message", "part", "portType", "operation", "input", "output", "port", "service", "address")
        return [
            (
                etree.QName(one).localname,
                {str(key): str(value) for key, value in one.attrib.items() if key != "style"},
            )
            for one in wsdl.iter(etree.Element)
            if etree.QName(one).localname in wanted
        ]

    assert told(shipped) == told(made)


@pytest.mark.parametrize("style", [one.name for one in STYLES])
def test_a_style_needs_no_more_settings_than_a_bank_would_write(folder: Path, style: str) -> None:
    """Whoever gets AJPES's WSDL: its file is named in the settings, and little else."""
    plain, styled = (
        tomllib.loads(Sandbox(folder, style=names).settings(folder.parent)) for names in ((), (style,))
    )
    more = {key: value for key, value in styled["soap"].items() if key not in plain["soap"]}
    handed = {} if style_of([style]).asks_as_shipped else {"wsdl": "ajpes/wsBlokIzmenjava.wsdl"}
    assert more == handed | ({"authentication": "basic"} if style == "basic" else {})


def test_the_wsdl_lies_in_the_folder_with_what_it_imports(in_style: Callable[..., Sandbox]) -> None:
    """The bank that is handed files: they are read from there, and nothing is fetched."""
    sandbox = in_style("imported", "nodurs")
    client = zeep.Client(str(sandbox.wsdl_file))
    assert client.get_element(f"{{{NODURS}}}Nodurs") is not None
    assert sorted(path.name for path in sandbox.directory.glob("*.xsd")) == [
        "nodurs.xsd",
        "wsBlokIzmenjava.xsd",
    ]
