"""On PostgreSQL, the accounts of months are asked about once per statement, so that months close quickly."""

from __future__ import annotations

from alembic import op

from ajpes_reporting.database import parents

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        # A month keeps its account when its figures are renewed: `append_only` sees to that.
        parents.ask_once("account_months", "account", "accounts", ["INSERT"])
