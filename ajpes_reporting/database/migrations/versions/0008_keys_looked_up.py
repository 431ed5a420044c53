"""On PostgreSQL, each row between facts is looked up by its key, so that imports stay quick as they go on."""

from __future__ import annotations

from alembic import op

from ajpes_reporting.database import parents

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        parents.create_function()
