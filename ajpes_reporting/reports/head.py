"""Rules over the head of a report, held against what is known of the file besides its content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import UsageError
from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.domain.periods import Month, file_name, read_file_name
from ajpes_reporting.i18n import Message, _

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.reports.kind import FileRuleSettings

_HEAD = _("the head")
_REGISTRATION_NUMBER_DIGITS = 10


def read_period(text: str, parse: Callable[[str], Period]) -> tuple[Period | None, list[Finding]]:
    """Returns the period that a head names, or None and the reason why that is none.

    A schema allows more than can be meant: the year 0000.
    """
    try:
        return parse(text), []
    except UsageError as error:
        return None, [_error("period", "period.format", error.message, error.remedy)]


def check_head(report: str, period: Period, provider: str, known: FileRuleSettings) -> Iterator[Finding]:
    """Yields where the head of a report contradicts its file name, the workspace or the calendar.

    `report` is the code of its kind, `provider` the registration number in it (2.1, 3.1).
    """
    yield from _check_name(report, period, provider, known.file_name)
    yield from check_own(provider, known.provider)
    if isinstance(period, Month) and known.now is not None and known.now.astimezone(LJUBLJANA) < period.end:
        yield _error(
            "period",
            "period.not-over",
            _("{month} has not ended yet", month=period.spoken),
            _("have the report made when the month is over"),
        )


def check_own(provider: str, ours: str) -> Iterator[Finding]:
    """Yields an error where a report or an answer is about another provider than the workspace's.

    A number of 7 digits is that of 10 with three noughts.
    """
    if ours and _whole(provider) != _whole(ours):
        yield _error(
            "registration_number",
            "registration-number.other",
            _("the provider is {provider}, this workspace is of {ours}", provider=provider[:20], ours=ours),
            _("check the file in the workspace of its provider"),
        )


def _check_name(report: str, period: Period, provider: str, name: str) -> Iterator[Finding]:
    said = read_file_name(name)
    if said is None:
        return
    remedy = _("name the file {name}, if its content is right", name=file_name(report, period, provider))
    if said.report != report:
        yield _error(
            "file_name",
            "file-name.report",
            _("the file name says {said}, the content is {content}", said=said.report, content=report),
            remedy,
        )
    if said.period != period.compact:
        yield _error(
            "file_name",
            "file-name.period",
            _("the file name says {said}, the head says {head}", said=said.period, head=period.compact),
            remedy,
        )
    if said.registration_number != provider[:7]:
        yield _error(
            "file_name",
            "file-name.registration-number",
            _(
                "the file name says provider {said}, the head says {head}",
                said=said.registration_number,
                head=provider[:20],
            ),
            remedy,
        )


def _whole(number: str) -> str:
    return number.ljust(_REGISTRATION_NUMBER_DIGITS, "0")


def _error(field: str, rule: str, message: Message, remedy: Message) -> Finding:
    return Finding(Severity.ERROR, _HEAD, field, rule, message, remedy, "Ident")
