"""SOAP delivery against servers that answer as they should."""

from __future__ import annotations

import base64
import html
import logging
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from lxml import etree

from ajpes_reporting.deliver.soap.envelope import SoapNames
from ajpes_reporting.domain.errors import ConfigurationError, UsageError
from ajpes_reporting.domain.outcomes import Delivered, Refused
from ajpes_reporting.domain.ports import Parcel
from tests.deliver.conftest import (
    ANSWER,
    NODURS,
    PASSWORD,
    REPORT,
    Keys,
    MakeCarrier,
    MakeParcel,
    MakeServer,
    soap,
    soap_answer,
)
from tests.servers.https import Visit, answering, http

SOAP_BODY = "{http://schemas.xmlsoap.org/soap/envelope/}Body"
OURS = "{http://www.ajpes.si/wsBlokIzmenjava}"


def call_in(message: bytes) -> etree._Element:
    """The element that the SOAP body holds."""
    body = etree.fromstring(message).find(SOAP_BODY)
    assert body is not None
    return body[0]


def root_of(answer: Path | None) -> str:
    """The name of the root element of an answer, with its namespace."""
    assert answer is not None
    return str(etree.parse(answer).getroot().tag)


def test_the_report_arrives_in_the_envelope_as_it_is(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel
) -> None:
    """The authority reads the very report that was checked, in its own namespace."""
    server = make_server()
    assert isinstance(make_carrier(server.port).deliver(parcel), Delivered)
    [request] = server.requests
    call = call_in(request.body)
    assert call.tag == f"{OURS}BlokPodOddaj"
    blok, ident = call
    assert (blok.tag, ident.tag) == (f"{OURS}Blok", f"{OURS}Ident")
    assert [(each.tag, each.text) for each in ident] == [
        (f"{OURS}string", "5860571000"),
        (f"{OURS}string", "banka"),
        (f"{OURS}string", PASSWORD),
    ]
    [report] = blok
    assert report.tag == f"{{{NODURS}}}Nodurs"
    assert REPORT.partition(b"?>\n")[2].strip() in request.body


def test_the_request_is_plain_soap_1_1(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel
) -> None:
    """Servers that know no chunked requests, as old ones do, take our call."""
    server = make_server()
    make_carrier(server.port).deliver(parcel)
    [request] = server.requests
    assert request.line == "POST /wsBlokIzmenjava.asmx HTTP/1.1"
    assert request.headers["content-type"] == "text/xml; charset=utf-8"
    assert request.headers["soapaction"] == '"http://www.ajpes.si/wsBlokIzmenjava/BlokPodOddaj"'
    assert int(request.headers["content-length"]) == len(request.body)
    assert "transfer-encoding" not in request.headers
    assert "authorization" not in request.headers


def test_a_byte_order_mark_does_not_stand_in_the_envelope(
    make_server: MakeServer, make_carrier: MakeCarrier, make_parcel: MakeParcel
) -> None:
    """A second XML declaration in the middle would make the whole message unreadable."""
    server = make_server()
    make_carrier(server.port).deliver(make_parcel(b"\xef\xbb\xbf" + REPORT))
    body = server.requests[0].body
    assert b"\xef\xbb\xbf" not in body
    assert body.count(b"<?xml") == 1


def test_basic_authentication_goes_into_the_header(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel
) -> None:
    """Where the authority wants HTTP Basic, the password stands in no message body."""
    server = make_server()
    make_carrier(server.port, authentication="basic", ident=("5860571000",)).deliver(parcel)
    [request] = server.requests
    assert (
        request.headers["authorization"] == "Basic " + base64.b64encode(f"banka:{PASSWORD}".encode()).decode()
    )
    assert PASSWORD.encode() not in request.body


def test_every_name_can_be_set(make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel) -> None:
    """The authority's real names are known only when it hands over its WSDL."""
    reply = soap_answer().replace(b"BlokPodOddajResult", b"Izid")
    server = make_server(answering(http(reply.replace(ANSWER, html.escape(ANSWER.decode()).encode()))))
    names = SoapNames("Oddaj", "Podatki", "Kdo", "niz", "Izid", "urn:ajpes:2027", "urn:dejanje")
    assert isinstance(make_carrier(server.port, names=names).deliver(parcel), Delivered)
    [request] = server.requests
    call = call_in(request.body)
    assert [each.tag for each in call.iter() if str(each.tag).startswith("{urn:")] == [
        "{urn:ajpes:2027}Oddaj",
        "{urn:ajpes:2027}Podatki",
        "{urn:ajpes:2027}Kdo",
        *["{urn:ajpes:2027}niz"] * 3,
    ]
    assert request.headers["soapaction"] == '"urn:dejanje"'


def test_the_authoritys_own_wsdl_works_with_its_own_names(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel, tmp_path: Path
) -> None:
    """A WSDL that arrives one day replaces ours without a change of the program."""
    wsdl = tmp_path / "ajpes.wsdl"
    wsdl.write_text(FOREIGN_WSDL)
    server = make_server()
    names = SoapNames("Submit", "Document", "Caller", "", "SubmitResult", "urn:foreign")
    assert isinstance(make_carrier(server.port, wsdl=wsdl, names=names).deliver(parcel), Delivered)
    [request] = server.requests
    call = call_in(request.body)
    assert [each.tag for each in call] == ["{urn:foreign}Document", *["{urn:foreign}Caller"] * 3]
    assert request.headers["soapaction"] == '"urn:foreign#Submit"'


@pytest.mark.parametrize(
    ("names", "word"),
    [(SoapNames("Send"), "Send"), (SoapNames("Submit", "Other", "Caller", ""), "Other")],
    ids=["operation", "parameter"],
)
def test_a_name_the_wsdl_does_not_have_is_a_matter_of_configuration(
    make_carrier: MakeCarrier, tmp_path: Path, names: SoapNames, word: str
) -> None:
    """The operator learns of it before anything is sent."""
    wsdl = tmp_path / "ajpes.wsdl"
    wsdl.write_text(FOREIGN_WSDL)
    with pytest.raises(ConfigurationError, match=word):
        make_carrier(1, wsdl=wsdl, names=names)


def test_a_wsdl_fetches_nothing_from_the_network(make_carrier: MakeCarrier, tmp_path: Path) -> None:
    """A file from outside does not decide whom we call."""
    wsdl = tmp_path / "ajpes.wsdl"
    wsdl.write_text(
        FOREIGN_WSDL.replace(
            "<xs:element", '<xs:import schemaLocation="http://192.0.2.1/x.xsd"/><xs:element', 1
        )
    )
    with pytest.raises(ConfigurationError, match=r"192\.0\.2\.1/x\.xsd; nothing is fetched"):
        make_carrier(1, wsdl=wsdl)


@pytest.mark.parametrize(
    "url", ["http://localhost/x", "localhost", "https://", "https://user:pw@localhost/x"]
)
def test_only_an_https_address_will_do(make_carrier: MakeCarrier, url: str) -> None:
    """Names and debts do not travel in the clear."""
    with pytest.raises(ConfigurationError, match="endpoint"):
        make_carrier(1, url=url)


EMBEDDED = ANSWER.replace(b"<BlokOdgovor>", b'<BlokOdgovor xmlns="">')
WITH_PREFIX = EMBEDDED.replace(
    b"<BlokOdgovor", b'<BlokOdgovor xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"'
)


@pytest.mark.parametrize(
    ("result", "answer"),
    [
        (EMBEDDED, WITH_PREFIX),
        (html.escape(ANSWER.decode()).encode(), ANSWER),
        (b"<![CDATA[" + ANSWER + b"]]>", ANSWER),
        (html.escape('<?xml version="1.0" encoding="utf-16"?>\n' + ANSWER.decode()).encode(), ANSWER),
    ],
    ids=["element", "escaped", "cdata", "escaped with declaration"],
)
def test_the_answer_is_cut_out_as_it_came(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel, result: bytes, answer: bytes
) -> None:
    """An auditor finds the authority's own words, and the envelope beside them."""
    reply = soap_answer(result)
    server = make_server(answering(http(reply)))
    outcome = make_carrier(server.port).deliver(parcel)
    assert isinstance(outcome, Delivered)
    assert outcome.answer is not None
    assert outcome.answer.read_bytes() == b'<?xml version="1.0" encoding="UTF-8"?>\n' + answer + b"\n"
    assert outcome.answer.with_suffix(".envelope.xml").read_bytes() == reply


def test_an_answer_in_a_namespace_keeps_it(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel
) -> None:
    """An answer that uses the envelope's prefixes can be read without the envelope."""
    result = ANSWER.replace(b"<BlokOdgovor", b"<a:BlokOdgovor").replace(b"</BlokOdgovor", b"</a:BlokOdgovor")
    reply = soap_answer(result).replace(b"<soap:Body>", b'<soap:Body xmlns:a="urn:x&amp;y">')
    outcome = make_carrier(make_server(answering(http(reply))).port).deliver(parcel)
    assert isinstance(outcome, Delivered)
    assert root_of(outcome.answer) == "{urn:x&y}BlokOdgovor"


def test_two_calls_keep_both_replies(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel
) -> None:
    """Evidence is never overwritten by a later attempt."""
    carrier = make_carrier(make_server().port)
    first, second = carrier.deliver(parcel), carrier.deliver(parcel)
    assert isinstance(first, Delivered)
    assert isinstance(second, Delivered)
    assert first.answer != second.answer


def test_a_fault_that_blames_us_is_a_refusal(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel
) -> None:
    """The clerk reads the authority's reason, without our password in it."""
    fault = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode>s:Client'
        f"</faultcode><faultstring>banka/{PASSWORD}: ni pravic</faultstring></s:Fault></s:Body></s:Envelope>"
    ).encode()
    server = make_server(answering(http(fault, "500 Internal Server Error")))
    outcome = make_carrier(server.port).deliver(parcel)
    assert isinstance(outcome, Refused)
    assert outcome.reason == "banka/***: ni pravic"
    assert outcome.evidence is not None
    assert outcome.evidence.read_bytes() == fault


def test_a_fault_with_an_answer_in_its_detail_stays_a_fault(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel
) -> None:
    """What stands in the small print of a refusal is not taken for an acceptance."""
    fault = soap(
        b"<soap:Fault><faultcode>soap:Client</faultcode><faultstring>zavrnjeno</faultstring>"
        b"<detail>" + ANSWER + b"<BlokOdgovor/></detail></soap:Fault>"
    )
    outcome = make_carrier(make_server(answering(http(fault))).port).deliver(parcel)
    assert isinstance(outcome, Refused)
    assert outcome.reason == "zavrnjeno"


def test_progress_counts_every_byte_of_the_report(
    make_server: MakeServer, make_carrier: MakeCarrier, make_parcel: MakeParcel
) -> None:
    """The bar on the screen ends where the file ends."""
    parcel = make_parcel(REPORT.replace(b"</Nodurs>", b"<!--" + b"x" * 300_000 + b"--></Nodurs>"))
    seen: list[int] = []
    make_carrier(make_server().port).deliver(parcel, seen.append)
    assert sum(seen) == parcel.size_bytes


def test_a_file_that_changed_is_not_sent(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel
) -> None:
    """Nothing leaves but the bytes that were archived."""
    server = make_server()
    parcel.path.write_bytes(REPORT + b" ")
    with pytest.raises(UsageError, match="changed"):
        make_carrier(server.port).deliver(parcel)
    assert server.requests == []


def test_a_file_in_another_encoding_is_not_sent(make_carrier: MakeCarrier, make_parcel: MakeParcel) -> None:
    """UTF-16 in the middle of UTF-8 would arrive as rubbish."""
    utf16 = REPORT.decode().replace("UTF-8", "utf-16").encode("utf-16")
    latin = REPORT.decode().replace("UTF-8", "iso-8859-2").encode("iso-8859-2")
    for content in (utf16, latin):
        with pytest.raises(UsageError, match="UTF-8"):
            make_carrier(1).deliver(make_parcel(content))


def test_the_password_is_in_no_log_and_no_text(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel, caplog: pytest.LogCaptureFixture
) -> None:
    """Logs are read by many and kept for long."""
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        caplog.set_level(logging.DEBUG, name)
    for authentication in ("ident", "basic"):
        carrier = make_carrier(make_server().port, authentication=authentication)
        assert PASSWORD not in repr(carrier._endpoint) + repr(carrier._envelope)
        carrier.deliver(parcel)
    basic = base64.b64encode(f"banka:{PASSWORD}".encode()).decode()
    assert caplog.records
    assert not [
        each for each in caplog.records if PASSWORD in each.getMessage() or basic in each.getMessage()
    ]


def test_the_environment_does_not_redirect_us(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy set for browsers does not get to see the reports."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    assert isinstance(make_carrier(make_server().port).deliver(parcel), Delivered)


def test_a_large_report_and_a_large_answer_need_no_memory(
    make_server: MakeServer, make_carrier: MakeCarrier, make_parcel: MakeParcel
) -> None:
    """The largest bank's report goes through the smallest machine."""
    row = b'<Napaka blokId="O-1" dogId="1" id="1" vrsta="WRN"><Opis>opozorilo</Opis></Napaka>'
    reply = http(soap_answer(ANSWER.replace(b"</BlokOdgovor>", row * 250_000 + b"</BlokOdgovor>")))

    def behave(visit: Visit) -> None:
        _, headers = visit.read_head()
        missing = int(headers["content-length"])
        missing -= len(visit._read)
        while missing > 0:
            missing -= len(visit._line.recv(65536))
        visit.send(reply)

    parcel = make_parcel(REPORT.replace(b"</Nodurs>", b"<!--" + b"x" * 20_000_000 + b"--></Nodurs>"))
    carrier = make_carrier(make_server(behave).port)
    tracemalloc.start()
    outcome = carrier.deliver(parcel)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(outcome, Delivered)
    assert peak < 12_000_000


def test_reach_sends_no_message(make_server: MakeServer, make_carrier: MakeCarrier) -> None:
    """The doctor's visit leaves no trace at the authority."""
    server = make_server()
    assert (
        make_carrier(server.port)
        .inspect()
        .reached.startswith("TLSv1.3; the authority's certificate is valid until")
    )
    assert server.requests == []


def test_a_server_of_another_make_takes_the_report(
    keys: Keys, make_carrier: MakeCarrier, parcel: Parcel, tmp_path: Path
) -> None:
    """What we send is SOAP to others too, not only to what we wrote ourselves."""
    with _spyne(keys, tmp_path) as port:
        outcome = make_carrier(port, operation_timeout_seconds=20).deliver(parcel)
    assert isinstance(outcome, Delivered)
    assert root_of(outcome.answer).endswith("BlokOdgovor")
    received = etree.parse(tmp_path / "1.xml").getroot()
    assert received.tag == f"{{{NODURS}}}Nodurs"
    assert etree.tostring(received, method="c14n", exclusive=True) == etree.tostring(
        etree.fromstring(REPORT), method="c14n", exclusive=True
    )
    assert (tmp_path / "1.ident").read_text().split("\n") == ["5860571000", "banka", PASSWORD]


def test_a_fault_of_another_make_is_understood(
    keys: Keys, make_carrier: MakeCarrier, make_parcel: MakeParcel, tmp_path: Path
) -> None:
    """A refusal by a real SOAP library reads as one."""
    with _spyne(keys, tmp_path) as port:
        outcome = make_carrier(port, operation_timeout_seconds=20).deliver(make_parcel(b"<Spapp/>"))
    assert isinstance(outcome, Refused)
    assert outcome.reason == "Blok does not hold a Nodurs"


@contextmanager
def _spyne(keys: Keys, folder: Path) -> Iterator[int]:
    if sys.version_info >= (3, 12):
        pytest.skip("spyne runs on Python 3.11 only")
    script = Path(__file__).parents[1] / "servers" / "spyne_authority.py"
    command = [sys.executable, str(script), str(keys.server), str(keys.ca), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


FOREIGN_WSDL = """<?xml version="1.0"?>
<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:s12="http://schemas.xmlsoap.org/wsdl/soap12/"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:foreign" targetNamespace="urn:foreign">
  <w:types><xs:schema elementFormDefault="qualified" targetNamespace="urn:foreign">
    <xs:element name="Submit"><xs:complexType><xs:sequence>
      <xs:element name="Document"><xs:complexType mixed="true"><xs:sequence><xs:any/></xs:sequence>
      </xs:complexType></xs:element>
      <xs:element name="Caller" type="xs:string" maxOccurs="unbounded"/>
    </xs:sequence></xs:complexType></xs:element>
    <xs:element name="SubmitResponse"><xs:complexType><xs:sequence>
      <xs:element name="SubmitResult" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
  </xs:schema></w:types>
  <w:message name="In"><w:part name="parameters" element="t:Submit"/></w:message>
  <w:message name="Out"><w:part name="parameters" element="t:SubmitResponse"/></w:message>
  <w:portType name="P"><w:operation name="Submit"><w:input message="t:In"/><w:output message="t:Out"/>
  </w:operation></w:portType>
  <w:binding name="B12" type="t:P"><s12:binding transport="http://schemas.xmlsoap.org/soap/http"/>
    <w:operation name="Submit"><s12:operation soapAction="urn:twelve" style="document"/>
      <w:input><s12:body use="literal"/></w:input><w:output><s12:body use="literal"/></w:output></w:operation>
  </w:binding>
  <w:binding name="B" type="t:P"><s:binding transport="http://schemas.xmlsoap.org/soap/http"/>
    <w:operation name="Submit"><s:operation soapAction="urn:foreign#Submit" style="document"/>
      <w:input><s:body use="literal"/></w:input><w:output><s:body use="literal"/></w:output></w:operation>
  </w:binding>
  <w:service name="S">
    <w:port name="P12" binding="t:B12"><s12:address location="https://x/"/></w:port>
    <w:port name="P" binding="t:B"><s:address location="https://x/"/></w:port></w:service>
</w:definitions>
"""
