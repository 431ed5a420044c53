"""SFTP servers that know less than OpenSSH, take a file at once, or say what is not so."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import asyncssh
import pytest

from ajpes_reporting.deliver.sftp.answer_folder import AnswerFolder
from ajpes_reporting.deliver.sftp.carrier import SftpCarrier, SftpServer
from ajpes_reporting.deliver.sftp.client import ListingLimits
from ajpes_reporting.deliver.sftp.session import SftpSessions
from ajpes_reporting.domain.errors import NotAllFetched, NotDelivered
from ajpes_reporting.domain.outcomes import Delivered, Outcome, Unknown, Unreachable
from ajpes_reporting.domain.ports import UNRECORDED, Parcel, RemoteAnswer, Sighting
from tests.deliver.conftest import MakeParcel
from tests.deliver.handovers import Watched, refuse
from tests.servers.odd_sftp import OddSftp

NAME = "NODURS_20261117_5860571.xml"
Attrs = asyncssh.SFTPAttrs
Perform = Callable[[], None]
Upload = Literal["rename", "direct"]


@pytest.fixture
def carrier(odd_settings: SftpServer) -> SftpCarrier:
    return SftpCarrier(odd_settings)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ajpes_reporting.deliver.sftp.upload._PAUSES", (0.1, 0.3))


def inbox(odd: OddSftp) -> Path:
    return odd.root / "nodurs/v_ajpes"


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def nothing_known(_asked: Sequence[RemoteAnswer]) -> list[RemoteAnswer]:
    return []


# --- It takes the file at once ---


def taken_at_close(odd: OddSftp, to: str | None) -> None:
    """The server takes whatever was closed; puts it into `accepted` under this name, if there is one."""

    def take(path: Path) -> None:
        if to is None:
            path.unlink()
        else:
            path.rename(odd.root / "nodurs/accepted" / to)

    odd.orders.on_close = take


def taken_after_rename(odd: OddSftp, to: str | None) -> None:
    def rename_and_take(perform: Perform, _drop: Perform) -> None:
        perform()
        if to is None:
            (inbox(odd) / NAME).unlink()
        else:
            (inbox(odd) / NAME).rename(odd.root / "nodurs/accepted" / to)

    odd.orders.on_rename = rename_and_take


def taken_between(odd: OddSftp, to: str | None) -> None:
    """Somebody takes the part file right before the rename, which then fails."""

    def take_and_fail(_perform: Perform, _drop: Perform) -> None:
        (part,) = inbox(odd).iterdir()
        part.rename(odd.root / "taken" if to is None else odd.root / "nodurs/accepted" / to)
        raise FileNotFoundError

    odd.orders.on_rename = take_and_fail


SWEEPS = [taken_at_close, taken_after_rename, taken_between]


@pytest.mark.parametrize("sweep", SWEEPS)
def test_a_whole_file_that_is_gone_is_unknown(
    odd: OddSftp, carrier: SftpCarrier, parcel: Parcel, sweep: Callable[..., None]
) -> None:
    """Whoever took it may be the authority: it must not be sent again by itself, nor by the other way."""
    sweep(odd, None)
    outcome = carrier.deliver(parcel)
    assert isinstance(outcome, Unknown)
    assert "may have arrived" in outcome.reason
    assert names(inbox(odd)) == []


@pytest.mark.parametrize("sweep", SWEEPS)
def test_a_file_that_was_taken_into_accepted_is_delivered(
    odd: OddSftp, carrier: SftpCarrier, parcel: Parcel, sweep: Callable[..., None]
) -> None:
    """There its very bytes can be seen, however quick the server was."""
    sweep(odd, NAME)
    assert isinstance(carrier.deliver(parcel), Delivered)


@pytest.mark.parametrize("sweep", SWEEPS)
@pytest.mark.parametrize("other_name", ["20261117_1700_NODURS.xml", f"{NAME}.part", "odloži\N{EM DASH}1"])
def test_a_file_that_was_taken_under_another_name_is_found_by_its_bytes(
    odd: OddSftp, carrier: SftpCarrier, parcel: Parcel, sweep: Callable[..., None], other_name: str
) -> None:
    """Nobody has promised us the names in `accepted`; a later look settles it."""
    (odd.root / "nodurs/accepted" / "of its size").write_bytes(b"x" * parcel.size_bytes)
    sweep(odd, other_name)
    assert not isinstance(carrier.deliver(parcel), Unreachable)
    assert carrier.look(parcel, f"{NAME}.0123abcd.part").place.endswith(other_name)


def removing_nothing_is_no_mistake(odd: OddSftp) -> None:
    """As servers in front of an object store have it: REMOVE of what is not there succeeds."""

    def remove(perform: Perform) -> None:
        with contextlib.suppress(FileNotFoundError):
            perform()

    odd.orders.on_remove = remove


def failing_for_what_is_missing(odd: OddSftp) -> None:
    """STAT says FAILURE of a missing file, and nobody may list."""

    def stat_or_fail(_path: bytes, found: Attrs | None) -> Attrs:
        if found is None:
            raise asyncssh.SFTPFailure("Failure")
        return found

    def deny(_entry: asyncssh.SFTPName) -> asyncssh.SFTPName:
        raise asyncssh.SFTPPermissionDenied("no")

    odd.orders.on_stat, odd.orders.on_list = stat_or_fail, deny


@pytest.mark.parametrize("sweep", [taken_at_close, taken_between])
@pytest.mark.parametrize("is_blind", [False, True])
def test_a_removal_of_nothing_is_no_proof_that_it_was_taken_back(
    odd: OddSftp, carrier: SftpCarrier, parcel: Parcel, sweep: Callable[..., None], is_blind: bool
) -> None:
    """The whole file was taken; a server that "removes" it all the same must not have it sent again."""
    sweep(odd, None)
    removing_nothing_is_no_mistake(odd)
    if is_blind:
        failing_for_what_is_missing(odd)
    assert isinstance(carrier.deliver(parcel), Unknown)
    assert carrier.look(parcel, f"{NAME}.0123abcd.part") == Sighting()


def test_what_a_server_hides_and_removes_once_was_taken_back(
    odd: OddSftp, carrier: SftpCarrier, parcel: Parcel
) -> None:
    """Such a server shows no part file; that it has none to remove a second time is proof enough."""
    odd.orders.on_rename = lambda _perform, _drop: None
    odd.orders.on_stat = lambda path, found: None if path.endswith(b".part") else found  # type: ignore[assignment,return-value]
    odd.orders.on_list = lambda entry: replace_name(entry, b".part", b".")
    assert isinstance(carrier.deliver(parcel), Unreachable)
    assert names(inbox(odd)) == []


def replace_name(entry: asyncssh.SFTPName, ending: bytes, by: bytes) -> asyncssh.SFTPName:
    return asyncssh.SFTPName(by, attrs=entry.attrs) if entry.filename.endswith(ending) else entry


def test_a_rename_that_does_nothing_is_seen_by_the_part_file_alone(
    odd: OddSftp, carrier: SftpCarrier, parcel: Parcel
) -> None:
    """Of the final name such a server tells nothing; that the part file is still there tells enough."""
    failing_for_what_is_missing(odd)
    odd.orders.on_rename = lambda _perform, _drop: None
    assert isinstance(carrier.deliver(parcel), Unreachable)
    assert names(inbox(odd)) == []


def test_a_part_file_that_gets_its_final_name_by_itself_is_delivered(
    odd: OddSftp, carrier: SftpCarrier, parcel: Parcel
) -> None:
    """A server with a habit of its own takes `.part` off as the file is closed."""
    odd.orders.on_close = lambda path: path.rename(path.parent / NAME)  # type: ignore[assignment,return-value]
    assert isinstance(carrier.deliver(parcel), Delivered)
    assert names(inbox(odd)) == [NAME]


def test_a_file_that_is_taken_while_it_is_written_is_unknown(
    odd: OddSftp, carrier: SftpCarrier, make_parcel: MakeParcel
) -> None:
    """What is still written goes where the file has gone, so all of it may be there in the end."""
    parcel = make_parcel(os.urandom(1_000_000))
    taken = odd.root / "taken"

    def sweep(_amount: int) -> None:
        for part in inbox(odd).iterdir():
            part.rename(taken)

    outcome = carrier.deliver(parcel, sweep)
    assert isinstance(outcome, Unknown)
    assert taken.read_bytes() == parcel.path.read_bytes()


def test_an_upload_that_breaks_off_in_the_middle_has_not_arrived(
    odd: OddSftp, carrier: SftpCarrier, make_parcel: MakeParcel
) -> None:
    """A part of a report is none, also if somebody has taken it: the other way may be tried."""

    def sweep_and_drop(done: int) -> None:
        for part in inbox(odd).iterdir():
            part.unlink()
        odd.drop()

    outcome = carrier.deliver(make_parcel(os.urandom(3_000_000)), sweep_and_drop)
    assert isinstance(outcome, Unreachable)


def test_a_line_that_breaks_after_the_last_byte_and_a_file_that_is_gone_are_unknown(
    odd: OddSftp, carrier: SftpCarrier, parcel: Parcel
) -> None:
    """It was whole, and the server took it before it hung up."""

    def sweep_and_drop(path: Path) -> None:
        path.unlink()
        odd.drop()

    odd.orders.on_close = sweep_and_drop
    assert isinstance(carrier.deliver(parcel), Unknown)


@pytest.mark.parametrize("upload", ["rename", "direct"])
@pytest.mark.parametrize("accepted", [False, True])
def test_a_file_that_is_emptied_as_it_is_closed_may_have_been_taken(
    odd: OddSftp, odd_settings: SftpServer, parcel: Parcel, upload: Upload, accepted: bool
) -> None:
    """Some servers take what is in a file, and leave the file: whoever sent it again would send it twice."""

    def take(path: Path) -> None:
        if accepted:
            (odd.root / "nodurs/accepted" / NAME).write_bytes(path.read_bytes())
        path.write_bytes(b"")

    odd.orders.on_close = take  # type: ignore[assignment]
    outcome = SftpCarrier(replace(odd_settings, upload=upload)).deliver(parcel)
    assert isinstance(outcome, Delivered if accepted else Unknown)


@pytest.mark.parametrize("how", ["rename", "write", "close"])
@pytest.mark.parametrize("upload", ["rename", "direct"])
def test_a_file_that_is_taken_and_refused_is_not_sent_again(
    odd: OddSftp, odd_settings: SftpServer, make_parcel: MakeParcel, upload: Upload, how: str
) -> None:
    """Taken, and then an error is told for what was done to it: its absence counts for more."""
    parcel = make_parcel(os.urandom(400_000))

    def take(*_args: object) -> None:
        for path in inbox(odd).iterdir():
            path.unlink()
        raise asyncssh.SFTPFailure("gone")

    if how == "rename":
        odd.orders.on_rename = lambda _perform, _drop: take()
    elif how == "close":
        odd.orders.on_close = take
    else:
        odd.orders.on_write = lambda offset, size: take() if offset + size == 400_000 else None
    outcome = SftpCarrier(replace(odd_settings, upload=upload)).deliver(parcel)
    if how == "rename" and upload == "direct":
        assert isinstance(outcome, Delivered)  # nothing was renamed
    elif how == "write" and upload == "rename":
        assert isinstance(outcome, Unreachable)  # a block of it is missing for good
    else:
        assert isinstance(outcome, Unknown)


@pytest.mark.parametrize("what", ["part", "final"])
def test_a_report_that_is_taken_as_soon_as_it_is_seen_is_unknown(
    odd: OddSftp, carrier: SftpCarrier, parcel: Parcel, what: str
) -> None:
    """The look itself sets the server off."""

    def take(path: bytes, found: Attrs | None) -> Attrs | None:
        name = path.decode()
        if found and (name.endswith(".part") if what == "part" else name.endswith(f"v_ajpes/{NAME}")):
            (odd.root / name.lstrip("/")).unlink()
            return None
        return found

    odd.orders.on_stat = take  # type: ignore[assignment]
    assert isinstance(carrier.deliver(parcel), Unknown)


def test_half_a_report_that_is_taken_directly_is_unknown(
    odd: OddSftp, odd_settings: SftpServer, make_parcel: MakeParcel
) -> None:
    """The authority may have half of it, and say something to that; nobody sends another one meanwhile."""
    taken = odd.root / "taken"

    def sweep_and_drop(_amount: int) -> None:
        for path in inbox(odd).iterdir():
            path.rename(taken)
        odd.drop()

    carrier = SftpCarrier(replace(odd_settings, upload="direct"))
    outcome = carrier.deliver(make_parcel(os.urandom(3_000_000)), sweep_and_drop)
    assert isinstance(outcome, Unknown)
    assert "under its own name" in outcome.reason


def test_half_a_report_that_still_lies_there_is_taken_back(
    odd: OddSftp, odd_settings: SftpServer, make_parcel: MakeParcel
) -> None:
    """As long as it can be taken back nobody has it: the other way may be tried."""
    carrier = SftpCarrier(replace(odd_settings, upload="direct"))
    outcome = carrier.deliver(make_parcel(os.urandom(3_000_000)), lambda _amount: odd.drop())
    assert isinstance(outcome, Unreachable)
    assert "was taken back" in outcome.reason
    assert names(inbox(odd)) == []


def test_half_a_report_that_cannot_be_taken_back_is_unknown(
    odd: OddSftp, odd_settings: SftpServer, make_parcel: MakeParcel
) -> None:
    """Half of it may still be taken; it is named."""
    odd.orders.on_remove = lambda _perform: None
    carrier = SftpCarrier(replace(odd_settings, upload="direct"))
    outcome = carrier.deliver(make_parcel(os.urandom(3_000_000)), lambda _amount: odd.drop())
    assert isinstance(outcome, Unknown)
    assert "cannot be taken back" in outcome.reason


def test_another_file_in_the_place_of_ours_is_not_removed(
    odd: OddSftp, odd_settings: SftpServer, make_parcel: MakeParcel
) -> None:
    """Ours was taken, and a receipt lies under its name: it is not ours to take away."""

    def exchange(path: Path) -> None:
        path.write_bytes(b"received")
        odd.drop()

    odd.orders.on_close = exchange  # type: ignore[assignment]
    carrier = SftpCarrier(replace(odd_settings, upload="direct"))
    assert isinstance(carrier.deliver(make_parcel(os.urandom(400_000))), Unknown)
    assert (inbox(odd) / NAME).read_bytes() == b"received"


def test_directly_it_is_handed_over_before_there_is_a_file(
    odd: OddSftp, odd_settings: SftpServer, parcel: Parcel
) -> None:
    """From the first byte on it may be taken, so a run that dies then has not sent nothing."""
    seen: list[tuple[str, list[str]]] = []

    def note(moment: str = "last") -> None:
        seen.append((moment, names(inbox(odd))))

    carrier = SftpCarrier(replace(odd_settings, upload="direct"))
    assert isinstance(carrier.deliver(parcel, handover=Watched(note, note)), Delivered)
    assert seen == [("", []), ("last", [NAME])]


@pytest.mark.parametrize("when", ["before", "last"])
def test_directly_a_run_that_was_replaced_leaves_nothing(
    odd: OddSftp, odd_settings: SftpServer, make_parcel: MakeParcel, when: str
) -> None:
    """Half a report is taken back, and none is begun."""
    handover = Watched(refuse) if when == "before" else Watched(still_ours=refuse)
    carrier = SftpCarrier(replace(odd_settings, upload="direct"))
    outcome = carrier.deliver(make_parcel(os.urandom(400_000)), handover=handover)
    assert isinstance(outcome, Unreachable)
    assert "taken its place" in outcome.reason
    assert names(inbox(odd)) == []


# --- It says what is not so ---


@pytest.mark.parametrize("upload", ["rename", "direct"])
def test_writes_that_do_nothing_are_not_believed(
    odd: OddSftp, odd_settings: SftpServer, parcel: Parcel, upload: Upload
) -> None:
    """It says yes to each block, and the file stays empty: nothing arrived, and nothing is left."""
    odd.orders.swallows = True
    outcome = SftpCarrier(replace(odd_settings, upload=upload)).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert "0 of 303 bytes" in outcome.reason
    assert names(inbox(odd)) == []


@pytest.mark.parametrize("code", ["unsupported", "failure"])
@pytest.mark.parametrize("upload", ["rename", "direct"])
def test_a_server_that_cannot_promise_a_new_file_takes_the_report(
    odd: OddSftp, odd_settings: SftpServer, parcel: Parcel, upload: Upload, code: str
) -> None:
    """Not every server knows how to make a new file only; one can see that there is none."""

    def refuse(_path: bytes, flags: int) -> None:
        if flags & asyncssh.FXF_EXCL:
            raise asyncssh.SFTPOpUnsupported("no") if code == "unsupported" else asyncssh.SFTPFailure("no")

    odd.orders.on_create = refuse
    carrier = SftpCarrier(replace(odd_settings, upload=upload))
    assert isinstance(carrier.deliver(parcel), Delivered)
    assert names(inbox(odd)) == [NAME]
    (inbox(odd) / NAME).write_bytes(b"somebody else's")
    assert isinstance(carrier.deliver(parcel), Unreachable)
    assert (inbox(odd) / NAME).read_bytes() == b"somebody else's"


def test_a_server_that_takes_reports_alone_is_told(
    odd: OddSftp, odd_settings: SftpServer, parcel: Parcel
) -> None:
    """It lets in names that end in .xml, and no others: nothing can be written under another name first."""

    def refuse(path: bytes, _flags: int) -> None:
        if not path.endswith(b".xml"):
            raise asyncssh.SFTPPermissionDenied("bad name")

    odd.orders.on_create = refuse
    outcome = SftpCarrier(odd_settings).deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert 'set sftp.upload = "direct"' in outcome.remedy
    lacks = SftpCarrier(odd_settings).inspect().shortfalls
    assert any("files cannot be written: bad name" in one.detail and one.stops_runs for one in lacks)
    directly = SftpCarrier(replace(odd_settings, upload="direct"))
    assert not any(one.stops_runs for one in directly.inspect().shortfalls)
    assert isinstance(directly.deliver(parcel), Delivered)


@pytest.mark.parametrize("more", [32, -100])
@pytest.mark.parametrize("upload", ["rename", "direct"])
def test_a_server_that_keeps_its_files_enciphered_is_read_back(
    odd: OddSftp, odd_settings: SftpServer, make_parcel: MakeParcel, tmp_path: Path, upload: Upload, more: int
) -> None:
    """The size is that of what lies on its disk; the bytes that come back are ours, and they count."""

    def grown(entry: asyncssh.SFTPName) -> asyncssh.SFTPName:
        entry.attrs.size += more
        return entry

    def stat_grown(_path: bytes, found: Attrs | None) -> Attrs | None:
        if found is not None and stat.S_ISREG(found.permissions):
            found.size += more
        return found

    parcel = make_parcel(os.urandom(50_000))
    odd.orders.on_stat, odd.orders.on_list = stat_grown, grown  # type: ignore[assignment]
    carrier = SftpCarrier(replace(odd_settings, upload=upload))
    assert isinstance(carrier.deliver(parcel), Delivered)
    assert isinstance(carrier.deliver(parcel), Delivered)
    assert carrier.look(parcel, "").place.endswith(NAME)
    answer = b"<BlokOdgovor/>" * 100
    (odd.root / "nodurs/iz_ajpes/a.xml").write_bytes(answer)
    [(_remote, path)] = carrier.fetch_new("nodurs", nothing_known, tmp_path / "in")
    assert path.read_bytes() == answer


@pytest.mark.parametrize("upload", ["rename", "direct"])
def test_a_file_that_is_doubled_is_not_delivered(
    odd: OddSftp, odd_settings: SftpServer, parcel: Parcel, upload: Upload
) -> None:
    """One server appended what it was given once more: that is not what was sent."""
    odd.orders.on_close = lambda path: path.write_bytes(path.read_bytes() * 2)  # type: ignore[assignment,return-value]
    outcome = SftpCarrier(replace(odd_settings, upload=upload)).deliver(parcel)
    assert isinstance(outcome, Unreachable if upload == "rename" else Unknown)
    assert "606 of 303 bytes" in outcome.reason


@pytest.mark.parametrize("other", [NAME.upper(), NAME.lower(), f"{NAME};1"])
@pytest.mark.parametrize("upload", ["rename", "direct"])
def test_a_report_under_another_name_is_found_and_told(
    odd: OddSftp, odd_settings: SftpServer, parcel: Parcel, upload: Upload, other: str
) -> None:
    """A server with names of its own has all of it, and AJPES will take it; it is not sent again."""

    def rename(_perform: Perform, _drop: Perform) -> None:
        (part,) = inbox(odd).iterdir()
        part.rename(inbox(odd) / other)

    if upload == "rename":
        odd.orders.on_rename = rename
    else:
        odd.orders.on_close = lambda path: path.rename(path.parent / other)  # type: ignore[assignment,return-value]
    outcome = SftpCarrier(replace(odd_settings, upload=upload)).deliver(parcel)
    assert isinstance(outcome, Delivered)
    assert other in outcome.detail


def test_an_older_file_with_the_same_bytes_is_not_taken_for_the_report(
    odd: OddSftp, carrier: SftpCarrier, parcel: Parcel
) -> None:
    """It lay there before, under another name; ours is gone, and nobody knows where."""
    (inbox(odd) / "older.xml").write_bytes(parcel.path.read_bytes())
    odd.orders.on_close = lambda path: path.unlink()
    assert isinstance(carrier.deliver(parcel), Unknown)


def test_a_rename_that_does_nothing_is_not_believed(
    odd: OddSftp, carrier: SftpCarrier, parcel: Parcel
) -> None:
    """The part file still lies there, and can be taken back: provably nothing arrived."""
    odd.orders.on_rename = lambda _perform, _drop: None
    outcome = carrier.deliver(parcel)
    assert isinstance(outcome, Unreachable)
    assert "taken back" in outcome.reason
    assert names(inbox(odd)) == []


def test_a_rename_and_a_removal_that_do_nothing_leave_it_unknown(
    odd: OddSftp, carrier: SftpCarrier, parcel: Parcel
) -> None:
    """What cannot be taken back may still arrive; the leftover is named."""
    odd.orders.on_rename = lambda _perform, _drop: None
    odd.orders.on_remove = lambda _perform: None
    outcome = carrier.deliver(parcel)
    assert isinstance(outcome, Unknown)
    assert ".part still lies there" in outcome.reason
    (part,) = names(inbox(odd))
    assert carrier.look(parcel, part) == Sighting()


def test_a_rename_that_copies_is_delivered_once(odd: OddSftp, carrier: SftpCarrier, parcel: Parcel) -> None:
    """What is left under the other name is taken away: it holds names."""

    def copy(_perform: Perform, _drop: Perform) -> None:
        (part,) = inbox(odd).iterdir()
        (inbox(odd) / NAME).write_bytes(part.read_bytes())

    odd.orders.on_rename = copy
    assert isinstance(carrier.deliver(parcel), Delivered)
    assert names(inbox(odd)) == [NAME]


def test_a_copy_that_was_cut_off_is_not_a_delivery(
    odd: OddSftp, carrier: SftpCarrier, parcel: Parcel
) -> None:
    """Half of the report lies there under its name, and the authority may take it: a person must look."""

    def half(_perform: Perform, _drop: Perform) -> None:
        (part,) = inbox(odd).iterdir()
        (inbox(odd) / NAME).write_bytes(part.read_bytes()[:100])

    odd.orders.on_rename = half
    outcome = carrier.deliver(parcel)
    assert isinstance(outcome, Unknown)
    assert "not what was sent" in outcome.reason


@pytest.mark.parametrize("say", ["ok", "drop", "fail"])
@pytest.mark.parametrize("does", ["nothing", "rename", "copy", "remove"])
def test_whatever_it_says_of_a_rename_the_folder_decides(
    odd: OddSftp, carrier: SftpCarrier, parcel: Parcel, say: str, does: str
) -> None:
    """Twelve servers: what each says is one thing, what lies there is another."""

    def rename(perform: Perform, drop: Perform) -> None:
        (part,) = inbox(odd).iterdir()
        if does == "rename":
            perform()
        elif does == "copy":
            (inbox(odd) / NAME).write_bytes(part.read_bytes())
        elif does == "remove":
            part.unlink()
        if say == "drop":
            drop()
        elif say == "fail":
            raise asyncssh.SFTPFailure("no")

    odd.orders.on_rename = rename
    expected: dict[str, type[Outcome]] = {"nothing": Unreachable, "remove": Unknown}
    assert type(carrier.deliver(parcel)) is expected.get(does, Delivered)
    assert names(inbox(odd)) == ([NAME] if does in ("rename", "copy") else [])


def test_a_report_whose_place_is_known_is_not_taken_for_one_that_waited(
    odd: OddSftp, carrier: SftpCarrier, parcel: Parcel
) -> None:
    """A killed run left the part file, and a server that copies had the report all the same."""
    for name in (NAME, f"{NAME}.0123abcd.part"):
        (inbox(odd) / name).write_bytes(parcel.path.read_bytes())
    sighting = carrier.look(parcel, f"{NAME}.0123abcd.part")
    assert sighting.was_waiting
    assert sighting.place.endswith(NAME)


# --- It knows less ---


def without(*names: str) -> Callable[[bytes, Attrs | None], Attrs | None]:
    """STAT without some of what it usually tells."""

    def stat_less(_path: bytes, found: Attrs | None) -> Attrs | None:
        for name in names if found else ():
            setattr(found, name, None)
        return found

    return stat_less


def size(value: int) -> Callable[[bytes, Attrs | None], Attrs | None]:
    def odd_size(_path: bytes, found: Attrs | None) -> Attrs | None:
        if found is not None:
            found.size = value
        return found

    return odd_size


def failure(_path: bytes, found: Attrs | None) -> Attrs:
    """A missing file is answered with FAILURE (4), not with NO_SUCH_FILE (2)."""
    if found is None:
        raise asyncssh.SFTPFailure("failure")
    return found


def denied(_path: bytes, _found: Attrs | None) -> Attrs:
    raise asyncssh.SFTPPermissionDenied("denied")


def blind(_path: bytes, _found: Attrs | None) -> None:
    """STAT finds nothing, whatever lies there."""


KNOWS_LESS = {
    "no size": without("size"),
    "no mode": without("permissions"),
    "no times": without("atime", "mtime"),
    "nothing": without("size", "permissions", "atime", "mtime"),
    "a size of 2^63": size(1 << 63),
    "a negative size": size((1 << 64) - 1),
    "failure for a missing file": failure,
    "no right to STAT": denied,
    "blind": blind,
}


@pytest.mark.parametrize("what", KNOWS_LESS)
def test_a_report_is_delivered_to_a_server_that_knows_less(
    odd: OddSftp, carrier: SftpCarrier, parcel: Parcel, what: str
) -> None:
    """What is not told is no contradiction; nothing ends with a traceback, or is left behind."""
    odd.orders.on_stat = KNOWS_LESS[what]  # type: ignore[assignment]
    assert isinstance(carrier.deliver(parcel), Delivered)
    assert names(inbox(odd)) == [NAME]
    assert carrier.look(parcel, f"{NAME}.0123abcd.part").place.endswith(NAME)


@pytest.mark.parametrize("what", KNOWS_LESS)
def test_a_file_that_is_cut_short_is_not_delivered_by_a_server_that_knows_less(
    odd: OddSftp, carrier: SftpCarrier, make_parcel: MakeParcel, what: str
) -> None:
    """Its disk is full and it does not say so: what is not told is read back."""
    odd.orders.on_stat = KNOWS_LESS[what]  # type: ignore[assignment]
    odd.orders.on_close = lambda path: os.truncate(path, 5)  # type: ignore[assignment]
    assert isinstance(carrier.deliver(make_parcel(os.urandom(50_000))), Unreachable)
    assert names(inbox(odd)) == []


def test_a_drop_folder_that_cannot_be_listed_takes_the_report(
    odd: OddSftp, carrier: SftpCarrier, parcel: Parcel
) -> None:
    """Listing is housekeeping."""
    odd.orders.on_list = refuse_listing
    (inbox(odd) / "other").write_bytes(b"")
    assert isinstance(carrier.deliver(parcel), Delivered)


def refuse_listing(_entry: asyncssh.SFTPName) -> asyncssh.SFTPName:
    raise asyncssh.SFTPPermissionDenied("denied")


# --- Its listing is odd ---


def entry_without(*missing: str) -> Callable[[asyncssh.SFTPName], asyncssh.SFTPName]:
    def less(entry: asyncssh.SFTPName) -> asyncssh.SFTPName:
        for name in missing:
            setattr(entry.attrs, name, None)
        return entry

    return less


def entry_with(**values: int) -> Callable[[asyncssh.SFTPName], asyncssh.SFTPName]:
    def other(entry: asyncssh.SFTPName) -> asyncssh.SFTPName:
        for name, value in values.items():
            setattr(entry.attrs, name, value)
        return entry

    return other


def without_type(entry: asyncssh.SFTPName) -> asyncssh.SFTPName:
    entry.attrs.permissions = stat.S_IMODE(entry.attrs.permissions)
    return entry


ODD_LISTINGS = {
    "no type bits": without_type,
    "no mode": entry_without("permissions"),
    "no size": entry_without("size"),
    "no times": entry_without("atime", "mtime"),
    "nothing": entry_without("size", "permissions", "atime", "mtime"),
    "other times than STAT": entry_with(atime=1, mtime=1),
    "a size of 2^63": entry_with(size=1 << 63),
    "a negative size": entry_with(size=(1 << 64) - 5),
    "as a link": entry_with(permissions=stat.S_IFLNK | 0o777, size=3),
}


@pytest.mark.parametrize("stat_too", [False, True], ids=["STAT knows", "nor does STAT"])
@pytest.mark.parametrize("what", ODD_LISTINGS)
def test_an_answer_in_an_odd_listing_is_fetched(
    odd: OddSftp, carrier: SftpCarrier, tmp_path: Path, what: str, stat_too: bool
) -> None:
    """Whatever might be an answer is asked for by STAT and fetched, never passed over in silence."""
    box = odd.root / "nodurs/iz_ajpes"
    (box / "a.xml").write_bytes(b"<BlokOdgovor/>")
    (box / "folder").mkdir()
    odd.orders.on_list = ODD_LISTINGS[what]
    if stat_too:
        odd.orders.on_stat = without("size", "permissions", "atime", "mtime")  # type: ignore[assignment]
    fetched = list(carrier.fetch_new("nodurs", nothing_known, tmp_path / "in"))
    assert [path.read_bytes() for remote, path in fetched] == [b"<BlokOdgovor/>"]
    remotes = [remote for remote, _path in fetched]
    assert list(carrier.fetch_new("nodurs", lambda _asked: remotes, tmp_path / "in")) == []
    assert [remote for remote in remotes if not 0 <= remote.size_bytes < 1 << 63] == []


def test_a_link_to_a_folder_or_to_nothing_is_no_answer(
    odd: OddSftp, carrier: SftpCarrier, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A link to a file is one; one that leads nowhere is warned about."""
    box = odd.root / "nodurs/iz_ajpes"
    (box / "real").write_bytes(b"<BlokOdgovor/>")
    for name, target in (("file.xml", "real"), ("folder.xml", "../accepted"), ("nowhere.xml", "gone")):
        (box / name).symlink_to(target)
    fetched = list(carrier.fetch_new("nodurs", nothing_known, tmp_path / "in"))
    assert sorted(remote.name for remote, _path in fetched) == ["file.xml", "real"]
    assert "nowhere.xml" in caplog.text


@pytest.mark.parametrize(
    "name",
    [
        b"an answer.xml",
        b"\xc4\x8d.XML",
        b"\xe8.xml",
        b"two\nlines.xml",
        b"ODGOVOR.XML",
        b"odgovor",
        b" .xml",
        b"%s",
    ],
)
def test_an_answer_of_any_name_is_fetched(
    odd: OddSftp, carrier: SftpCarrier, tmp_path: Path, name: bytes
) -> None:
    """It is known by its content; nobody has promised us a name."""
    (odd.root / "nodurs/iz_ajpes" / os.fsdecode(name)).write_bytes(b"<BlokOdgovor/>")
    [(_remote, path)] = carrier.fetch_new("nodurs", nothing_known, tmp_path / "in")
    assert path.read_bytes() == b"<BlokOdgovor/>"
    assert path.parent == tmp_path / "in"


@pytest.mark.parametrize("name", [b"..", b".", b"", b"/etc/passwd", b"../accepted/a.xml"])
def test_a_name_that_is_a_path_leads_nowhere(
    odd: OddSftp, carrier: SftpCarrier, tmp_path: Path, name: bytes
) -> None:
    """Nothing out of the folder is fetched, whatever a server lists."""
    (odd.root / "nodurs/accepted/a.xml").write_bytes(b"<Nodurs/>")
    (odd.root / "nodurs/iz_ajpes/a.xml").write_bytes(b"<BlokOdgovor/>")
    odd.orders.listed = [name]
    fetched = list(carrier.fetch_new("nodurs", nothing_known, tmp_path / "in"))
    assert [path.read_bytes() for _remote, path in fetched] == [b"<BlokOdgovor/>"]


def test_what_is_passed_over_is_told_once(
    odd: OddSftp, odd_settings: SftpServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Folders and unfinished files: whoever looks for an answer in the log finds where it may be."""
    box = odd.root / "nodurs/iz_ajpes"
    (box / "2026").mkdir()
    os.mkfifo(box / "pipe")
    for name in ("a.xml.filepart", "b.PART", "c.tmp"):
        (box / name).write_bytes(b"<BlokOdg")
    with SftpSessions(odd_settings).open() as sftp:
        for _poll in range(2):
            assert AnswerFolder(sftp, "nodurs/iz_ajpes", "nodurs").new(nothing_known) == []
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 5
    for name in ("2026", "pipe", "a.xml.filepart", "b.PART", "c.tmp"):
        assert sum(repr(name.encode()) in line for line in told) == 1


def test_the_same_name_with_other_content_is_fetched_again(
    odd: OddSftp, carrier: SftpCarrier, tmp_path: Path
) -> None:
    """A corrected answer takes the place of the one before."""
    path = odd.root / "nodurs/iz_ajpes/a.xml"
    known: list[RemoteAnswer] = []
    fetched: list[bytes] = []
    for content, moment in ((b"first", 1), (b"longer", 1), (b"third!", 2), (b"third!", 2)):
        path.write_bytes(content)
        os.utime(path, (moment, moment))
        for remote, local in carrier.fetch_new("nodurs", lambda _asked: known, tmp_path / "in"):
            known.append(remote)
            fetched.append(local.read_bytes())
    assert fetched == [b"first", b"longer", b"third!"]


@pytest.mark.parametrize("told", [denied, blind], ids=["denied", "blind"])
def test_answers_are_fetched_where_nobody_may_look_at_one(
    odd: OddSftp, carrier: SftpCarrier, tmp_path: Path, told: Callable[..., None]
) -> None:
    """The listing tells enough; and of many files it is not read again for each."""
    for number in range(20):
        (odd.root / f"nodurs/iz_ajpes/{number}.xml").write_bytes(b"<BlokOdgovor/>")
    listings: list[str] = []

    def count(entry: asyncssh.SFTPName) -> asyncssh.SFTPName:
        listings.append(entry.filename)
        return entry

    odd.orders.on_stat, odd.orders.on_list = told, count  # type: ignore[assignment]
    assert len(list(carrier.fetch_new("nodurs", nothing_known, tmp_path / "in"))) == 20
    assert len(listings) < 50


def test_a_clock_that_runs_does_not_keep_an_answer_from_being_fetched(
    odd: OddSftp, carrier: SftpCarrier, tmp_path: Path
) -> None:
    """Each look tells another time; the bytes are the same, and that is what counts."""
    (odd.root / "nodurs/iz_ajpes/a.xml").write_bytes(b"<BlokOdgovor/>")
    ticks = iter(range(1, 1_000))

    def tick(_path: bytes, found: Attrs | None) -> Attrs | None:
        if found is not None:
            found.atime = found.mtime = next(ticks)
        return found

    odd.orders.on_stat = tick  # type: ignore[assignment]
    [(_remote, path)] = carrier.fetch_new("nodurs", nothing_known, tmp_path / "in")
    assert path.read_bytes() == b"<BlokOdgovor/>"


def test_a_file_that_is_written_anew_while_it_is_read_is_left(
    odd: OddSftp, carrier: SftpCarrier, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of the same length, with other bytes: half of one answer and half of another would be none."""
    path = odd.root / "nodurs/iz_ajpes/a.xml"
    path.write_bytes(b"<BlokOdgovor/>")
    reads: list[bytes] = []

    def rewrite(read: bytes) -> None:
        reads.append(read)
        path.write_bytes(f"<BlokOdgovo{len(reads)}/>".encode())
        os.utime(path, (len(reads), len(reads)))

    odd.orders.on_read = rewrite
    assert list(carrier.fetch_new("nodurs", nothing_known, tmp_path / "in")) == []
    assert "changes while it is read" in caplog.text


def test_a_size_of_zero_may_mean_that_it_is_not_known(
    odd: OddSftp, carrier: SftpCarrier, tmp_path: Path
) -> None:
    """Made-up file systems tell 0 for everything."""
    (odd.root / "nodurs/iz_ajpes/a.xml").write_bytes(b"<BlokOdgovor/>")
    odd.orders.on_stat, odd.orders.on_list = size(0), entry_with(size=0)  # type: ignore[assignment]
    [(_remote, path)] = carrier.fetch_new("nodurs", nothing_known, tmp_path / "in")
    assert path.read_bytes() == b"<BlokOdgovor/>"


def test_a_report_is_delivered_where_every_size_is_told_as_zero(
    odd: OddSftp, carrier: SftpCarrier, parcel: Parcel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is its size told while it is open: what lies there is read before it is called emptied."""

    def unsupported(_sftp: object, _file: object) -> None:
        raise asyncssh.SFTPOpUnsupported("no")

    monkeypatch.setattr("tests.servers.odd_sftp._Sftp.fstat", unsupported, raising=False)
    odd.orders.on_stat, odd.orders.on_list = size(0), entry_with(size=0)  # type: ignore[assignment]
    assert isinstance(carrier.deliver(parcel), Delivered)
    assert names(inbox(odd)) == [NAME]


def test_an_answer_that_the_server_fails_to_give_is_told(
    odd: OddSftp, carrier: SftpCarrier, tmp_path: Path
) -> None:
    """It lies there, whatever the reason: `collect` must not look as if all had come."""

    def fail(path: bytes) -> None:
        if path.endswith(b"a.xml"):
            raise asyncssh.SFTPFailure("Locked")

    for name in ("a.xml", "b.xml"):
        (odd.root / "nodurs/iz_ajpes" / name).write_bytes(b"<BlokOdgovor/>")
    odd.orders.on_read = fail
    fetched = []
    with pytest.raises(NotAllFetched, match=r"could not be fetched: a\.xml\.") as told:
        for remote, _path in carrier.fetch_new("nodurs", nothing_known, tmp_path / "in"):
            fetched.append(remote.name)
    assert fetched == ["b.xml"]
    assert "collect again later" in told.value.remedy


def test_a_full_disk_of_ours_is_not_told_as_the_servers_fault(
    odd: OddSftp, carrier: SftpCarrier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody looks at the network, or rings the authority, for what only room on this machine mends."""
    (odd.root / "nodurs/iz_ajpes/a.xml").write_bytes(b"<BlokOdgovor/>")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "full.part").symlink_to("/dev/full")
    monkeypatch.setattr("ajpes_reporting.deliver.sftp.carrier._local_name", lambda _remote: "full")
    with pytest.raises(NotDelivered, match="cannot be kept: No space left on device") as told:
        list(carrier.fetch_new("nodurs", nothing_known, tmp_path / "in"))
    assert "disk of this machine" in told.value.remedy


def test_a_listing_without_an_end_is_given_up_and_told(
    odd: OddSftp, odd_settings: SftpServer, tmp_path: Path
) -> None:
    """What was found until then is fetched all the same; a run is not held for ever."""
    (odd.root / "nodurs/iz_ajpes/7.xml").write_bytes(b"12345")
    odd.orders.endless = True
    carrier = SftpCarrier(replace(odd_settings, listing_limits=ListingLimits(names=1_000)))
    fetched = []
    with pytest.raises(NotDelivered, match="given up after 1,"):
        for remote, _path in carrier.fetch_new("nodurs", nothing_known, tmp_path / "in"):
            fetched.append(remote.name)
    assert fetched == ["7.xml"]
    assert any("given up" in one.detail for one in carrier.inspect().shortfalls)


@pytest.mark.parametrize(
    "limits", [ListingLimits(names=2_000), ListingLimits(size_bytes=100_000), ListingLimits(seconds=0.5)]
)
def test_a_drop_folder_without_an_end_takes_the_report(
    odd: OddSftp, odd_settings: SftpServer, parcel: Parcel, limits: ListingLimits
) -> None:
    """Clearing leftovers away is housekeeping; by count, by bytes and by time it has an end."""
    odd.orders.endless = True
    assert isinstance(SftpCarrier(replace(odd_settings, listing_limits=limits)).deliver(parcel), Delivered)


def test_a_flood_of_new_names_is_fetched_the_newest_first(
    odd: OddSftp, carrier: SftpCarrier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer that somebody waits for is among the newest; the others follow the next time."""
    monkeypatch.setattr("ajpes_reporting.deliver.sftp.answer_folder._MOST_NEW", 10)
    monkeypatch.setattr("ajpes_reporting.deliver.sftp.answer_folder._ASKED_AT_ONCE", 7)
    box = odd.root / "nodurs/iz_ajpes"
    for number in range(35):
        (box / f"{number}.xml").write_bytes(b"x")
        os.utime(box / f"{number}.xml", (number + 1, number + 1))
    known: list[RemoteAnswer] = []
    rounds = []

    def are_known(_asked: Sequence[RemoteAnswer]) -> list[RemoteAnswer]:
        return known

    for _round in range(4):
        fetched: list[RemoteAnswer] = []
        try:
            for remote, _path in carrier.fetch_new("nodurs", are_known, tmp_path / "in"):
                fetched.append(remote)
        except NotDelivered as error:
            assert "more than 10 new files" in error.message
        rounds.append([int(one.name.removesuffix(".xml")) for one in fetched])
        known += fetched
    assert rounds == [list(range(25, 35)), list(range(15, 25)), list(range(5, 15)), list(range(5))]


def test_a_name_with_a_nul_in_it_can_be_stored(odd: OddSftp, carrier: SftpCarrier, tmp_path: Path) -> None:
    """PostgreSQL keeps no such text; the name is shown, and the answers beside it still come."""
    odd.orders.listed = [b"a\0b.xml"]
    (odd.root / "nodurs/iz_ajpes/b.xml").write_bytes(b"x")
    asked: list[str] = []

    def note(remotes: Sequence[RemoteAnswer]) -> list[RemoteAnswer]:
        asked.extend(remote.name for remote in remotes)
        return []

    fetched = []
    with pytest.raises(NotAllFetched, match=r"a\\x00b\.xml"):  # nor is there such a file
        for remote, _path in carrier.fetch_new("nodurs", note, tmp_path / "in"):
            fetched.append(remote.name)
    assert fetched == ["b.xml"]
    assert sorted(asked) == ["a\\x00b.xml", "b.xml"]


def test_a_hand_over_that_is_taken_back_says_so(odd: OddSftp, carrier: SftpCarrier, parcel: Parcel) -> None:
    """The run has lost its right between the hand-over and the rename; the file is taken back."""
    outcome = carrier.deliver(parcel, handover=Watched(still_ours=refuse))
    assert isinstance(outcome, Unreachable)
    assert names(inbox(odd)) == []
    assert isinstance(carrier.deliver(parcel, handover=UNRECORDED), Delivered)
