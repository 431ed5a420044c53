"""A web payment is asked for again when its time has come, also one that was abandoned or paid.

Those that were abandoned before are asked for soon: what UJP has made of them since, nobody has told.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

PAID = 0


def upgrade() -> None:
    op.add_column("eplacila_payments", sa.Column("ask_at", sa.DateTime(timezone=True)))
    payments = sa.table("eplacila_payments", *map(sa.column, ("state", "told_at", "ask_at")))
    op.execute(payments.update().where(payments.c.state != PAID).values(ask_at=payments.c.told_at))
    op.drop_index("ix_eplacila_payments_provider_state", "eplacila_payments")
    op.create_index("ix_eplacila_payments_provider_ask_at", "eplacila_payments", ["provider", "ask_at"])
