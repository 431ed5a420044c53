"""Every shape of a request, against an authority that knows nothing but its own WSDL."""

from __future__ import annotations

import functools
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from ajpes_reporting.deliver.soap import payload
from ajpes_reporting.deliver.soap.envelope import Envelope, SoapNames, make_envelope
from ajpes_reporting.domain.errors import ConfigurationError, UsageError
from ajpes_reporting.domain.outcomes import Delivered, Unknown
from ajpes_reporting.domain.ports import Parcel, no_progress
from tests.deliver.conftest import NODURS, PASSWORD, WSDL, Keys, MakeCarrier, MakeParcel
from tests.deliver.handovers import Watched, refuse
from tests.servers.https import HttpsServer
from tests.servers.wsdl_authority import WsdlAuthority, canonical, report_in

WSDLS = Path(__file__).parent / "wsdls"
SAMPLE = Path(__file__).parents[2] / "samples" / "reports" / "NODURS_20261104_5860571.xml"

XSI = "http://www.w3.org/2001/XMLSchema-instance"
ENTRIES = ("5860571000", "banka", PASSWORD)
ROLES = ("registration_number", "username", "password")


@dataclass(frozen=True)
class Case:
    """What the WSDL `name` asks for, read from it by hand: where the report stands, and where each entry.

    The places are XPath expressions with local names.
    """

    name: str
    place: str
    form: str
    entries: tuple[str, ...]
    version: str = "1.1"
    separator: str = ""
    settings: dict[str, Any] = field(default_factory=dict)


def body(*path: str) -> str:
    return "/".join(["/*/*[local-name()='Body']", *(f"*[local-name()='{name}']" for name in path)])


def header(*path: str) -> str:
    return body(*path).replace("'Body'", "'Header'")


CALL = "BlokPodOddaj"
ITEMS = (body(CALL, "Ident", "string"),)
CASES = [
    Case("asmx_xml", body(CALL, "Blok"), "element", ITEMS),
    Case("asmx_xml", body(CALL, "Blok"), "element", ITEMS, "1.2", settings={"version": "1.2"}),
    Case("asmx_xml", body(CALL, "Blok"), "element", ITEMS, "1.2",
         settings={"port": "wsBlokIzmenjavaSoap12"}),
    Case("asmx_string", body(CALL, "Blok"), "text", (body(CALL, "Ident", "Niz"),)),
    Case("asmx_string", body(CALL, "Blok"), "text", (body(CALL, "Ident", "Niz"),),
         settings={"document_form": "cdata"}),
    Case("asmx_header", body(CALL, "Blok"), "element",
         (header("Ident", "MaticnaStevilka"), header("Ident", "UporabniskoIme"), header("Ident", "Geslo"))),
    Case("asmx_bytes", body(CALL, "Blok"), "base64", ITEMS),
    Case("asmx_soap12", body(CALL, "Blok"), "element", ITEMS, "1.2"),
    Case("asmx_sibling", body("OddajPorocilo", "sXml"), "text",
         tuple(body("OddajPorocilo", name) for name in ("storitev", "uporabnik", "geslo")),
         settings={"operation": "OddajPorocilo", "roles": ("", "username", "password")}),
    Case("asmx_typed", body(CALL, "Blok", "Nodurs"), "content", ITEMS),
    Case("wcf", body(CALL, "Blok"), "element", ITEMS),
    Case("jaxws_arguments", body(CALL, "arg0"), "base64", (body(CALL, "arg1"),)),
    Case("jaxws_content", body(CALL, "Blok"), "content",
         tuple(body(CALL, "Ident") + f"/@{name}" for name in ("maticna", "uporabnik", "geslo"))),
    Case("jaxws_unqualified", body(CALL, "Blok"), "content", (body(CALL, "Ident"),), "1.2", ";"),
    Case("cxf_reference", body(CALL, "Blok"), "element", (body(CALL, "Ident"),)),
    Case("cxf_bare", body("Nodurs"), "content", (header("Ident", "vnos"),)),
    Case("axis_rpc", body(CALL, "Blok"), "text",
         tuple(body(CALL, "Ident", name) for name in ("maticna", "uporabnik", "geslo"))),
    Case("rpc_typed", body(CALL, "Blok"), "content", (body(CALL, "Ident"),), separator="|",
         settings={"ident_separator": "|"}),
    Case("gsoap", body(CALL, "Blok"), "element", (body(CALL, "Ident"),)),
    Case("gsoap", body(CALL, "Blok"), "content", (body(CALL, "Ident"),),
         settings={"document_form": "content"}),
    Case("gsoap", body(CALL, "Blok"), "text", (), settings={"document_form": "text", "ident_form": "none"}),
    Case("only_nodurs", body(CALL, "Nodurs"), "content", ()),
    Case("bare_blok", body("Blok"), "element", ()),
    Case("lower_case", body("blokPodOddaj", "blok"), "text",
         (body("blokPodOddaj", "glava", "ident", "vnosi", "vnos"),),
         settings={"parameters": {"test": "false"}}),
    Case("mtom_bytes", body(CALL, "Blok", "vsebina"), "base64",
         (body(CALL, "Ident", "Maticna"), body(CALL, "Ident", "Prijava", "Uporabnik"),
          body(CALL, "Ident", "Prijava", "Geslo"))),
]  # fmt: skip


@pytest.fixture(scope="module")
def server(keys: Keys) -> Iterator[HttpsServer]:
    """One server for all; each test tells it which authority to be."""
    with HttpsServer(str(keys.server), str(keys.ca), lambda visit: None) as server:
        yield server


@pytest.fixture
def report(make_parcel: MakeParcel) -> Parcel:
    return make_parcel(SAMPLE.read_bytes())


@pytest.mark.parametrize("case", CASES, ids=[f"{each.name}-{each.version}-{each.form}" for each in CASES])
def test_a_server_written_from_the_wsdl_alone_takes_the_report(
    case: Case, server: HttpsServer, make_carrier: MakeCarrier, report: Parcel, tmp_path: Path
) -> None:
    """A bank that is handed a WSDL gets its report through as that WSDL wants it."""
    wsdl = WSDLS / f"{case.name}.wsdl"
    authority = WsdlAuthority(wsdl, tmp_path)
    server.behaviour = authority.behaviour()
    names = SoapNames(**{"roles": ROLES, **case.settings})
    outcome = make_carrier(server.port, wsdl=wsdl, names=names, ident=ENTRIES).deliver(report)
    assert authority.objections == []
    assert isinstance(outcome, Delivered)
    [message] = authority.received
    assert ("2003/05" in str(message.tag)) == (case.version == "1.2")
    assert report_in(_place(message, case), case.form) == canonical(etree.parse(SAMPLE).getroot())
    entries = [case.separator.join(ENTRIES)] if case.separator else list(ENTRIES)
    assert [text for each in case.entries for text in _texts(message, each)] == entries * bool(case.entries)


@pytest.mark.parametrize("case", CASES, ids=[f"{each.name}-{each.version}-{each.form}" for each in CASES])
def test_in_no_shape_the_message_is_whole_before_the_last_moment(
    case: Case, server: HttpsServer, make_carrier: MakeCarrier, report: Parcel, tmp_path: Path
) -> None:
    """A run that was replaced in the middle of the call leaves half a message, which nobody can read."""
    wsdl = WSDLS / f"{case.name}.wsdl"
    authority = WsdlAuthority(wsdl, tmp_path)
    server.behaviour = authority.behaviour()
    names = SoapNames(**{"roles": ROLES, **case.settings})
    carrier = make_carrier(server.port, wsdl=wsdl, names=names, ident=ENTRIES)
    outcome = carrier.deliver(report, no_progress, Watched(still_ours=refuse))
    assert isinstance(outcome, Unknown)
    assert (authority.received, authority.objections) == ([], [])


def test_no_password_goes_where_something_else_may_belong(tmp_path: Path) -> None:
    """A header for a number of the transaction is not taken for Ident because there is no other."""
    wsdl = tmp_path / "ajpes.wsdl"
    text = (WSDLS / "asmx_header.wsdl").read_text().replace("Ident", "Sled")
    for name in ("UporabniskoIme", "Geslo", "MaticnaStevilka"):
        text = text.replace(name, f"Polje{len(name)}")
    wsdl.write_text(text)
    envelope = make_envelope(wsdl, SoapNames(roles=ROLES), ENTRIES)
    assert PASSWORD.encode() not in envelope.head + envelope.tail


def test_an_array_of_soap_encoding_is_sent_if_its_items_are_named(tmp_path: Path) -> None:
    """Old tools write such arrays into WSDLs that are literal otherwise; they never name the items."""
    wsdl = tmp_path / "ajpes.wsdl"
    wsdl.write_text((WSDLS / "axis_rpc_encoded.wsdl").read_text().replace('use="encoded"', 'use="literal"'))
    with pytest.raises(ConfigurationError, match="an array of SOAP encoding"):
        make_envelope(wsdl, SoapNames(), ENTRIES)
    envelope = make_envelope(wsdl, SoapNames(ident_item="item"), ENTRIES)
    assert envelope.tail.count(b"<item>") == len(ENTRIES)


def test_a_version_that_no_wsdl_offers_can_be_set() -> None:
    """AJPES may say by letter what its WSDL does not."""
    envelope = make_envelope(WSDL, SoapNames(version="1.2"), ENTRIES)
    assert envelope.headers["Content-Type"].startswith("application/soap+xml; charset=utf-8; action=")
    assert b"http://www.w3.org/2003/05/soap-envelope" in envelope.head


@pytest.mark.parametrize(
    ("form", "inside"), [("text", "&lt;Nodurs"), ("cdata", "<![CDATA[<Nodurs"), ("base64", "PD94bWwg")]
)
def test_without_a_wsdl_of_ajpes_the_form_can_be_set(make_parcel: MakeParcel, form: str, inside: str) -> None:
    """The shipped WSDL is bent by settings alone, as far as AJPES tells us more."""
    envelope = make_envelope(WSDL, SoapNames(document_form=form, ident_form="text"), ENTRIES)
    report = payload.make_payload(make_parcel(SAMPLE.read_bytes()), envelope.form, envelope.root)
    message = envelope.head + b"".join(report.blocks(no_progress)) + envelope.tail
    etree.fromstring(message)
    assert inside.encode() in message
    assert ";".join(ENTRIES).encode() in message


def _place(message: etree._Element, case: Case) -> etree._Element:
    found = message.xpath(case.place)
    assert isinstance(found, list)
    [place] = found
    assert isinstance(place, etree._Element)
    return place


# --- whatever the file looks like ---

_NAMES = st.sampled_from(["Ident", "Dolznik", "Naziv", "Tr", "Blok", "No", "Upnik", "Čšž"])
_TEXTS = st.text(st.sampled_from("ab čž&<>\"'\r\n\t]€\U0001f600")) | st.sampled_from(
    ["]]>", "]]]]>>", "a]]", ""]
)


@st.composite
def _elements(draw: st.DrawFn, prefix: str, depth: int = 3) -> str:
    name = prefix + draw(_NAMES)
    attributes = draw(st.dictionaries(st.sampled_from(["a", "b", "xml:lang"]), _TEXTS, max_size=2))
    written = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    if depth == 0 or draw(st.booleans()):
        return f"<{name}{written}/>"
    inside = "".join(
        draw(
            _elements(prefix, depth - 1)
            | _TEXTS.map(_as_text)
            | st.just("<!-- > <x> -->")
            | st.just("<?p <?>")
        )
        for _ in range(draw(st.integers(0, 3)))
    )
    return f"<{name}{written}>{inside}</{name} >"


def _as_text(text: str) -> str:
    return escape(text).replace("\r", "&#13;")


@st.composite
def _files(draw: st.DrawFn) -> bytes:
    """Reports as anybody might write them: with a mark, a declaration, comments, a prefix, an empty root."""
    prefix = draw(st.sampled_from(["", "", "", "n:", "call:", "soap:", "ns0:"]))
    declared = f"xmlns:{prefix[:-1]}" if prefix else "xmlns"
    more = draw(st.sampled_from(["", ' xmlns:ns0="urn:x"' if prefix != "ns0:" else "", " v='>'"]))
    hint = f' xmlns:xsi="{XSI}" xsi:schemaLocation="{NODURS} x.xsd"' if draw(st.booleans()) else ""
    start = f'<{prefix}Nodurs {declared} = "{NODURS}"{more}{hint}'
    inside = "".join(draw(_elements(prefix)) for _ in range(draw(st.integers(0, 3))))
    root = f"{start}>{inside}</{prefix}Nodurs>" if inside or draw(st.booleans()) else f"{start}/>"
    head = draw(st.sampled_from(["", '<?xml version="1.0" encoding="UTF-8"?>\r\n', "<?xml version='1.0'?>"]))
    mark = draw(st.sampled_from(["", "\ufeff"]))
    around = draw(st.sampled_from(["", "\n", "<!-- <Nodurs> -->", "<?p?>\n"]))
    return f"{mark}{head}{around}{root}{around}\n".encode()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), content=_files(), block=st.integers(1, 12))
def test_every_message_is_well_formed_and_holds_the_very_report(
    data: st.DataObject, content: bytes, block: int, make_parcel: MakeParcel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the authority calls wrong is never our way of wrapping it up."""
    monkeypatch.setattr(payload, "_BLOCK_BYTES", block * 3)
    case = data.draw(st.sampled_from(CASES))
    envelope = _envelope(case)
    parcel = make_parcel(content)
    try:
        report = payload.make_payload(parcel, envelope.form, envelope.root)
    except UsageError as error:
        assert "in no namespace" in error.message
        assert case.name == "jaxws_unqualified"
        return
    read: list[int] = []
    blocks = b"".join(report.blocks(read.append))
    assert (len(blocks), sum(read)) == (report.size_bytes, len(content))
    message = etree.fromstring(envelope.head + blocks + envelope.tail)
    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(envelope.head + blocks)
    original = etree.fromstring(content)
    assert report_in(_place(message, case), case.form) == canonical(original)


@functools.cache
def _envelope_of(number: int) -> Envelope:
    case = CASES[number]
    names = SoapNames(**{"roles": ROLES, **case.settings})
    return make_envelope(WSDLS / f"{case.name}.wsdl", names, ENTRIES)


def _envelope(case: Case) -> Envelope:
    return _envelope_of(CASES.index(case))


@pytest.mark.parametrize(
    "content",
    [
        b'<!DOCTYPE Nodurs [<!ENTITY a "b">]><Nodurs/>',
        b"<!-- --><!DOCTYPE Nodurs><Nodurs/>",
        b'<?xml version="1.1"?><Nodurs/>',
        b"Nodurs",
        b"",
    ],
)
@pytest.mark.parametrize("name", ["asmx_xml", "asmx_string", "asmx_typed"])
def test_a_file_that_can_stand_in_no_message_is_not_sent(
    make_parcel: MakeParcel, make_carrier: MakeCarrier, content: bytes, name: str
) -> None:
    """Nothing leaves this machine that would make the whole message unreadable."""
    with pytest.raises(UsageError, match="Nothing was sent"):
        make_carrier(1, wsdl=WSDLS / f"{name}.wsdl").deliver(make_parcel(content))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (f'<Nodurs xmlns="{NODURS}"><Ident xmlns="{NODURS}"/></Nodurs>', "once more"),
        (f'<Nodurs xmlns="{NODURS}"><Ident></Nodurs>', "not well-formed"),
    ],
)
def test_a_file_whose_tags_cannot_be_rewritten_is_not_sent(
    make_parcel: MakeParcel, make_carrier: MakeCarrier, content: str, word: str
) -> None:
    """A report that would arrive in two namespaces is not sent at all."""
    with pytest.raises(UsageError, match=word):
        make_carrier(1, wsdl=WSDLS / "asmx_typed.wsdl").deliver(make_parcel(content.encode()))


@pytest.mark.parametrize("name", ["asmx_string", "asmx_bytes", "rpc_typed", "asmx_typed"])
def test_a_large_report_needs_no_memory_in_any_form(make_parcel: MakeParcel, name: str) -> None:
    """Escaped, in Base64 or rewritten, the largest bank's report goes through the smallest machine."""
    row = b'<Dolznik a="&amp;"><Naziv>' + b"x &lt; y" * 200 + b"</Naziv></Dolznik>\n"
    parcel = make_parcel(f'<Nodurs xmlns="{NODURS}">'.encode() + row * 2_000 + b"</Nodurs>")
    envelope = make_envelope(WSDLS / f"{name}.wsdl", SoapNames(), ENTRIES)
    tracemalloc.start()
    report = payload.make_payload(parcel, envelope.form, envelope.root)
    size = sum(map(len, report.blocks(no_progress)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size == report.size_bytes > 1_000_000
    assert peak < 2_000_000


def _texts(message: etree._Element, place: str) -> list[str]:
    found = message.xpath(place)
    assert isinstance(found, list)
    return [str(each if isinstance(each, str) else each.text) for each in found]


# --- what cannot be sent, and strangers ---


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("axis_rpc_encoded", {}, "rpc/encoded"),
        ("hex_bytes", {}, "hexBinary"),
        ("asmx_sibling", {}, "it has OddajPorocilo"),
        ("asmx_xml", {"version": "1.1", "port": "wsBlokIzmenjavaSoap12"}, "it offers wsBlokIzmenjavaSoap"),
        ("asmx_xml", {"ident": "Prijava"}, "no element Prijava"),
        ("asmx_xml", {"ident_item": "niz"}, "soap.ident cannot"),
        ("asmx_header", {"ident_fields": ("Pin",)}, "has the fields UporabniskoIme, Geslo"),
        ("jaxws_content", {"roles": (), "ident_fields": ("geslo", "uporabnik")}, "3 entries"),
        ("mtom_bytes", {"ident_form": "none"}, "wants the element Geslo"),
        ("lower_case", {}, "wants the attribute test of blokPodOddaj"),
        ("asmx_xml", {"soap_action": "urn:x\r\nEvil: y"}, "no header can carry"),
    ],
)
def test_what_cannot_be_sent_is_told_before_anything_leaves(
    make_carrier: MakeCarrier, name: str, settings: dict[str, Any], words: str
) -> None:
    """The operator reads what the WSDL says and what to do, and nothing has left."""
    names = SoapNames(**{"roles": ROLES, **settings})
    with pytest.raises(ConfigurationError, match=words):
        make_carrier(1, wsdl=WSDLS / f"{name}.wsdl", names=names, ident=ENTRIES)


def importing(location: str) -> str:
    """A WSDL that imports another one."""
    return PLAIN.replace(
        "<wsdl:types>", f'<wsdl:import namespace="urn:x" location="{location}"/><wsdl:types>'
    )


def doubling(kind: str, reference: str) -> str:
    """A WSDL each of whose groups or types holds the next one twice: a few lines, a billion elements."""
    levels = [
        f'<{kind} name="T{number}"><s:sequence>{reference.format(number + 1) * 2}</s:sequence></{kind}>'
        for number in range(30)
    ]
    last = f'<{kind} name="T30"><s:sequence><s:element name="x" type="s:string"/></s:sequence></{kind}>'
    text = PLAIN.replace("</s:schema>", "".join(levels) + last + "</s:schema>")
    return text.replace("<s:sequence>", f"<s:sequence>{reference.format(0)}", 1)


PLAIN = (WSDLS / "asmx_bytes.wsdl").read_text()


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "there is nothing in it"),
        ("<html><body>404</body></html>", "no WSDL 1.1, its root element is html"),
        (PLAIN.replace("<wsdl:def", '<!DOCTYPE x [<!ENTITY a "b">]><wsdl:def', 1), "DOCTYPE"),
        (PLAIN.replace('type="tns:ArrayOfString"', 'type="tns:Missing"'), "Missing"),
        (PLAIN.replace('message="tns:BlokPodOddajSoapIn"', 'message="tns:Missing"'), "cannot be used"),
        (PLAIN.replace('type="tns:wsBlokIzmenjavaSoap"', 'type="q:wsBlokIzmenjavaSoap"'), "cannot be used"),
        (PLAIN.replace('element="tns:BlokPodOddaj"', 'element="tns:Missing"'), "invalid part"),
        (PLAIN.replace("</wsdl:types>", '</wsdl:types><wsdl:import location="x.wsdl"/>'), "x.wsdl"),
        (PLAIN.replace('"Blok"', f'"{"B" * 60_000}"'), "a name of more than 1,000 characters"),
        (importing("../other/x.wsdl"), "outside"),
        (importing("/etc/passwd"), "outside"),
        (importing("file:///etc/passwd"), "outside"),
        (importing("https://x/y"), "nothing is fetched"),
        (PLAIN + " " * 5_000_000, "larger than"),
        (PLAIN.replace("<s:sequence>", "<s:sequence>" * 300, 1), "cannot be used"),
        (doubling("s:group", '<s:group ref="tns:T{}"/>'), "more than 5,000 elements"),
        (doubling("s:complexType", '<s:element name="a" type="tns:T{}"/>'), "more than 5,000 elements"),
        (doubling("s:group", '<s:group ref="tns:T0"/>'), "cannot be used"),
    ],
)  # fmt: skip
def test_a_strange_wsdl_is_told_in_words(
    make_carrier: MakeCarrier, tmp_path: Path, text: str, word: str
) -> None:
    """Whatever somebody hands over as a WSDL, the operator reads what is wrong with it."""
    wsdl = tmp_path / "strange.wsdl"
    wsdl.write_text(text)
    with pytest.raises(ConfigurationError, match=word):
        make_carrier(1, wsdl=wsdl)


@pytest.mark.parametrize(
    ("location", "file"),
    [
        ("https://www.ajpes.si/xsd/tipi.xsd", "tipi.xsd"),
        ("http://srv01/B.svc?xsd=xsd0", "xsd0.xsd"),
        ("xsd\\tipi.xsd", "xsd/tipi.xsd"),
        ("file:{folder}/tipi.xsd", "tipi.xsd"),
    ],
)
def test_what_a_wsdl_imports_is_found_beside_it_as_people_save_it(
    tmp_path: Path, location: str, file: str
) -> None:
    """Nobody has to edit AJPES's WSDL, whatever it calls the files beside it."""
    wsdl, schema = tmp_path / "ajpes.wsdl", tmp_path / file
    schema.parent.mkdir(exist_ok=True)
    schema.write_text(
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:tipi">'
        '<xs:simpleType name="Datoteka"><xs:restriction base="xs:base64Binary"/></xs:simpleType></xs:schema>'
    )
    place = location.replace("{folder}", str(tmp_path))
    imported = f'<s:import namespace="urn:tipi" schemaLocation="{place}"/><s:element name="BlokPodOddaj">'
    text = PLAIN.replace('<s:element name="BlokPodOddaj">', imported)
    wsdl.write_text(text.replace('type="s:base64Binary"', 'xmlns:t="urn:tipi" type="t:Datoteka"'))
    assert make_envelope(wsdl, SoapNames(), ENTRIES).form == "base64"


def test_a_wsdl_that_imports_itself_for_ever_comes_to_an_end(
    make_carrier: MakeCarrier, tmp_path: Path
) -> None:
    """A circle of imports, each under another name of a namespace, does not keep a run from its deadline."""
    wsdl = tmp_path / "circle.wsdl"
    wsdl.write_text(importing("circle.wsdl"))
    with pytest.raises(ConfigurationError, match="over and over"):
        make_carrier(1, wsdl=wsdl)
