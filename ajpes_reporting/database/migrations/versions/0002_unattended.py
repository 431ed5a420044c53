"""Tables for unattended runs: hand-over and holds, tries, alarms, chores, purged files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ajpes_reporting.database import append_only

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("submissions", sa.Column("held_because", sa.Text()))
    op.add_column("submissions", sa.Column("released_at", INSTANT))
    op.add_column("attempts", sa.Column("handed_over_at", INSTANT))
    op.add_column("attempts", sa.Column("handed_over_as", sa.Text()))
    op.add_column("due_reports", sa.Column("tries", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("due_reports", sa.Column("next_try_at", INSTANT))
    _hand_over_what_was_under_way()
    _create_alarms()
    _create_chores()
    _create_purged_files()


def _hand_over_what_was_under_way() -> None:
    """Older versions did not note the hand-over: an attempt of theirs may have got there."""
    op.execute("UPDATE attempts SET handed_over_at = started_at")


def _create_alarms() -> None:
    op.create_table(
        "alarms",
        sa.Column("id", KEY, nullable=False),
        sa.Column("provider", sa.String(10), nullable=False),
        sa.Column("key", sa.String(80), nullable=False),
        sa.Column("severity", sa.String(8), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.Column("raised_at", INSTANT, nullable=False),
        sa.Column("cleared_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_alarms"),
    )
    op.create_index("ix_alarms_provider_cleared_at", "alarms", ["provider", "cleared_at"])
    op.create_table(
        "alarm_messages",
        sa.Column("id", KEY, nullable=False),
        sa.Column("alarm", KEY, nullable=False),
        sa.Column("channel", sa.String(20), nullable=False),
        sa.Column("occasion", sa.String(10), nullable=False),
        sa.Column("told_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alarm_messages"),
        sa.ForeignKeyConstraint(["alarm"], ["alarms.id"], name="fk_alarm_messages_alarm"),
    )
    op.create_index("ix_alarm_messages_alarm", "alarm_messages", ["alarm"])


def _create_chores() -> None:
    op.create_table(
        "chores",
        sa.Column("provider", sa.String(10), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("done_at", INSTANT, nullable=False),
        sa.Column("note", sa.Text(), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("provider", "name", name="pk_chores"),
    )


def _create_purged_files() -> None:
    op.create_table(
        "purged_files",
        sa.Column("provider", sa.String(10), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("purged_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("provider", "path", name="pk_purged_files"),
    )
    append_only.keep("purged_files", (("provider", "path"),))
