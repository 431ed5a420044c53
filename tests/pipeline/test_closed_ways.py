"""A certificate, key or secret of ours that cannot be used closes its own way, and not the other one."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from ajpes_reporting.alarms.conditions import conditions
from ajpes_reporting.config import AlarmsSection, open_workspace
from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import submissions
from ajpes_reporting.pipeline.collect import collect
from ajpes_reporting.pipeline.run import Ending
from ajpes_reporting.wiring import open_context
from tests.pipeline.conftest import NOV_18, OCTOBER, Bank, event

Change = Callable[[Bank], None]


@pytest.fixture
def database_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """Which database it is makes no difference here."""
    return f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'ajpes.db')}"


def setting(bank: Bank, section: str, line: str, value: str) -> None:
    """Sets one line of one section of `ajpes.toml`, whether it is there already or not."""
    path = bank.folder / "ajpes.toml"
    head, rest = path.read_text().split(f"[{section}]\n")
    rest = re.sub(rf"(?m)^{line} = .*\n", "", rest, count=1)
    path.write_text(f"{head}[{section}]\n{line} = {value}\n{rest}")
    context = open_context(open_workspace(bank.folder), bank.time)
    bank.context.engine.dispose()
    bank.context = context


def certificate(
    bank: Bank, *, bits: int = 2048, not_before: datetime | None = None, not_after: datetime | None = None
) -> None:
    """A certificate of our own making, with its key."""
    key = rsa.generate_private_key(65537, bits)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bank.example")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
        .not_valid_before(not_before or datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(not_after or datetime(2040, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = made.public_bytes(Encoding.PEM)
    pem += key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (bank.folder / "own.pem").write_bytes(pem)
    setting(bank, "soap", "client_key", '"own.pem"')
    setting(bank, "soap", "client_certificate", '"own.pem"')


def file(bank: Bank, content: bytes) -> str:
    (bank.folder / "file").write_bytes(content)
    return '"file"'


NO_SOAP: dict[str, tuple[Change, str]] = {
    "expired": (lambda bank: certificate(bank, not_after=datetime(2026, 11, 1, tzinfo=UTC)), "expired"),
    "not valid yet": (
        lambda bank: certificate(bank, not_before=datetime(2026, 12, 1, tzinfo=UTC)), "valid only from"
    ),
    "too weak": (lambda bank: certificate(bank, bits=1024), "key too small"),
    "missing": (lambda bank: setting(bank, "soap", "client_certificate", '"gone.pem"'), "cannot be read"),
    "a folder": (lambda bank: setting(bank, "soap", "client_key", '"archive"'), "cannot be read"),
    "not a certificate": (
        lambda bank: setting(bank, "soap", "client_certificate", file(bank, b"MZ\x00")), "no certificate"
    ),
    "another key": (lambda bank: other_key(bank), "does not belong"),
    "a needless password": (
        lambda bank: setting(bank, "soap", "client_key_password", '"env:HOME"'), "has no password"
    ),
    "a secret that is not there": (
        lambda bank: setting(bank, "soap", "password", '"env:AJPES_NO_SUCH_SECRET"'), "AJPES_NO_SUCH_SECRET"
    ),
    "an issuer that is none": (
        lambda bank: setting(bank, "soap", "server_ca", file(bank, b"nothing")), "no certificate in PEM form"
    ),
    "a wrong password of the key": (lambda bank: protected_key(bank, '"file:file"'), "another password"),
    "no password for the key": (lambda bank: protected_key(bank), "protected by a password"),
    "a password of the key that is not there": (
        lambda bank: protected_key(bank, '"file:gone"'), "soap.client_key_password"
    ),
    "a damaged PKCS#12": (
        lambda bank: setting(bank, "soap", "client_pkcs12", file(bank, b"0\x82\x0a\xff\x02\x01")), "PKCS#12"
    ),
    "no PKCS#12": (lambda bank: setting(bank, "soap", "client_pkcs12", '"gone.p12"'), "cannot be read"),
    "a request in the place of the certificate": (
        lambda bank: setting(bank, "soap", "client_certificate", file(bank, REQUEST)), "a request for"
    ),
    "a secret in UTF-16": (
        lambda bank: setting(bank, "soap", "password", f'"file:{file(bank, "Geslo".encode("utf-16"))[1:]}'),
        "UTF-16",
    ),
    "an empty secret": (
        lambda bank: setting(bank, "soap", "password", f'"file:{file(bank, b"")[1:]}'), "is empty"
    ),
    "no issuer": (lambda bank: setting(bank, "soap", "server_ca", '"gone.pem"'), "soap.server_ca"),
    "half an issuer": (
        lambda bank: setting(bank, "soap", "server_ca", file(bank, b"-----BEGIN CERTIFICATE-----")), "no end"
    ),
    "not https": (lambda bank: setting(bank, "soap", "endpoint", '"http://127.0.0.1/"'), "https://"),
    "no address": (lambda bank: setting(bank, "soap", "endpoint", '"https://a..b/"'), "soap.endpoint"),
    "no such port": (lambda bank: setting(bank, "soap", "endpoint", '"https://h:99999/"'), "soap.endpoint"),
    "half a login for the proxy": (
        lambda bank: setting(bank, "soap", "proxy", '"http://127.0.0.1:9"\nproxy_username = "banka"'),
        "soap.proxy_password",
    ),
    "a WSDL that is missing": (lambda bank: setting(bank, "soap", "wsdl", '"gone.wsdl"'), "gone.wsdl"),
    "a WSDL without our operation": (
        lambda bank: setting(bank, "soap", "wsdl", file(bank, b"<definitions/>")), "root element is def"
    ),
    "no WSDL": (lambda bank: setting(bank, "soap", "wsdl", file(bank, b"<html>")), "file"),
}  # fmt: skip

NO_SFTP: dict[str, tuple[Change, str]] = {
    "no host key": (lambda bank: setting(bank, "sftp", "host_key", '"nonsense"'), "sftp.host_key"),
    "missing": (lambda bank: setting(bank, "sftp", "private_key", '"gone"'), "cannot be read"),
    "no key": (lambda bank: setting(bank, "sftp", "private_key", file(bank, b"PuTTY")), "no private key"),
    "a secret that is not there": (
        lambda bank: setting(bank, "sftp", "private_key_password", '"file:gone"'), "private_key_password"
    ),
    "a password that is not there": (
        lambda bank: setting(bank, "sftp", "password", '"credential:gone"'), "sftp.password"
    ),
    "half a login for the proxy": (
        lambda bank: setting(bank, "sftp", "proxy", '"http://127.0.0.1:9"\nproxy_username = "banka"'),
        "sftp.proxy_password",
    ),
    "a proxy whose issuer is missing": (
        lambda bank: setting(bank, "sftp", "proxy", '"https://127.0.0.1:9"\nproxy_ca = "gone.pem"'),
        "sftp.proxy_ca",
    ),
}  # fmt: skip


REQUEST = b"-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n"


def protected_key(bank: Bank, password: str = "") -> None:
    """Our own key, with a password that is not what `password` points at."""
    certificate(bank)
    (bank.folder / "file").write_bytes(b"ne to\n")
    key = load_pem_private_key((bank.folder / "own.pem").read_bytes(), None)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"to"))
    (bank.folder / "own.key").write_bytes(pem)
    setting(bank, "soap", "client_key", '"own.key"')
    if password:
        setting(bank, "soap", "client_key_password", password)


def other_key(bank: Bank) -> None:
    """A key that is not that of the certificate."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    setting(bank, "soap", "client_key", file(bank, pem))


def attempts(bank: Bank, key: int) -> list[tuple[str, str | None, str]]:
    with bank.context.engine.connect() as connection:
        return [(row.via, row.outcome, row.detail) for row in submissions.attempts_of(connection, key)]


def detours(bank: Bank) -> list[str]:
    with bank.context.engine.connect() as connection:
        found = list(conditions(connection, bank.context.provider, AlarmsSection(), bank.time()))
    return [alarm.text for alarm in found if alarm.kind == "detour"]


@pytest.mark.parametrize("what", NO_SOAP)
def test_when_our_own_certificate_closes_soap_the_report_goes_by_sftp(bank: Bank, what: str) -> None:
    """Provably nothing was sent, so the report is in time, and a person hears of both."""
    break_it, reason = NO_SOAP[what]
    break_it(bank)
    bank.record(event("O-1", 1))
    submission = bank.run().submission
    assert submission is not None
    assert submission.state is State.ACCEPTED
    (closed, sent) = attempts(bank, submission.id)
    assert (closed[:2], sent[:2]) == (("soap", "unreachable"), ("sftp", "delivered"))
    assert reason in closed[2]
    assert [one.via for one in bank.authority.store.submissions()] == ["sftp"]
    (told,) = detours(bank)
    assert "SFTP" in told
    assert closed[2] in told
    assert bank.problems() == ()


def test_when_the_other_way_fails_too_nobody_is_told_that_the_report_went_by_it(bank: Bank) -> None:
    """A person hears that nothing went, and why of each way."""
    NO_SOAP["missing"][0](bank)
    setting(bank, "sftp", "port", "1")
    bank.record(event("O-1", 1))
    submission = bank.run().submission
    assert submission is not None
    assert submission.state is State.UNREACHABLE
    (told,) = detours(bank)
    assert told.startswith("NODURS for 2026-11-17 went neither by SOAP nor by SFTP. SOAP: ")
    assert all(detail in told for _via, _outcome, detail in attempts(bank, submission.id))


@pytest.mark.parametrize("what", NO_SFTP)
def test_when_our_own_key_closes_sftp_the_report_goes_by_soap(bank: Bank, what: str) -> None:
    """The other direction: what is wrong with the second way does not close the first."""
    break_it, reason = NO_SFTP[what]
    break_it(bank)
    bank.record(event("O-1", 1))
    with pytest.raises(ConfigurationError, match=re.escape(reason)):
        bank.run(via="sftp")
    submission = bank.run().submission
    assert submission is not None
    assert submission.state is State.ACCEPTED
    assert [one[:2] for one in attempts(bank, submission.id)] == [("soap", "delivered")]


def test_a_large_report_whose_first_way_is_closed_goes_by_soap(bank: Bank) -> None:
    """Above `sftp_above_bytes` SFTP comes first; closed, it is passed by all the same."""
    setting(bank, "nodurs", "sftp_above_bytes", "1")
    NO_SFTP["missing"][0](bank)
    bank.record(event("O-1", 1))
    submission = bank.run().submission
    assert submission is not None
    assert submission.state is State.ACCEPTED
    assert [one[:2] for one in attempts(bank, submission.id)] == [
        ("sftp", "unreachable"),
        ("soap", "delivered"),
    ]


def test_with_every_way_closed_each_reason_is_told_and_nothing_is_recorded(bank: Bank) -> None:
    """Then it is a matter of the settings, as before: exit code 2, and what to mend of both."""
    NO_SOAP["missing"][0](bank)
    NO_SFTP["no host key"][0](bank)
    bank.record(event("O-1", 1))
    with pytest.raises(ConfigurationError, match=r"By SOAP: .*gone\.pem.* By SFTP: .*host_key"):
        bank.run()
    assert attempts(bank, 1) == []


@pytest.mark.parametrize(("via", "broken"), [("soap", NO_SOAP), ("sftp", NO_SFTP)])
def test_the_one_way_that_was_asked_for_is_told_as_a_wrong_setting(
    bank: Bank, via: str, broken: dict[str, tuple[Change, str]]
) -> None:
    """`--via` names a way that our own settings close: nothing is begun, and no other way is taken."""
    broken["missing"][0](bank)
    bank.record(event("O-1", 1))
    with pytest.raises(ConfigurationError, match="gone"):
        bank.run(via=via)
    assert bank.authority.store.submissions() == []


def test_a_monthly_report_has_no_other_way(bank: Bank) -> None:
    """SPAPP goes by SFTP alone: its key is a matter of the settings."""
    NO_SFTP["missing"][0](bank)
    with pytest.raises(ConfigurationError, match="gone"):
        bank.run("SPAPP", OCTOBER)


def test_folders_that_our_settings_close_do_not_hide_that_a_report_must_be_settled(bank: Bank) -> None:
    """An unknown report stays unknown; the run says so, and does not stop at a key it cannot read."""
    bank.record(event("O-1", 1))
    bank.authority.faults.add("soap", "drop_answer", times=1)
    bank.run()
    NO_SFTP["missing"][0](bank)
    assert bank.run().ending is Ending.MUST_BE_SETTLED
    with pytest.raises(ConfigurationError, match="gone"):
        collect(bank.context)


def test_the_alarm_is_over_when_the_first_way_is_open_again(bank: Bank) -> None:
    """It stands as long as somebody must act."""
    good = (bank.folder / "ajpes.toml").read_text()
    NO_SOAP["missing"][0](bank)
    bank.record(event("O-1", 1))
    bank.run()
    assert len(detours(bank)) == 1
    (bank.folder / "ajpes.toml").write_text(good)
    setting(bank, "soap", "connect_timeout_seconds", "20")
    bank.time.pass_by(days=1)
    bank.record(event("O-1", 2, recorded="2026-11-18T08:00:00"))
    bank.run(period=NOV_18)
    assert detours(bank) == []
