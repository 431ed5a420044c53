"""The first tables: the ledger, the journal, and the triggers that keep their facts.

Written out in full, so that this revision stays what it was when the tables change later.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ajpes_reporting.database import append_only

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)

# Table, and each of its unique keys.
_APPEND_ONLY = {
    "debtors": (("id",), ("provider", "tax_number", "name")),
    "obligations": (("id",), ("provider", "obligation_id")),
    "events": (("id",), ("obligation", "event_id"), ("obligation", "cancels_event_id")),
    "postings": (("id",), ("provider", "posting_id")),
    "submission_events": (("submission", "event"),),
    "submission_findings": (("id",),),
    "answer_rows": (("id",),),
    "audit_records": (("seq",), ("hash",)),
}


def upgrade() -> None:
    _create_ledger()
    _create_journal()
    append_only.create_function()
    for table, keys in _APPEND_ONLY.items():
        append_only.keep(table, keys)
    _keep_accounts()
    _keep_account_months()


def _keep_accounts() -> None:
    """An account may close, once; nothing else about it changes."""
    append_only.keep(
        "accounts",
        (("id",), ("provider", "account")),
        changed=f"OLD.closed_on IS NOT NULL OR NEW.closed_on IS NULL OR {_differ(_ACCOUNT)}",
    )


def _keep_account_months() -> None:
    """Lets sums of postings be renewed, and never a row of the bank."""
    append_only.keep(
        "account_months",
        (("id",), ("account", "month")),
        changed=f"OLD.origin <> 'closed' OR {_differ(('id', 'account', 'month'))}",
        kept="kept.origin <> 'closed'",
    )


_ACCOUNT = ("id", "provider", "account", "holder_tax_number", "holder_name", "opened_on")


def _differ(columns: tuple[str, ...]) -> str:
    return " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in columns)


def _create_ledger() -> None:
    op.create_table(
        "debtors",
        sa.Column("id", KEY, nullable=False),
        sa.Column("provider", sa.String(length=10), nullable=False),
        sa.Column("tax_number", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=140), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_debtors"),
        sa.UniqueConstraint("provider", "tax_number", "name", name="uq_debtors_provider_tax_number_name"),
    )
    op.create_table(
        "obligations",
        sa.Column("id", KEY, nullable=False),
        sa.Column("provider", sa.String(length=10), nullable=False),
        sa.Column("obligation_id", sa.String(length=36), nullable=False),
        sa.Column("issuer", sa.Integer(), nullable=False),
        sa.Column("debtor", KEY, nullable=False),
        sa.Column("debtor_account", sa.String(length=15), nullable=False),
        sa.ForeignKeyConstraint(["debtor"], ["debtors.id"], name="fk_obligations_debtor"),
        sa.PrimaryKeyConstraint("id", name="pk_obligations"),
        sa.UniqueConstraint("provider", "obligation_id", name="uq_obligations_provider_obligation_id"),
    )
    op.create_index(
        "ix_obligations_debtor_debtor_account_obligation_id",
        "obligations",
        ["debtor", "debtor_account", "obligation_id"],
    )
    op.create_table(
        "events",
        sa.Column("id", KEY, nullable=False),
        sa.Column("obligation", KEY, nullable=False),
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.Column("cancels_event_id", sa.String(length=36)),
        sa.Column("change_type", sa.String(length=2), nullable=False),
        sa.Column("change_date", sa.Date(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("recorded_as", sa.String(length=35), nullable=False),
        sa.Column("reference_model", sa.String(length=2)),
        sa.Column("reference", sa.String(length=22)),
        sa.Column("priority", sa.Integer()),
        sa.Column("creditor_account", sa.String(length=34)),
        sa.Column("creditor_name", sa.String(length=140)),
        sa.CheckConstraint(
            "(change_type = '00') = (cancels_event_id IS NOT NULL)", name="ck_events_cancellation"
        ),
        sa.ForeignKeyConstraint(["obligation"], ["obligations.id"], name="fk_events_obligation"),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.UniqueConstraint("obligation", "cancels_event_id", name="uq_events_obligation_cancels_event_id"),
        sa.UniqueConstraint("obligation", "event_id", name="uq_events_obligation_event_id"),
    )
    op.create_table(
        "pending_events",
        sa.Column("event", KEY, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["event"], ["events.id"], name="fk_pending_events_event"),
        sa.PrimaryKeyConstraint("event", name="pk_pending_events"),
    )
    op.create_table(
        "accounts",
        sa.Column("id", KEY, nullable=False),
        sa.Column("provider", sa.String(length=10), nullable=False),
        sa.Column("account", sa.String(length=15), nullable=False),
        sa.Column("holder_tax_number", sa.String(length=8), nullable=False),
        sa.Column("holder_name", sa.String(length=140), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("closed_on", sa.Date()),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("provider", "account", name="uq_accounts_provider_account"),
    )
    op.create_table(
        "account_months",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account", KEY, nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("credit_turnover_cents", sa.BigInteger(), nullable=False),
        sa.Column("debit_turnover_cents", sa.BigInteger(), nullable=False),
        sa.Column("closing_balance_cents", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.String(length=8), nullable=False),
        sa.CheckConstraint("origin IN ('imported', 'closed')", name="ck_account_months_origin"),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name="fk_account_months_account"),
        sa.PrimaryKeyConstraint("id", name="pk_account_months"),
        sa.UniqueConstraint("account", "month", name="uq_account_months_account_month"),
    )
    op.create_index("ix_account_months_month", "account_months", ["month"])
    op.create_table(
        "postings",
        sa.Column("id", KEY, nullable=False),
        sa.Column("provider", sa.String(length=10), nullable=False),
        sa.Column("posting_id", sa.String(length=36), nullable=False),
        sa.Column("account", KEY, nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name="fk_postings_account"),
        sa.PrimaryKeyConstraint("id", name="pk_postings"),
        sa.UniqueConstraint("provider", "posting_id", name="uq_postings_provider_posting_id"),
    )
    op.create_index("ix_postings_booked_on_account", "postings", ["booked_on", "account"])


def _create_journal() -> None:
    op.create_table(
        "submissions",
        sa.Column("id", KEY, nullable=False),
        sa.Column("provider", sa.String(length=10), nullable=False),
        sa.Column("report", sa.String(length=20), nullable=False),
        sa.Column("period", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=30), nullable=False),
        sa.Column("prepared_at", INSTANT, nullable=False),
        sa.Column("file_name", sa.String(length=40), nullable=False),
        sa.Column("archive_path", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content_sha256", sa.String(length=64), nullable=False),
        sa.Column("record_count", sa.BigInteger(), nullable=False),
        sa.Column("totals", sa.Text(), nullable=False),
        sa.Column("superseded_by", KEY),
        sa.ForeignKeyConstraint(["superseded_by"], ["submissions.id"], name="fk_submissions_superseded_by"),
        sa.PrimaryKeyConstraint("id", name="pk_submissions"),
    )
    op.create_index("ix_submissions_provider_report_period", "submissions", ["provider", "report", "period"])
    op.create_index("ix_submissions_state", "submissions", ["state"])
    op.create_table(
        "submission_events",
        sa.Column("submission", KEY, autoincrement=False, nullable=False),
        sa.Column("event", KEY, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["event"], ["events.id"], name="fk_submission_events_event"),
        sa.ForeignKeyConstraint(["submission"], ["submissions.id"], name="fk_submission_events_submission"),
        sa.PrimaryKeyConstraint("submission", "event", name="pk_submission_events"),
    )
    op.create_index("ix_submission_events_event", "submission_events", ["event"])
    op.create_table(
        "submission_findings",
        sa.Column("id", KEY, nullable=False),
        sa.Column("submission", KEY, nullable=False),
        sa.Column("severity", sa.String(length=7), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("field", sa.String(length=40), nullable=False),
        sa.Column("rule", sa.String(length=60), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.Column("location", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["submission"], ["submissions.id"], name="fk_submission_findings_submission"),
        sa.PrimaryKeyConstraint("id", name="pk_submission_findings"),
    )
    op.create_index("ix_submission_findings_submission", "submission_findings", ["submission"])
    op.create_table(
        "attempts",
        sa.Column("id", KEY, nullable=False),
        sa.Column("submission", KEY, nullable=False),
        sa.Column("via", sa.String(length=10), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT),
        sa.Column("outcome", sa.String(length=20)),
        sa.Column("detail", sa.Text()),
        sa.Column("evidence_path", sa.Text()),
        sa.Column("evidence_sha256", sa.String(length=64)),
        sa.ForeignKeyConstraint(["submission"], ["submissions.id"], name="fk_attempts_submission"),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
    )
    op.create_index("ix_attempts_submission", "attempts", ["submission"])
    op.create_table(
        "answers",
        sa.Column("id", KEY, nullable=False),
        sa.Column("provider", sa.String(length=10), nullable=False),
        sa.Column("submission", KEY),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("via", sa.String(length=10), nullable=False),
        sa.Column("remote_name", sa.Text(), nullable=False),
        sa.Column("remote_size", sa.BigInteger(), nullable=False),
        sa.Column("remote_modified_at", sa.BigInteger(), nullable=False),
        sa.Column("archive_path", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("declared_errors", sa.BigInteger()),
        sa.Column("declared_warnings", sa.BigInteger()),
        sa.Column("error_rows", sa.BigInteger()),
        sa.Column("warning_rows", sa.BigInteger()),
        sa.ForeignKeyConstraint(["submission"], ["submissions.id"], name="fk_answers_submission"),
        sa.PrimaryKeyConstraint("id", name="pk_answers"),
    )
    op.create_index("ix_answers_provider_remote_name", "answers", ["provider", "remote_name"])
    op.create_index("ix_answers_provider_sha256", "answers", ["provider", "sha256"])
    op.create_index("ix_answers_submission", "answers", ["submission"])
    op.create_table(
        "answer_rows",
        sa.Column("id", KEY, nullable=False),
        sa.Column("answer", KEY, nullable=False),
        sa.Column("severity", sa.String(length=7), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("obligation_id", sa.String(length=36)),
        sa.Column("event_id", sa.String(length=36)),
        sa.Column("ref_id", sa.String(length=36)),
        sa.Column("account", sa.String(length=15)),
        sa.ForeignKeyConstraint(["answer"], ["answers.id"], name="fk_answer_rows_answer"),
        sa.PrimaryKeyConstraint("id", name="pk_answer_rows"),
    )
    op.create_index("ix_answer_rows_account", "answer_rows", ["account"])
    op.create_index("ix_answer_rows_answer", "answer_rows", ["answer"])
    op.create_index("ix_answer_rows_obligation_id_event_id", "answer_rows", ["obligation_id", "event_id"])
    op.create_table(
        "due_reports",
        sa.Column("provider", sa.String(length=10), nullable=False),
        sa.Column("report", sa.String(length=20), nullable=False),
        sa.Column("period", sa.String(length=10), nullable=False),
        sa.Column("deadline", INSTANT, nullable=False),
        sa.Column("settled_at", INSTANT),
        sa.Column("settled_as", sa.String(length=30)),
        sa.Column("submission", KEY),
        sa.ForeignKeyConstraint(["submission"], ["submissions.id"], name="fk_due_reports_submission"),
        sa.PrimaryKeyConstraint("provider", "report", "period", name="pk_due_reports"),
    )
    op.create_table(
        "audit_records",
        sa.Column("seq", KEY, autoincrement=False, nullable=False),
        sa.Column("at", sa.String(length=35), nullable=False),
        sa.Column("provider", sa.String(length=10), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("submission", KEY),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit_records"),
        sa.UniqueConstraint("hash", name="uq_audit_records_hash"),
    )
