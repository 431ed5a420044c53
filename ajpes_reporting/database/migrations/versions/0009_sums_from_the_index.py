"""A history is read in its order without sorting, and summed up without looking up its events."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_events_obligation_recorded_at", "events")
    op.create_index(
        "ix_events_obligation_recorded_at_id_amount_cents_clean_under",
        "events",
        ["obligation", "recorded_at", "id", "amount_cents", "clean_under"],
    )
