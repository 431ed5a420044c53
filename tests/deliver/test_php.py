"""What we send is taken by PHP's SoapServer, which reads the same WSDLs in its own way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from ajpes_reporting.deliver.soap.envelope import SoapNames
from ajpes_reporting.domain.outcomes import Delivered
from tests.deliver.conftest import Keys, MakeCarrier, MakeParcel
from tests.deliver.test_shapes import ENTRIES, ROLES, SAMPLE, WSDLS
from tests.servers.https import HttpsServer
from tests.servers.php import find_php, running_php
from tests.servers.wsdl_authority import canonical


@dataclass(frozen=True)
class Php:
    server: HttpsServer
    folder: Path

    def received(self) -> Any:
        return json.loads((self.folder / "received.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def php(keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Php]:
    if not find_php():
        pytest.skip("install php-cli and php-soap")
    folder = tmp_path_factory.mktemp("php")
    with running_php(WSDLS, folder, keys.server, keys.ca) as server:
        yield Php(server, folder)


@pytest.mark.parametrize(
    ("target", "version", "report", "entries"),
    [
        ("asmx_xml?BlokPodOddajResult=any", "1.1", "0.Blok.any", "0.Ident.string"),
        ("asmx_xml?BlokPodOddajResult=any", "1.2", "0.Blok.any", "0.Ident.string"),
        ("asmx_string?BlokPodOddajResult=text", "1.1", "0.Blok", "0.Ident.Niz"),
        ("asmx_bytes?BlokPodOddajResult=text", "1.1", "0.Blok", "0.Ident.string"),
        ("asmx_soap12?BlokPodOddajResult=any", "", "0.Blok.any", "0.Ident.string"),
        ("asmx_header?BlokPodOddajResult=any", "", "0.Blok.any", "header"),
        ("asmx_header?BlokPodOddajResult=any", "1.2", "0.Blok.any", "header"),
        ("jaxws_arguments?return=text", "", "0.arg0", "0.arg1"),
        ("axis_rpc", "", "0", "1"),
    ],
)
def test_php_takes_the_report_and_its_answer_is_read(
    php: Php, make_carrier: MakeCarrier, make_parcel: MakeParcel,
    target: str, version: str, report: str, entries: str,
) -> None:  # fmt: skip
    """A server of another make finds in our message what its WSDL promised."""
    name = target.partition("?")[0]
    names = SoapNames(version=version, roles=ROLES)
    carrier = make_carrier(
        php.server.port,
        url=f"https://localhost:{php.server.port}/{target}",
        wsdl=WSDLS / f"{name}.wsdl",
        names=names,
        ident=ENTRIES,
        operation_timeout_seconds=20,
    )
    outcome = carrier.deliver(make_parcel(SAMPLE.read_bytes()))
    assert isinstance(outcome, Delivered), (outcome, php.server.requests[-1].body)
    received = php.received()
    # PHP leaves out blanks between elements as it reads XML.
    without_blanks = etree.XMLParser(remove_blank_text=True)
    found = etree.fromstring(_at(received["arguments"], report).encode(), without_blanks)
    assert canonical(found) == canonical(etree.parse(SAMPLE, without_blanks).getroot())
    place = received["header"] if entries == "header" else _at(received["arguments"], entries)
    assert sorted(place.values() if isinstance(place, dict) else place) == sorted(ENTRIES)


def test_php_reads_a_typed_report_field_by_field(
    php: Php, make_carrier: MakeCarrier, make_parcel: MakeParcel
) -> None:
    """Where the WSDL declares the whole report, a server finds each element in the namespace it declared."""
    carrier = make_carrier(
        php.server.port,
        url=f"https://localhost:{php.server.port}/asmx_typed?BlokPodOddajResult=any",
        wsdl=WSDLS / "asmx_typed.wsdl",
        ident=ENTRIES,
        operation_timeout_seconds=20,
    )
    assert isinstance(carrier.deliver(make_parcel(SAMPLE.read_bytes())), Delivered)
    report = php.received()["arguments"][0]["Blok"]["Nodurs"]
    root = etree.parse(SAMPLE).getroot()
    assert report["Ident"]["Naziv"] == root.findtext("{*}Ident/{*}Naziv")
    debtors = report["Dolznik"] if isinstance(report["Dolznik"], list) else [report["Dolznik"]]
    assert [each["Naziv"] for each in debtors] == [each.text for each in root.iterfind("{*}Dolznik/{*}Naziv")]


def _at(document: Any, path: str) -> Any:
    for step in path.split("."):
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document
