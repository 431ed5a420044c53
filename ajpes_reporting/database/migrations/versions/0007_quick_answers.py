"""Quick large answers: one index less, one that is smaller, its key asked once; it stays."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ajpes_reporting.database import append_only, parents

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_answer_rows_account", "answer_rows")
    op.drop_index("ix_answer_rows_obligation_id_event_id", "answer_rows")
    named = sa.text("obligation_id IS NOT NULL")
    op.create_index(
        "ix_answer_rows_obligation_id", "answer_rows", ["obligation_id"],
        sqlite_where=named, postgresql_where=named,
    )  # fmt: skip
    # Its status changes, but it stays: rows belong to it, and who was told of it may ask for it.
    append_only.keep("answers", [("id",)], changed="NEW.id IS DISTINCT FROM OLD.id")
    if op.get_bind().dialect.name == "postgresql":
        parents.ask_once("answer_rows", "answer", "answers")
