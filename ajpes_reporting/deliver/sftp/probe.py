"""Tries what a run does in the folders of the exchange server, and leaves nothing there.

First what changes nothing: to look, to list, and to remove, rename and open what is not there. Then, unless
the settings forbid it, a file of a few bytes is written, looked at, read, renamed and removed again. Its name
is never that of a report. It is not written where removing is forbidden: it would stay.
"""

from __future__ import annotations

import contextlib
import posixpath
import secrets
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ajpes_reporting.deliver.sftp import listing
from ajpes_reporting.deliver.sftp.protocol import ONLY_XML, NoSuchFile, Refused
from ajpes_reporting.deliver.sftp.remote_files import Removal, glimpse, kind_of, search, take_away
from ajpes_reporting.deliver.sftp.writing import Writing
from ajpes_reporting.domain.ports import Shortfall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ajpes_reporting.deliver.sftp.client import Client

_PROBE = b"This is no report. ajpes-reporting has tried whether it may write here.\n"
_ASK = "Ask the authority for the right to {} in {}."
_NOT_SETTLED = "an unknown outcome is not settled by a look"
_DIRECT = ' If it gives none, set sftp.upload = "direct", and read in docs/configuration.md what that costs.'


@dataclass(frozen=True, slots=True)
class Trial:
    """The terms of a trial: the way reports are uploaded, whether a file may be written."""

    upload: Literal["rename", "direct"]
    may_write: bool
    # What has been written and was not removed yet.
    lying_there: list[str] = field(default_factory=list)


def try_drop_folder(sftp: Client, folder: str, trial: Trial) -> Iterator[Shortfall]:
    """Tries the rights that a run needs in v_ajpes."""
    if (missing := _missing(sftp, folder, "reports cannot be delivered")) is not None:
        yield missing
        return
    yield from _looks(sftp, folder)
    yield from _lists(sftp, folder)
    absent = _Name.new(folder)
    hidden = _how_it_hides(sftp, folder, absent)
    cannot_remove = _forbidden(hidden, lambda: sftp.remove(absent.path))
    if cannot_remove is not None:
        yield _no_removal(folder, cannot_remove)
    if trial.may_write and cannot_remove is None:
        yield from _write_probe(sftp, folder, trial)
        return
    if trial.may_write:
        yield Shortfall(
            folder,
            "whether files can be written was not tried: they could not be removed again",
            "",
            stops_runs=False,
        )
    if trial.upload == "rename":
        cannot_rename = _forbidden(hidden, lambda: sftp.rename(absent.path, absent.other))
        if cannot_rename is not None:
            yield _no_rename(folder, str(cannot_rename))


def try_answer_folder(sftp: Client, folder: str, trial: Trial) -> Iterator[Shortfall]:
    """Tries the rights that a run needs in iz_ajpes."""
    if (missing := _missing(sftp, folder, "answers cannot be fetched")) is not None:
        yield missing
        return
    oldest: tuple[int, bytes, int] | None = None
    try:
        for name, attributes in listing.entries(sftp, folder):
            one = (attributes.st_mtime or 0, name, attributes.st_size or 0)
            if kind_of(attributes) == stat.S_IFREG and (oldest is None or one < oldest):
                oldest = one
    except Refused as error:
        yield Shortfall(
            folder, f"it cannot be listed: {error}. Answers are not found",
            _ASK.format("list files", folder), stops_runs=True,
        )  # fmt: skip
        return
    except listing.EndlessListing as error:
        yield Shortfall(folder, error.message.rstrip("."), error.remedy, stops_runs=True)
    absent = _Name.new(folder)
    hidden = _how_it_hides(sftp, folder, absent)
    cannot_read = _forbidden(hidden, lambda: sftp.open(absent.path, "rb").close())
    if cannot_read is None and oldest is not None and trial.may_write:
        # Not a byte of it is fetched: there are servers that take away what has been.
        _moment, name, size = oldest
        cannot_read = _answer_to(lambda: sftp.require_readable(posixpath.join(folder.encode(), name), size))
        cannot_read = cannot_read if cannot_read and cannot_read.is_denied else None
    if cannot_read is not None:
        yield Shortfall(
            folder, f"files cannot be read: {cannot_read}. Answers are seen, and cannot be fetched",
            _ASK.format("read files", folder), stops_runs=True,
        )  # fmt: skip


def try_accepted_folder(sftp: Client, folder: str) -> Iterator[Shortfall]:
    """Tries the right that helps a run in accepted: to see the files that the authority has taken."""
    cannot_look = _answer_to(lambda: sftp.stat(folder))
    cannot_list = _answer_to(lambda: next(listing.entries(sftp, folder), None))
    if cannot_list is None:
        return
    if isinstance(cannot_look, NoSuchFile):
        detail = f"it is not there: {cannot_look}. Runs work without; the authority may make it later"
    elif cannot_look is not None:
        detail = f"nobody may look there: {cannot_list}. Runs work without; {_NOT_SETTLED}"
    else:
        detail = (
            f"it cannot be listed: {cannot_list}. Runs work without; a report is found by its own name only"
        )
    yield Shortfall(folder, detail, _ASK.format("list and read files", folder), stops_runs=False)


@dataclass(frozen=True, slots=True)
class _Name:
    """A name that nobody else has, and another one; neither is that of a report."""

    path: str
    other: str

    @staticmethod
    def new(folder: str) -> _Name:
        path = posixpath.join(folder, f"ajpes-reporting-{secrets.token_hex(4)}.probe")
        return _Name(path, f"{path}.part")


def _missing(sftp: Client, folder: str, so: str) -> Shortfall | None:
    if isinstance(error := _answer_to(lambda: sftp.stat(folder)), NoSuchFile):
        return Shortfall(
            folder, f"it is not there: {error}. Without it {so}",
            "Check sftp.folder and sftp.folders, or ask the authority to make it.", stops_runs=True,
        )  # fmt: skip
    return None


def _looks(sftp: Client, folder: str) -> Iterator[Shortfall]:
    error = _answer_to(lambda: sftp.stat(folder))
    if error is not None:
        yield Shortfall(
            folder, f"nobody may look at a single file (STAT): {error}. Runs work without, by the listing",
            _ASK.format("look at files", folder), stops_runs=False,
        )  # fmt: skip


def _lists(sftp: Client, folder: str) -> Iterator[Shortfall]:
    try:
        for _entry in listing.entries(sftp, folder):
            pass
    except Refused as error:
        yield Shortfall(
            folder,
            f"it cannot be listed: {error}. Runs work without; what a killed run has left stays there",
            _ASK.format("list files", folder), stops_runs=False,
        )  # fmt: skip
    except listing.EndlessListing as error:
        yield Shortfall(folder, error.message.rstrip("."), error.remedy, stops_runs=False)


def _no_removal(folder: str, why: object) -> Shortfall:
    return Shortfall(
        folder,
        f"files cannot be removed: {why}. Runs work without; an upload that breaks off stays there, and what "
        "became of it is unknown",
        _ASK.format("remove files", folder), stops_runs=False,
    )  # fmt: skip


def _no_rename(folder: str, why: str) -> Shortfall:
    return Shortfall(
        folder, f'files cannot be renamed: {why}. Runs cannot deliver with sftp.upload = "rename"',
        _ASK.format("rename files", folder) + _DIRECT, stops_runs=True,
    )  # fmt: skip


def _no_writing(folder: str, why: Refused, trial: Trial) -> Shortfall:
    """Of a server that takes .xml alone a probe cannot tell whether it takes reports."""
    unless = "unless the server takes names that end in .xml, and no others"
    if trial.upload == "direct":
        detail, also = f"files cannot be written: {why}. Runs cannot deliver, {unless}", ""
    else:
        detail = f"files cannot be written: {why}. Runs cannot deliver"
        also = f" {ONLY_XML}"
    return Shortfall(
        folder, detail, _ASK.format("write files", folder) + also, stops_runs=trial.upload == "rename"
    )


def _write_probe(sftp: Client, folder: str, trial: Trial) -> Iterator[Shortfall]:
    name = _Name.new(folder)
    trial.lying_there.append(name.path)
    error = _answer_to(lambda: _write(sftp, name.path))
    if error is not None:
        yield _no_writing(folder, error, trial)
        if glimpse(sftp, name.path) is None:
            trial.lying_there.clear()
            return
    else:
        yield from _look_at(sftp, folder, name.path)
        if trial.upload == "rename":
            yield from _rename(sftp, folder, name)
    yield from _remove(sftp, folder, name)
    trial.lying_there.clear()


def _write(sftp: Client, path: str) -> None:
    try:
        remote = Writing(sftp, path)
    except NoSuchFile:
        raise
    except Refused:
        remote = Writing(sftp, path, exclusive=False)
    with remote:
        remote.write(_PROBE)
        remote.finish()
        with contextlib.suppress(Refused):
            remote.close()  # a run reads back what was not closed well


def _look_at(sftp: Client, folder: str, path: str) -> Iterator[Shortfall]:
    try:
        if search(sftp, path) is None:
            yield Shortfall(
                folder,
                "what is written there is gone at once. Runs call a report unknown until AJPES answers it, "
                "unless it is seen in accepted",
                "Ask the authority to leave alone what does not end in .xml.", stops_runs=False,
            )  # fmt: skip
            return
    except Refused:
        pass  # that nobody may look has been told
    error = _answer_to(lambda: _read(sftp, path))
    if error is not None:
        yield Shortfall(
            folder,
            f"files cannot be read back: {error}. Runs work without; {_NOT_SETTLED}",
            _ASK.format("read files", folder), stops_runs=False,
        )  # fmt: skip


def _read(sftp: Client, path: str) -> None:
    if b"".join(sftp.blocks_to_end(path, len(_PROBE))) != _PROBE:
        raise Refused(None, "other bytes come back than were written")


def _rename(sftp: Client, folder: str, name: _Name) -> Iterator[Shortfall]:
    error = _answer_to(lambda: sftp.rename(name.path, name.other))
    if error is not None:
        yield _no_rename(folder, str(error))
    elif glimpse(sftp, name.other) is None and glimpse(sftp, name.path) is not None:
        yield _no_rename(folder, "the server says yes, and does nothing")


def _remove(sftp: Client, folder: str, name: _Name) -> Iterator[Shortfall]:
    left = [path for path in (name.path, name.other) if take_away(sftp, path) is Removal.LEFT_BEHIND]
    if left:
        why = _answer_to(lambda: sftp.remove(left[0])) or "the server says yes, and does nothing"
        yield _no_removal(folder, f"{why}. {left[0]} has stayed there; ask the authority to remove it")


def _how_it_hides(sftp: Client, folder: str, absent: _Name) -> Refused | None:
    """Returns the server's answer for a missing file, if it lets us look at existing ones.

    One that names it as missing when it is opened hides nothing; there only looking is forbidden.
    """
    if isinstance(_answer_to(lambda: sftp.open(absent.path, "rb").close()), NoSuchFile):
        return None
    return None if _answer_to(lambda: sftp.stat(folder)) else _answer_to(lambda: sftp.stat(absent.path))


def _forbidden(hidden: Refused | None, act: Callable[[], object]) -> Refused | None:
    """The refusal of an act on what is not there, if it tells that the act is forbidden.

    A server that hides what is missing refuses everything about it in the same way, which tells nothing.
    """
    error = _answer_to(act)
    is_told = error is not None and error.is_denied and (hidden is None or hidden.code != error.code)
    return error if is_told else None


def _answer_to(act: Callable[[], object]) -> Refused | None:
    """The refusal of an act; None if the server does it."""
    try:
        act()
    except Refused as error:
        return error
    return None
