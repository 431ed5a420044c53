"""Report and period of an answer that was set aside, so that a person sees where it may belong."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("answers", sa.Column("report", sa.String(20)))
    op.add_column("answers", sa.Column("period", sa.String(10)))
