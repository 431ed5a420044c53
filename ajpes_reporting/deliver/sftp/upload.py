"""The two ways in which a report gets into v_ajpes, and what the folders tell of it afterwards.

By rename it is written under another name, and gets its own when it is whole: half a report is never seen,
and the plain rename of SFTP does not overwrite. Directly, where the server lets nobody rename, it is written
under its own name: whoever takes it too early has half of it. Then all is uncertain from the first byte on,
unless what lies there afterwards is a part of it and can be taken back: so nobody has taken it.
"""

from __future__ import annotations

import logging
import posixpath
import re
import time
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from ajpes_reporting.deliver.sftp.client import EndlessListing, list_folder
from ajpes_reporting.deliver.sftp.protocol import IS_IT_FULL, ONLY_XML, NoSuchFile, Refused
from ajpes_reporting.deliver.sftp.remote_files import (
    Content,
    Removal,
    compare,
    find,
    find_by_content,
    glimpse,
    is_part,
    search,
    state_of,
    take_away,
)
from ajpes_reporting.deliver.sftp.writing import Writing
from ajpes_reporting.domain.errors import NotDelivered
from ajpes_reporting.domain.outcomes import Delivered, Outcome, Unknown, Unreachable
from ajpes_reporting.i18n import NOTHING, Message, _, joined, sentences

if TYPE_CHECKING:
    from collections.abc import Callable

    from ajpes_reporting.deliver.sftp.client import Client
    from ajpes_reporting.deliver.sftp.remote_files import State
    from ajpes_reporting.domain.ports import Handover, Parcel, Progress

_log = logging.getLogger(__name__)

_GONE_AT_ONCE = _("It was gone as soon as it was written.")
_EMPTIED_AT_ONCE = _("It was emptied as soon as it was closed.")

PART = ".part"
# A server that gives a name by and by gets this much time for it.
_PAUSES = (0.2, 0.5, 1.0)

_ASK_FOR_RENAME = _(
    "ask the authority for the right to rename files in v_ajpes; if it gives none, "
    'set sftp.upload = "direct", and read in docs/configuration.md what that costs'
)


class Arrival(Enum):
    """The state on the server of a file that was written and closed."""

    # As far as anybody may look.
    WHOLE = auto()
    GONE = auto()
    # It was whole, and is empty now: somebody has taken what was in it.
    EMPTIED = auto()


@dataclass(slots=True)
class Journey:
    """One parcel, the paths it takes on the server, and how far it has come."""

    parcel: Parcel
    final: str
    part: str
    accepted: str
    is_direct: bool
    # A file that was there earlier is not taken for this one.
    accepted_before: State | None = None
    inbox_before: set[bytes] = field(default_factory=set)
    # Something may lie there under the other name.
    begun: bool = False
    # The server has promised that the file under the final name is a new one.
    is_new: bool = False
    # From the hand-over on.
    may_have_arrived: bool = False
    all_sent: bool = False
    size_before_close: int | None = None
    # As the server tells it of the whole file; one that packs or enciphers has a size of its own.
    size_there: int | None = None
    close_refused: Refused | None = None
    rename_refused: Refused | None = None


def look_first(sftp: Client, journey: Journey) -> Outcome | None:
    """Returns an outcome that ends a delivery before it begins, where a file of this name exists."""
    if glimpse(sftp, journey.final) is None:
        return None
    found = compare(sftp, journey.final, journey.parcel)
    if found is Content.OURS:
        return Delivered(detail=_("{final} was already there, the same bytes", final=journey.final))
    if found is Content.UNREADABLE:
        return _taken(journey, _("nobody may read it"))
    return _taken(journey, _("that is another file")) if found is Content.OTHER else None


def survey(sftp: Client, journey: Journey) -> None:
    """Notes what lies in the folder, and clears away what killed runs have left of this report.

    One that is only paused finds its file gone, too. Where nobody may list the folder, nothing is noted.
    """
    folder, name = posixpath.split(journey.final)
    ours = re.compile(rf"{re.escape(name)}\.[0-9a-f]{{8}}{re.escape(PART)}".encode())
    leftovers = []
    try:
        for found, attributes in list_folder(sftp, folder):
            if ours.fullmatch(found):
                leftovers.append(found.decode("ascii"))
            elif state_of(attributes).may_have(journey.parcel.size_bytes):
                journey.inbox_before.add(found)
    except (Refused, EndlessListing) as error:
        _log.warning("What may have been left in %s was not cleared away: %s", folder, error)
    for leftover in leftovers:
        clear_away(sftp, posixpath.join(folder, leftover))


def clear_away(sftp: Client, path: str) -> None:
    """Takes away what is no report, as far as the server lets us."""
    if take_away(sftp, path, _PAUSES) is Removal.LEFT_BEHIND:
        _log.warning("%s was left behind on the server", path)


def hand_in(
    sftp: Client, journey: Journey, block_bytes: int, progress: Progress, handover: Handover
) -> Outcome:
    """Brings the parcel to its place. Raises `Refused` or `NotDelivered` if that breaks off."""
    journey.accepted_before = glimpse(sftp, journey.accepted)
    way = _hand_in_directly if journey.is_direct else _hand_in_by_rename
    return way(sftp, journey, block_bytes, progress, handover)


def look_after(sftp: Client, journey: Journey, why: Message, remedy: Message = NOTHING) -> Outcome:
    """Looks into the folders for a report that may have arrived."""
    if journey.is_direct:
        return _look_after_direct(sftp, journey, why, remedy)
    return _look_after_rename(sftp, journey, why)


# --- By rename ---


def _hand_in_by_rename(
    sftp: Client, journey: Journey, block_bytes: int, progress: Progress, handover: Handover
) -> Outcome:
    def before_last_block() -> None:
        """Hands it over before it is whole: some servers take what is closed."""
        handover.begin(posixpath.basename(journey.part))
        journey.may_have_arrived = journey.all_sent = True

    journey.begun = True
    try:
        with _create(sftp, journey.part) as remote:
            _write(remote, journey, block_bytes, progress, before_last_block)
    except Refused:
        journey.may_have_arrived = False  # a block of it is missing for good
        raise
    if (outcome := _judge_part(sftp, journey)) is not None:
        return outcome
    handover.still_ours()
    try:
        sftp.rename(journey.part, journey.final)
    except Refused as error:
        journey.rename_refused = error
        return look_after(
            sftp, journey, _("The server did not give it its name: {error:foreign}.", error=error.reason)
        )
    return _confirm_rename(sftp, journey)


def _create(sftp: Client, part: str) -> Writing:
    """A new file; on a server that cannot promise that it is new, under a name that nobody else has."""
    try:
        return Writing(sftp, part)
    except NoSuchFile:
        raise  # its folder is missing
    except Refused:
        pass
    try:
        return Writing(sftp, part, exclusive=False)
    except Refused as error:
        error.remedy = joined((error.remedy, ONLY_XML), "; ")
        raise


def _judge_part(sftp: Client, journey: Journey) -> Outcome | None:
    """Returns the outcome if the part file was taken before the rename. Raises if the file is not whole."""
    arrival = _arrived(sftp, journey, journey.part)
    if arrival is Arrival.WHOLE:
        return None
    if arrival is Arrival.GONE:
        return look_after(sftp, journey, _GONE_AT_ONCE)
    clear_away(sftp, journey.part)
    if _is_accepted(sftp, journey):
        return _delivered_already(journey)
    return unknown(journey, _EMPTIED_AT_ONCE)


def _confirm_rename(sftp: Client, journey: Journey) -> Outcome:
    """The server says that it has given the file its name; it has if nothing is left of the part file."""
    try:
        for pause in (*_PAUSES, None):
            final, part = find(sftp, journey.final), find(sftp, journey.part)
            if part is None and final is not None and _may_be_whole(journey, final):
                return Delivered(detail=_("put into {final}", final=journey.final))
            if pause is None or (part is None and final is None):
                break
            time.sleep(pause)
    except Refused:
        # A server that shows what is there, and tells nothing of what is not, may still show the part file.
        if glimpse(sftp, journey.part) is None:
            return _delivered_by_its_word(journey)
    return look_after(sftp, journey, _("The server said that it has its name."))


def _may_be_whole(journey: Journey, state: State) -> bool:
    size = journey.parcel.size_bytes if journey.size_there is None else journey.size_there
    return state.may_have(size)


def _look_after_rename(sftp: Client, journey: Journey, why: Message) -> Outcome:
    # Taking the part file away comes first: from then on, a rename still under way must fail.
    part = take_away(sftp, journey.part, _PAUSES)
    final = compare(sftp, journey.final, journey.parcel)
    if final is Content.OURS or (final is Content.UNREADABLE and part is Removal.WAS_NOT_THERE):
        return Delivered(detail=_("{final} is there nevertheless: {why}", final=journey.final, why=why))
    if _is_accepted(sftp, journey):
        return _delivered_already(journey)
    if place := _found_elsewhere(sftp, journey):
        return Delivered(detail=_("the file lies in {place} nevertheless: {why}", place=place, why=why))
    if part is Removal.LEFT_BEHIND:
        return unknown(
            journey, why, _("{part} still lies there and cannot be taken back.", part=journey.part)
        )
    if part is Removal.WAS_NOT_THERE:
        return unknown(journey, why, _("It is neither in v_ajpes nor in accepted."))
    if final in (Content.ABSENT, Content.UNSEEN):
        return _taken_back(journey, why)
    if journey.rename_refused is not None:
        return _taken(journey, _("that is another file"))
    return unknown(journey, why, _("What lies there under this name is not what was sent."))


def _taken_back(journey: Journey, why: Message) -> Unreachable:
    return Unreachable(
        _(
            "{final} is not there, though it was written whole. {why} The upload was taken back.",
            final=journey.final,
            why=why,
        ),
        _("run it again; if it stays so, ask the authority about its server")
        if journey.rename_refused is None
        else _ASK_FOR_RENAME,
    )


# --- Directly ---


def _hand_in_directly(
    sftp: Client, journey: Journey, block_bytes: int, progress: Progress, handover: Handover
) -> Outcome:
    handover.begin("")
    journey.may_have_arrived = True

    def before_last_block() -> None:
        handover.still_ours()
        journey.all_sent = True

    try:
        remote = _create_final(sftp, journey)
    except Refused:
        journey.may_have_arrived = False  # nothing was begun
        if (outcome := look_first(sftp, journey)) is not None:
            return outcome
        raise
    try:
        with remote:
            _write(remote, journey, block_bytes, progress, before_last_block)
    except Refused:
        journey.all_sent = False  # a block of it is missing for good
        raise
    return _confirm_direct(sftp, journey)


def _create_final(sftp: Client, journey: Journey) -> Writing:
    """A new file; where the server cannot promise that, only if one can see that there is none."""
    try:
        remote = Writing(sftp, journey.final)
    except Refused:
        if compare(sftp, journey.final, journey.parcel) is not Content.ABSENT:
            raise
        return Writing(sftp, journey.final, exclusive=False)
    journey.is_new = True
    return remote


def _confirm_direct(sftp: Client, journey: Journey) -> Outcome:
    try:
        arrival = _arrived(sftp, journey, journey.final)
    except NotDelivered as error:
        return look_after(sftp, journey, error.message, error.remedy)
    except Refused as error:
        return look_after(
            sftp,
            journey,
            _("The server refused to {wanted}: {error:foreign}.", wanted=error.wanted, error=error.reason),
            error.remedy,
        )
    if arrival is Arrival.WHOLE:
        return Delivered(detail=_("written to {final}", final=journey.final))
    return look_after(sftp, journey, _GONE_AT_ONCE if arrival is Arrival.GONE else _EMPTIED_AT_ONCE)


def _look_after_direct(sftp: Client, journey: Journey, why: Message, remedy: Message) -> Outcome:
    found = compare(sftp, journey.final, journey.parcel)
    for pause in _PAUSES if journey.all_sent else ():
        if found is not Content.OTHER:
            break
        time.sleep(pause)  # its last bytes may still be under way on the other side
        found = compare(sftp, journey.final, journey.parcel)
    if found is Content.OURS or (found is Content.UNREADABLE and journey.is_new):
        return Delivered(detail=_("{final} is there nevertheless: {why}", final=journey.final, why=why))
    removal = Removal.LEFT_BEHIND
    if _is_a_part(sftp, journey, found):
        removal = take_away(sftp, journey.final, _PAUSES)
    if _is_accepted(sftp, journey):
        return _delivered_already(journey)
    if place := _found_elsewhere(sftp, journey):
        return Delivered(detail=_("the file lies in {place} nevertheless: {why}", place=place, why=why))
    if removal is Removal.TAKEN_AWAY:
        return Unreachable(
            _(
                "{final} was not written whole. {why} The part of it that lay there was taken back.",
                final=journey.final,
                why=why,
            ),
            remedy or _("run it again; if it stays so, ask the authority about its server"),
        )
    if found in (Content.ABSENT, Content.UNSEEN) or removal is Removal.WAS_NOT_THERE:
        return unknown(journey, why, _("It is neither in v_ajpes nor in accepted."))
    return unknown(journey, why, _("What lies there is not the whole of it, and cannot be taken back."))


def _is_a_part(sftp: Client, journey: Journey, found: Content) -> bool:
    """Whether what lies under the final name is ours, and less than was sent; so nobody has taken it."""
    if found is Content.UNSEEN:
        return journey.is_new and not journey.all_sent
    if found is not Content.OTHER:
        return False
    state = glimpse(sftp, journey.final)
    is_empty = state is not None and state.size_bytes == 0
    if is_empty and journey.all_sent and journey.size_before_close in (None, journey.parcel.size_bytes):
        return False  # it was whole, and somebody has taken what was in it
    try:
        return is_part(sftp, journey.final, journey.parcel)
    except Refused:
        return journey.is_new


# --- Both ---


def _arrived(sftp: Client, journey: Journey, path: str) -> Arrival:
    """Returns the arrival of a written file. Raises `NotDelivered` or `Refused` if it is not whole."""
    whole, doubt = journey.parcel.size_bytes, journey.close_refused
    try:
        state = search(sftp, path)
    except Refused:
        if doubt is not None:
            raise doubt from None
        return Arrival.WHOLE
    if state is None:
        return Arrival.GONE
    if state.size_bytes == whole and doubt is None:
        return Arrival.WHOLE
    found = compare(sftp, path, journey.parcel)  # a server that knows no sizes may tell 0
    if found is Content.OURS or (found is Content.UNREADABLE and doubt is None):
        journey.size_there = state.size_bytes
        return Arrival.WHOLE
    if found is Content.ABSENT:
        return Arrival.GONE
    if state.size_bytes == 0 and journey.size_before_close in (None, whole):
        return Arrival.EMPTIED
    if doubt is not None:
        raise doubt
    journey.may_have_arrived = journey.is_direct
    if state.size_bytes is None:
        arrived = _("Another number of {whole:count} bytes arrived on the server.", whole=whole)
    else:
        arrived = _(
            "{there:count} of {whole:count} bytes arrived on the server.", there=state.size_bytes, whole=whole
        )
    raise NotDelivered(arrived, IS_IT_FULL)


def _write(
    remote: Writing,
    journey: Journey,
    block_bytes: int,
    progress: Progress,
    before_last_block: Callable[[], None],
) -> None:
    """Writes and closes the file. Raises `Refused` if the server does not take a block of it."""
    left = journey.parcel.size_bytes
    with journey.parcel.path.open("rb") as report:
        while block := report.read(min(block_bytes, left)):
            left -= len(block)
            if not left:
                before_last_block()
            remote.write(block)
            progress(len(block))
    if not journey.all_sent:
        before_last_block()
    journey.size_before_close = remote.finish()
    try:
        remote.close()
    except Refused as error:
        journey.close_refused = error


def _is_accepted(sftp: Client, journey: Journey) -> bool:
    """Whether the authority has put it into `accepted` meanwhile."""
    if glimpse(sftp, journey.accepted) == journey.accepted_before:
        return False
    return compare(sftp, journey.accepted, journey.parcel) is Content.OURS


def _found_elsewhere(sftp: Client, journey: Journey) -> str:
    """Returns another new name under which the report lies in v_ajpes, such as one in upper case."""
    known = {*journey.inbox_before, posixpath.basename(journey.final).encode()}
    folder = posixpath.dirname(journey.final)
    return find_by_content(sftp, folder, journey.parcel, but_for=PART.encode(), known=known)


def _delivered_already(journey: Journey) -> Delivered:
    return Delivered(detail=_("the authority has taken it already: {accepted}", accepted=journey.accepted))


def _delivered_by_its_word(journey: Journey) -> Delivered:
    return Delivered(detail=_("put into {final}, says the server; it lets nobody look", final=journey.final))


def _taken(journey: Journey, what: Message) -> Unreachable:
    return Unreachable(
        _("{final} is already there, and {what}. It was not touched.", final=journey.final, what=what),
        _("wait until the authority has taken that file, or ask it to remove it; then run again"),
    )


def unknown(journey: Journey, *why: Message) -> Unknown:
    """Returns the outcome of a report that may have arrived, with the reason."""
    if journey.is_direct:
        doubt = _("{final} was written under its own name, and may have arrived.", final=journey.final)
    else:
        doubt = _("{final} was written whole, and may have arrived.", final=journey.final)
    return Unknown(
        sentences((doubt, *why)),
        _(
            "do not send it again before this is settled: wait for the authority's answer, or ask "
            "it, then say "
            "so with `ajpes-reporting resolve`"
        ),
    )
