"""Reports that the journal does not know, and an index that counts a provider's entries in the record."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ajpes_reporting.database import append_only

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "orphans",
        sa.Column("id", KEY, nullable=False),
        sa.Column("provider", sa.String(10), nullable=False),
        sa.Column("report", sa.String(20), nullable=False),
        sa.Column("period", sa.String(10), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("mark", sa.String(64), nullable=False),
        sa.Column("left_at", INSTANT, nullable=False),
        sa.Column("found_at", INSTANT, nullable=False),
        sa.Column("newest_submission", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_orphans"),
    )
    op.create_index("ix_orphans_provider_report_period", "orphans", ["provider", "report", "period"])
    op.create_index("ix_audit_records_provider_seq", "audit_records", ["provider", "seq"])
    append_only.keep("orphans", [("id",)])
