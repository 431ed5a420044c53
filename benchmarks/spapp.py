"""The monthly report, from months that were imported and from single postings.

`python -m benchmarks.spapp URL` closes the month of postings, and takes it back.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from functools import partial

from ajpes_reporting.cli.main import NEW_OBJECTS
from ajpes_reporting.database.engine import open_engine, rehearsing
from ajpes_reporting.ledger.months import close_month
from benchmarks import ledgers
from benchmarks.filling import MONTH, POSTINGS_PER_ACCOUNT
from benchmarks.measurement import Measurement, Stage, Trial, program, psql, sqlite3, xmllint
from benchmarks.processes import Cost, run
from benchmarks.workspaces import Kind, Workspace

_SUM_OF_MONTHS = (
    "SELECT count(*), sum(credit_turnover_cents), sum(debit_turnover_cents), sum(closing_balance_cents)"
    f" FROM account_months JOIN accounts ON accounts.id = account_months.account WHERE month = '{MONTH}';"
)
_SUMS_OF_POSTINGS = (
    "SELECT account, sum(CASE WHEN amount_cents > 0 THEN amount_cents ELSE 0 END),"
    " sum(CASE WHEN amount_cents < 0 THEN -amount_cents ELSE 0 END), sum(amount_cents)"
    f" FROM postings WHERE booked_on BETWEEN '{MONTH}-01' AND '{MONTH}-31' GROUP BY account"
)


def _report(stage: Stage, kind: Kind, size: int) -> Iterator[Trial]:
    file = stage.folder / "spapp.xml"
    workspace = stage.workspaces.get(kind, "months", size)
    words = ("build", "spapp", "--month", MONTH.replace("-", ""), "-o", file)
    yield Trial(
        "imported months",
        stage.costed(kind, partial(program, workspace, *words)),
        stage.costed(kind, lambda: _shell(workspace, _SUM_OF_MONTHS) + xmllint(file, "spapp-20100601.xsd")),
        size,
    )


def _closing(stage: Stage, kind: Kind, size: int) -> Iterator[Trial]:
    workspace = stage.workspaces.get(kind, "postings", size)
    yield Trial(
        f"{POSTINGS_PER_ACCOUNT} postings per account",
        stage.costed(kind, partial(run, [sys.executable, "-m", "benchmarks.spapp", workspace.url])),
        stage.costed(kind, partial(_sum_postings, workspace)),
        size * POSTINGS_PER_ACCOUNT,
    )


def _sum_postings(workspace: Workspace) -> Cost:
    if workspace.kind == "sqlite":
        return sqlite3(workspace.database, f"{_SUMS_OF_POSTINGS};")
    return psql(workspace, f"COPY ({_SUMS_OF_POSTINGS}) TO STDOUT;")


def _shell(workspace: Workspace, statement: str) -> Cost:
    if workspace.kind == "sqlite":
        return sqlite3(workspace.database, statement)
    return psql(workspace, statement)


def main(url: str) -> None:
    """Closes the month and takes it back."""
    gc.set_threshold(NEW_OBJECTS)  # as the command line does
    engine = open_engine(url)
    with rehearsing(engine) as connection:
        closed = close_month(connection, ledgers.PROVIDER, MONTH)
    engine.dispose()
    if not closed:
        raise SystemExit("no month was closed")


SPAPP = Measurement(
    name="monthly report",
    what="`build spapp` of so many accounts, from imported months",
    yardstick="one bare sum over the month by the database's own shell, then `xmllint` on the file",
    trials=_report,
    limit=2.0,
)

CLOSING = Measurement(
    name="month from postings",
    what=f"closing a month of {POSTINGS_PER_ACCOUNT} postings for each of so many accounts",
    yardstick="`SELECT account, sum(…) … GROUP BY account` by the database's own shell",
    trials=_closing,
    limit=1.3,
)

if __name__ == "__main__":
    main(sys.argv[1])
