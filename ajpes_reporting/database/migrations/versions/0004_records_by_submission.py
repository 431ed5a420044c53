"""An index by which the history of one submission is found in the audit record."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_audit_records_submission", "audit_records", ["submission"])
