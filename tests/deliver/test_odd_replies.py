"""SFTP servers whose replies are not those of the book: other numbers, no text, too much, too little."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest
from asyncssh.constants import (
    FXP_ATTRS,
    FXP_CLOSE,
    FXP_DATA,
    FXP_FSTAT,
    FXP_HANDLE,
    FXP_NAME,
    FXP_OPEN,
    FXP_OPENDIR,
    FXP_READ,
    FXP_READDIR,
    FXP_REMOVE,
    FXP_RENAME,
    FXP_STAT,
    FXP_STATUS,
    FXP_WRITE,
)

from ajpes_reporting.deliver.sftp.carrier import SftpCarrier, SftpServer
from ajpes_reporting.domain.errors import NotDelivered
from ajpes_reporting.domain.outcomes import Delivered, Unknown, Unreachable
from ajpes_reporting.domain.ports import Parcel, RemoteAnswer
from tests.deliver.conftest import MakeParcel
from tests.servers.odd_sftp import OddSftp, Rewrite, rewrite_replies

NAME = "NODURS_20261117_5860571.xml"
OK, NO_SUCH_FILE, DENIED, FAILURE = 0, 2, 3, 4
SAYS_OK = (FXP_STATUS, struct.pack(">III", OK, 0, 0))

Speak = Callable[[Rewrite], None]


@pytest.fixture
def carrier(odd_settings: SftpServer) -> SftpCarrier:
    return SftpCarrier(odd_settings)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ajpes_reporting.deliver.sftp.upload._PAUSES", (0.1, 0.3))


@pytest.fixture
def speak(monkeypatch: pytest.MonkeyPatch) -> Speak:
    """Makes the server answer as told."""
    return lambda rewrite: rewrite_replies(monkeypatch, rewrite)


def names(odd: OddSftp) -> list[str]:
    return sorted(each.name for each in (odd.root / "nodurs/v_ajpes").iterdir())


def nothing_known(_asked: Sequence[RemoteAnswer]) -> list[RemoteAnswer]:
    return []


def status(code: int, text: bytes | None = b"no") -> bytes:
    """A status; without a text it is that of servers that are older than their texts."""
    number = struct.pack(">I", code)
    return number if text is None else number + struct.pack(">I", len(text)) + text + struct.pack(">I", 0)


def is_missing(kind: int, reply: bytes) -> bool:
    return kind == FXP_STATUS and struct.unpack(">I", reply[:4])[0] == NO_SUCH_FILE


# --- Numbers ---


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (DENIED, b"no"),
        (FAILURE, b"no"),
        (FAILURE, None),
        (5, b"no"),
        (8, None),
        (10, b"no"),
        (2**32 - 1, b"no"),
    ],
)
def test_whatever_number_a_missing_file_has_the_folder_decides(
    odd: OddSftp, carrier: SftpCarrier, parcel: Parcel, speak: Speak, code: int, text: bytes | None
) -> None:
    """FAILURE is the answer to everything on many servers; others hide what is missing behind a denial."""
    speak(lambda _asked, kind, reply: (kind, status(code, text) if is_missing(kind, reply) else reply))
    assert isinstance(carrier.deliver(parcel), Delivered)
    assert names(odd) == [NAME]
    assert carrier.look(parcel, f"{NAME}.0123abcd.part").place.endswith(NAME)
    assert [one for one in carrier.inspect().shortfalls if one.stops_runs] == []
    assert names(odd) == [NAME]


@pytest.mark.parametrize("code", [DENIED, FAILURE, 8, 99])
def test_a_report_that_was_taken_is_unknown_whatever_number_it_has(
    odd: OddSftp, carrier: SftpCarrier, parcel: Parcel, speak: Speak, code: int
) -> None:
    """Swept as it was closed, and its absence is told in another way: still not a failure."""
    odd.orders.on_close = lambda path: path.unlink()
    speak(lambda _asked, kind, reply: (kind, status(code) if is_missing(kind, reply) else reply))
    assert isinstance(carrier.deliver(parcel), Unknown)


@pytest.mark.parametrize(
    ("code", "text", "told"),
    [
        (FAILURE, None, "failure (status 4)"),
        (FAILURE, b"", "failure (status 4)"),
        (FAILURE, b"Failure.", "Failure (status 4)"),
        (8, None, "unsupported (status 8)"),
        (11, b"gibt es schon", "gibt es schon (status 11, file already exists)"),
        (77, b"nope", "nope (status 77, unknown to SFTP)"),
        (1, b"EOF", "EOF (status 1, end of file)"),
        (DENIED, "zavrnjeno č".encode("cp1250"), "zavrnjeno \\xe8 (status 3, permission denied)"),
        (FAILURE, b"x" * 5000, f"{'x' * 300} (status 4, failure)"),
    ],
)  # fmt: skip
def test_a_refusal_is_told_with_its_number_whatever_its_text(
    odd: OddSftp,
    carrier: SftpCarrier,
    parcel: Parcel,
    speak: Speak,
    code: int,
    text: bytes | None,
    told: str,
) -> None:
    """An operator can read it out to the authority's technicians; nothing ends in "refused: ."."""
    speak(
        lambda asked, kind, reply: (FXP_STATUS, status(code, text)) if asked == FXP_RENAME else (kind, reply)
    )
    odd.orders.on_rename = lambda _perform, _drop: None
    outcome = carrier.deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert f"did not give it its name: {told}. The upload was taken back" in outcome.reason
    assert names(odd) == []


# --- A full disk, a quota ---


@pytest.mark.parametrize("upload", ["rename", "direct"])
@pytest.mark.parametrize("blind", [False, True], ids=["one may look", "nobody may look"])
@pytest.mark.parametrize("which", ["first", "last", "close"])
@pytest.mark.parametrize("code", [FAILURE, 15])
def test_a_full_disk_is_told_and_no_part_of_a_report_gets_its_name(
    odd: OddSftp,
    odd_settings: SftpServer,
    make_parcel: MakeParcel,
    speak: Speak,
    code: int,
    which: str,
    blind: bool,
    upload: str,
) -> None:
    """It may be told with any block, or with closing the file; what had been written is taken back."""
    parcel = make_parcel(b"<Nodurs/>" * 30_000)

    def write(offset: int, size: int) -> None:
        if (which == "first" and not offset) or (which == "last" and offset + size == parcel.size_bytes):
            raise asyncssh.SFTPFailure("quota")

    def close(path: Path) -> None:
        if which == "close":
            os.truncate(path, 100_000)
            raise asyncssh.SFTPFailure("quota")

    def say(asked: int, kind: int, reply: bytes) -> tuple[int, bytes]:
        if blind and asked in (FXP_STAT, FXP_FSTAT, FXP_OPENDIR):
            return FXP_STATUS, status(DENIED)
        is_full = kind == FXP_STATUS and reply.startswith(struct.pack(">I", FAILURE))
        return (kind, status(code, b"quota")) if is_full else (kind, reply)

    speak(say)
    odd.orders.on_write, odd.orders.on_close = write, close
    outcome = SftpCarrier(replace(odd_settings, upload=upload)).deliver(parcel)  # type: ignore[arg-type]
    assert f"quota (status {code}" in outcome.reason  # type: ignore[union-attr]
    if blind and upload == "direct" and which == "close":
        assert isinstance(outcome, Unknown)  # half or whole: nobody may look
    else:
        assert isinstance(outcome, Unreachable)
        assert names(odd) == []


@pytest.mark.parametrize("upload", ["rename", "direct"])
def test_a_no_to_what_was_done_all_the_same_is_no_failure(
    odd: OddSftp, odd_settings: SftpServer, parcel: Parcel, speak: Speak, upload: str
) -> None:
    """It says that it cannot close the file, and has all of it."""
    speak(lambda asked, kind, reply: (FXP_STATUS, status(FAILURE)) if asked == FXP_CLOSE else (kind, reply))
    outcome = SftpCarrier(replace(odd_settings, upload=upload)).deliver(parcel)  # type: ignore[arg-type]
    assert isinstance(outcome, Delivered)


# --- Replies that say yes and bring nothing ---


@pytest.mark.parametrize(
    ("request_kind", "delivers"),
    [(FXP_OPEN, False), (FXP_STAT, True), (FXP_FSTAT, True), (FXP_OPENDIR, False), (FXP_READDIR, False)],
)
def test_a_yes_that_brings_nothing_is_told(
    odd: OddSftp,
    carrier: SftpCarrier,
    parcel: Parcel,
    tmp_path: Path,
    speak: Speak,
    request_kind: int,
    delivers: bool,
) -> None:
    """No handle, no attributes, no names: words in the place of a traceback, and nothing in `sending`."""
    (odd.root / "nodurs/iz_ajpes/a.xml").write_bytes(b"<BlokOdgovor/>")
    speak(lambda asked, kind, reply: SAYS_OK if asked == request_kind else (kind, reply))
    outcome = carrier.deliver(parcel)
    assert isinstance(outcome, Delivered if delivers else Unreachable)
    if not delivers:
        assert "does not keep to SFTP" in outcome.reason
        with pytest.raises(NotDelivered, match="does not keep to SFTP"):
            list(carrier.fetch_new("nodurs", nothing_known, tmp_path / "in"))


@pytest.mark.parametrize("request_kind", [FXP_WRITE, FXP_CLOSE, FXP_RENAME, FXP_REMOVE])
def test_a_reply_of_another_kind_is_no_yes(
    odd: OddSftp, carrier: SftpCarrier, parcel: Parcel, speak: Speak, request_kind: int
) -> None:
    """What lies there decides; where the server answers writes with something else, it cannot be used."""
    handle = struct.pack(">I", 1) + b"x"
    speak(lambda asked, kind, reply: (FXP_HANDLE, handle) if asked == request_kind else (kind, reply))
    assert not isinstance(carrier.deliver(parcel), Unknown)
    assert names(odd) in ([], [NAME])


def test_replies_to_questions_that_nobody_asked_do_not_hold_us(
    odd: OddSftp, odd_settings: SftpServer, parcel: Parcel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that numbers its replies wrongly is as good as silent."""
    send = asyncssh.sftp.SFTPServerHandler.send_packet

    def send_misnumbered(self: object, kind: int, number: int | None, *parts: bytes) -> None:
        if number is not None:
            parts = (struct.pack(">I", number + 7), *parts[1:])
        send(self, kind, number, *parts)

    monkeypatch.setattr("asyncssh.sftp.SFTPServerHandler.send_packet", send_misnumbered)
    outcome = SftpCarrier(replace(odd_settings, connect_timeout_seconds=2)).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert "did not answer in time" in outcome.reason


# --- Attributes ---


def with_extensions(attributes: bytes, count: int) -> bytes:
    """Attributes to which this many extensions are said to belong; two are there."""
    (flags,) = struct.unpack(">I", attributes[:4])
    pair = struct.pack(">I", 9) + b"a@b.c.d.e" + struct.pack(">I", 1) + b"x"
    return struct.pack(">I", flags | 1 << 31) + attributes[4:] + struct.pack(">I", count) + pair + pair


@pytest.mark.parametrize("count", [2, 2**32 - 1])
def test_extensions_are_passed_over_however_many_there_are_said_to_be(
    odd: OddSftp, carrier: SftpCarrier, parcel: Parcel, tmp_path: Path, speak: Speak, count: int
) -> None:
    """A vendor's own attributes; and a count that nobody can have meant does not hang a run."""
    (odd.root / "nodurs/iz_ajpes/a.xml").write_bytes(b"<BlokOdgovor/>")

    def extended(_asked: int, kind: int, reply: bytes) -> tuple[int, bytes]:
        return (kind, with_extensions(reply, count)) if kind == FXP_ATTRS else (kind, reply)

    speak(extended)
    assert isinstance(carrier.deliver(parcel), Delivered)
    assert len(list(carrier.fetch_new("nodurs", nothing_known, tmp_path / "in"))) == 1


@pytest.mark.parametrize("count", [1, 3, 2**32 - 1])
def test_a_listing_ends_where_its_bytes_end(
    odd: OddSftp, carrier: SftpCarrier, tmp_path: Path, speak: Speak, count: int
) -> None:
    """Four thousand million names are said to be on one page, and one is."""
    (odd.root / "nodurs/iz_ajpes/a.xml").write_bytes(b"<BlokOdgovor/>")

    def one_entry(_asked: int, kind: int, reply: bytes) -> tuple[int, bytes]:
        if kind != FXP_NAME:
            return kind, reply
        name, junk = b"a.xml", b"\xff\x00junk"
        attributes = struct.pack(">IQIII", 0b1101, 14, 0o100644, 0, 2**32 - 1)
        return kind, struct.pack(">I", count) + b"".join(
            struct.pack(">I", len(text)) + text for text in (name, junk)
        ) + attributes  # fmt: skip

    speak(one_entry)
    [(remote, path)] = carrier.fetch_new("nodurs", nothing_known, tmp_path / "in")
    assert (remote.name, remote.size_bytes, remote.modified_at) == ("a.xml", 14, 2**32 - 1)
    assert path.read_bytes() == b"<BlokOdgovor/>"


@pytest.mark.parametrize("moment", [0, 1, 2**31, 2**32 - 1])
def test_any_time_is_as_good_as_any_other(
    odd: OddSftp, carrier: SftpCarrier, parcel: Parcel, tmp_path: Path, speak: Speak, moment: int
) -> None:
    """Before 1970, after 2038, not set: no clock of theirs decides what becomes of a report."""
    (odd.root / "nodurs/iz_ajpes/a.xml").write_bytes(b"<BlokOdgovor/>")
    attributes = struct.pack(">IIII", 0b1100, 0o100644, moment, moment)
    speak(lambda _asked, kind, reply: (kind, attributes if kind == FXP_ATTRS else reply))
    assert isinstance(carrier.deliver(parcel), Delivered)
    assert len(list(carrier.fetch_new("nodurs", nothing_known, tmp_path / "in"))) == 1
    (odd.root / "nodurs/v_ajpes" / NAME).write_bytes(b"other")
    [strange] = carrier.strange_reports("nodurs", NAME, [parcel])
    assert strange.modified_at == moment


def test_an_empty_block_ends_a_file_as_well(
    odd: OddSftp, carrier: SftpCarrier, parcel: Parcel, tmp_path: Path, speak: Speak
) -> None:
    """Some servers end a file with no bytes in the place of a status."""
    (odd.root / "nodurs/iz_ajpes/a.xml").write_bytes(b"<BlokOdgovor/>")

    def no_end(asked: int, kind: int, reply: bytes) -> tuple[int, bytes]:
        return (FXP_DATA, bytes(4)) if asked == FXP_READ and kind == FXP_STATUS else (kind, reply)

    speak(no_end)
    [(_remote, path)] = carrier.fetch_new("nodurs", nothing_known, tmp_path / "in")
    assert path.read_bytes() == b"<BlokOdgovor/>"
