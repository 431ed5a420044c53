"""SFTP delivery and collection, against OpenSSH's sshd; where it must misbehave, against asyncssh."""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from ajpes_reporting.deliver.sftp.carrier import SftpCarrier, SftpServer
from ajpes_reporting.domain.errors import ConfigurationError, NotAllFetched, NotDelivered, UsageError
from ajpes_reporting.domain.outcomes import Delivered, Unknown, Unreachable
from ajpes_reporting.domain.ports import Parcel, RemoteAnswer
from tests.deliver.conftest import REPORT, MakeParcel
from tests.servers.cutting_proxy import CuttingProxy
from tests.servers.odd_sftp import PASSWORD, OddSftp, in_disorder
from tests.servers.sshd import Sshd

NAME = "NODURS_20261117_5860571.xml"


# --- Delivering ---


def test_the_report_lies_in_v_ajpes_under_its_name(
    sshd: Sshd, sftp_settings: SftpServer, make_parcel: MakeParcel
) -> None:
    """The authority finds whole files under the right names, and nothing else (section 4.2)."""
    content = os.urandom(1_000_003)
    seen: list[int] = []
    outcome = SftpCarrier(sftp_settings).deliver(make_parcel(content), seen.append)
    assert isinstance(outcome, Delivered)
    assert outcome.answer is None
    assert [each.name for each in sshd.box("nodurs", "v_ajpes").iterdir()] == [NAME]
    assert (sshd.box("nodurs", "v_ajpes") / NAME).read_bytes() == content
    assert sum(seen) == len(content)


def test_a_monthly_report_goes_into_its_own_folder(
    sshd: Sshd, sftp_settings: SftpServer, make_parcel: MakeParcel
) -> None:
    """SPAPP lies in spapp/v_ajpes, below the provider's folder where there is one."""
    settings = replace(sftp_settings, folder=str(sshd.root))
    parcel = make_parcel(b"<Spapp/>", report="spapp", name="SPAPP_202610_5860571.xml")
    assert isinstance(SftpCarrier(settings).deliver(parcel), Delivered)
    assert (sshd.box("spapp", "v_ajpes") / "SPAPP_202610_5860571.xml").read_bytes() == b"<Spapp/>"


def test_an_unfinished_file_never_has_a_name_that_ends_in_xml(
    odd: OddSftp, odd_settings: SftpServer, parcel: Parcel
) -> None:
    """The authority, which takes *.xml every hour, does not take half a report."""
    during: list[str] = []

    def look(perform: Callable[[], None], _drop: Callable[[], None]) -> None:
        during.extend(each.name for each in (odd.root / "nodurs/v_ajpes").iterdir())
        perform()

    odd.orders.on_rename = look
    assert isinstance(SftpCarrier(odd_settings).deliver(parcel), Delivered)
    [name] = during
    assert name.startswith(NAME)
    assert name.endswith(".part")


def test_the_same_file_already_there_counts_as_delivered(
    sshd: Sshd, sftp_settings: SftpServer, parcel: Parcel
) -> None:
    """A run that died after the rename is not repeated."""
    carrier = SftpCarrier(sftp_settings)
    carrier.deliver(parcel)
    outcome = carrier.deliver(parcel)
    assert isinstance(outcome, Delivered)
    assert "already there" in outcome.detail


@pytest.mark.parametrize(
    "other", [REPORT + b" ", REPORT.replace(b"5860571", b"5860572")], ids=["size", "content"]
)
def test_another_file_of_that_name_is_not_touched(
    sshd: Sshd, sftp_settings: SftpServer, parcel: Parcel, other: bytes
) -> None:
    """What the authority has not taken yet is not overwritten."""
    there = sshd.box("nodurs", "v_ajpes") / NAME
    there.write_bytes(other)
    outcome = SftpCarrier(sftp_settings).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert "another file" in outcome.reason
    assert there.read_bytes() == other
    assert [each.name for each in there.parent.iterdir()] == [NAME]


def test_a_name_taken_in_the_last_moment_is_not_overwritten(
    odd: OddSftp, odd_settings: SftpServer, parcel: Parcel
) -> None:
    """The plain rename of SFTP refuses what exists; that is the guard between two machines."""
    there = odd.root / "nodurs/v_ajpes" / NAME

    def take(perform: Callable[[], None], _drop: Callable[[], None]) -> None:
        there.write_bytes(b"somebody else's")
        perform()

    odd.orders.on_rename = take
    outcome = SftpCarrier(odd_settings).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert there.read_bytes() == b"somebody else's"
    assert [each.name for each in there.parent.iterdir()] == [NAME]


def test_openssh_does_not_overwrite_either(sshd: Sshd, sftp_settings: SftpServer, tmp_path: Path) -> None:
    """Our guard rests on how OpenSSH treats a plain rename; if that changes, we must know."""
    box = sshd.box("nodurs", "v_ajpes")
    (box / "old").write_bytes(b"old")
    (box / "new").write_bytes(b"new")
    with SftpCarrier(sftp_settings)._sessions.open() as sftp, pytest.raises(OSError, match="Failure"):
        sftp.rename("nodurs/v_ajpes/new", "nodurs/v_ajpes/old")
    assert (box / "old").read_bytes() == b"old"


def test_openssh_is_asked_how_much_it_takes_at_once(sshd: Sshd, sftp_settings: SftpServer) -> None:
    """Its own limit, 255 KiB, is eight times what every server takes."""
    with SftpCarrier(sftp_settings)._sessions.open() as sftp:
        assert sftp.largest_write_bytes == sftp.largest_read_bytes == 261_120


def test_a_server_without_limits_gets_what_every_server_takes(
    odd: OddSftp, odd_settings: SftpServer, make_parcel: MakeParcel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SFTP promises 32 KiB (filexfer draft 02, section 3); a larger block might end the session."""
    offered = asyncssh.sftp.SFTPServerHandler._extensions
    others = [each for each in offered if each[0] != b"limits@openssh.com"]
    assert others != offered
    monkeypatch.setattr(asyncssh.sftp.SFTPServerHandler, "_extensions", others)
    content = os.urandom(100_000)
    assert isinstance(SftpCarrier(odd_settings).deliver(make_parcel(content)), Delivered)
    assert odd.orders.written == [32_768, 32_768, 32_768, 1_696]


def test_a_server_with_limits_gets_no_larger_blocks(
    odd: OddSftp, odd_settings: SftpServer, make_parcel: MakeParcel
) -> None:
    """This one would take 4 MiB, which would only cost memory and time."""
    assert isinstance(SftpCarrier(odd_settings).deliver(make_parcel(os.urandom(300_000))), Delivered)
    assert odd.orders.written == [126_976, 126_976, 46_048]


def test_a_missing_folder_is_unreachable(sshd: Sshd, sftp_settings: SftpServer, parcel: Parcel) -> None:
    """A wrong sftp.folder is told in words."""
    outcome = SftpCarrier(replace(sftp_settings, folder="elsewhere")).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert "No such file" in outcome.reason
    assert "sftp.folder" in outcome.remedy


def test_a_changed_file_is_not_sent(sshd: Sshd, sftp_settings: SftpServer, parcel: Parcel) -> None:
    """Nothing leaves but the bytes that were archived."""
    parcel.path.write_bytes(REPORT + b" ")
    with pytest.raises(UsageError, match="changed"):
        SftpCarrier(sftp_settings).deliver(parcel)


# --- Whom we talk to ---


def test_a_fingerprint_can_be_pinned_instead_of_a_key(
    sshd: Sshd, sftp_settings: SftpServer, parcel: Parcel
) -> None:
    """Authorities announce fingerprints by letter."""
    settings = replace(sftp_settings, host_key=_fingerprint(sshd.host_key))
    assert isinstance(SftpCarrier(settings).deliver(parcel), Delivered)


def test_the_pinned_kind_of_key_is_asked_for(sshd: Sshd, sftp_settings: SftpServer, parcel: Parcel) -> None:
    """A server with several host keys is known by the one that was announced."""
    settings = replace(sftp_settings, host_key=sshd.rsa_host_key)
    assert isinstance(SftpCarrier(settings).deliver(parcel), Delivered)


@pytest.mark.parametrize("put", ["\ufeff{}", "{}\r\n", "  {}\t\n"])
@pytest.mark.parametrize("as_fingerprint", [True, False])
def test_a_host_key_that_was_copied_with_more_than_itself_is_that_key(
    sshd: Sshd, sftp_settings: SftpServer, put: str, as_fingerprint: bool
) -> None:
    """What comes along from a file of Windows is seen by nobody."""
    key = _fingerprint(sshd.host_key) if as_fingerprint else sshd.host_key
    assert SftpCarrier(replace(sftp_settings, host_key=put.format(key))).inspect()


@pytest.mark.parametrize("host", ["a..b", "x" * 64, "", "a b", "a\r\nb"])
def test_a_host_that_is_none_is_told_as_that(sftp_settings: SftpServer, parcel: Parcel, host: str) -> None:
    """A slip in the settings does not end the run in the middle."""
    outcome = SftpCarrier(replace(sftp_settings, host=host)).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert "is no name of a host" in outcome.reason


@pytest.mark.parametrize("as_fingerprint", [True, False])
def test_another_host_key_is_refused_before_the_login(
    odd: OddSftp, odd_settings: SftpServer, parcel: Parcel, as_fingerprint: bool
) -> None:
    """Whoever stands in between gets neither the password nor the report."""
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    pinned = _fingerprint(other) if as_fingerprint else other
    outcome = SftpCarrier(replace(odd_settings, host_key=pinned)).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert _fingerprint(other) in outcome.reason
    assert _fingerprint(odd.host_key) in outcome.reason
    assert odd.orders.logins == 0


def test_a_password_opens_the_door(odd: OddSftp, odd_settings: SftpServer, parcel: Parcel) -> None:
    """Providers without a key pair can deliver too."""
    assert isinstance(SftpCarrier(odd_settings).deliver(parcel), Delivered)


@pytest.mark.parametrize("settings", [{"password": "wrong"}, {"username": "somebody"}])
def test_a_refused_login_is_unreachable(
    odd_settings: SftpServer, parcel: Parcel, settings: dict[str, Any]
) -> None:
    """The operator learns who was not admitted, and with what."""
    outcome = SftpCarrier(replace(odd_settings, **settings)).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert "does not admit" in outcome.reason
    assert "wrong" not in outcome.reason


def test_only_the_configured_key_is_offered(
    sshd: Sshd, sftp_settings: SftpServer, parcel: Parcel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key lying about in ~/.ssh does not log us in as somebody else."""
    home = tmp_path / "home" / ".ssh"
    home.mkdir(parents=True)
    (home / "id_ed25519").write_bytes(sshd.private_key.read_bytes())
    monkeypatch.setenv("HOME", str(home.parent))
    stranger = tmp_path / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(stranger)], check=True)
    outcome = SftpCarrier(replace(sftp_settings, private_key=stranger)).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert "does not admit" in outcome.reason


def test_a_protected_key_needs_its_password(
    sshd: Sshd, sftp_settings: SftpServer, parcel: Parcel, tmp_path: Path
) -> None:
    """A missing or wrong password is found before anything is sent, and nobody is asked at a terminal."""
    key = tmp_path / "protected"
    key.write_bytes(sshd.private_key.read_bytes())
    key.chmod(0o600)
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-P", "", "-N", "skrivnost", "-f", str(key)],
        check=True,
        capture_output=True,
    )
    settings = replace(sftp_settings, private_key=key)
    for wrong in (None, "other"):
        with pytest.raises(ConfigurationError, match="protected"):
            SftpCarrier(replace(settings, private_key_password=wrong))
    carrier = SftpCarrier(replace(settings, private_key_password="skrivnost"))
    assert isinstance(carrier.deliver(parcel), Delivered)


@pytest.mark.parametrize(
    "settings",
    [
        {"host_key": "localhost"},
        {"host_key": "ssh-ed25519 not/base64!"},
        {"private_key": Path("/nonexistent")},
        {"private_key": Path(__file__)},
        {"private_key": None},
    ],
)
def test_unusable_settings_are_found_before_anything_is_sent(
    sftp_settings: SftpServer, settings: dict[str, Any]
) -> None:
    """The configuration is at fault, not the network."""
    with pytest.raises(ConfigurationError):
        SftpCarrier(replace(sftp_settings, **settings))


def test_the_password_is_in_no_log_and_no_text(
    odd_settings: SftpServer, parcel: Parcel, caplog: pytest.LogCaptureFixture
) -> None:
    """Logs are read by many and kept for long."""
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        caplog.set_level(logging.DEBUG, name)
    SftpCarrier(odd_settings).deliver(parcel)
    assert caplog.records
    assert not [each for each in caplog.records if PASSWORD in each.getMessage()]
    assert PASSWORD not in repr(odd_settings)


def test_algorithms_that_do_not_meet_are_named(
    tmp_path: Path, odd_settings: SftpServer, parcel: Parcel
) -> None:
    """An old server fails with what it offers, so that its operator can be told."""
    with OddSftp(tmp_path / "old", kex_algs=["diffie-hellman-group1-sha1"]) as old:
        settings = replace(odd_settings, port=old.port, host_key=old.host_key)
        outcome = SftpCarrier(settings).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert "diffie-hellman-group1-sha1" in outcome.reason


def test_inspection_tells_what_was_agreed_on(sshd: Sshd, sftp_settings: SftpServer) -> None:
    """The doctor says which algorithms both sides use, and leaves nothing behind."""
    said = SftpCarrier(sftp_settings).inspect().reached
    assert said.startswith("SSH-2.0-OpenSSH")
    assert "host key ssh-ed25519, cipher aes128-gcm@openssh.com" in said
    assert list(sshd.box("nodurs", "v_ajpes").iterdir()) == []


# --- Lines that break ---


def test_a_closed_port_is_unreachable(sftp_settings: SftpServer, parcel: Parcel) -> None:
    """A server that is down is told from one that refuses us."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    outcome = SftpCarrier(replace(sftp_settings, port=port)).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert "refuses connections" in outcome.reason


@pytest.mark.parametrize("received", [1, 30, 900, 2200], ids=["banner", "kex", "login", "channel"])
def test_a_server_that_falls_silent_does_not_hold_us(
    sshd: Sshd, sftp_settings: SftpServer, parcel: Parcel, received: int
) -> None:
    """Not every step of a login has a limit of its own."""
    with CuttingProxy(sshd.port, cut_after_received=received, silent=True, faulty_connections=9) as proxy:
        settings = replace(
            sftp_settings, port=proxy.port, connect_timeout_seconds=1, operation_timeout_seconds=1
        )
        started = time.monotonic()
        outcome = SftpCarrier(settings).deliver(parcel)
    assert time.monotonic() - started < 6
    assert isinstance(outcome, Unreachable)
    assert list(sshd.box("nodurs", "v_ajpes").iterdir()) == []


def test_a_session_that_takes_too_long_is_cut(
    sshd: Sshd, sftp_settings: SftpServer, make_parcel: MakeParcel
) -> None:
    """A server that takes a little now and then does not hold the run for ever."""
    parcel = make_parcel(os.urandom(3_000_000))
    settings = replace(sftp_settings, call_timeout_seconds=1.5, largest_write_bytes=32 * 1024)
    started = time.monotonic()
    outcome = SftpCarrier(settings).deliver(parcel, lambda _amount: time.sleep(0.1))
    assert time.monotonic() - started < 8
    assert isinstance(outcome, Unreachable)
    assert "not over after 1.5 seconds" in outcome.reason
    assert list(sshd.box("nodurs", "v_ajpes").iterdir()) == []


def test_a_cut_upload_leaves_nothing_that_looks_whole(
    sshd: Sshd, sftp_settings: SftpServer, make_parcel: MakeParcel
) -> None:
    """Half a file is taken away again, over a new connection."""
    with CuttingProxy(sshd.port, cut_after_sent=500_000) as proxy:
        settings = replace(sftp_settings, port=proxy.port)
        outcome = SftpCarrier(settings).deliver(make_parcel(os.urandom(2_000_000)))
        assert proxy.connections == 2
    assert isinstance(outcome, Unreachable)
    assert list(sshd.box("nodurs", "v_ajpes").iterdir()) == []


def test_a_rename_whose_receipt_is_lost_counts_as_delivered(
    odd: OddSftp, odd_settings: SftpServer, parcel: Parcel
) -> None:
    """A report that is there is not sent again by the other way."""

    def rename_and_drop(perform: Callable[[], None], drop: Callable[[], None]) -> None:
        perform()
        drop()

    odd.orders.on_rename = rename_and_drop
    outcome = SftpCarrier(odd_settings).deliver(parcel)
    assert isinstance(outcome, Delivered)
    assert "connection broke" in outcome.detail
    assert f"port {odd.port}, hung up in the middle of the session" in outcome.detail


def test_a_report_taken_before_we_could_look_counts_as_delivered(
    odd: OddSftp, odd_settings: SftpServer, parcel: Parcel
) -> None:
    """The authority may be quicker than our second connection."""
    box = odd.root / "nodurs"

    def rename_take_and_drop(perform: Callable[[], None], drop: Callable[[], None]) -> None:
        perform()
        (box / "v_ajpes" / NAME).rename(box / "accepted" / NAME)
        drop()

    odd.orders.on_rename = rename_take_and_drop
    outcome = SftpCarrier(odd_settings).deliver(parcel)
    assert isinstance(outcome, Delivered)
    assert "taken" in outcome.detail


def test_a_rename_that_never_happened_is_unreachable(
    odd: OddSftp, odd_settings: SftpServer, parcel: Parcel
) -> None:
    """Where our own unfinished file can still be taken away, nothing arrived, provably."""
    odd.orders.on_rename = lambda _perform, drop: drop()
    outcome = SftpCarrier(odd_settings).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert "taken back" in outcome.reason
    assert list((odd.root / "nodurs/v_ajpes").iterdir()) == []


@pytest.mark.parametrize("earlier", [None, REPORT], ids=["nothing accepted", "the same accepted earlier"])
def test_a_report_that_is_nowhere_leaves_the_outcome_unknown(
    odd: OddSftp, odd_settings: SftpServer, parcel: Parcel, earlier: bytes | None
) -> None:
    """Somebody took it, and we cannot see who; an older copy in accepted proves nothing."""
    box = odd.root / "nodurs"
    if earlier is not None:
        (box / "accepted" / NAME).write_bytes(earlier)
        os.utime(box / "accepted" / NAME, (1, 1))

    def rename_take_and_drop(perform: Callable[[], None], drop: Callable[[], None]) -> None:
        perform()
        (box / "v_ajpes" / NAME).unlink()
        drop()

    odd.orders.on_rename = rename_take_and_drop
    outcome = SftpCarrier(odd_settings).deliver(parcel)
    assert isinstance(outcome, Unknown)
    assert "resolve" in outcome.remedy


def test_a_server_gone_after_the_rename_leaves_the_outcome_unknown(
    odd: OddSftp, odd_settings: SftpServer, parcel: Parcel
) -> None:
    """Without a second look nothing is proven."""
    with CuttingProxy(odd.port) as proxy:

        def rename_and_vanish(perform: Callable[[], None], _drop: Callable[[], None]) -> None:
            perform()
            proxy.__exit__(None, None, None)

        odd.orders.on_rename = rename_and_vanish
        outcome = SftpCarrier(replace(odd_settings, port=proxy.port)).deliver(parcel)
    assert isinstance(outcome, Unknown)


@pytest.mark.parametrize("direction", ["sent", "received"])
def test_wherever_the_line_is_cut_the_outcome_is_true(
    sshd: Sshd, sftp_settings: SftpServer, parcel: Parcel, direction: str
) -> None:
    """Delivered is only said of a report that is there, unreachable only of one that is not."""
    box = sshd.box("nodurs", "v_ajpes")
    with CuttingProxy(sshd.port) as whole:
        assert isinstance(SftpCarrier(replace(sftp_settings, port=whole.port)).deliver(parcel), Delivered)
        total = getattr(whole, direction)
    for limit in [*range(1, total - 1500, 700), *range(total - 1500, total, 60)]:
        for each in box.iterdir():
            each.unlink()
        cut: dict[str, Any] = {f"cut_after_{direction}": limit}
        with CuttingProxy(sshd.port, **cut) as proxy:
            outcome = SftpCarrier(replace(sftp_settings, port=proxy.port)).deliver(parcel)
        if isinstance(outcome, Delivered):
            assert [each.name for each in box.iterdir()] == [NAME], limit
        else:
            assert isinstance(outcome, Unreachable), limit
            assert list(box.iterdir()) == [], limit


# --- Collecting ---


def nothing_known(_answers: Sequence[RemoteAnswer]) -> list[RemoteAnswer]:
    return []


def test_every_answer_is_fetched_whole_and_stays_there(
    sshd: Sshd, sftp_settings: SftpServer, tmp_path: Path
) -> None:
    """Answers are recognised by content, so everything is fetched; the authority's folder is left alone."""
    box = sshd.box("nodurs", "iz_ajpes")
    (box / "odgovor 1.xml").write_bytes(b"<BlokOdgovor/>")
    (box / "b").write_bytes(os.urandom(1_000_000))
    os.utime(box / "odgovor 1.xml", (1_700_000_000, 1_700_000_000))
    fetched = list(SftpCarrier(sftp_settings).fetch_new("nodurs", nothing_known, tmp_path / "in"))
    assert [answer.name for answer, _ in fetched] == ["odgovor 1.xml", "b"]
    assert fetched[0][0] == RemoteAnswer("nodurs", "odgovor 1.xml", 14, 1_700_000_000)
    for answer, path in fetched:
        assert path.read_bytes() == (box / answer.name).read_bytes()
    assert len(list(box.iterdir())) == 2
    assert sorted(each.name for each in (tmp_path / "in").iterdir()) == sorted(
        path.name for _, path in fetched
    )


def test_what_is_known_is_not_fetched_again(sshd: Sshd, sftp_settings: SftpServer, tmp_path: Path) -> None:
    """A folder that is never emptied does not cost more every day."""
    box = sshd.box("spapp", "iz_ajpes")
    (box / "old.xml").write_bytes(b"old")
    (box / "new.xml").write_bytes(b"new")
    carrier = SftpCarrier(sftp_settings)
    fetched = list(
        carrier.fetch_new("spapp", lambda asked: [one for one in asked if one.name == "old.xml"], tmp_path)
    )
    assert [answer.name for answer, _ in fetched] == ["new.xml"]


def test_unfinished_files_and_folders_are_passed_over(
    sshd: Sshd, sftp_settings: SftpServer, tmp_path: Path
) -> None:
    """What the authority is still writing is left for the next time."""
    box = sshd.box("nodurs", "iz_ajpes")
    (box / "a.xml.part").write_bytes(b"<Blok")
    (box / "b.TMP").write_bytes(b"<Blok")
    (box / "folder.xml").mkdir()
    assert list(SftpCarrier(sftp_settings).fetch_new("nodurs", nothing_known, tmp_path)) == []


def test_a_file_that_grows_while_it_is_read_is_left_for_next_time(
    odd: OddSftp, odd_settings: SftpServer, tmp_path: Path
) -> None:
    """Half an answer is not an answer."""
    box = odd.root / "nodurs/iz_ajpes"
    (box / "a.xml").write_bytes(b"<BlokOdgovor>")

    def grow(_path: bytes) -> None:
        with (box / "a.xml").open("ab") as file:
            file.write(b"</BlokOdgovor>")

    odd.orders.on_read = grow
    carrier = SftpCarrier(odd_settings)
    assert list(carrier.fetch_new("nodurs", nothing_known, tmp_path / "in")) == []
    assert list((tmp_path / "in").iterdir()) == []
    odd.orders.on_read = None
    [(answer, path)] = carrier.fetch_new("nodurs", nothing_known, tmp_path / "in")
    assert path.read_bytes() == b"<BlokOdgovor></BlokOdgovor>"
    assert answer.size_bytes == 27


def test_a_hostile_name_stays_in_its_folder(sshd: Sshd, sftp_settings: SftpServer, tmp_path: Path) -> None:
    """A file name from outside is never a path, a command or a second line in a log here."""
    box = sshd.box("nodurs", "iz_ajpes")
    names = ["..xml", "-rf", "a\nb.xml", "c\x1b[2J.xml", "=1+1.xml", "č" * 100 + ".xml", "~", "a b;c.xml"]
    for name in names:
        (box / name).write_bytes(name.encode())
    into = tmp_path / "in"
    fetched = list(SftpCarrier(sftp_settings).fetch_new("nodurs", nothing_known, into))
    assert sorted(answer.name for answer, _ in fetched) == sorted(names)
    for answer, path in fetched:
        assert path.parent == into
        assert path.name.isascii()
        assert not set(path.name) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
        assert path.read_bytes() == answer.name.encode()


def test_a_listed_name_that_is_a_path_is_passed_over(
    odd: OddSftp, odd_settings: SftpServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A lying server does not make us read or write elsewhere, nor hide the other answers."""
    odd.orders.listed = [b"../v_ajpes/x.xml", b"/etc/hostname", b"gone.xml"]
    (odd.root / "nodurs/v_ajpes/x.xml").write_bytes(b"12345")
    (odd.root / "nodurs/iz_ajpes/a.xml").write_bytes(b"<BlokOdgovor/>")
    fetched = list(SftpCarrier(odd_settings).fetch_new("nodurs", nothing_known, tmp_path / "in"))
    assert [answer.name for answer, _ in fetched] == ["a.xml"]
    assert len(list((tmp_path / "in").iterdir())) == 1
    assert "'../v_ajpes/x.xml'" in caplog.text


@pytest.mark.parametrize("size_bytes", [0, 1, 261_120, 1_000_000])
@pytest.mark.parametrize("largest_read", [None, 10_007], ids=["whole blocks", "short blocks"])
def test_an_answer_is_put_together_whatever_comes_first(
    odd: OddSftp,
    odd_settings: SftpServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size_bytes: int,
    largest_read: int | None,
) -> None:
    """A server may answer reads in any order, and give less than it was asked for."""
    monkeypatch.setattr(asyncssh.sftp.SFTPServerHandler, "_process_packet", in_disorder)
    odd.orders.largest_read = largest_read
    content = os.urandom(size_bytes)
    (odd.root / "nodurs/iz_ajpes" / "a.xml").write_bytes(content)
    [(_, path)] = SftpCarrier(odd_settings).fetch_new("nodurs", nothing_known, tmp_path / "in")
    assert path.read_bytes() == content


def test_an_answer_beyond_measure_is_not_fetched(
    sshd: Sshd, sftp_settings: SftpServer, tmp_path: Path
) -> None:
    """The disk is not filled by whoever answers; the other answers still come, and a person hears of it."""
    box = sshd.box("nodurs", "iz_ajpes")
    (box / "big.xml").write_bytes(b"x" * 1001)
    (box / "small.xml").write_bytes(b"x" * 1000)
    carrier = SftpCarrier(replace(sftp_settings, largest_answer_bytes=1000))
    fetched = []
    with pytest.raises(NotAllFetched, match=r"could not be fetched: big\.xml\. The others") as told:
        for answer, _path in carrier.fetch_new("nodurs", nothing_known, tmp_path):
            fetched.append(answer.name)
    assert fetched == ["small.xml"]
    assert "sftp.max_answer_bytes" in told.value.remedy


def test_a_name_that_is_not_utf_8_is_fetched_under_a_legible_one(
    sshd: Sshd, sftp_settings: SftpServer, tmp_path: Path
) -> None:
    """An answer is not lost, nor any beside it, for the alphabet in which it was named."""
    box = os.fsencode(sshd.box("nodurs", "iz_ajpes"))
    Path(os.fsdecode(box + b"/odgovor\xe8.xml")).write_bytes(b"x")
    carrier = SftpCarrier(sftp_settings)
    [(remote, path)] = carrier.fetch_new("nodurs", nothing_known, tmp_path / "got")
    assert remote.name == "odgovor\\xe8.xml"
    assert path.read_bytes() == b"x"
    assert carrier.inspect()


def test_a_folder_out_of_reach_is_told(sshd: Sshd, sftp_settings: SftpServer, tmp_path: Path) -> None:
    """No answers is not the same as no connection."""
    for settings in (replace(sftp_settings, port=1), replace(sftp_settings, folder="elsewhere")):
        with pytest.raises(NotDelivered):
            list(SftpCarrier(settings).fetch_new("nodurs", nothing_known, tmp_path))


def _fingerprint(public_key: str) -> str:
    digest = hashlib.sha256(base64.b64decode(public_key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
