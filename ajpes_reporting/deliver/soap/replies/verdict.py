"""Judges what was gathered from a reply: refused as a whole, answered with counts and rows, or no verdict.

One error refuses the whole report. Where a head and its rows disagree the worse reading holds, as for every
answer (`reports.answers`). Where a reply says yes and no about the same thing, or nothing definite at all,
there is no verdict: a wrong yes loses a report, a wrong no sends it twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ajpes_reporting.deliver.soap.replies.unusable import UnusableReplyError
from ajpes_reporting.deliver.soap.replies.vocabulary import Value, flag
from ajpes_reporting.i18n import Message, _

if TYPE_CHECKING:
    from ajpes_reporting.deliver.soap.replies.gathered import Gathered


@dataclass(frozen=True, slots=True)
class Refusal:
    """The message as a whole was turned away, and nothing of it was taken.

    `number` and `reason` are the authority's. It is not definite where there is no number: a program that
    breaks says "failed", too.
    """

    number: str
    reason: str
    is_definite: bool = True

    @property
    def told(self) -> Message:
        """Number and reason, or that there is none."""
        if not self.number:
            return Message(self.reason, {}) if self.reason else _("no reason given")
        if not self.reason:
            return _("error {number}", number=self.number)
        return _("{number}: {reason}", number=self.number, reason=self.reason)


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts for the head of the answer."""

    errors: int
    warnings: int
    unsaid: str
    """How bad the rows are that do not say it."""


def judge(gathered: Gathered) -> Refusal | Counts:
    """Raises `UnusableReplyError` where there is no verdict, or two."""
    head = gathered.head
    if refusal := _service_error(head):
        if head.get("success"):
            raise UnusableReplyError(
                _("the reply contradicts itself: success, and {refusal}", refusal=refusal.told)
            )
        return refusal
    if "month" in head:
        raise UnusableReplyError(
            _("the reply is about the month {month:period}, not about this report", month=str(head["month"]))
        )
    error_rows, warning_rows = gathered.severities["ERR"], gathered.severities["WRN"]
    unsaid = gathered.severities[""]
    is_good = False if error_rows else _is_good(head)
    if is_good is None and gathered.service_error:
        if not gathered.names_records:
            return Refusal(*gathered.service_error)
        is_good = False
    if is_good is False:
        if not (error_rows or warning_rows or unsaid or head.get("errors")):
            return _refused_without_rows(head)
        errors = _declared_errors(head, error_rows + unsaid)
        return Counts(errors, _declared(head, "warnings", warning_rows), "ERR")
    if is_good is None:
        raise UnusableReplyError(_silent(head))
    if gathered.has_named_errors:
        raise UnusableReplyError(_("the reply contradicts itself: success, and errors"))
    return Counts(0, _declared(head, "warnings", warning_rows + unsaid), "WRN")


def says_no(gathered: Gathered) -> bool:
    """Whether it refuses the report, and be it only round an answer that a document within it holds."""
    return bool(
        _service_error(gathered.head) or gathered.severities["ERR"] or _is_good(gathered.head) is False
    )


def _service_error(head: dict[str, Value]) -> Refusal | None:
    """`idNapake` and `OpisNapake`. Zero is no error; serialisers write it where there is nothing to write."""
    number, reason = head.get("fault number"), str(head.get("fault text") or "")
    if number is None:
        is_judged = {"errors", "success", "failure"} & head.keys()
        return Refusal("", reason) if reason and not is_judged else None
    return None if flag(number) == 0 else Refusal(str(number), reason)


def _is_good(head: dict[str, Value]) -> bool | None:
    """Returns the verdict of the head by itself; None if it has none."""
    success, failure, errors = head.get("success"), head.get("failure"), head.get("errors")
    are_counts = not isinstance(success, bool) and not isinstance(failure, bool)
    if success is not None and failure is not None and bool(success) == bool(failure):
        if not (are_counts and failure):  # so many were taken, and so many not
            raise UnusableReplyError(
                _(
                    "the reply contradicts itself: success {success}, failure {failure}",
                    success=str(success),
                    failure=str(failure),
                )
            )
        return False
    said = [
        *([bool(success)] if success is not None else ()),
        *([not failure] if failure is not None else ()),
        *([not errors] if errors is not None else ()),
    ]
    return all(said) if said else None


def _refused_without_rows(head: dict[str, Value]) -> Refusal:
    number = str(head.get("number") or "") if flag(head.get("number")) != 0 else ""
    reason = str(head.get("fault text") or head.get("text") or "")
    return Refusal(number, reason, is_definite=bool(number))


def _count(value: Value) -> int:
    return int(value) if isinstance(value, int) else 0


def _declared_errors(head: dict[str, Value], rows: int) -> int:
    """As the head has it, so that whoever reads the answer sees where its rows disagree."""
    if "errors" in head or head.get("success"):
        said = _count(head.get("errors"))
        return said or (0 if rows else 1)
    return max(_count(head.get("failure")), rows, 1)


def _declared(head: dict[str, Value], what: str, rows: int) -> int:
    return _count(head[what]) if what in head else rows


def _silent(head: dict[str, Value]) -> Message:
    text = str(head.get("fault text") or head.get("text") or "")[:200]
    if text:
        return _("the reply says neither yes nor no, only {text:quoted}", text=text)
    return _("the reply says neither yes nor no")
