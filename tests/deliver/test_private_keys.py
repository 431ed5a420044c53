"""Private keys for SFTP as the tools of this world write them; OpenSSH's sshd says whether they are right."""

from __future__ import annotations

import base64
import logging
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ajpes_reporting.deliver.sftp.private_key import read_private_key
from ajpes_reporting.deliver.sftp.session import SftpServer, SftpSessions
from ajpes_reporting.domain.errors import ConfigurationError
from tests.servers.sshd import Sshd

pytestmark = [
    pytest.mark.skipif(shutil.which("openssl") is None, reason="install openssl"),
    pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="install openssh-client"),
]

PASSWORD = "Geslo-ključa 7"
Admit = Callable[[Path, str], None]


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def ssh_keygen(*arguments: str) -> str:
    return subprocess.run(["ssh-keygen", *arguments], check=True, capture_output=True, text=True).stdout


def genpkey(path: Path, *options: str) -> None:
    openssl("genpkey", *options, "-out", str(path))
    path.chmod(0o600)


def pkcs8(*options: str) -> Callable[[Path, str], None]:
    return lambda path, _password: genpkey(path, *options)


def pkcs8_encrypted(*options: str) -> Callable[[Path, str], None]:
    return lambda path, password: genpkey(path, *options, "-aes-256-cbc", "-pass", f"pass:{password}")


def old_pem(kind: str, *options: str) -> Callable[[Path, str], None]:
    def make(path: Path, password: str) -> None:
        genpkey(path, *options)
        protection = ["-aes128", "-passout", f"pass:{password}"] if password else []
        traditional = ["-traditional"] if kind == "rsa" else []
        openssl(kind, "-in", str(path), *protection, *traditional, "-out", str(path))
        assert f"BEGIN {kind.upper()} PRIVATE KEY" in path.read_text()

    return make


def openssh(kind: str) -> Callable[[Path, str], None]:
    return lambda path, password: ssh_keygen("-q", "-t", kind, "-N", password, "-f", str(path)) and None


def a_dsa_key() -> bytes:
    """Newer tools do not make one any more."""
    key = dsa.generate_private_key(1024)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


RSA = ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
ED25519 = ("-algorithm", "ED25519")


def ec(curve: str) -> tuple[str, ...]:
    return "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}"


KEYS = {
    "pkcs8 rsa": (pkcs8(*RSA), ""),
    "pkcs8 p256": (pkcs8(*ec("P-256")), ""),
    "pkcs8 p384": (pkcs8(*ec("P-384")), ""),
    "pkcs8 p521": (pkcs8(*ec("P-521")), ""),
    "pkcs8 ed25519": (pkcs8(*ED25519), ""),
    "pkcs8 rsa encrypted": (pkcs8_encrypted(*RSA), PASSWORD),
    "pkcs8 p256 encrypted": (pkcs8_encrypted(*ec("P-256")), PASSWORD),
    "pkcs8 ed25519 encrypted": (pkcs8_encrypted(*ED25519), PASSWORD),
    "old rsa": (old_pem("rsa", *RSA), ""),
    "old rsa encrypted": (old_pem("rsa", *RSA), PASSWORD),
    "old ec": (old_pem("ec", *ec("P-256")), ""),
    "old ec encrypted": (old_pem("ec", *ec("P-256")), PASSWORD),
    "openssh ed25519": (openssh("ed25519"), ""),
    "openssh ecdsa encrypted": (openssh("ecdsa"), PASSWORD),
}


def public_line(key: Path, password: str) -> str:
    """The public key; OpenSSH's own tool reads every form but Ed25519 in PKCS#8, which OpenSSL does."""
    if not key.name.startswith("pkcs8-ed25519"):
        return ssh_keygen("-y", "-P", password, "-f", str(key))
    public = key.with_suffix(".der")
    openssl(
        "pkey",
        "-in",
        str(key),
        "-passin",
        f"pass:{password}",
        "-pubout",
        "-outform",
        "DER",
        "-out",
        str(public),
    )
    blob = b"".join(
        len(part).to_bytes(4, "big") + part for part in (b"ssh-ed25519", public.read_bytes()[-32:])
    )
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}\n"


@pytest.fixture
def admit(sshd: Sshd) -> Admit:
    """Has the server admit whoever holds this key."""

    def add(key: Path, password: str) -> None:
        public = public_line(key, password)
        with sshd.private_key.with_suffix(".pub").open("a") as admitted:
            admitted.write(public)

    return add


@pytest.mark.parametrize("form", KEYS)
def test_keys_of_every_form_open_the_door(
    sftp_settings: SftpServer, admit: Admit, tmp_path: Path, form: str
) -> None:
    """Whatever tool the bank's administrator has at hand."""
    make, password = KEYS[form]
    key = tmp_path / form.replace(" ", "-")
    make(key, password)
    admit(key, password)
    settings = replace(sftp_settings, private_key=key, private_key_password=password or None)
    with SftpSessions(settings).open() as sftp:
        assert "nodurs" in sftp.listdir(".")


def test_a_certificate_beside_the_key_is_shown_with_it(
    sshd: Sshd, sftp_settings: SftpServer, tmp_path: Path
) -> None:
    """A server may know the one who signs keys, and not the keys."""
    authority, key = tmp_path / "authority", tmp_path / "key"
    for path in (authority, key):
        ssh_keygen("-q", "-t", "ed25519", "-N", "", "-f", str(path))
    ssh_keygen("-q", "-s", str(authority), "-I", "banka", "-n", sshd.username, f"{key}.pub")
    with sshd.private_key.with_suffix(".pub").open("a") as admitted:
        admitted.write(f"cert-authority {authority.with_suffix('.pub').read_text()}")
    with SftpSessions(replace(sftp_settings, private_key=key)).open() as sftp:
        assert "nodurs" in sftp.listdir(".")


# --- As editors leave them ---


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plain") / "key"
    genpkey(path, *ED25519)
    return path


DRESSED: dict[str, Callable[[str], bytes]] = {
    "a byte order mark": lambda text: ("\ufeff" + text).encode(),
    "line ends of Windows": lambda text: text.replace("\n", "\r\n").encode(),
    "both": lambda text: ("\ufeff" + text.replace("\n", "\r\n")).encode(),
    "UTF-16": lambda text: text.replace("\n", "\r\n").encode("utf-16"),
    "notes round it": lambda text: f"Ključ za AJPES, Žiga\n\n{text}\nshranjeno 2026\n".encode(),
    "notes in cp1250": lambda text: f"Ključ za AJPES, Žiga\n{text}".encode("cp1250"),
    "what PKCS#12 leaves": lambda text: (
        f"Bag Attributes\n    localKeyID: 01 02\nKey Attributes: <No>\n{text}".encode()
    ),
    "its certificate before it": lambda text: (
        f"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n{text}".encode()
    ),
    "indented": lambda text: "".join(f"    {line}\n" for line in text.splitlines()).encode(),
    "no line end": lambda text: text.strip().encode(),
}


@pytest.mark.parametrize("dress", DRESSED.values(), ids=list(DRESSED))
def test_a_key_is_read_whatever_an_editor_made_of_its_file(
    plain: Path, tmp_path: Path, dress: Callable[[str], bytes]
) -> None:
    """Mailed, pasted, saved by Windows: the key in it is the same."""
    (path := tmp_path / "key").write_bytes(dress(plain.read_text()))
    assert read_private_key(path, None).asbytes() == read_private_key(plain, None).asbytes()


def test_a_key_in_der_is_read(plain: Path, tmp_path: Path) -> None:
    """As `openssl genpkey -outform DER` writes it."""
    openssl("pkey", "-in", str(plain), "-outform", "DER", "-out", str(tmp_path / "key"))
    assert read_private_key(tmp_path / "key", None).asbytes() == read_private_key(plain, None).asbytes()


# --- What cannot be used ---


def refusal(path: Path, password: str | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read_private_key(path, password)
    assert caught.value.remedy
    assert path.name in caught.value.message
    return f"{caught.value.message} {caught.value.remedy}"


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "a public key": (lambda path: path.write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 x"), "is a public key"),
    "a public key in PEM": (lambda path: path.write_text("-----BEGIN PUBLIC KEY-----\n"), "is a public key"),
    "one in SSH2": (lambda path: path.write_text("---- BEGIN SSH2 PUBLIC KEY ----\n"), "is a public key"),
    "PuTTY 2": (lambda path: path.write_text("PuTTY-User-Key-File-2: ssh-rsa\n"), "puttygen"),
    "PuTTY 3": (lambda path: path.write_text("PuTTY-User-Key-File-3: ssh-ed25519\n"), "puttygen"),
    "SSH.com": (
        lambda path: path.write_text("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n"),
        "ssh-keygen -i",
    ),
    "a certificate": (lambda path: path.write_text("-----BEGIN CERTIFICATE-----\nMII"), "no private key"),
    "empty": (lambda path: path.touch(), "no private key"),
    "half a key": (
        lambda path: path.write_text("-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\n"),
        "damaged",
    ),
    "nothing": (lambda _path: None, "cannot be read"),
    "a folder": (lambda path: path.mkdir(), "cannot be read"),
    "DSA": (lambda path: path.write_bytes(a_dsa_key()), "is a DSA key"),
    "short RSA": (
        lambda path: genpkey(path, "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:768"),
        "768 bits",
    ),
    "Ed448": (lambda path: genpkey(path, "-algorithm", "ED448"), "Ed448"),
    "another curve": (lambda path: genpkey(path, *ec("secp256k1")), "secp256k1"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "told"), WRONG.values(), ids=list(WRONG))
def test_what_is_no_usable_private_key_is_told_as_what_it_is(
    tmp_path: Path, make: Callable[[Path], object], told: str
) -> None:
    """Whoever fills in the settings learns which file was taken, and what to do with it."""
    path = tmp_path / "the-key"
    make(path)
    assert told in refusal(path)


@pytest.mark.parametrize("make", [pkcs8_encrypted(*ED25519), openssh("ed25519"), old_pem("rsa", *RSA)])
def test_a_missing_or_wrong_password_is_told(tmp_path: Path, make: Callable[[Path, str], None]) -> None:
    """Which setting it is, and nothing of the password."""
    path = tmp_path / "the-key"
    make(path, PASSWORD)
    assert "set sftp.private_key_password" in refusal(path)
    told = refusal(path, "another")
    assert "another password" in told
    assert PASSWORD not in told


def test_a_password_that_is_not_needed_is_warned_of(plain: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The key works, and its owner believes that it is protected."""
    read_private_key(plain, PASSWORD)
    assert "is not protected" in caplog.text
    assert PASSWORD not in caplog.text


def test_an_rsa_key_that_is_rather_short_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """1024 bits may have been agreed upon years ago; the server decides."""
    path = tmp_path / "the-key"
    genpkey(path, "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024")
    with caplog.at_level(logging.WARNING):
        read_private_key(path, None)
    assert "1024 bits" in caplog.text


def test_another_keys_certificate_is_told(plain: Path, tmp_path: Path) -> None:
    """It lies beside the key under the right name, and belongs to the one before."""
    (path := tmp_path / "the-key").write_bytes(plain.read_bytes())
    path.with_name("the-key-cert.pub").write_text("ssh-ed25519-cert-v01@openssh.com AAAA")
    assert "is not the certificate" in refusal(path)


def test_a_key_in_use_is_not_decrypted_again_and_a_new_one_is_noticed(tmp_path: Path) -> None:
    """While a run waits for its answer it looks four times a second; another run finds the renewed key."""
    path = tmp_path / "the-key"
    openssh("ed25519")(path, PASSWORD)
    first = read_private_key(path, PASSWORD)
    assert read_private_key(path, PASSWORD) is first
    assert "another password" in refusal(path, "another")
    path.unlink()
    openssh("ed25519")(path, PASSWORD)
    assert read_private_key(path, PASSWORD).asbytes() != first.asbytes()
