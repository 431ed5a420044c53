"""Real certificates, servers and reports for the tests of delivery."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from ajpes_reporting.deliver.sftp.carrier import SftpServer
from ajpes_reporting.deliver.soap.carrier import SoapCarrier, SoapEndpoint
from ajpes_reporting.deliver.tls import TlsSettings, client_context
from ajpes_reporting.domain.ports import Parcel
from tests.servers import odd_sftp
from tests.servers.https import Behaviour, HttpsServer, answering, http
from tests.servers.sshd import Sshd, find_sshd, running_sshd

NOW = datetime(2026, 11, 17, 17, 13, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
PASSWORD = "Geslo-7f3c"
WSDL = Path(__file__).parents[2] / "schemas" / "wsBlokIzmenjava.wsdl"
NODURS = "http://www.ajpes.si/xml_sheme/nodurs/nodurs-20100601"

REPORT = f"""<?xml version="1.0" encoding="UTF-8"?>
<Nodurs xmlns="{NODURS}">
<Ident datumPriprave="2026-11-17T17:00:00" steviloZapisov="0" sestevekZneskov="0"
 maticnaPonudnika="5860571000" datumPodatkov="2026-11-17"><Naziv>Banka Vzorec č d.d.</Naziv></Ident>
</Nodurs>
""".encode()

ANSWER = (
    b'<BlokOdgovor><Ident iErr="0" maticnaPonudnika="5860571000" datumPriprave="2026-11-17T18:01:00"'
    b' iWrn="0" datumPodatkov="2026-11-17"/></BlokOdgovor>'
)

# Requests that OpenSSH can be told to refuse; each line is a server of a stingy authority.
NO_STAT, NO_LIST = "stat,lstat,fstat", "opendir,readdir"
DENIED = (
    NO_LIST,
    "readdir",
    NO_STAT,
    f"{NO_STAT},{NO_LIST}",
    "read",
    "remove",
    f"read,{NO_STAT},{NO_LIST}",
    f"read,remove,{NO_STAT},{NO_LIST}",
    "setstat,fsetstat,mkdir,fsync,limits",
    "rename",
    "rename,remove",
    f"rename,read,remove,{NO_STAT},{NO_LIST}",
    "open",
    "write",
    "close",
)

MakeParcel = Callable[..., Parcel]
MakeServer = Callable[..., HttpsServer]
MakeCarrier = Callable[..., SoapCarrier]


def soap(content: bytes) -> bytes:
    """A SOAP 1.1 envelope round this."""
    return (
        b'<?xml version="1.0" encoding="utf-8"?>'
        b'<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
        + content
        + b"</soap:Body></soap:Envelope>"
    )


def soap_answer(result: bytes = ANSWER) -> bytes:
    """The envelope of a BlokPodOddajResponse with this as its result."""
    return soap(
        b'<BlokPodOddajResponse xmlns="http://www.ajpes.si/wsBlokIzmenjava"><BlokPodOddajResult>'
        + result
        + b"</BlokPodOddajResult></BlokPodOddajResponse>"
    )


ACCEPTING = answering(http(soap_answer()))


@dataclass(frozen=True)
class Keys:
    """PEM files: who is who, and who should not be there."""

    ca: Path
    server: Path
    client: Path
    expired_client: Path
    foreign_client: Path
    foreign_ca: Path
    expired_server: Path
    other_host_server: Path
    foreign_server: Path


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Certificates of a small world, each file a certificate with its key."""
    folder = tmp_path_factory.mktemp("keys")
    ca, foreign = trustme.CA(), trustme.CA()
    localhost = ("localhost", "127.0.0.1")
    issued = {
        "server": ca.issue_cert(*localhost),
        "client": ca.issue_cert("bank.example"),
        "expired_client": ca.issue_cert("bank.example", not_after=LONG_AGO),
        "foreign_client": foreign.issue_cert("bank.example"),
        "expired_server": ca.issue_cert(*localhost, not_after=LONG_AGO),
        "other_host_server": ca.issue_cert("elsewhere.example"),
        "foreign_server": foreign.issue_cert(*localhost),
    }
    paths = {name: folder / f"{name}.pem" for name in (*issued, "ca", "foreign_ca")}
    for name, certificate in issued.items():
        paths[name].write_bytes(certificate.private_key_and_cert_chain_pem.bytes())
    ca.cert_pem.write_to_path(str(paths["ca"]))
    foreign.cert_pem.write_to_path(str(paths["foreign_ca"]))
    return Keys(**paths)


@pytest.fixture
def make_parcel(tmp_path: Path) -> MakeParcel:
    """Puts a report on the disk, ready to go."""

    def make(
        content: bytes = REPORT, report: str = "nodurs", name: str = "NODURS_20261117_5860571.xml"
    ) -> Parcel:
        path = tmp_path / "archive" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return Parcel(path, name, report, len(content), hashlib.sha256(content).hexdigest())

    return make


@pytest.fixture
def parcel(make_parcel: MakeParcel) -> Parcel:
    return make_parcel()


@pytest.fixture
def make_server(keys: Keys) -> Iterator[MakeServer]:
    """Starts an authority that behaves as told; by default it accepts the report."""
    with ExitStack() as stack:

        def make(
            behaviour: Behaviour = ACCEPTING,
            certificate: Path = keys.server,
            client_ca: Path | None = keys.ca,
        ) -> HttpsServer:
            server = HttpsServer(str(certificate), str(client_ca) if client_ca else None, behaviour)
            return stack.enter_context(server)

        yield make


@pytest.fixture
def replies(tmp_path: Path) -> Path:
    return tmp_path / "replies"


@pytest.fixture
def make_carrier(keys: Keys, replies: Path) -> MakeCarrier:
    """Makes a SOAP carrier for a port on this machine, with short limits."""

    def make(port: int, client: Path = keys.client, **settings: Any) -> SoapCarrier:
        return carrier_for(port, context_for(client, keys.ca), replies, **settings)

    return make


def carrier_for(
    port: int, context: ssl.SSLContext, replies: Path, host: str = "localhost", **settings: Any
) -> SoapCarrier:
    """A SOAP carrier with short limits; `settings` change its endpoint."""
    endpoint = SoapEndpoint(
        url=f"https://{host}:{port}/wsBlokIzmenjava.asmx",
        wsdl=WSDL,
        ident=("5860571000", "banka", PASSWORD),
        username="banka",
        password=PASSWORD,
        connect_timeout_seconds=2,
        operation_timeout_seconds=5,
        call_timeout_seconds=20,
        largest_reply_bytes=1 << 30,
    )
    return SoapCarrier(replace(endpoint, **settings), context, replies)


def context_for(client: Path, ca: Path) -> ssl.SSLContext:
    """Our side of TLS, also with a certificate that we ourselves would refuse to use."""
    now = LONG_AGO.replace(year=2019) if "expired" in client.name else NOW
    return client_context(TlsSettings(certificate=client, server_ca=ca), now)


@pytest.fixture(scope="session")
def one_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """OpenSSH's SFTP server, started once, for its keys take seconds to make."""
    program = find_sshd()
    if program is None:
        pytest.skip("install openssh-server")
    with running_sshd(program, tmp_path_factory.mktemp("sshd"), DENIED) as server:
        yield server


@pytest.fixture
def sshd(one_sshd: Sshd) -> Sshd:
    """OpenSSH's SFTP server with the authority's folders, empty."""
    one_sshd.clear()
    return one_sshd


@pytest.fixture
def sftp_settings(sshd: Sshd) -> SftpServer:
    return SftpServer(
        host="127.0.0.1",
        port=sshd.port,
        username=sshd.username,
        host_key=sshd.host_key,
        private_key=sshd.private_key,
        connect_timeout_seconds=10,
        operation_timeout_seconds=5,
        call_timeout_seconds=30,
        largest_answer_bytes=1 << 30,
        reports=("nodurs", "spapp"),
    )


@pytest.fixture
def odd(tmp_path: Path) -> Iterator[odd_sftp.OddSftp]:
    """An SFTP server that can be told to misbehave."""
    with odd_sftp.OddSftp(tmp_path / "odd") as server:
        yield server


@pytest.fixture
def odd_settings(odd: odd_sftp.OddSftp) -> SftpServer:
    return SftpServer(
        host="127.0.0.1",
        port=odd.port,
        username=odd_sftp.USERNAME,
        password=odd_sftp.PASSWORD,
        host_key=odd.host_key,
        connect_timeout_seconds=10,
        operation_timeout_seconds=5,
        call_timeout_seconds=60,
        largest_answer_bytes=1 << 30,
        reports=("nodurs", "spapp"),
    )
