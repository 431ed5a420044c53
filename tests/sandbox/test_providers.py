"""Several providers at one authority: none of them can see, or act for, another."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import paramiko
import pytest

from ajpes_reporting.sandbox import Provider, Sandbox, SandboxError
from ajpes_reporting.sandbox.clients import Client
from tests.sandbox.conftest import NOW
from tests.sandbox.letters import event, message, one

A, B = Provider("5860571000", "Banka A d.d.", "banka-a"), Provider("1572814000", "Banka B d.d.", "banka-b")
NAME_A, NAME_B = "NODURS_20261117_5860571.xml", "NODURS_20261117_1572814.xml"


def report(provider: Provider) -> str:
    """A report of each one's own obligation O-1, with another amount."""
    amount = 10000 if provider is A else 20000
    text = one(event("1", amount), count=1, total=amount)
    return text.replace('maticnaPonudnika="5860571000"', f'maticnaPonudnika="{provider.registration_number}"')


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("providers") / "ajpes"
    with Sandbox(folder, providers=[A, B], clock=lambda: NOW, poll_seconds=None) as sandbox:
        yield sandbox


@pytest.fixture
def clients(sandbox: Sandbox) -> tuple[Client, Client]:
    a, b = sandbox.clients
    return a, b


def call(sandbox: Sandbox, by: Client, said_by: Client, body: str, password: str | None = None) -> str:
    """A call with the certificate of one, and what stands in Ident of another; gives the reply."""
    context = ssl.create_default_context(cafile=str(by.keys.ca))
    context.load_cert_chain(by.keys.client_certificate, by.keys.client_key)
    number, username = said_by.provider.registration_number, said_by.provider.username
    secret = password or said_by.keys.soap_password.read_text()
    with httpx.Client(verify=context, trust_env=False) as client:
        return client.post(sandbox.soap_url, content=message(body, number, username, secret)).text


def login(sandbox: Sandbox, username: str, keys: Client) -> paramiko.SFTPClient:
    transport = paramiko.Transport(("127.0.0.1", sandbox.sftp_port))
    transport.start_client(timeout=30)
    try:
        transport.auth_publickey(username, paramiko.Ed25519Key.from_private_key_file(str(keys.keys.sftp_key)))
    except paramiko.SSHException:
        transport.close()
        raise
    session = paramiko.SFTPClient.from_transport(transport)
    assert session is not None
    return session


def test_each_reports_by_soap_into_a_ledger_of_its_own(
    sandbox: Sandbox, clients: tuple[Client, Client]
) -> None:
    """A bureau's banks: an obligation's id is unique within one provider only."""
    for client in clients:
        assert 'iErr="0"' in call(sandbox, client, client, report(client.provider))
    amounts = {(row["provider"], row["obligation_id"]): row["amount_cents"] for row in sandbox.store.events()}
    assert amounts == {("5860571000", "O-1"): 10000, ("1572814000", "O-1"): 20000}


def test_a_certificate_a_name_or_a_password_of_one_never_acts_for_another(
    sandbox: Sandbox, clients: tuple[Client, Client]
) -> None:
    """Each bank: what another one holds opens nothing of its own."""
    a, b = clients
    before = len(sandbox.store.submissions())
    for by, said_by, password in [
        (a, b, None),
        (b, a, None),
        (a, a, b.keys.soap_password.read_text()),
        (b, a, b.keys.soap_password.read_text()),
    ]:
        assert "Identifikacija" in call(sandbox, by, said_by, report(said_by.provider), password)
    assert len(sandbox.store.submissions()) == before


def test_a_report_of_one_that_another_sends_is_refused(
    sandbox: Sandbox, clients: tuple[Client, Client]
) -> None:
    """Each bank: its obligations are changed by nobody else, by neither way."""
    a, b = clients
    events = [tuple(row) for row in sandbox.store.events()]
    assert "ni številka ponudnika, ki podatke oddaja" in call(sandbox, b, b, report(A))
    (b.folders.incoming("nodurs") / NAME_A).write_text(report(A))
    sandbox.process_now()
    last = sandbox.store.submissions()[-1]
    assert (last.provider, last.verdict) == ("1572814000", "refused")
    assert [tuple(row) for row in sandbox.store.events()] == events
    assert list(a.folders.outgoing("nodurs").iterdir()) == []


def test_a_login_sees_its_own_folders_alone_and_each_gets_its_own_answers(
    sandbox: Sandbox, clients: tuple[Client, Client]
) -> None:
    """Each bank: neither reports nor answers of another lie where it can look."""
    for client, name in zip(clients, (NAME_A, NAME_B), strict=True):
        session = login(sandbox, client.provider.username, client)
        with session.open(f"nodurs/v_ajpes/{name}.part", "w") as file:
            file.write(report(client.provider))
        session.rename(f"nodurs/v_ajpes/{name}.part", f"nodurs/v_ajpes/{name}")
        answers = set(session.listdir("nodurs/iz_ajpes"))
        sandbox.process_now()
        (new,) = set(session.listdir("nodurs/iz_ajpes")) - answers
        with session.open(f"nodurs/iz_ajpes/{new}") as file:
            assert f'maticnaPonudnika="{client.provider.registration_number}"'.encode() in file.read()
        assert name in session.listdir("nodurs/accepted")
        assert sorted(session.listdir("../..")) == ["nodurs", "spapp"]
        session.get_channel().get_transport().close()  # type: ignore[union-attr]  # it is connected


def test_a_key_of_one_does_not_let_in_another(sandbox: Sandbox, clients: tuple[Client, Client]) -> None:
    """Each bank: the user name chooses the folder, and the key must be its own."""
    a, b = clients
    for username, keys in ((a.provider.username, b), (b.provider.username, a), ("banka", a)):
        with pytest.raises(paramiko.AuthenticationException):
            login(sandbox, username, keys)


def test_a_restart_finishes_what_each_had_under_way(tmp_path: Path) -> None:
    """Each bank: a file that was taken and not validated is validated at the next start, as its own."""
    providers = [A, B]
    with Sandbox(tmp_path / "ajpes", providers=providers, poll_seconds=None) as sandbox:
        first = {client.provider: client.certificate for client in sandbox.clients}
        for client, name in zip(sandbox.clients, (NAME_A, NAME_B), strict=True):
            number = client.provider.registration_number
            sandbox.store.add(provider=number, report="nodurs", via="sftp", file_name=name, received_at="",
                              size_bytes=1, sha256="")  # fmt: skip
            (client.folders.accepted("nodurs") / name).write_text(report(client.provider))
    with Sandbox(tmp_path / "ajpes", providers=providers, poll_seconds=None) as sandbox:
        assert {client.provider: client.certificate for client in sandbox.clients} == first
        sandbox.process_now()
        found = [(one.provider, one.verdict) for one in sandbox.store.submissions()]
        assert found == [("5860571000", "accepted"), ("1572814000", "accepted")]
        assert [len(list(each.folders.outgoing("nodurs").iterdir())) for each in sandbox.clients] == [1, 1]


@pytest.mark.parametrize(
    "other", [Provider("5860571", "The same", "other"), Provider("1", "Other", "banka-a")]
)
def test_providers_that_cannot_be_told_apart_are_refused(tmp_path: Path, other: Provider) -> None:
    """The administrator of the rehearsal: seven digits and the same with 000 mean one provider."""
    with pytest.raises(SandboxError, match="comes twice"):
        Sandbox(tmp_path / "ajpes", providers=[A, other])
