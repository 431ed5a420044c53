"""The pinned host key: every form in which people hand it over, and a server that shows another one first."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import asyncssh
import pytest

from ajpes_reporting.deliver.connection_pool import TurnedAway
from ajpes_reporting.deliver.sftp.host_key import read_pins
from ajpes_reporting.deliver.sftp.session import SftpServer, SftpSessions
from ajpes_reporting.deliver.sftp_way import SftpWay
from ajpes_reporting.domain.errors import ConfigurationError
from tests.servers.cutting_proxy import CuttingProxy
from tests.servers.odd_sftp import OddSftp
from tests.servers.sshd import Sshd


@pytest.fixture(scope="module")
def key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture(scope="module")
def server(key: asyncssh.SSHKey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OddSftp]:
    with OddSftp(tmp_path_factory.mktemp("odd"), key=key) as running:
        yield running


@pytest.fixture
def settings(server: OddSftp) -> SftpServer:
    return server.settings(connect_timeout_seconds=30)


def blob(line: str) -> bytes:
    return base64.b64decode(line.split()[1])


def sha256(line: str) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob(line)).digest()).decode().rstrip("=")


def md5(line: str) -> str:
    digest = hashlib.md5(blob(line)).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, 32, 2))


def ssh2(line: str) -> str:
    body = line.split()[1]
    lines = [body[at : at + 70] for at in range(0, len(body), 70)]
    return "\n".join(
        ["---- BEGIN SSH2 PUBLIC KEY ----", 'Comment: "AJPES"', *lines, "---- END SSH2 PUBLIC KEY ----"]
    )


FORMS: dict[str, Callable[[str], str]] = {
    "public key": lambda line: line,
    "with a comment": lambda line: f"{line} sftp@ajpes.si",
    "its base64 alone": lambda line: line.split()[1],
    "a line of known_hosts": lambda line: f"sftp.ajpes.si {line}",
    "with its port": lambda line: f"[sftp.ajpes.si]:2222,[192.0.2.7]:2222 {line}",
    "hashed": lambda line: f"|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= {line}",
    "what ssh-keyscan prints": lambda line: f"# sftp.ajpes.si:22 SSH-2.0-OpenSSH_9.2\nsftp.ajpes.si {line}\n",
    "an SSH2 file": ssh2,
    "with a byte order mark": lambda line: f"\ufeff{line}\r\n",
    "fingerprint": sha256,
    "padded": lambda line: f"{sha256(line)}=",
    "what ssh-keygen -l prints": lambda line: f"256 {sha256(line)} sftp@ajpes.si (ED25519)",
    "MD5": lambda line: f"MD5:{md5(line)}",
    "MD5 of an old letter": lambda line: md5(line).upper(),
    "what ssh-keygen -l -E md5 prints": lambda line: f"256 MD5:{md5(line)} no comment (ED25519)",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
def test_a_host_key_is_taken_as_people_hand_it_over(
    settings: SftpServer, server: OddSftp, form: Callable[[str], str]
) -> None:
    """Whatever names one key for certain pins it, and no other."""
    with SftpSessions(replace(settings, host_key=form(server.host_key))).open() as sftp:
        assert "nodurs" in sftp.listdir(".")
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    with pytest.raises(TurnedAway), SftpSessions(replace(settings, host_key=form(other))).open():
        pass


def test_a_public_key_in_pem_is_taken(settings: SftpServer, key: asyncssh.SSHKey) -> None:
    """As OpenSSL writes it."""
    pem = key.export_public_key("pkcs8-pem").decode()
    with SftpSessions(replace(settings, host_key=pem)).open() as sftp:
        assert "nodurs" in sftp.listdir(".")


def test_one_of_several_pinned_keys_is_enough(settings: SftpServer, server: OddSftp) -> None:
    """While the authority changes its key, both are named; also as several lines of known_hosts."""
    other = asyncssh.generate_private_key("ssh-rsa", key_size=2048).export_public_key().decode().strip()
    for pins in ((other, server.host_key), (sha256(server.host_key), other), f"{other}\n{server.host_key}"):
        with SftpSessions(replace(settings, host_key=pins)).open() as sftp:
            assert "nodurs" in sftp.listdir(".")


CERTIFICATE = "ssh-ed25519-cert-v01@openssh.com"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("# nothing\n", "is empty"),
        ("sftp.ajpes.si", "neither a public key"),
        ("SHA256:AAAA", "43 characters"),
        ("ssh-ed25519", "neither a public key"),
        ("ssh-ed25519 not/base64!", "neither a public key"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIETToxp+1rrl+jwJjEnOiBg6g", "not a whole public key"),
        ("ssh-dss AAAAB3NzaC1kc3MAAACBAAAA", "ssh-dss"),
        ("@cert-authority *.ajpes.si ssh-ed25519 AAAAC3NzaC1lZDI1NTE5", "@cert-authority"),
        ("@revoked * ssh-ed25519 AAAAC3NzaC1lZDI1NTE5", "@revoked"),
        ("aa:bb:cc", "neither a public key"),
        ("-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----", "without a public key"),
    ],
)
def test_what_pins_no_key_is_told_before_anybody_is_connected_to(
    settings: SftpServer, text: str, told: str
) -> None:
    """The settings are at fault."""
    with pytest.raises(ConfigurationError, match=told) as caught:
        SftpSessions(replace(settings, host_key=text))
    assert caught.value.remedy


def test_a_certificate_of_a_host_key_is_told(settings: SftpServer, key: asyncssh.SSHKey) -> None:
    """It would have to be renewed with every certificate; the key in it is what can be pinned."""
    certificate = key.generate_host_certificate(key, "sftp.ajpes.si").export_certificate().decode()
    with pytest.raises(ConfigurationError, match="certificate"):
        read_pins(certificate)


# --- Which of its keys a server shows first does not matter ---


@pytest.mark.parametrize("which", ["host_key", "rsa_host_key"])
@pytest.mark.parametrize("form", [sha256, md5])
def test_a_fingerprint_of_the_other_kind_of_key_is_found(
    sshd: Sshd, sftp_settings: SftpServer, which: str, form: Callable[[str], str]
) -> None:
    """The letter has the fingerprint of the RSA key, and the server prefers Ed25519: no alarm."""
    pinned = form(getattr(sshd, which))
    with CuttingProxy(sshd.port) as proxy:
        settings = replace(sftp_settings, port=proxy.port, host_key=pinned)
        with SftpSessions(settings).open() as sftp:
            assert "nodurs" in sftp.listdir(".")
        assert proxy.connections <= 2


def test_the_other_kinds_of_key_are_asked_for_one_after_the_other(
    sshd: Sshd, sftp_settings: SftpServer
) -> None:
    """A server that admits one connection at a time has seen the end of the one before."""
    key = sha256(sshd.rsa_host_key)
    with CuttingProxy(sshd.port) as proxy:
        with SftpSessions(replace(sftp_settings, port=proxy.port, host_key=key)).open():
            pass
        assert (proxy.connections, proxy.most_at_once) == (2, 1)


def test_a_key_that_is_none_of_the_servers_is_refused_after_each_kind_once(
    sshd: Sshd, sftp_settings: SftpServer
) -> None:
    """The alarm names every key that was shown; nothing was sent, not even the login."""
    stranger = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    before = sshd.logins()
    with CuttingProxy(sshd.port) as proxy:
        settings = replace(sftp_settings, port=proxy.port, host_key=sha256(stranger))
        with pytest.raises(TurnedAway) as caught, SftpSessions(settings).open():
            pass
        assert proxy.connections == 2
    for shown in (sshd.host_key, sshd.rsa_host_key, stranger):
        assert sha256(shown) in caught.value.message
    assert sshd.logins() == before


def test_a_whole_key_of_a_kind_is_compared_with_that_kind_alone(
    sshd: Sshd, sftp_settings: SftpServer
) -> None:
    """What was announced as its Ed25519 key cannot be its RSA key."""
    stranger = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    with CuttingProxy(sshd.port) as proxy:
        settings = replace(sftp_settings, port=proxy.port, host_key=stranger)
        with pytest.raises(TurnedAway), SftpSessions(settings).open():
            pass
        assert proxy.connections == 1


def test_the_old_key_of_two_is_asked_for_too(sshd: Sshd, sftp_settings: SftpServer) -> None:
    """The new one is announced, the server still has the old one, of another kind."""
    announced = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    settings = replace(sftp_settings, host_key=(announced, sshd.rsa_host_key))
    with SftpSessions(settings).open() as sftp:
        assert "nodurs" in sftp.listdir(".")


def test_several_host_keys_stand_in_the_settings_as_a_list() -> None:
    """One as a text, several as a list."""
    one = SftpWay(host="h", username="u", host_key="SHA256:a")
    two = SftpWay(host="h", username="u", host_key=["SHA256:a", "SHA256:b"])  # type: ignore[arg-type]  # as TOML has it
    assert (one.host_key, two.host_key) == ("SHA256:a", ("SHA256:a", "SHA256:b"))
