"""A running sandbox for each test, and ways to hand it reports."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx
import pytest
from lxml import etree

from ajpes_reporting.sandbox import Sandbox
from tests.sandbox.letters import message

NOW = datetime(2026, 11, 17, 17, 5, 1, tzinfo=timezone(timedelta(hours=1)))
SCHEMAS = Path(__file__).parents[2] / "schemas"

Deliver = Callable[[str], etree._Element]


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """An authority whose folders are emptied only when a test says so."""
    with Sandbox(tmp_path / "ajpes", clock=lambda: NOW, poll_seconds=None) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    """An HTTP client with the sandbox's certificates."""
    with httpx.Client(verify=tls(sandbox), timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture
def put(sandbox: Sandbox) -> Callable[[str, bytes | str], etree._Element]:
    """Lays a file into the right v_ajpes, has it processed, and gives the answer it got."""

    def put(name: str, content: bytes | str) -> etree._Element:
        report = name.partition("_")[0].lower()
        data = content.encode() if isinstance(content, str) else content
        (sandbox.folder / report / "v_ajpes" / name).write_bytes(data)
        before = answers(sandbox, report)
        sandbox.process_now()
        (new,) = answers(sandbox, report) - before
        return validated(new.read_bytes())

    return put


@pytest.fixture
def deliver(put: Callable[[str, bytes | str], etree._Element]) -> Deliver:
    """Delivers a NODURS report of 17 November."""
    return lambda report: put("NODURS_20261117_5860571.xml", report)


@pytest.fixture
def deliver_month(put: Callable[[str, bytes | str], etree._Element]) -> Deliver:
    """Delivers a SPAPP report of October."""
    return lambda report: put("SPAPP_202610_5860571.xml", report)


def tls(sandbox: Sandbox, *, with_certificate: bool = True) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(sandbox.keys.ca))
    if with_certificate:
        context.load_cert_chain(sandbox.keys.client_certificate, sandbox.keys.client_key)
    return context


def letter(sandbox: Sandbox, report: str) -> bytes:
    """The SOAP message of the provider itself."""
    return message(report, "5860571000", "banka", sandbox.keys.soap_password.read_text())


def answers(sandbox: Sandbox, report: str) -> set[Path]:
    return set((sandbox.folder / report / "iz_ajpes").iterdir())


def validated(answer: bytes) -> etree._Element:
    """The answer, after its schema has been asked."""
    root = etree.fromstring(answer)
    name = "blokodgovor.xsd" if root.tag == "BlokOdgovor" else "psodgovor.xsd"
    etree.XMLSchema(etree.parse(SCHEMAS / name)).assertValid(root)
    return root


def ident(answer: etree._Element) -> dict[str, str]:
    """The attributes of Ident."""
    (found,) = answer.iterfind("Ident")
    return {str(name): str(value) for name, value in found.attrib.items()}


def findings(answer: etree._Element, kind: str) -> list[tuple[str | None, str | None, str]]:
    """Obligation or account, event, and text of each ERR or WRN."""
    found = [
        (one.get("blokId") or one.get("racun"), one.get("dogId"), one.findtext("Opis") or "")
        for one in answer.iterfind("Napaka")
        if one.get("vrsta") == kind
    ]
    assert ident(answer)["iErr" if kind == "ERR" else "iWrn"] == str(len(found))
    return found
