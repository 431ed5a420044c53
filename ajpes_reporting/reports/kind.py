"""The parts of a kind of report. A new report is one folder and one line in the registry."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import Field
from sqlalchemy import ColumnElement, Connection, FromClause, Select, func, or_, select

from ajpes_reporting.database.tables import rule_editions
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.money import Amounts
from ajpes_reporting.domain.periods import parse_day, parse_month
from ajpes_reporting.domain.rules import RuleSettings
from ajpes_reporting.i18n import NOTHING, Message
from ajpes_reporting.reports.left_out import LeftOut
from ajpes_reporting.sections import Section

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import date, datetime, time

    from ajpes_reporting.domain.answers import AnswerHead, AnswerRow
    from ajpes_reporting.domain.findings import Finding
    from ajpes_reporting.domain.periods import Period
    from ajpes_reporting.xmlread import Element, Record

ROWS_AT_A_TIME = 1_000

_NOT_MET = 0  # keys begin at 1


class ReportSettings(Section):
    """The section of `ajpes.toml` that belongs to one kind of report and has its name, such as `[spapp]`.

    `amounts` is how amounts are written. `volume_factor` is how many times more records than usual a report
    may have before it is held for a person's release; 0: any number. A kind with more settings has a
    subclass with more fields.
    """

    amounts: Amounts = "cents"
    volume_factor: float = Field(default=20.0, ge=0, allow_inf_nan=False)

    def is_large(self, _size_bytes: int) -> bool:
        """Whether a file of this size goes first by a way that is meant for large ones."""
        return False


@dataclass(frozen=True, slots=True)
class Request:
    """The report that is wanted: of which period, for whom, and in which form.

    `cutoff` is the last moment whose records count.
    """

    provider: str
    provider_name: str
    period: Period
    cutoff: datetime
    prepared_at: datetime
    settings: ReportSettings
    rules: RuleSettings = field(default_factory=RuleSettings)


@dataclass(frozen=True, slots=True)
class Selection:
    """The content of a report: its totals first, for the head of the file, then its rows.

    `totals` are the attributes of `Ident` as they will be written. `rows` and `findings`, what the
    rules say about them, can be read once, within the transaction that made the selection.
    `left_out` is what it leaves out although the authority does not know it. `too_large` says what does
    not fit into `Ident`, and which records make it so large. `to_be_released` says what a person has to
    look at before it goes.
    """

    record_count: int
    totals: Mapping[str, str]
    rows: Iterable[tuple[Any, ...]]
    findings: Iterable[Finding] = ()
    left_out: LeftOut = field(default_factory=LeftOut)
    too_large: Sequence[Finding] = ()
    to_be_released: Message = NOTHING


def rows_of(connection: Connection, statement: Select[Any]) -> Iterator[tuple[Any, ...]]:
    """The rows of a statement as a stream, which begins when the first one is asked for."""
    # Or PostgreSQL would spell out the bytes of long texts as digits.
    options = {"yield_per": ROWS_AT_A_TIME, "ajpes_binary": True}
    with connection.execute(statement, execution_options=options) as result:
        yield from result


def is_remarked(rules: RuleSettings, *facts: FromClause) -> ColumnElement[bool]:
    """In a query, whether the rules have to be asked about one of these facts of the ledger.

    They need not be where it was found right as it came in, by the same edition of the rules. An edition
    that the ledger has not met yet is not NULL, or it would be that of the facts without one.
    """
    known = select(rule_editions.c.id).where(rule_editions.c.fingerprint == rules.edition).scalar_subquery()
    edition = func.coalesce(known, _NOT_MET)
    return or_(*(fact.c.clean_under.is_distinct_from(edition) for fact in facts))


class FileRules:
    """Business rules over a report file, fed with its elements in document order.

    `starts` and `ends` are the local names of the elements wanted, when they begin and when they
    are complete.
    """

    starts: frozenset[str] = frozenset()
    ends: frozenset[str] = frozenset()

    def start(self, element: Element) -> Iterator[Finding]:
        """An element begins; only its attributes are there yet."""
        return iter(())

    def end(self, element: Element) -> Iterator[Finding]:
        """An element is complete; it is forgotten afterwards."""
        return iter(())

    def finish(self) -> Iterator[Finding]:
        """The file has ended: what can only be said now, such as totals."""
        return iter(())

    @property
    def record_count(self) -> int:
        """The number of records seen so far."""
        return 0


@dataclass(frozen=True, slots=True)
class FileRuleSettings:
    """The settings of the rules over a file, and what is known of the file besides its content.

    `provider` is the registration number of the workspace. Texts are empty and `now` is None where nothing
    is known, and nothing is compared then.
    """

    amounts: Amounts
    rules: RuleSettings = field(default_factory=RuleSettings)
    file_name: str = ""
    provider: str = ""
    now: datetime | None = None


@dataclass(frozen=True, slots=True)
class Total:
    """One of the totals in the head of a report, an attribute of `Ident`, and how it is called in speech."""

    name: str
    label: Message
    is_amount: bool = True


@dataclass(frozen=True, slots=True)
class ReportKind:
    """A kind of report, such as NODURS: everything that differs from the other kinds.

    `name`, the code in lower case, names its section in `ajpes.toml`, its subcommands and its folders.
    `title` says in one line what it is. `starts_at` is when the schedule starts it, in Ljubljana, unless
    `ajpes.toml` says otherwise. `example` are the lines of its section in a new `ajpes.toml`.
    `counted_records` says in words how many records there are: "3 events".
    `totals` are those in the head of the file.
    `record_mark` is how each record begins in the file. `needed_views` are those of a bank's own views
    without which silence would pass for a quiet day. `nothing_is_an_omission` says what to do
    about a report without rows; empty where a period without rows is quiet and nothing is sent.
    `left_out` says what a report of a provider with this cutoff leaves out, at this moment.
    `reports_months`: it tells the months of accounts, which are closed from postings before it is made, and
    compared afterwards with what was accepted.
    """

    code: str
    title: Message
    monthly: bool
    starts_at: time
    root: str
    namespace: str
    schema: str
    counted_records: Callable[[int], Message]
    record_mark: bytes
    answer_root: str
    answer_schema: str
    select: Callable[[Connection, Request], Selection]
    write: Callable[[Request, Selection], Iterator[bytes]]
    file_rules: Callable[[FileRuleSettings], FileRules]
    read_answer_head: Callable[[Record], AnswerHead]
    read_answer_row: Callable[[Record], AnswerRow]
    period: Callable[[date], Period]
    deadline: Callable[[Period, frozenset[date]], datetime]
    settings: type[ReportSettings] = ReportSettings
    totals: tuple[Total, ...] = ()
    example: str = ""
    needed_views: tuple[str, ...] = ()
    nothing_is_an_omission: Message = NOTHING
    reports_months: bool = False
    reported_events: Callable[[Request], Select[tuple[int]]] | None = None
    left_out: Callable[[Connection, str, datetime, datetime], LeftOut] | None = None
    name: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.code.lower())

    def parse_period(self, key: str) -> Period:
        """A period as the journal writes it. Raises `UsageError`."""
        return parse_month(key) if self.monthly else parse_day(key)

    def current_period(self, now: datetime) -> Period:
        """The day, or the month before the present one, of this moment in Ljubljana."""
        current = self.period(now.astimezone(LJUBLJANA).date())
        return current.previous() if self.monthly else current

    def is_answered_by(self, root: str) -> bool:
        """Whether the root element of an answer has this name, in whatever letter case."""
        return root.lower() == self.answer_root.lower()
