"""On PostgreSQL, foreign keys between facts are asked once per statement, so that imports are quick."""

from __future__ import annotations

from alembic import op

from ajpes_reporting.database import parents

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_KEYS = (
    ("events", "obligation", "obligations"),
    ("pending_events", "event", "events"),
    ("postings", "account", "accounts"),
    ("submission_events", "event", "events"),
)


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    parents.create_function()
    for table, column, parent in _KEYS:
        parents.ask_once(table, column, parent)
