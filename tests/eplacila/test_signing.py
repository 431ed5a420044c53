"""Requests are signed as section 6.4.1 says, and only UJP's signatures hold (6.4.2)."""

from __future__ import annotations

import base64
import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest

from ajpes_reporting.eplacila.errors import NotAuthentic
from ajpes_reporting.eplacila.signing import (
    Credentials,
    Signature,
    authorization,
    make_nonce,
    read_public_key,
    read_signature,
)
from tests.eplacila.conftest import API_KEY, IDS, SECRET, TRANSACTION, Signer, credentials, verifier

# The document's own example, its line breaks dropped.
NONCE, TIME = "tpjlETLsfk6QDeL", 1719989032
URL = f"https://eplacila.ujp.gov.si/api/v1/{API_KEY}/transaction/transaction/init"


def sha256sum(text: str) -> str:
    done = subprocess.run(["sha256sum"], input=text.encode(), capture_output=True, check=True)
    return done.stdout.decode().split()[0]


def test_the_example_of_the_document_is_signed_as_sha256sum_has_it() -> None:
    """The expectation comes from another program."""
    header = authorization(credentials(), URL, NONCE, datetime.fromtimestamp(TIME, UTC))
    kind, _, encoded = header.partition(" ")
    username, _, password = base64.b64decode(encoded).decode().partition(":")
    assert (kind, username) == ("Basic", f"{API_KEY}.{NONCE}.{TIME}")
    assert password == sha256sum(f"{API_KEY}.{NONCE}.{TIME}{SECRET}{URL}{IDS}")


def test_nonces_are_as_the_document_wants_them_and_never_the_same() -> None:
    """8 to 15 letters and digits of ASCII."""
    made = {make_nonce() for _ in range(1000)}
    assert len(made) == 1000
    assert all(nonce.isascii() and nonce.isalnum() and 8 <= len(nonce) <= 15 for nonce in made)


def test_neither_key_nor_secret_is_ever_shown() -> None:
    """A traceback or a debugger shows the `repr`."""
    shown = repr(Credentials(API_KEY, SECRET, IDS))
    assert API_KEY not in shown
    assert SECRET not in shown


@pytest.mark.parametrize(
    "time", ["1719989032", 1719989032, "2024-07-22T08:59:31.4529252+00:00", "2024-07-22T09:04:17Z"]
)
def test_a_signature_of_ujp_holds_whichever_way_it_writes_the_time(signer: Signer, time: Any) -> None:
    """The document says seconds since 1970, and its examples say ISO 8601 with seven decimals."""
    verifier(signer).verify(read_signature({"auth": signer.auth(TRANSACTION, time=time)}), TRANSACTION)


def test_the_key_is_taken_as_ujp_sends_it(signer: Signer) -> None:
    """Base64 without any frame, on one line or several."""
    pem = signer.public.read_bytes()
    bare = b"".join(pem.splitlines()[1:-1])
    for content in (pem, bare, b"\n".join(pem.splitlines()[1:-1])):
        assert read_public_key(content).public_numbers() == read_public_key(pem).public_numbers()


@pytest.mark.parametrize("content", [b"", b"abc", b"-----BEGIN PUBLIC KEY-----\n", b"\xff\xfe"])
def test_a_key_that_is_none_is_refused(content: bytes) -> None:
    """With a ValueError, which becomes words."""
    with pytest.raises(ValueError):
        read_public_key(content)


def test_nothing_but_the_very_text_that_was_signed_holds(signer: Signer, forger: Signer) -> None:
    """Another payment, another time, another nonce, another key, another signer."""
    signature = read_signature({"auth": signer.auth(TRANSACTION)})
    ujp = verifier(signer)
    ujp.verify(signature, TRANSACTION)
    others = (
        (signature, TRANSACTION[:-1] + "0"),
        (signature, ""),
        (Signature(signature.nonce, str(int(signature.timestamp) + 1), signature.value), TRANSACTION),
        (Signature("AAAAAAAAAAA", signature.timestamp, signature.value), TRANSACTION),
        (read_signature({"auth": signer.auth(TRANSACTION, key="0" * 32)}), TRANSACTION),
        (read_signature({"auth": forger.auth(TRANSACTION)}), TRANSACTION),
    )
    for other, transaction in others:
        with pytest.raises(NotAuthentic):
            ujp.verify(other, transaction)


@pytest.mark.parametrize(
    "auth",
    [
        None, "text", {}, {"nonce": "short", "timestamp": "1719989032", "signature": "AA=="},
        {"nonce": "AeVLDoT9nZPN09O", "timestamp": "17199890321", "signature": "AA=="},
        {"nonce": "AeVLDoT9nZPN09O", "timestamp": "2024-07-22", "signature": "AA=="},
        {"nonce": "AeVLDoT9nZPN09O", "timestamp": "2024-07-22T99:99:99Z", "signature": "AA=="},
        {"nonce": "AeVLDoT9nZPN09O", "timestamp": "0001-01-01T00:00:00+23:59", "signature": "AA=="},
        {"nonce": "AeVLDoT9nZPN09O", "timestamp": "1719989032", "signature": "č"},
        {"nonce": "čeVLDoT9nZPN09O", "timestamp": "1719989032", "signature": "AA=="},
    ],
)  # fmt: skip
def test_what_is_no_seal_is_not_believed(auth: Any) -> None:
    """In words, whatever stands there; the signed text has no separators, so the shapes are strict."""
    with pytest.raises(NotAuthentic):
        read_signature({"auth": auth})
