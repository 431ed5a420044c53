"""`doctor --wsdl`: what a WSDL asks for, in words, and the settings that follow from it."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from ajpes_reporting.cli.main import run
from ajpes_reporting.deliver.soap.envelope import SoapNames, make_envelope
from ajpes_reporting.deliver.soap_way import SoapWay
from ajpes_reporting.deliver.way import Setup
from ajpes_reporting.domain.outcomes import Delivered
from ajpes_reporting.domain.ports import Parcel
from ajpes_reporting.shipped import sample
from ajpes_reporting.wiring import now
from tests.servers.https import HttpsServer, Visit, http
from tests.servers.wsdl_authority import WsdlAuthority

WSDLS = Path(__file__).parents[1] / "deliver" / "wsdls"
SPYNE = Path(__file__).parents[1] / "servers" / "spyne_authority.py"
REFUSED = {"axis_rpc_encoded.wsdl", "hex_bytes.wsdl", "two_operations.wsdl"}
SENDABLE = sorted(each.name for each in WSDLS.glob("*.wsdl") if each.name not in REFUSED)
LEDGER = ("accounts.csv", "account-months.csv", "postings.csv", "events.csv")
GIVEN = {"storitev": "N01", "test": "false"}
PROVIDER = '[provider]\nregistration_number = "5860571000"\nname = "Banka"\n'
Told = Callable[..., tuple[int, str, str]]


@pytest.fixture
def doctor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Told:
    """Calls `doctor --wsdl` in a folder of its own; gives the exit code and what it printed."""
    folder = tmp_path / "bank"
    folder.mkdir()

    def call(source: object, *options: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(["-w", str(folder), *options, "doctor", "--wsdl", str(source)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def block_in(printed: str) -> dict[str, Any]:
    section: dict[str, Any] = tomllib.loads(printed[printed.index("[soap]\n") :])["soap"]
    return section


def names_of(soap: SoapWay) -> SoapNames:
    return SoapNames(
        soap.operation, soap.document_element, soap.ident_element, soap.ident_item, soap.result_element,
        soap.target_namespace, soap.soap_action, soap.version, soap.port, soap.document_form, soap.ident_form,
        soap.ident_separator, soap.ident_fields, tuple(each.strip("{}") for each in soap.ident),
        {**GIVEN, **soap.parameters},
    )  # fmt: skip


@pytest.mark.parametrize("name", SENDABLE)
def test_the_block_says_what_the_wsdl_says(doctor: Told, name: str) -> None:
    """Pasted as it is, it is valid, knows only real settings, and makes the message that the WSDL wants."""
    wsdl = WSDLS / name
    code, printed, _ = doctor(wsdl)
    assert code == 0
    code, document, words = doctor(wsdl, "--json")
    soap = json.loads(document)["soap"]
    assert list(json.loads(document)) == ["soap"]
    assert {key: each for key, each in block_in(printed).items() if each != {}} == soap
    assert all(line in printed for line in words.splitlines())
    settings = SoapWay.model_validate(soap)
    assert settings.wsdl == str(wsdl)
    named = settings.operation if name == "asmx_sibling.wsdl" else ""
    plain = SoapNames(named, parameters=GIVEN, roles=names_of(settings).roles)
    entries = ("a",) * len(settings.ident)
    assert make_envelope(wsdl, names_of(settings), entries) == make_envelope(wsdl, plain, entries)


def test_what_it_found_is_told_in_words(doctor: Told) -> None:
    """Somebody who reads no WSDL can talk with AJPES about it."""
    _, printed, _ = doctor(WSDLS / "asmx_header.wsdl")
    for words in (
        "SOAP 1.2 at https://wwwt.ajpes.si/",
        "wsBlokIzmenjavaHttpPost",
        "Operation: BlokPodOddaj, document/literal, SOAP 1.1, SOAPAction http://www.ajpes.si/wsBlokIzmenjava/",
        "Report: in Blok",
        "Ident in the SOAP header, with the fields UporabniskoIme, Geslo, MaticnaStevilka",
        'ident = ["{username}", "{password}", "{registration_number}"]',
        "# password =",
    ):
        assert words in printed


def test_what_policies_ask_for_and_we_do_not_send_is_told(doctor: Told) -> None:
    """Somebody asks AJPES before the first report is refused for a header that it lacks."""
    assert "Open: The WSDL speaks of WS-Addressing" in doctor(WSDLS / "wcf.wsdl")[1]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("axis_rpc_encoded.wsdl", ["rpc/encoded", "Service BlokIzmenjavaService"]),
        ("hex_bytes.wsdl", ["hexBinary"]),
        ("missing.wsdl", ["there is no file"]),
    ],
)
def test_what_cannot_be_sent_is_told(doctor: Told, name: str, words: list[str]) -> None:
    """The day AJPES hands over a WSDL of a kind that is not sent here, it is told on that day."""
    code, printed, told = doctor(WSDLS / name)
    assert code == 2
    assert all(each in printed + told for each in words)


def test_of_several_operations_none_is_guessed(doctor: Told) -> None:
    """A report never goes into an operation that somebody guessed."""
    code, _, told = doctor(WSDLS / "two_operations.wsdl")
    assert code == 2
    assert "several operations that may be meant: BlokVlozi, BlokOddaj" in told


PLAIN = (WSDLS / "asmx_bytes.wsdl").read_text()
ENTRIES = 'minOccurs="0" maxOccurs="1" name="Ident" type="tns:ArrayOfString"'


def test_a_report_does_not_go_where_the_login_belongs(doctor: Told, tmp_path: Path) -> None:
    """ASP.NET says of every string that it may be left out; the report goes by the name, not by that."""
    wsdl = tmp_path / "other.wsdl"
    text = PLAIN.replace('name="Blok" type="s:base64Binary"', 'name="xmlDokument" type="s:string"')
    wsdl.write_text(text.replace(ENTRIES, 'name="prijava" type="s:string"'))
    _, printed, _ = doctor(wsdl)
    assert block_in(printed)["document_element"] == "xmlDokument"
    assert "Beside the report the WSDL takes prijava" in printed
    assert "soap.ident_element" in printed


def test_a_login_outside_of_any_ident_is_filled_in_by_its_name(doctor: Told, tmp_path: Path) -> None:
    """No password has to be written into ajpes.toml because a WSDL wants it as an attribute."""
    wsdl = tmp_path / "attributes.wsdl"
    attributes = "".join(f'<s:attribute name="{name}" use="required" />' for name in ("Uporabnik", "Geslo"))
    element = f"<s:element {ENTRIES} />"
    text = PLAIN.replace(element, "").replace("</s:sequence>", f"</s:sequence>{attributes}", 1)
    wsdl.write_text(text)
    _, printed, _ = doctor(wsdl)
    assert block_in(printed)["parameters"] == {"Uporabnik": "{username}", "Geslo": "{password}"}


def test_a_wsdl_with_a_test_service_and_the_real_one_is_told(doctor: Told, tmp_path: Path) -> None:
    """Nobody sends the first test to production because the WSDL names that first."""
    wsdl = tmp_path / "both.wsdl"
    port = PLAIN[PLAIN.index("<wsdl:port ") : PLAIN.index("</wsdl:service>")]
    real = port.replace("wwwt.", "www.").replace('port name="', 'port name="Real')
    wsdl.write_text(PLAIN.replace("</wsdl:service>", f"{real}</wsdl:service>"))
    _, printed, _ = doctor(wsdl)
    assert "names several hosts: wwwt.ajpes.si, www.ajpes.si" in printed


def test_an_address_that_no_report_should_go_to_is_doubted(doctor: Told, tmp_path: Path) -> None:
    """WSDLs behind a proxy name the machine that made them."""
    wsdl = tmp_path / "internal.wsdl"
    text = (WSDLS / "asmx_bytes.wsdl").read_text()
    wsdl.write_text(text.replace("https://wwwt.ajpes.si/", "http://srv-app01:8080/"))
    code, printed, _ = doctor(wsdl)
    assert code == 0
    assert block_in(printed)["endpoint"].startswith("https://srv-app01:8080/")
    assert "is not https" in printed
    assert "internal one (srv-app01)" in printed


def test_what_is_set_already_is_kept(doctor: Told, tmp_path: Path) -> None:
    """Whoever tries the next WSDL does not lose address and certificate; what no longer fits is told."""
    (tmp_path / "bank" / "ajpes.toml").write_text(
        f'{PROVIDER}[soap]\nendpoint = "https://real/x"\nusername = "banka"\npassword = "file:geslo"\n'
        'password_expires = 2027-01-31\nclient_certificate = "c.pem"\nident_item = "string"\n'
        'ident = ["{username}", "{password}", "N01"]\noperation_timeout_seconds = 60.5\n'
    )
    _, printed, _ = doctor(WSDLS / "asmx_string.wsdl")
    soap = block_in(printed)
    assert (soap["endpoint"], soap["username"], soap["ident"][2]) == ("https://real/x", "banka", "N01")
    assert (str(soap["password_expires"]), soap["operation_timeout_seconds"]) == ("2027-01-31", 60.5)
    assert soap["ident_item"] == "Niz"
    assert 'soap.ident_item = "string" does not fit this WSDL' in printed
    assert "soap.endpoint stays as it is set" in printed
    SoapWay.model_validate(soap)


# --- from an address ---


class Site:
    """A web server with the files of a WSDL; `pages` are what it gives, by path and query."""

    def __init__(self, server: HttpsServer) -> None:
        self.server = server
        self.base = f"https://localhost:{server.port}"
        self.pages: dict[str, bytes] = {}
        self.asked: list[str] = []

    def behave(self, visit: Visit) -> None:
        path = visit.read_head()[0].split()[1]
        self.asked.append(path)
        visit.send(self.pages.get(path, http(b"<html>ni</html>", "404 Not Found", "text/html")))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Who is who: the authority's server, the bank, and who vouches for both."""
    folder, ca = tmp_path_factory.mktemp("keys"), trustme.CA()
    paths = {name: folder / f"{name}.pem" for name in ("ca", "server", "client")}
    ca.cert_pem.write_to_path(str(paths["ca"]))
    paths["server"].write_bytes(ca.issue_cert("localhost").private_key_and_cert_chain_pem.bytes())
    paths["client"].write_bytes(ca.issue_cert("bank.example").private_key_and_cert_chain_pem.bytes())
    return paths


@pytest.fixture(scope="module")
def server(certificates: dict[str, Path]) -> Iterator[HttpsServer]:
    with HttpsServer(str(certificates["server"]), str(certificates["ca"]), lambda _visit: None) as server:
        yield server


@pytest.fixture
def site(server: HttpsServer, certificates: dict[str, Path], tmp_path: Path) -> Site:
    """The server, and a workspace in `bank` that knows its certificate and has ours."""
    site = Site(server)
    server.behaviour = site.behave
    (tmp_path / "bank").mkdir(exist_ok=True)
    (tmp_path / "bank" / "ajpes.toml").write_text(
        f'{PROVIDER}[soap]\nendpoint = "{site.base}/ws"\nserver_ca = "{certificates["ca"]}"\n'
        f'client_certificate = "{certificates["client"]}"\n'
    )
    return site


@pytest.fixture
def fetch(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Told:
    def call(path: str, *options: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(["-w", str(tmp_path / "bank"), *options, "doctor", "--wsdl", site.base + path])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def wcf_pages(base: str) -> dict[str, bytes]:
    """The three files as WCF serves them: each at an address with a query, some with http."""
    root, below, *schemas = (
        (WSDLS / name).read_text() for name in ("wcf.wsdl", "wcf/wsdl0.wsdl", "wcf/xsd0.xsd", "wcf/xsd1.xsd")
    )
    plain = base.replace("https", "http")
    places = {
        "wcf/wsdl0.wsdl": f"{plain}/B.svc?wsdl=wsdl0",
        "xsd0.xsd": "?xsd=xsd0",
        "xsd1.xsd": f"{base}/B.svc?xsd=xsd1",
    }

    def placed(text: str) -> bytes:
        for name, place in places.items():
            text = text.replace(f'"{name}"', f'"{place}"')
        return http(text.encode())

    return {
        "/B.svc?wsdl": placed(root),
        "/B.svc?wsdl=wsdl0": placed(below),
        "/B.svc?xsd=xsd0": placed(schemas[0]),
        "/B.svc?xsd=xsd1": placed(schemas[1]),
    }


def test_a_wsdl_is_fetched_with_all_that_it_imports(site: Site, fetch: Told, tmp_path: Path) -> None:
    """Afterwards it lies in files, and a run needs nothing else."""
    site.pages = wcf_pages(site.base)
    code, printed, _ = fetch("/B.svc?wsdl")
    assert code == 0
    stored = sorted(each.name for each in (tmp_path / "bank").glob("B*"))
    assert stored == ["B.1.wsdl", "B.2.xsd", "B.3.xsd", "B.wsdl"]
    assert block_in(printed)["wsdl"] == "B.wsdl"
    assert "Stored " in printed
    envelope = make_envelope(tmp_path / "bank" / "B.wsdl", SoapNames(), ("a",))
    assert envelope.tail.count(b">a</") == 1
    before = {each: (tmp_path / "bank" / each).read_bytes() for each in stored}
    assert "is there already, and is the same" in fetch("/B.svc?wsdl")[1]
    assert {each: (tmp_path / "bank" / each).read_bytes() for each in stored} == before


def test_nothing_that_is_there_is_overwritten(site: Site, fetch: Told, tmp_path: Path) -> None:
    """The WSDL that works today is not lost to the one that is tried."""
    site.pages = {"/wsBlok.asmx?WSDL": http((WSDLS / "asmx_xml.wsdl").read_bytes())}
    (tmp_path / "bank" / "wsBlok.wsdl").write_text("ours")
    code, printed, _ = fetch("/wsBlok.asmx?WSDL")
    assert code == 0
    assert (tmp_path / "bank" / "wsBlok.wsdl").read_text() == "ours"
    assert block_in(printed)["wsdl"] == "wsBlok-2.wsdl"
    assert "other files of the name wsBlok, which were left as they are" in printed


def test_the_address_of_the_service_itself_will_do(site: Site, fetch: Told) -> None:
    """People copy the address without ?wsdl, where a server shows a page for people."""
    site.pages = {
        "/wsBlok.asmx": http(b"<html><body>wsBlok</body></html>", content_type="text/html"),
        "/wsBlok.asmx?wsdl": http((WSDLS / "asmx_xml.wsdl").read_bytes()),
    }
    assert fetch("/wsBlok.asmx")[0] == 0
    assert site.asked == ["/wsBlok.asmx", "/wsBlok.asmx?wsdl"]


IMPORTING = '<wsdl:import namespace="urn:x" location="{}"/><wsdl:types>'


@pytest.mark.parametrize(
    ("page", "code", "words"),
    [
        (None, 2, "(HTTP 404): the server has nothing at this address"),
        (http(b"", "401 Unauthorized"), 2, "(HTTP 401): the server asks for a user name and password"),
        (http(b"", "500 Internal Server Error"), 2, "wsdl (HTTP 500)"),
        (http(b"<HTML lang='sl'>prijava</HTML>", content_type="text/html"), 2, "is a web page (HTML)"),
        (http(b"<a/>"), 2, "is no WSDL, its root element is a"),
        (http(b"PK\x03"), 2, "is no XML"),
        (http(b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"), 2, "DOCTYPE"),
        (http(b" " * 5_000_001), 2, "is larger than"),
        (http(b"", "302 Found", Location="http://localhost/x"), 2, "sends us on to http://localhost/x"),
        (
            http(b"", "302 Found", Location="https://elsewhere.example/x"),
            2,
            "sends us on to https://elsewhere",
        ),
        (http(b"", "302 Found", Location="/w?wsdl"), 2, "sends us on and on"),
        ("https://elsewhere.example/x.wsdl", 2, "on another host"),
        ("file:///etc/passwd", 2, "on another host"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", 5, "was not reached"),
    ],
)
def test_whatever_the_server_gives_is_told_in_words(
    site: Site, fetch: Told, tmp_path: Path, page: bytes | str | None, code: int, words: str
) -> None:
    """An address that is not quite right is mended by reading, not by guessing; nothing is stored."""
    if isinstance(page, str):
        text = (WSDLS / "asmx_xml.wsdl").read_text()
        page = http(text.replace("<wsdl:types>", IMPORTING.format(page)).encode())
    site.pages = {"/w?wsdl": page} if page else {}
    found, _, told = fetch("/w?wsdl")
    assert (found, words in told) == (code, True), told
    assert sorted(each.name for each in (tmp_path / "bank").iterdir()) == ["ajpes.toml"]


@pytest.mark.parametrize("url", ["http://localhost/x?wsdl", "https://user:pw@localhost/x", "https://"])
def test_nothing_is_fetched_in_the_clear(doctor: Told, url: str) -> None:
    """Whoever sits in between does not choose where reports go."""
    code, _, told = doctor(url)
    assert code == 2
    assert "https://" in told


# --- the whole way ---


@pytest.mark.parametrize("name", ["asmx_header", "asmx_typed", "axis_rpc", "jaxws_unqualified"])
def test_from_the_letter_to_the_first_accepted_report(
    site: Site, server: HttpsServer, certificates: dict[str, Path], tmp_path: Path, name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Pasting the block and filling in what only the bank knows is all there is to do."""
    bank = tmp_path / "ws"
    assert run(["init", str(bank)]) == 0
    assert (
        run(["-w", str(bank), "ledger", "import", *(str(sample(f"ledger/{each}")) for each in LEDGER)]) == 0
    )
    capsys.readouterr()
    assert run(["-w", str(bank), "--json", "doctor", "--wsdl", str(WSDLS / f"{name}.wsdl")]) == 0
    soap = json.loads(capsys.readouterr().out)["soap"]
    (bank / "geslo").write_text("skrivnost")
    soap |= {"endpoint": f"{site.base}/ws", "username": "banka", "password": "file:geslo"}
    soap |= {"client_certificate": str(certificates["client"]), "server_ca": str(certificates["ca"])}
    section = "\n".join(f"{key} = {json.dumps(each)}" for key, each in soap.items())
    with (bank / "ajpes.toml").open("a") as settings:
        settings.write(f"\n[soap]\n{section}\n")
    authority = WsdlAuthority(WSDLS / f"{name}.wsdl", tmp_path)
    server.behaviour = authority.behaviour()
    code = run(["-w", str(bank), "run", "nodurs"])
    assert authority.objections == []
    assert (code, len(authority.received)) == (0, 1)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="spyne runs on Python 3.11 only")
def test_the_wsdl_of_another_make_gives_the_settings_for_its_own_server(
    certificates: dict[str, Path], site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the WSDL nor the server is ours: spyne writes the one and is the other."""
    bank = tmp_path / "bank"
    program = [
        sys.executable,
        str(SPYNE),
        str(certificates["server"]),
        str(certificates["ca"]),
        str(tmp_path),
    ]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as spyne:
        try:
            assert spyne.stdout is not None
            url = f"https://localhost:{int(spyne.stdout.readline())}/?wsdl"
            assert run(["-w", str(bank), "--json", "doctor", "--wsdl", url]) == 0
            soap = SoapWay.model_validate(json.loads(capsys.readouterr().out)["soap"])
            soap = soap.model_copy(update={"endpoint": url.removesuffix("?wsdl")})
            setup = Setup(
                "5860571000", bank.joinpath, lambda _setting, text: text, now, tmp_path, ("nodurs",)
            )
            carrier = soap.carrier(setup)
            report = sample("reports/NODURS_20261104_5860571.xml")
            parcel = Parcel(report, report.name, "nodurs", report.stat().st_size, "")
            assert isinstance(carrier.deliver(parcel), Delivered)
        finally:
            spyne.terminate()
    assert (tmp_path / "1.ident").read_text().split("\n")[0] == "5860571000"
