"""Bank statements into the ledger: their booked entries become postings, each once.

A file is read and proved before the database is asked, its entries put aside on disk. Then each statement is
placed after the newest one before it that the ledger has of its account. It joins if the closing balance
there and what is new in it give its own closing balance: so a missing statement is found, and one that
overlaps with others brings only what they did not have.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache
from hashlib import file_digest, sha256
from itertools import islice
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Date, String, bindparam, func, insert, select, tuple_

from ajpes_reporting import xmlread
from ajpes_reporting.database.tables import account_months, accounts, postings
from ajpes_reporting.database.tables import statements as stored
from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.domain.ports import no_progress
from ajpes_reporting.i18n import Message, _
from ajpes_reporting.ledger import camt053
from ajpes_reporting.ledger.camt053 import KEY_BYTES, Entry, Statement
from ajpes_reporting.ledger.findings import MOST, Found
from ajpes_reporting.ledger.intake import Taken, take_in
from ajpes_reporting.ledger.kinds import POSTINGS
from ajpes_reporting.ledger.months import LastKnown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection, Row, Select

    from ajpes_reporting.domain.ports import Progress
    from ajpes_reporting.domain.rules import RuleSettings
    from ajpes_reporting.ledger.findings import Source
    from ajpes_reporting.ledger.restatement import Restatement

_RECORD = struct.Struct(f"<{KEY_BYTES}s15siq?")
_RECORDS_AT_A_TIME = 1_000
_LOOKED_UP_AT_ONCE = 500
_KEY_IN_ID, _NAME_IN_ID = 20, 15  # with a dash between them 36 characters, as many as an identifier has
_NOT_IN_NAME = re.compile(rb"[^0-9A-Za-z]+")
_FIRST = "first"
_JOINED = "joined"
_OVERLAPS = "overlaps"
_KNOWN = "known"
_GAP = "gap"


@dataclass(frozen=True, slots=True)
class StatementSummary:
    """A statement that was read, and where it stands among those of its account.

    `standing` is "first" (the ledger had none of the account), "joined" (it begins where another ended),
    "overlaps" (parts of it were known), "known" (all of it was), or "gap" (it does not join, and was taken
    in with a reason). `not_booked` entries were left out, as they may still change.
    """

    statement: str
    account: str
    sequence: int
    begins_on: date
    ends_on: date
    opening_cents: int
    credit_cents: int
    debit_cents: int
    closing_cents: int
    entries: int
    not_booked: int
    standing: str


@dataclass(slots=True)
class StatementFile:
    """A file of statements that was read: the statements in its order, the findings, the entries on disk."""

    path: Path
    sha256: str
    statements: list[Statement] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    entries: _Aside = field(default_factory=lambda: _Aside())


class TakenStatements(NamedTuple):
    """The fate of the postings, and of each statement."""

    taken: Taken
    statements: tuple[StatementSummary, ...]


@contextmanager
def reading(path: Path, progress: Progress = no_progress) -> Iterator[StatementFile]:
    """Reads a file of statements, and proves each; `progress` is told entries.

    Raises LedgerRefused if the file is no statement that we take.
    """
    with path.open("rb") as source:
        digest = file_digest(source, "sha256").hexdigest()
    file = StatementFile(path, digest, findings=camt053.recognise(path))
    errors = 0
    with file.entries:
        try:
            for item in camt053.read(path):
                if isinstance(item, Entry):
                    if file.entries.add(item) % _RECORDS_AT_A_TIME == 0:
                        progress(_RECORDS_AT_A_TIME)
                elif isinstance(item, Statement):
                    file.statements.append(item)
                else:
                    file.findings.append(item)
                    errors += item.is_error
                    if errors >= MOST:
                        break
        except xmlread.UnreadableXml as error:
            raise camt053.refusal(path, error) from None
        if not file.statements and not errors:
            file.findings.append(_empty())
        yield file


class _Aside:
    """Entries on disk, in records of one length: any of them is found by its number."""

    def __init__(self) -> None:
        self._file: IO[bytes]
        self._count = 0

    def __enter__(self) -> None:
        self._file = TemporaryFile()

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def add(self, entry: Entry) -> int:
        """Adds an entry; returns the number of all."""
        name = _NOT_IN_NAME.sub(b"", entry.name.encode())[-_NAME_IN_ID:]
        day = entry.booked_on.toordinal()
        self._file.write(_RECORD.pack(entry.key, name, day, entry.cents, entry.has_reference))
        self._count += 1
        return self._count

    def postings(self, statement: Statement, first: int) -> Iterator[Posting]:
        """Yields the entries of a statement, whose first one has this number, as postings."""
        repeated = Counter[bytes]()
        size, end = _RECORD.size, (first + statement.entries) * _RECORD.size
        for place in range(first * size, end, _RECORDS_AT_A_TIME * size):
            self._file.seek(place)
            block = self._file.read(min(_RECORDS_AT_A_TIME * size, end - place))
            for key, name, day, cents, has_reference in _RECORD.iter_unpack(block):
                if statement.repeats and key[:8] in statement.repeats:
                    repeated[key] += 1
                    if (times := repeated[key]) > 1:
                        key = sha256(key + str(times).encode()).digest()
                yield Posting(_posting_id(key, name), date.fromordinal(day), cents, has_reference)


class Posting(NamedTuple):
    """An entry as the ledger has it."""

    posting_id: str
    booked_on: date
    cents: int
    has_reference: bool


def _posting_id(key: bytes, name: bytes) -> str:
    """The identifier of an entry's posting: the end of the bank's reference, then what makes it unique.

    Not the reference alone, which two accounts of one bank may share, and an entry and its charges.
    """
    digest, visible = key.hex()[:_KEY_IN_ID], name.rstrip(b"\0").decode()
    return f"{visible}-{digest}" if visible else digest


def take_in_statements(
    connection: Connection,
    provider: str,
    file: StatementFile,
    source: Source,
    rules: RuleSettings,
    restatement: Restatement | None = None,
) -> TakenStatements:
    """Takes the new entries of statements into the ledger, within the caller's transaction.

    With a `restatement` a statement that does not join is taken in as well, on the record. Raises
    LedgerRefused with its findings if anything is wrong; the caller then rolls back.
    """
    found = Found(source)
    found.add(file.findings)
    found.refuse_errors()
    chain = _Chain(connection, provider, file, source.read_at, restatement, found)
    numbers = _numbers_of(file.statements)
    placed = {
        number: chain.place(file.statements[number], first)
        for number, first in sorted(
            numbers.items(), key=lambda item: _order(file.statements[item[0]], item[0])
        )
    }
    found.refuse_errors()
    rows = _rows(file, [(number, first) for number, first in numbers.items() if placed[number].new_count])
    taken = take_in(connection, provider, POSTINGS, enumerate(rows, 1), source, rules, no_progress)
    expected = sum(one.new_count for one in placed.values())
    if taken.rows_new != expected:
        found.add([_taken_for_another(expected - taken.rows_new)])
        found.refuse_errors()
    chain.compare_balances()
    entries = sum(statement.entries for statement in file.statements)
    return TakenStatements(
        replace(
            taken,
            rows_read=entries,
            warnings=(*found.warnings, *taken.warnings)[:MOST],
            warning_count=found.warning_count + taken.warning_count,
        ),
        tuple(
            _summary(statement, placed[number].standing) for number, statement in enumerate(file.statements)
        ),
    )


def _numbers_of(statements: list[Statement]) -> dict[int, int]:
    """The number of the first entry of each statement."""
    numbers, first = {}, 0
    for number, statement in enumerate(statements):
        numbers[number] = first
        first += statement.entries
    return numbers


def _order(statement: Statement, number: int) -> tuple[str, date, int, int, int]:
    return statement.account, statement.closing.day, statement.sequence, statement.page, number


def _rows(file: StatementFile, which: Iterable[tuple[int, int]]) -> Iterator[tuple[str, ...]]:
    for number, first in which:
        statement = file.statements[number]
        for posting in file.entries.postings(statement, first):
            yield posting.posting_id, statement.account, posting.booked_on.isoformat(), str(posting.cents)


class _Placed(NamedTuple):
    """The standing of a statement among the others of its account, and the number of its new entries."""

    standing: str
    new_count: int


class _Chain:
    """The statements of each account in their order, as the ledger has them."""

    def __init__(
        self,
        connection: Connection,
        provider: str,
        file: StatementFile,
        at: datetime,
        restatement: Restatement | None,
        found: Found,
    ) -> None:
        self._connection = connection
        self._provider = provider
        self._file = file
        self._at = at
        self._restatement = restatement
        self._found = found
        self._accounts: dict[str, int | None] = {}
        self._last: dict[int, Statement] = {}

    def place(self, statement: Statement, first: int) -> _Placed:
        """Places a statement after those before it, and remembers it; what is wrong goes to `found`."""
        account = self._account(statement)
        if account is None:
            return _Placed(_GAP, 0)
        if known := self._known_as(account, statement):
            if known != statement.identifier:
                self._found.add([_copy(statement, known)])
            return _Placed(_KNOWN, 0)
        self._last[account] = statement
        before, after = self._neighbours(account, statement)
        new_count, new_cents, oldest = self._what_is_new(statement, first, before)
        standing = _standing(statement, before, after, new_count)
        if wrong := self._wrong(statement, before, after, new_cents, oldest):
            standing = _GAP
            severity = Severity.ERROR if self._restatement is None else Severity.WARNING
            self._found.add([replace(wrong, severity=severity)])
        self._found.add(_warnings(statement, before))
        self._remember(account, statement, standing)
        return _Placed(standing, new_count)

    def _account(self, statement: Statement) -> int | None:
        number = statement.account
        if number not in self._accounts:
            key = self._connection.scalar(
                select(accounts.c.id).where(
                    accounts.c.provider == self._provider, accounts.c.account == number
                )
            )
            self._accounts[number] = key
            if key is None:
                message = _("the ledger does not know this account")
                remedy = _("import the accounts first, or leave out statements of other accounts")
                self._found.add([_finding(Severity.ERROR, statement, "account-unknown", message, remedy)])
        return self._accounts[number]

    def _known_as(self, account: int, statement: Statement) -> str | None:
        """The identifier of a statement of the ledger with the same content; None if there is none."""
        same = select(stored.c.statement_id).where(
            stored.c.account == account, stored.c.fingerprint == statement.fingerprint
        )
        return self._connection.scalar(same)

    def _neighbours(self, account: int, statement: Statement) -> tuple[Row[Any] | None, Row[Any] | None]:
        """The newest statement before this one, and the oldest after it."""
        values = {
            "at": account,
            "here_ends_on": statement.closing.day,
            "here_sequence": statement.sequence,
            "here_page": statement.page,
        }
        before, after = (self._connection.execute(query, values) for query in _neighbours())
        return before.one_or_none(), after.one_or_none()

    def _what_is_new(
        self, statement: Statement, first: int, before: Row[Any] | None
    ) -> tuple[int, int, date | None]:
        """Number and sum of the entries that the ledger does not have, and the oldest of the doubtful ones.

        Doubtful is what has no reference of the bank: another statement may have had it. The entries of a
        statement that begins where the one before it ended are new, all of them.
        """
        if before is not None and not _begins_after(statement, before):
            return self._look_up(statement, first)
        return statement.entries, statement.closing.cents - statement.opening.cents, None

    def _look_up(self, statement: Statement, first: int) -> tuple[int, int, date | None]:
        count = cents = 0
        oldest: date | None = None
        entries = self._file.entries.postings(statement, first)
        while batch := list(islice(entries, _LOOKED_UP_AT_ONCE)):
            column = postings.c
            known = set(
                self._connection.scalars(
                    select(column.posting_id).where(
                        column.provider == self._provider,
                        column.posting_id.in_([posting.posting_id for posting in batch]),
                    )
                )
            )
            for posting in batch:
                if posting.posting_id not in known:
                    count, cents = count + 1, cents + posting.cents
                    if not posting.has_reference:
                        oldest = min(oldest or posting.booked_on, posting.booked_on)
        return count, cents, oldest

    def _wrong(
        self,
        statement: Statement,
        before: Row[Any] | None,
        after: Row[Any] | None,
        new_cents: int,
        oldest: date | None,
    ) -> Finding | None:
        """Returns why a statement does not join its neighbours; None if it does."""
        closing = statement.closing.cents
        if before is not None and before.closing_cents + new_cents != closing:
            message = _(
                "the statement begins with {opening:eur}, but the one before it, {before} of {day:date},"
                " ended with {closing:eur}: {difference:eur} are missing between them",
                opening=statement.opening.cents,
                before=before.statement_id,
                day=before.ends_on,
                closing=before.closing_cents,
                difference=abs(closing - new_cents - before.closing_cents),
            )
            return _finding(Severity.ERROR, statement, "gap", message, _BETWEEN)
        is_anew = before is not None and before.statement_id == statement.identifier
        if before is not None and oldest is not None and oldest < before.ends_on and not is_anew:
            message = _(
                "the statement has an entry of {day:date} without a reference of the bank (AcctSvcrRef), and"
                " {before} goes to {end:date}: whether it had this entry cannot be told",
                day=oldest,
                before=before.statement_id,
                end=before.ends_on,
            )
            return _finding(Severity.ERROR, statement, "covered", message, _OVERLAP)
        joined_without = (
            before is not None and after is not None and before.closing_cents != after.opening_cents
        )
        if after is not None and not joined_without and closing != after.opening_cents:
            message = _(
                "the statement ends with {closing:eur}, but the one after it, {after} of {day:date}, begins"
                " with {opening:eur}: {difference:eur} are missing between them",
                closing=closing,
                after=after.statement_id,
                day=after.ends_on,
                opening=after.opening_cents,
                difference=abs(closing - after.opening_cents),
            )
            return _finding(Severity.ERROR, statement, "gap", message, _BETWEEN)
        return None

    def _remember(self, account: int, statement: Statement, standing: str) -> None:
        if standing == _KNOWN:
            return
        self._connection.execute(
            insert(stored).values(
                account=account,
                statement_id=statement.identifier,
                sequence=statement.sequence,
                page=statement.page,
                begins_on=statement.begins_on,
                ends_on=statement.closing.day,
                opening_cents=statement.opening.cents,
                closing_cents=statement.closing.cents,
                entries=statement.entries,
                standing=standing,
                fingerprint=statement.fingerprint,
                file_sha256=self._file.sha256,
                taken_at=self._at,
            )
        )

    def compare_balances(self) -> None:
        """Warns of each account whose balance in the ledger is not the one that its statement proves."""
        for account, statement in self._last.items():
            day, proved = statement.closing.day, statement.closing.cents
            if (cents := self._balance_on(account, day)) != proved:
                message = _(
                    "the balance on {day:date} is {proved:eur} by the statement, {cents:eur} by the ledger",
                    day=day,
                    proved=proved,
                    cents=cents,
                )
                remedy = _(
                    "import the account month before the first posting; if that is there already, compare the"
                    " postings of other files"
                )
                self._found.add([_finding(Severity.WARNING, statement, "balance-differs", message, remedy)])

    def _balance_on(self, account: int, day: date) -> int:
        month = f"{day.year:04}-{day.month:02}"
        row = account_months.c
        of_month = select(row.closing_balance_cents).where(row.account == account, row.month == month)
        if (day + timedelta(days=1)).day == 1 and (cents := self._connection.scalar(of_month)) is not None:
            return int(cents)
        values = {"at": account, "of_month": month, "until": day + timedelta(days=1)}
        return int(self._connection.execute(_balance(), values).scalar_one())


@cache  # a file may have a statement of each account
def _balance() -> Select[Any]:
    """The balance of account `at` before the day `until`, which lies in `of_month` or begins the next one."""
    last = LastKnown(accounts.c.id, bindparam("of_month", type_=String))
    since = last.posted_before(bindparam("until", type_=Date))
    balance = func.coalesce(last.closing_balance, 0) + func.coalesce(since, 0)
    return select(balance).where(accounts.c.id == bindparam("at"))


@cache
def _neighbours() -> tuple[Select[Any], Select[Any]]:
    """The newest statement of account `at` up to a place, and the oldest after it."""
    place = (stored.c.ends_on, stored.c.sequence, stored.c.page)
    here = tuple_(*(bindparam(f"here_{column.name}", type_=column.type) for column in place))
    of_account = select(stored).where(stored.c.account == bindparam("at"))
    downwards = (column.desc() for column in (*place, stored.c.id))
    return (
        of_account.where(tuple_(*place) <= here).order_by(*downwards).limit(1),
        of_account.where(tuple_(*place) > here).order_by(*place, stored.c.id).limit(1),
    )


def _begins_after(statement: Statement, before: Row[Any]) -> bool:
    """Whether a statement begins where the one before it ended, by balance and by day."""
    ends_on: date = before.ends_on
    return bool(statement.opening.cents == before.closing_cents) and statement.begins_on >= ends_on


def _standing(statement: Statement, before: Row[Any] | None, after: Row[Any] | None, new_count: int) -> str:
    if before is None:
        return _FIRST if after is None else _JOINED
    if new_count == statement.entries:
        return _JOINED
    return _OVERLAPS if new_count else _KNOWN


def _warnings(statement: Statement, before: Row[Any] | None) -> Iterator[Finding]:
    """Yields what a person should know of a statement that joins the one before it."""
    if before is None:
        return
    numbered = statement.sequence > 0 and before.sequence > 0
    same_number = numbered and statement.sequence == before.sequence
    same_page = statement.page == before.page
    if (
        before.ends_on == statement.closing.day
        and same_page
        and (same_number or (not numbered and statement.identifier == before.statement_id))
    ):
        message = _(
            "the statement takes the place of {before}, which was imported on {at:moment} with other content",
            before=before.statement_id,
            at=before.taken_at,
        )
        yield _finding(Severity.WARNING, statement, "restated", message, _("compare the two with the bank"))
    elif (
        numbered
        and before.ends_on.year == statement.closing.day.year
        and statement.sequence != before.sequence + 1
        and not same_number
    ):
        message = _(
            "number {number} follows number {before}: a statement may be missing, though the balances join",
            number=str(statement.sequence),
            before=str(before.sequence),
        )
        remedy = _("ask the bank whether there is one; entries that cancel each other are turnover, too")
        yield _finding(Severity.WARNING, statement, "number", message, remedy)


def _summary(statement: Statement, standing: str) -> StatementSummary:
    return StatementSummary(
        statement.identifier, statement.account, statement.sequence, statement.begins_on,
        statement.closing.day, statement.opening.cents, statement.credit_cents, statement.debit_cents,
        statement.closing.cents, statement.entries, statement.not_booked, standing,
    )  # fmt: skip


_BETWEEN = _(
    "import the statements that are missing first; if there are none, take this one in with"
    " `ledger import FILE --restate --reason …`"
)


_OVERLAP = _(
    "leave this statement out if others have its entries; otherwise take it in with"
    " `ledger import FILE --restate --reason …`"
)


def _empty() -> Finding:
    message, remedy = _("the file has no statement"), _("ask the bank for the file again")
    return Finding(Severity.ERROR, _("the file"), "", "statement.none", message, remedy)


def _copy(statement: Statement, known: str) -> Finding:
    message = _("the statement has the same content as {known}: it was taken for a copy", known=known)
    remedy = _("compare the two if the bank has not sent the statement twice")
    return _finding(Severity.WARNING, statement, "copy", message, remedy)


def _taken_for_another(count: int) -> Finding:
    message = _(
        "the ledger has postings already that cannot be told from new entries ({count:count})", count=count
    )
    remedy = _("ask the bank for statements with a reference for each entry (AcctSvcrRef)")
    return Finding(Severity.ERROR, _("the file"), "", "statement.not-distinct", message, remedy)


def _finding(
    severity: Severity, statement: Statement, what: str, message: Message, remedy: Message
) -> Finding:
    return Finding(severity, statement.record, "", f"statement.{what}", message, remedy)
