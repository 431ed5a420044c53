"""The last moment before the authority could have a report: it is told, and it may say no."""

from __future__ import annotations

import posixpath
from pathlib import Path

import pytest

from ajpes_reporting.deliver.sftp.carrier import SftpCarrier, SftpServer
from ajpes_reporting.domain.outcomes import Delivered, Unknown, Unreachable
from ajpes_reporting.domain.ports import Parcel, Sighting, no_progress
from tests.deliver.conftest import MakeCarrier, MakeParcel, MakeServer
from tests.deliver.handovers import Watched, refuse
from tests.servers.sshd import Sshd

NAME = "NODURS_20261117_5860571.xml"


def files(sshd: Sshd, name: str = "v_ajpes") -> list[Path]:
    return sorted(sshd.box("nodurs", name).iterdir())


# --- SOAP ---


def test_over_soap_no_byte_of_the_request_has_left_by_then(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel
) -> None:
    """A run that dies before this moment has sent nothing; after it, nobody knows."""
    server = make_server()
    seen: list[int] = []

    def note(_waits_as: str = "") -> None:
        seen.append(len(server.requests))

    outcome = make_carrier(server.port).deliver(parcel, no_progress, Watched(note, note))
    assert isinstance(outcome, Delivered)
    assert (seen, len(server.requests)) == ([0, 0], 1)


def test_over_soap_a_refused_hand_over_sends_nothing(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel
) -> None:
    """Whoever has lost the right to send hangs up."""
    server = make_server()
    outcome = make_carrier(server.port).deliver(parcel, no_progress, Watched(refuse))
    assert isinstance(outcome, Unreachable)
    assert "taken its place" in outcome.reason
    assert server.requests == []


def test_over_soap_a_run_that_was_replaced_does_not_end_its_message(
    make_server: MakeServer, make_carrier: MakeCarrier, parcel: Parcel
) -> None:
    """It was paused in the middle of the call, and somebody else has settled the report: half a message
    is none."""
    server = make_server()
    outcome = make_carrier(server.port).deliver(parcel, no_progress, Watched(still_ours=refuse))
    assert isinstance(outcome, Unknown)
    assert "cut before its end" in outcome.reason
    assert server.requests == []


# --- SFTP ---


@pytest.mark.parametrize("size_bytes", [303, 126_976, 400_000])
def test_over_sftp_a_part_of_the_file_is_missing_until_it_is_handed_over(
    sshd: Sshd, sftp_settings: SftpServer, make_parcel: MakeParcel, size_bytes: int
) -> None:
    """Some servers take a file as soon as it is whole; and whoever looks later knows its name."""
    parcel = make_parcel(b"x" * size_bytes)
    seen: list[tuple[str, list[str], int]] = []

    def note(waits_as: str) -> None:
        seen.append((waits_as, [path.name for path in files(sshd)], files(sshd)[0].stat().st_size))

    assert isinstance(SftpCarrier(sftp_settings).deliver(parcel, no_progress, Watched(note)), Delivered)
    ((waits_as, names, size),) = seen
    assert names == [waits_as]
    assert size < parcel.size_bytes
    assert [path.name for path in files(sshd)] == [NAME]


def test_over_sftp_a_refused_hand_over_leaves_nothing(
    sshd: Sshd, sftp_settings: SftpServer, parcel: Parcel
) -> None:
    """The file that waited is taken away again."""
    outcome = SftpCarrier(sftp_settings).deliver(parcel, no_progress, Watched(refuse))
    assert isinstance(outcome, Unreachable)
    assert files(sshd) == []


def test_a_file_taken_back_while_it_waits_cannot_arrive_any_more(
    sshd: Sshd, sftp_settings: SftpServer, parcel: Parcel
) -> None:
    """The sleeper wakes up after another run has looked: its rename fails, and it claims nothing."""
    carrier = SftpCarrier(sftp_settings)

    def take_back(waits_as: str) -> None:
        assert SftpCarrier(sftp_settings).look(parcel, waits_as) == Sighting(was_waiting=True)

    outcome = carrier.deliver(parcel, no_progress, Watched(take_back))
    assert not isinstance(outcome, Delivered)
    assert files(sshd) == []


@pytest.mark.parametrize("name", ["v_ajpes", "accepted"])
def test_the_very_bytes_are_seen_where_they_lie(
    sshd: Sshd, sftp_settings: SftpServer, parcel: Parcel, name: str
) -> None:
    """First in the folder for reports, then in that for accepted ones."""
    sshd.box("nodurs", name).mkdir(exist_ok=True)
    (sshd.box("nodurs", name) / NAME).write_bytes(parcel.path.read_bytes())
    sighting = SftpCarrier(sftp_settings).look(parcel, "gone.part")
    assert posixpath.normpath(sighting.place).endswith(f"nodurs/{name}/{NAME}")
    assert not sighting.was_waiting


def test_what_killed_runs_have_left_of_a_report_is_cleared_away(
    sshd: Sshd, sftp_settings: SftpServer, parcel: Parcel
) -> None:
    """They hold names and fill the authority's disk; files of other reports, and of others, stay."""
    box = sshd.box("nodurs", "v_ajpes")
    others = {"NODURS_20261116_5860571.xml.0123abcd.part", f"{NAME}.txt", f"{NAME}.other.part"}
    for name in {f"{NAME}.0123abcd.part", *others}:
        (box / name).write_bytes(b"half")
    assert isinstance(SftpCarrier(sftp_settings).deliver(parcel), Delivered)
    assert {path.name for path in files(sshd)} == {NAME, *others}


def test_another_file_of_that_name_is_not_seen_as_ours(
    sshd: Sshd, sftp_settings: SftpServer, parcel: Parcel
) -> None:
    """Yesterday's refused report under the same name says nothing of today's."""
    other = parcel.path.read_bytes().replace(b"5860571", b"5860572")
    (sshd.box("nodurs", "v_ajpes") / NAME).write_bytes(other)
    assert SftpCarrier(sftp_settings).look(parcel, "") == Sighting()
    assert len(files(sshd)) == 1


def test_a_name_that_is_a_path_takes_nothing_away_elsewhere(
    sshd: Sshd, sftp_settings: SftpServer, parcel: Parcel
) -> None:
    """What the journal holds is data, too."""
    victim = sshd.box("nodurs", "iz_ajpes") / "answer.xml"
    victim.write_bytes(b"<BlokOdgovor/>")
    SftpCarrier(sftp_settings).look(parcel, "../iz_ajpes/answer.xml")
    assert victim.exists()
