"""Quick reports: facts found right are not asked about again, and indexes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ajpes_reporting.database import append_only

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "rule_editions",
        sa.Column("id", KEY, nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rule_editions"),
        sa.UniqueConstraint("fingerprint", name="uq_rule_editions_fingerprint"),
    )
    append_only.keep("rule_editions", [("id",), ("fingerprint",)])
    for table in ("obligations", "events", "accounts"):
        op.add_column(table, sa.Column("clean_under", KEY))
    op.create_index("ix_events_obligation_recorded_at", "events", ["obligation", "recorded_at"])
    op.create_index(
        "ix_postings_account_booked_on_amount_cents", "postings", ["account", "booked_on", "amount_cents"]
    )
    op.drop_index("ix_postings_booked_on_account", "postings")
