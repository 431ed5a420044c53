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

from ajpes_reporting.deliver.sftp.client import EndlessListing, list_folder
from ajpes_reporting.deliver.sftp.protocol import ONLY_XML, NoSuchFile, Refused
from ajpes_reporting.deliver.sftp.remote_files import Removal, glimpse, kind_of, search, take_away
from ajpes_reporting.deliver.sftp.writing import Writing
from ajpes_reporting.domain.ports import Shortfall
from ajpes_reporting.i18n import NOTHING, Message, _, joined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ajpes_reporting.deliver.sftp.client import Client

_PROBE = b"This is no report. ajpes-reporting has tried whether it may write here.\n"
_NOT_SETTLED = _("an unknown outcome is not settled by a look")


@dataclass(frozen=True, slots=True)
class Trial:
    """The terms of a trial: the way reports are uploaded, whether a file may be written."""

    upload: Literal["rename", "direct"]
    may_write: bool
    # What has been written and was not removed yet.
    lying_there: list[str] = field(default_factory=list)


def try_drop_folder(sftp: Client, folder: str, trial: Trial) -> Iterator[Shortfall]:
    """Tries the rights that a run needs in v_ajpes."""
    if (missing := _missing(sftp, folder, _("reports cannot be delivered"))) is not None:
        yield missing
        return
    yield from _looks(sftp, folder)
    yield from _lists(sftp, folder)
    absent = _Name.new(folder)
    hidden = _how_it_hides(sftp, folder, absent)
    cannot_remove = _forbidden(hidden, lambda: sftp.remove(absent.path))
    if cannot_remove is not None:
        yield _no_removal(folder, cannot_remove.reason)
    if trial.may_write and cannot_remove is None:
        yield from _write_probe(sftp, folder, trial)
        return
    if trial.may_write:
        yield Shortfall(
            folder,
            _("whether files can be written was not tried: they could not be removed again"),
            NOTHING,
            stops_runs=False,
        )
    if trial.upload == "rename":
        cannot_rename = _forbidden(hidden, lambda: sftp.rename(absent.path, absent.other))
        if cannot_rename is not None:
            yield _no_rename(folder, cannot_rename.reason)


def try_answer_folder(sftp: Client, folder: str, trial: Trial) -> Iterator[Shortfall]:
    """Tries the rights that a run needs in iz_ajpes."""
    if (missing := _missing(sftp, folder, _("answers cannot be fetched"))) is not None:
        yield missing
        return
    oldest: tuple[int, bytes, int] | None = None
    try:
        for name, attributes in list_folder(sftp, folder):
            one = (attributes.st_mtime or 0, name, attributes.st_size or 0)
            if kind_of(attributes) == stat.S_IFREG and (oldest is None or one < oldest):
                oldest = one
    except Refused as error:
        yield Shortfall(
            folder,
            _("the folder cannot be listed: {error:foreign}. Answers are not found", error=error.reason),
            _right(_("list files"), folder),
            stops_runs=True,
        )
        return
    except EndlessListing as error:
        yield Shortfall(folder, error.message, error.remedy, stops_runs=True)
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
            folder,
            _(
                "files cannot be read: {error:foreign}. Answers are seen, and cannot be fetched",
                error=cannot_read.reason,
            ),
            _right(_("read files"), folder),
            stops_runs=True,
        )


def try_accepted_folder(sftp: Client, folder: str) -> Iterator[Shortfall]:
    """Tries the right that helps a run in accepted: to see the files that the authority has taken."""
    cannot_look = _answer_to(lambda: sftp.stat(folder))
    cannot_list = _answer_to(lambda: next(list_folder(sftp, folder), None))
    if cannot_list is None:
        return
    if isinstance(cannot_look, NoSuchFile):
        detail = _(
            "the folder is not there: {error:foreign}. Runs work without; the authority may make it later",
            error=cannot_look.reason,
        )
    elif cannot_look is not None:
        detail = _(
            "nobody may look there: {error:foreign}. Runs work without; {consequence}",
            error=cannot_list.reason,
            consequence=_NOT_SETTLED,
        )
    else:
        detail = _(
            "the folder cannot be listed: {error:foreign}. Runs work without; "
            "a report is found by its own name only",
            error=cannot_list.reason,
        )
    yield Shortfall(folder, detail, _right(_("list and read files"), folder), stops_runs=False)


@dataclass(frozen=True, slots=True)
class _Name:
    """A name that nobody else has, and another one; neither is that of a report."""

    path: str
    other: str

    @staticmethod
    def new(folder: str) -> _Name:
        path = posixpath.join(folder, f"ajpes-reporting-{secrets.token_hex(4)}.probe")
        return _Name(path, f"{path}.part")


def _missing(sftp: Client, folder: str, so: Message) -> Shortfall | None:
    if isinstance(error := _answer_to(lambda: sftp.stat(folder)), NoSuchFile):
        return Shortfall(
            folder,
            _(
                "the folder is not there: {error:foreign}. Without it {consequence}",
                error=error.reason,
                consequence=so,
            ),
            _("check sftp.folder and sftp.folders, or ask the authority to make it"),
            stops_runs=True,
        )
    return None


def _looks(sftp: Client, folder: str) -> Iterator[Shortfall]:
    error = _answer_to(lambda: sftp.stat(folder))
    if error is not None:
        yield Shortfall(
            folder,
            _(
                "nobody may look at a single file (STAT): {error:foreign}. Runs work without, by the listing",
                error=error.reason,
            ),
            _right(_("look at files"), folder),
            stops_runs=False,
        )


def _lists(sftp: Client, folder: str) -> Iterator[Shortfall]:
    try:
        for _entry in list_folder(sftp, folder):
            pass
    except Refused as error:
        yield Shortfall(
            folder,
            _(
                "the folder cannot be listed: {error:foreign}. Runs work without; "
                "what a killed run has left stays there",
                error=error.reason,
            ),
            _right(_("list files"), folder),
            stops_runs=False,
        )
    except EndlessListing as error:
        yield Shortfall(folder, error.message, error.remedy, stops_runs=False)


def _no_removal(folder: str, why: str) -> Shortfall:
    return Shortfall(
        folder,
        _(
            "files cannot be removed: {why:foreign}. Runs work without; an upload that breaks off "
            "stays there, and what became of it is unknown",
            why=why,
        ),
        _right(_("remove files"), folder),
        stops_runs=False,
    )


def _no_rename(folder: str, why: str) -> Shortfall:
    return Shortfall(
        folder,
        _('files cannot be renamed: {why:foreign}. Runs cannot deliver with sftp.upload = "rename"', why=why),
        _(
            '{order}; if it gives none, set sftp.upload = "direct", and read in '
            "docs/configuration.md what that costs",
            order=_right(_("rename files"), folder),
        ),
        stops_runs=True,
    )


def _no_writing(folder: str, why: Refused, trial: Trial) -> Shortfall:
    """Of a server that takes .xml alone a probe cannot tell whether it takes reports."""
    right = _right(_("write files"), folder)
    if trial.upload == "rename":
        detail = _("files cannot be written: {error:foreign}. Runs cannot deliver", error=why.reason)
        return Shortfall(folder, detail, joined((right, ONLY_XML), "; "), stops_runs=True)
    detail = _(
        "files cannot be written: {error:foreign}. Runs cannot deliver, unless the server takes names that "
        "end in .xml, "
        "and no others",
        error=why.reason,
    )
    return Shortfall(folder, detail, right, stops_runs=False)


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
                _(
                    "what is written there is gone at once. Runs call a report unknown until AJPES "
                    "answers it, unless it is seen in accepted"
                ),
                _("ask the authority to leave alone what does not end in .xml"),
                stops_runs=False,
            )
            return
    except Refused:
        pass  # that nobody may look has been told
    error = _answer_to(lambda: _read(sftp, path))
    if error is not None:
        yield Shortfall(
            folder,
            _(
                "files cannot be read back: {error:foreign}. Runs work without; {consequence}",
                error=error.reason,
                consequence=_NOT_SETTLED,
            ),
            _right(_("read files"), folder),
            stops_runs=False,
        )


def _read(sftp: Client, path: str) -> None:
    if b"".join(sftp.blocks_to_end(path, len(_PROBE))) != _PROBE:
        raise Refused(None, _("other bytes come back than were written"))


def _rename(sftp: Client, folder: str, name: _Name) -> Iterator[Shortfall]:
    error = _answer_to(lambda: sftp.rename(name.path, name.other))
    if error is not None:
        yield _no_rename(folder, error.reason)
    elif glimpse(sftp, name.other) is None and glimpse(sftp, name.path) is not None:
        yield _no_rename(folder, _("the server says yes, and does nothing"))


def _remove(sftp: Client, folder: str, name: _Name) -> Iterator[Shortfall]:
    left = [path for path in (name.path, name.other) if take_away(sftp, path) is Removal.LEFT_BEHIND]
    if left:
        refusal = _answer_to(lambda: sftp.remove(left[0]))
        why = refusal.reason if refusal else _("the server says yes, and does nothing")
        yield _no_removal(
            folder,
            _(
                "{why:foreign}. {path} has stayed there; ask the authority to remove it",
                why=why,
                path=left[0],
            ),
        )


def _right(act: Message, folder: str) -> Message:
    """Asks for the right to do something in a folder."""
    return _("ask the authority for the right to {act} in {folder}", act=act, folder=folder)


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
