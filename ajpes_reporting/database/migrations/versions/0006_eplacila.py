"""Web payments through UJP e-plačila: their states, and the notices that told of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ajpes_reporting.database import append_only

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "eplacila_payments",
        sa.Column("id", KEY, nullable=False),
        sa.Column("provider", sa.String(10), nullable=False),
        sa.Column("order_id", sa.String(300), nullable=False),
        sa.Column("transaction_id", sa.String(100)),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("ordered_cents", sa.BigInteger()),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("reversed_cents", sa.BigInteger(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False, server_default=""),
        sa.Column("receipt_number", sa.Text(), nullable=False, server_default=""),
        sa.Column("pay_url", sa.Text()),
        sa.Column("paid_at", INSTANT),
        sa.Column("told_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_eplacila_payments"),
        sa.UniqueConstraint("provider", "order_id", name="uq_eplacila_payments_provider_order_id"),
        sa.UniqueConstraint(
            "provider", "transaction_id", name="uq_eplacila_payments_provider_transaction_id"
        ),
    )
    op.create_index("ix_eplacila_payments_provider_state", "eplacila_payments", ["provider", "state"])
    op.create_table(
        "eplacila_states",
        sa.Column("id", KEY, nullable=False),
        sa.Column("payment", KEY, nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("told_at", INSTANT, nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_eplacila_states"),
        sa.ForeignKeyConstraint(["payment"], ["eplacila_payments.id"], name="fk_eplacila_states_payment"),
    )
    op.create_index("ix_eplacila_states_payment", "eplacila_states", ["payment"])
    op.create_table(
        "eplacila_notices",
        sa.Column("id", KEY, nullable=False),
        sa.Column("provider", sa.String(10), nullable=False),
        sa.Column("transaction_id", sa.String(100), nullable=False),
        sa.Column("nonce", sa.String(15), nullable=False),
        sa.Column("timestamp", sa.String(40), nullable=False),
        sa.Column("claimed_state", sa.Integer()),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_eplacila_notices"),
        sa.UniqueConstraint(
            "provider", "transaction_id", "nonce", "timestamp",
            name="uq_eplacila_notices_provider_transaction_id_nonce_timestamp",
        ),
    )  # fmt: skip
    append_only.keep("eplacila_states", [("id",)])
    append_only.keep("eplacila_notices", [("id",), ("provider", "transaction_id", "nonce", "timestamp")])
