"""Months follow from the last known balance; what changes after a report, or is restated, stays readable.

Months that were summed up before this revision may have lost a balance over a quiet month, or a posting
that came late. They are summed up once more, and where a report had other figures these are noted.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ajpes_reporting.database import append_only

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)

_FIGURES = ("credit_turnover_cents", "debit_turnover_cents", "closing_balance_cents")
_HOLDER = ("holder_tax_number", "holder_name", "opened_on", "closed_on")


def upgrade() -> None:
    _create_former_accounts()
    _create_former_months()
    _create_reported_figures()
    _let_restate()
    _sum_up_again()


def _create_former_accounts() -> None:
    op.create_table(
        "former_accounts",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account", KEY, nullable=False),
        sa.Column("holder_tax_number", sa.String(length=8), nullable=False),
        sa.Column("holder_name", sa.String(length=140), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("closed_on", sa.Date()),
        sa.Column("restated_at", INSTANT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name="fk_former_accounts_account"),
        sa.PrimaryKeyConstraint("id", name="pk_former_accounts"),
    )
    op.create_index("ix_former_accounts_account", "former_accounts", ["account"])
    append_only.keep("former_accounts", [("id",)])


def _create_former_months() -> None:
    op.create_table(
        "former_account_months",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_month", KEY, nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _FIGURES),
        sa.Column("restated_at", INSTANT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_month"], ["account_months.id"], name="fk_former_account_months_account_month"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_former_account_months"),
    )
    op.create_index("ix_former_account_months_account_month", "former_account_months", ["account_month"])
    append_only.keep("former_account_months", [("id",)])


def _create_reported_figures() -> None:
    op.create_table(
        "reported_figures",
        sa.Column("submission", KEY, autoincrement=False, nullable=False),
        sa.Column("account", KEY, autoincrement=False, nullable=False),
        *(sa.Column(name, sa.BigInteger()) for name in _FIGURES),
        sa.ForeignKeyConstraint(["submission"], ["submissions.id"], name="fk_reported_figures_submission"),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name="fk_reported_figures_account"),
        sa.PrimaryKeyConstraint("submission", "account", name="pk_reported_figures"),
    )
    append_only.keep("reported_figures", [("submission", "account")])


def _let_restate() -> None:
    append_only.create_restating_function()
    append_only.restatable(
        "accounts",
        "former_accounts",
        "account",
        _HOLDER,
        kept=_differ("id", "provider", "account"),
        freely="OLD.closed_on IS NULL AND NEW.closed_on IS NOT NULL"
        f" AND NOT ({_differ('holder_tax_number', 'holder_name', 'opened_on')})",
    )
    append_only.restatable(
        "account_months",
        "former_account_months",
        "account_month",
        _FIGURES,
        kept=f"{_differ('id', 'account', 'month')} OR (OLD.origin = 'imported' AND NEW.origin <> 'imported')",
        freely="OLD.origin = 'closed'",
    )


def _differ(*columns: str) -> str:
    return " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in columns)


def _sum_up_again() -> None:
    """Month by month, so that each follows from those before it."""
    connection = op.get_bind()
    months = connection.execute(
        sa.text(
            "SELECT month FROM account_months WHERE origin = 'closed'"
            " UNION SELECT period FROM submissions WHERE report = 'SPAPP' ORDER BY 1"
        )
    ).scalars()
    for month in months.all():
        _sum_up_month(connection, month)


def _sum_up_month(connection: sa.Connection, month: str) -> None:
    values = {"month": month}
    on_postgresql = connection.dialect.name == "postgresql"
    schema = "pg_temp" if on_postgresql else "temp"
    connection.execute(sa.text(f"CREATE TEMPORARY TABLE right_months AS {_right(on_postgresql)}"), values)
    connection.execute(sa.text(_NOTE), values)
    connection.execute(
        sa.text(
            "UPDATE account_months SET (credit_turnover_cents, debit_turnover_cents, closing_balance_cents) ="
            " (SELECT r.credit, r.debit, r.closing FROM right_months r"
            " WHERE r.account = account_months.account)"
            " WHERE origin = 'closed' AND month = :month"
            " AND account IN (SELECT account FROM right_months WHERE origin = 'closed')"
        ),
        values,
    )
    connection.execute(
        sa.text(
            "INSERT INTO account_months (account, month, credit_turnover_cents, debit_turnover_cents,"
            " closing_balance_cents, origin) SELECT account, :month, credit, debit, closing, 'closed'"
            " FROM right_months WHERE origin IS NULL"
        ),
        values,
    )
    connection.execute(sa.text(f"DROP TABLE {schema}.right_months"))


# What the newest report of the month said, where the ledger says something else now.
_NOTE = """
    INSERT INTO reported_figures
        (submission, account, credit_turnover_cents, debit_turnover_cents, closing_balance_cents)
    SELECT reported.submission, r.account, r.former_credit, r.former_debit, r.former_closing
    FROM right_months r
    JOIN accounts a ON a.id = r.account
    JOIN (SELECT provider, max(id) AS submission FROM submissions
          WHERE report = 'SPAPP' AND period = :month GROUP BY provider) reported
        ON reported.provider = a.provider
    WHERE r.is_open
"""


def _right(on_postgresql: bool) -> str:
    """The months of accounts whose figures are not what they should be, with both.

    A month that was reported gets a row where the account has postings; one that has none keeps its row.
    """
    first = "CAST(:month || '-01' AS DATE)" if on_postgresql else ":month || '-01'"
    after = _day_after(":month", on_postgresql)
    is_open = f"a.opened_on < {after} AND (a.closed_on IS NULL OR a.closed_on >= {first})"
    return f"""
    SELECT * FROM (
        SELECT figures.account, figures.origin, figures.is_open,
            figures.former_credit, figures.former_debit,
            CASE WHEN figures.origin IS NULL THEN figures.base ELSE figures.former_closing END
                AS former_closing,
            figures.credit, figures.debit,
            figures.base + COALESCE((
                SELECT sum(p.amount_cents) FROM postings p
                WHERE p.account = figures.account AND p.booked_on < {after}
                AND p.booked_on >= COALESCE(figures.base_ends, {_no_day(on_postgresql)})
            ), 0) AS closing
        FROM (
            SELECT a.id AS account, m.origin, {is_open} AS is_open,
                COALESCE(m.credit_turnover_cents, 0) AS former_credit,
                COALESCE(m.debit_turnover_cents, 0) AS former_debit,
                m.closing_balance_cents AS former_closing,
                COALESCE((SELECT sum(p.amount_cents) FROM postings p WHERE p.account = a.id
                    AND p.booked_on >= {first} AND p.booked_on < {
        after
    } AND p.amount_cents > 0), 0) AS credit,
                COALESCE((SELECT -sum(p.amount_cents) FROM postings p WHERE p.account = a.id
                    AND p.booked_on >= {first} AND p.booked_on < {after} AND p.amount_cents < 0), 0) AS debit,
                COALESCE((SELECT b.closing_balance_cents FROM account_months b WHERE b.account = a.id
                    AND b.month < :month ORDER BY b.month DESC LIMIT 1), 0) AS base,
                {
        _day_after(
            "(SELECT max(b.month) FROM account_months b WHERE b.account = a.id AND b.month < :month)",
            on_postgresql,
        )
    } AS base_ends
            FROM accounts a
            LEFT JOIN account_months m ON m.account = a.id AND m.month = :month
            WHERE m.origin = 'closed' OR (m.origin IS NULL AND EXISTS (
                SELECT 1 FROM submissions s
                WHERE s.provider = a.provider AND s.report = 'SPAPP' AND s.period = :month))
        ) figures
    ) compared
    WHERE (origin = 'closed' OR is_open)
    AND (credit <> former_credit OR debit <> former_debit OR closing <> former_closing)
    """  # noqa: S608 - our own names only


def _day_after(month: str, on_postgresql: bool) -> str:
    if on_postgresql:
        return f"CAST(CAST({month} || '-01' AS DATE) + INTERVAL '1 month' AS DATE)"
    return f"date({month} || '-01', '+1 month')"


def _no_day(on_postgresql: bool) -> str:
    return "DATE '0001-01-01'" if on_postgresql else "'0001-01-01'"
