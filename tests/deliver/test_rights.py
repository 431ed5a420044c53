"""What an authority may forbid on its server, one by one and together, refused by OpenSSH itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from ajpes_reporting.deliver.sftp.carrier import SftpCarrier, SftpServer
from ajpes_reporting.deliver.sftp.folders import Folders
from ajpes_reporting.domain.errors import NotDelivered
from ajpes_reporting.domain.outcomes import Delivered, Unknown, Unreachable
from ajpes_reporting.domain.ports import Parcel, RemoteAnswer, Sighting
from tests.deliver.conftest import DENIED, NO_LIST, NO_STAT, MakeParcel
from tests.servers.odd_sftp import OddSftp
from tests.servers.sshd import Sshd

NAME = "NODURS_20261117_5860571.xml"
EVERYTHING = f"rename,read,remove,{NO_STAT},{NO_LIST}"
NO_RENAME = [denied for denied in DENIED if denied.startswith("rename")]
WORKS_WITHOUT = [denied for denied in DENIED if denied not in (*NO_RENAME, "open", "write", "close")]

MakeStingy = Callable[..., SftpCarrier]


@pytest.fixture
def stingy(sshd: Sshd, sftp_settings: SftpServer) -> MakeStingy:
    """Makes a carrier for a server that refuses these requests."""

    def make(denied: str, **settings: object) -> SftpCarrier:
        changed = replace(sftp_settings, port=sshd.denying[denied], **settings)  # type: ignore[arg-type]
        return SftpCarrier(changed)

    return make


def names(sshd: Sshd) -> list[str]:
    return sorted(each.name for each in sshd.box("nodurs", "v_ajpes").iterdir())


def nothing_known(_asked: Sequence[RemoteAnswer]) -> list[RemoteAnswer]:
    return []


# --- Delivering ---


@pytest.mark.parametrize("denied", WORKS_WITHOUT)
def test_a_report_is_delivered_without_what_is_only_housekeeping(
    sshd: Sshd, stingy: MakeStingy, make_parcel: MakeParcel, denied: str
) -> None:
    """To list, to look, to read and to remove is convenient; to write and to rename is enough."""
    parcel = make_parcel(b"<Nodurs/>" * 9_000)
    assert isinstance(stingy(denied).deliver(parcel), Delivered)
    assert names(sshd) == [NAME]
    assert (sshd.box("nodurs", "v_ajpes") / NAME).read_bytes() == parcel.path.read_bytes()


@pytest.mark.parametrize("denied", [denied for denied in WORKS_WITHOUT if NO_LIST in denied])
def test_another_file_of_that_name_is_not_overwritten_where_nobody_may_look(
    sshd: Sshd, stingy: MakeStingy, parcel: Parcel, denied: str
) -> None:
    """The rename itself is the guard."""
    (sshd.box("nodurs", "v_ajpes") / NAME).write_bytes(b"somebody else's")
    outcome = stingy(denied).deliver(parcel)
    assert isinstance(outcome, Unknown if "remove" in denied else Unreachable)
    assert (sshd.box("nodurs", "v_ajpes") / NAME).read_bytes() == b"somebody else's"


def test_without_rename_the_upload_is_taken_back_and_the_setting_is_named(
    sshd: Sshd, stingy: MakeStingy, parcel: Parcel
) -> None:
    """Provably nothing has arrived; whoever reads it knows what to ask for, and what else there is."""
    outcome = stingy("rename").deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert "Permission denied (status 3)" in outcome.reason
    assert "right to rename" in outcome.remedy
    assert 'sftp.upload = "direct"' in outcome.remedy
    assert names(sshd) == []


def test_what_cannot_be_renamed_or_taken_back_is_named(
    sshd: Sshd, stingy: MakeStingy, parcel: Parcel
) -> None:
    """A whole report lies there under another name, for anybody to take."""
    outcome = stingy("rename,remove").deliver(parcel)
    assert isinstance(outcome, Unknown)
    [left] = names(sshd)
    assert f"{left} still lies there" in outcome.reason


@pytest.mark.parametrize("denied", [*NO_RENAME, "read", "remove", f"{NO_STAT},{NO_LIST}"])
def test_directly_a_report_is_delivered_without_a_rename(
    sshd: Sshd, stingy: MakeStingy, make_parcel: MakeParcel, denied: str
) -> None:
    """Where an authority lets nobody rename, the setting lets the report in."""
    parcel = make_parcel(b"<Nodurs/>" * 9_000)
    assert isinstance(stingy(denied, upload="direct").deliver(parcel), Delivered)
    assert names(sshd) == [NAME]
    assert (sshd.box("nodurs", "v_ajpes") / NAME).read_bytes() == parcel.path.read_bytes()


@pytest.mark.parametrize("denied", ["rename", "remove", EVERYTHING])
def test_directly_another_file_of_that_name_is_not_overwritten(
    sshd: Sshd, stingy: MakeStingy, parcel: Parcel, denied: str
) -> None:
    """A file that is there is made only where the server promises that it is new, or shows that it is."""
    (sshd.box("nodurs", "v_ajpes") / NAME).write_bytes(b"somebody else's")
    assert isinstance(stingy(denied, upload="direct").deliver(parcel), Unreachable)
    assert (sshd.box("nodurs", "v_ajpes") / NAME).read_bytes() == b"somebody else's"


@pytest.mark.parametrize("denied", ["open", "write"])
@pytest.mark.parametrize("upload", ["rename", "direct"])
def test_without_the_right_to_write_nothing_arrives(
    sshd: Sshd, stingy: MakeStingy, parcel: Parcel, denied: str, upload: str
) -> None:
    """A server for reading only: the other way may be tried, and nothing is left of the attempt."""
    outcome = stingy(denied, upload=upload).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert "Permission denied (status 3)" in outcome.reason
    assert names(sshd) == []


@pytest.mark.parametrize("upload", ["rename", "direct"])
def test_a_refused_close_is_no_failure_if_the_file_is_whole(
    sshd: Sshd, stingy: MakeStingy, parcel: Parcel, upload: str
) -> None:
    """There are servers that do not close well what they have taken well; it is read back."""
    assert isinstance(stingy("close", upload=upload).deliver(parcel), Delivered)
    assert names(sshd) == [NAME]


# --- Looking ---


@pytest.mark.parametrize("denied", DENIED)
def test_what_nobody_may_see_keeps_nobody_from_looking_elsewhere(
    sshd: Sshd, stingy: MakeStingy, parcel: Parcel, denied: str
) -> None:
    """A run that looks for an unknown report goes on; what it cannot see settles nothing."""
    carrier = stingy(denied)
    assert carrier.look(parcel, f"{NAME}.0123abcd.part") == Sighting()
    assert carrier.strange_reports("nodurs", NAME, [parcel]) == []
    (sshd.box("nodurs", "accepted") / NAME).write_bytes(parcel.path.read_bytes())
    requests = denied.split(",")
    hidden = "read" in requests or "open" in requests or (NO_STAT in denied and NO_LIST in denied)
    assert bool(carrier.look(parcel, "").place) is not hidden
    assert carrier.strange_reports("nodurs", NAME, [parcel]) == []


def test_a_missing_folder_of_accepted_reports_is_no_trouble(
    sshd: Sshd, sftp_settings: SftpServer, parcel: Parcel
) -> None:
    """AJPES makes it when it takes the first report, or not at all."""
    sshd.box("nodurs", "accepted").rmdir()
    carrier = SftpCarrier(sftp_settings)
    assert carrier.strange_reports("nodurs", NAME, [parcel]) == []
    assert isinstance(carrier.deliver(parcel), Delivered)
    assert carrier.look(parcel, "").place.endswith(NAME)


# --- Fetching ---


def test_answers_that_may_not_be_read_are_told(
    sshd: Sshd, stingy: MakeStingy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They are there for everybody to see: whoever waits for one must hear that it does not come."""
    (sshd.box("nodurs", "iz_ajpes") / "odgovor.xml").write_bytes(b"<BlokOdgovor/>")
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(NotDelivered, match=r"could not be fetched: odgovor\.xml"),
    ):
        list(stingy("read").fetch_new("nodurs", nothing_known, tmp_path / "in"))
    assert "odgovor.xml" in caplog.text
    assert "Permission denied (status 3)" in caplog.text


@pytest.mark.parametrize("denied", [NO_LIST, "readdir"])
def test_a_folder_of_answers_that_may_not_be_listed_is_told(
    stingy: MakeStingy, tmp_path: Path, denied: str
) -> None:
    """Answers have no names that anybody knows; without a list there are none."""
    with pytest.raises(NotDelivered, match="refused to list nodurs/iz_ajpes: Permission denied"):
        list(stingy(denied).fetch_new("nodurs", nothing_known, tmp_path / "in"))


# --- The doctor ---

# What is told of v_ajpes, and whether runs can do without.
TOLD = {
    NO_LIST: ("cannot be listed", False),
    "readdir": ("cannot be listed", False),
    NO_STAT: ("nobody may look", False),
    f"{NO_STAT},{NO_LIST}": ("nobody may look", False),
    "read": ("cannot be read back", False),
    "remove": ("cannot be removed", False),
    f"read,{NO_STAT},{NO_LIST}": ("cannot be read back", False),
    f"read,remove,{NO_STAT},{NO_LIST}": ("cannot be removed", False),
    "rename": ("cannot be renamed", True),
    "rename,remove": ("cannot be renamed", True),
    EVERYTHING: ("cannot be renamed", True),
    "open": ("cannot be written", True),
    "write": ("cannot be written", True),
}


@pytest.mark.parametrize("denied", TOLD)
def test_the_missing_right_is_named_and_nothing_stays_there(
    sshd: Sshd, stingy: MakeStingy, denied: str
) -> None:
    """An administrator knows what to ask the authority for, before the first report goes."""
    text, stops_runs = TOLD[denied]
    told = [one for one in stingy(denied).inspect().shortfalls if text in one.detail]
    assert [one.place for one in told if "v_ajpes" in one.place] == ["nodurs/v_ajpes", "spapp/v_ajpes"]
    for one in told:
        assert "Permission denied (status 3)" in one.detail
        assert one.stops_runs is stops_runs or "v_ajpes" not in one.place
        assert "ask the authority for the right" in one.remedy
    assert [each for each in sshd.root.rglob("*") if each.is_file()] == []


def test_no_probe_is_left_where_looking_and_removing_are_both_forbidden(
    odd: OddSftp, odd_settings: SftpServer
) -> None:
    """In this folder alone: a server that hides what is missing would say so of every file, opened or not."""

    def deny(*_asked: object) -> None:
        raise asyncssh.SFTPPermissionDenied("Permission denied")

    def look(path: bytes, found: asyncssh.SFTPAttrs | None) -> asyncssh.SFTPAttrs:
        if b"v_ajpes/" in path:
            deny()
        return found

    odd.orders.on_stat, odd.orders.on_remove = look, deny
    found = SftpCarrier(odd_settings).inspect().shortfalls
    assert [one.place for one in found if "cannot be removed" in one.detail] == [
        "nodurs/v_ajpes", "spapp/v_ajpes",
    ]  # fmt: skip
    assert [each for each in odd.root.rglob("*") if each.is_file()] == []


@pytest.mark.parametrize("denied", ["close", "setstat,fsetstat,mkdir,fsync,limits"])
def test_what_no_run_needs_is_not_asked_for(stingy: MakeStingy, denied: str) -> None:
    """Nobody telephones the authority for a right that nothing depends on."""
    assert [one for one in stingy(denied).inspect().shortfalls if one.stops_runs] == []


def test_directly_nobody_needs_to_rename(sshd: Sshd, stingy: MakeStingy) -> None:
    """The setting is the remedy, so the doctor is content with it."""
    assert stingy("rename", upload="direct").inspect().shortfalls == ()
    assert [each for each in sshd.root.rglob("*") if each.is_file()] == []


@pytest.mark.parametrize("denied", ["rename", "read", "rename,remove", EVERYTHING])
def test_without_a_probe_not_a_byte_is_written(
    sshd: Sshd, sftp_settings: SftpServer, stingy: MakeStingy, denied: str
) -> None:
    """An authority that minds is obeyed; a right that is missing as a whole is named all the same."""
    before = [each.stat().st_mtime_ns for each in sorted(sshd.root.rglob("*"))]
    found = stingy(denied, probe=False).inspect().shortfalls
    assert [each.stat().st_mtime_ns for each in sorted(sshd.root.rglob("*"))] == before
    is_told = any("cannot be renamed" in one.detail for one in found)
    assert is_told is ("rename" in denied.split(","))


@pytest.mark.parametrize("denied", ["open", "read"])
def test_answers_that_may_not_be_read_are_named(sshd: Sshd, stingy: MakeStingy, denied: str) -> None:
    """What has lain there longest is opened and asked for a byte behind its end; nothing is fetched."""
    (sshd.box("spapp", "iz_ajpes") / "odgovor.xml").write_bytes(b"<PsOdgovor/>")
    found = [one for one in stingy(denied).inspect().shortfalls if one.place == "spapp/iz_ajpes"]
    [told] = found
    assert "files cannot be read" in told.detail
    assert told.stops_runs


def test_missing_folders_are_named(sshd: Sshd, sftp_settings: SftpServer) -> None:
    """Without accepted a run works; without the other two it does not."""
    for name in ("v_ajpes", "iz_ajpes", "accepted"):
        sshd.box("spapp", name).rmdir()
    found = SftpCarrier(sftp_settings).inspect().shortfalls
    assert [(one.place, one.stops_runs) for one in found] == [
        ("spapp/v_ajpes", True), ("spapp/iz_ajpes", True), ("spapp/accepted", False),
    ]  # fmt: skip
    assert found[0].detail.startswith("the folder is not there")


def test_all_is_well_on_a_generous_server(sshd: Sshd, sftp_settings: SftpServer) -> None:
    """No right is missing, and nothing has been left."""
    (sshd.box("nodurs", "iz_ajpes") / "odgovor.xml").write_bytes(b"<BlokOdgovor/>")
    assert SftpCarrier(sftp_settings).inspect().shortfalls == ()
    assert names(sshd) == []


# --- Folders of other names ---


def test_the_folders_may_have_other_names(
    sshd: Sshd, sftp_settings: SftpServer, parcel: Parcel, tmp_path: Path
) -> None:
    """A letter of the authority counts for more than its instruction."""
    (sshd.root / "IN").mkdir()
    (sshd.root / "OUT" / "NODURS").mkdir(parents=True)
    (sshd.root / "OUT" / "NODURS" / "a.xml").write_bytes(b"<BlokOdgovor/>")
    folders = Folders(nodurs=".", v_ajpes="IN", iz_ajpes="OUT/NODURS", accepted="DONE")
    carrier = SftpCarrier(replace(sftp_settings, folders=folders))
    assert isinstance(carrier.deliver(parcel), Delivered)
    assert [each.name for each in (sshd.root / "IN").iterdir()] == [NAME]
    fetched = list(carrier.fetch_new("nodurs", nothing_known, tmp_path / "in"))
    assert [remote.name for remote, _path in fetched] == ["a.xml"]
