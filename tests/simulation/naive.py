"""What a naive program would do. A simulation that does not catch these sins would prove nothing."""

from __future__ import annotations

import posixpath
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ajpes_reporting import wiring
from ajpes_reporting.database.engine import writing
from ajpes_reporting.deliver.sftp import carrier as sftp
from ajpes_reporting.deliver.soap import carrier as soap
from ajpes_reporting.domain.outcomes import Delivered, Outcome, Unknown, Unreachable
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import answers, orphans, submissions
from ajpes_reporting.pipeline import collect, operator_actions, run

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from ajpes_reporting.domain.ports import Parcel, RemoteAnswer
    from ajpes_reporting.pipeline.context import Context

_TRIES = 3


def become(sin: str) -> None:
    """Makes this process commit a sin, for the rest of its life; none if `sin` is empty."""
    if sin:
        SINS[sin]()


def _retry_on_any_error() -> None:
    """Whatever went wrong, the report is sent once more."""
    send = soap.SoapCarrier.deliver

    def deliver(carrier: soap.SoapCarrier, parcel: Parcel, *more: Any) -> Outcome:
        outcome: Outcome = Unreachable("not tried", "")
        for _ in range(_TRIES):
            outcome = send(carrier, parcel, *more)
            if not isinstance(outcome, Unknown | Unreachable):
                break
        return outcome

    soap.SoapCarrier.deliver = deliver  # type: ignore[method-assign]


def _start_again_after_a_crash() -> None:
    """What was being sent when the machine went down counts as not sent."""

    def recover_interrupted(context: Context) -> None:
        with writing(context.engine) as connection:
            cut_off = submissions.in_states(connection, context.provider, frozenset({State.SENDING}))
            for submission in cut_off:
                submissions.move(connection, submission, State.UNREACHABLE, "cut off", at=context.clock())

    for module in (run, collect, operator_actions):
        module.recover_interrupted = recover_interrupted  # type: ignore[attr-defined]


def _delete_before_storing() -> None:
    """An answer is taken off the server as soon as it was fetched, and stored afterwards."""
    fetch = sftp.SftpCarrier.fetch_new

    def fetch_new(
        carrier: sftp.SftpCarrier,
        report: str,
        known: Callable[[Sequence[RemoteAnswer]], Collection[RemoteAnswer]],
        into: Path,
    ) -> Iterator[tuple[RemoteAnswer, Path]]:
        for remote, path in fetch(carrier, report, known, into):
            with carrier._sessions.open() as session:
                session.remove(posixpath.join(carrier._folder(report, "iz_ajpes"), remote.name))
            yield remote, path

    sftp.SftpCarrier.fetch_new = fetch_new  # type: ignore[method-assign]


def _write_under_the_final_name() -> None:
    """The file is put where the authority looks for it, without another name first."""

    def deliver(carrier: sftp.SftpCarrier, parcel: Parcel, *_more: Any) -> Outcome:
        journey = carrier._journey(parcel)
        try:
            with carrier._sessions.open() as session, session.open(journey.final, "w") as remote:
                remote.write(parcel.path.read_bytes())
        except Exception as error:
            return Unreachable(str(error), "")
        return Delivered(detail="put")

    sftp.SftpCarrier.deliver = deliver  # type: ignore[method-assign]


def _leave_what_cannot_be_read() -> None:
    """An answer that cannot be read is nobody's affair, and is tried again next time."""
    answers.set_aside = lambda *_arguments, **_named: None


def _send_again_what_is_gone() -> None:
    """A file that is not seen on the server has not arrived."""
    send = sftp.SftpCarrier.deliver

    def deliver(carrier: sftp.SftpCarrier, parcel: Parcel, *more: Any) -> Outcome:
        outcome = send(carrier, parcel, *more)
        return Unreachable(outcome.reason, "") if isinstance(outcome, Unknown) else outcome

    sftp.SftpCarrier.deliver = deliver  # type: ignore[method-assign]


def _believe_a_rename() -> None:
    """A server that says yes has done it."""

    def deliver(carrier: sftp.SftpCarrier, parcel: Parcel, *_more: Any) -> Outcome:
        journey = carrier._journey(parcel)
        try:
            with carrier._sessions.open() as session:
                with session.open(journey.part, "w") as remote:
                    remote.write(parcel.path.read_bytes())
                session.rename(journey.part, journey.final)
        except Exception as error:
            return Unreachable(str(error), "")
        return Delivered(detail="renamed")

    sftp.SftpCarrier.deliver = deliver  # type: ignore[method-assign]


def _take_no_lock() -> None:
    """Two runs at a time are what the database is there for."""

    class Lease:
        def is_still_ours(self) -> bool:
            return True

        def take_again(self) -> bool:
            return True

    @contextmanager
    def lease(*_arguments: Any, **_named: Any) -> Iterator[Lease]:
        yield Lease()

    wiring.context.lease = lease


def _trust_the_database_alone() -> None:
    """What the journal does not know has not happened."""
    orphans.unknown_lines = lambda *_arguments, **_named: iter(())
    run.look_for_orphans = lambda current, *_more, **_named: current


SINS: dict[str, Callable[[], None]] = {
    "retry on any error": _retry_on_any_error,
    "start again after a crash": _start_again_after_a_crash,
    "delete before storing": _delete_before_storing,
    "write under the final name": _write_under_the_final_name,
    "leave what cannot be read": _leave_what_cannot_be_read,
    "send again what is gone": _send_again_what_is_gone,
    "believe a rename": _believe_a_rename,
    "take no lock": _take_no_lock,
    "trust the database alone": _trust_the_database_alone,
}
