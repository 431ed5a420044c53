"""Exclusions, withdrawn events, and the former names of debtors."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ajpes_reporting.database import append_only

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)

_KEPT = ("id", "provider", "obligation_id", "issuer", "debtor_account", "clean_under")
_ANOTHER = " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in _KEPT)
_SAME_DEBTOR = (
    "EXISTS (SELECT 1 FROM debtors AS former JOIN debtors AS newer"
    " ON newer.provider = former.provider AND newer.tax_number = former.tax_number"
    " WHERE former.id = OLD.debtor AND newer.id = NEW.debtor)"
)
_NO_NEW_NAME = f"NEW.debtor = OLD.debtor OR {_ANOTHER} OR NOT {_SAME_DEBTOR}"


def upgrade() -> None:
    op.create_table(
        "former_names",
        sa.Column("id", KEY, nullable=False),
        sa.Column("obligation", KEY, nullable=False),
        sa.Column("debtor", KEY, nullable=False),
        sa.Column("replaced_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_former_names"),
        sa.ForeignKeyConstraint(["obligation"], ["obligations.id"], name="fk_former_names_obligation"),
        sa.ForeignKeyConstraint(["debtor"], ["debtors.id"], name="fk_former_names_debtor"),
    )
    op.create_index("ix_former_names_obligation", "former_names", ["obligation"])
    op.create_table(
        "exclusions",
        sa.Column("id", KEY, nullable=False),
        sa.Column("provider", sa.String(10), nullable=False),
        sa.Column("obligation", KEY, nullable=False),
        sa.Column("decision", sa.String(8), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_exclusions"),
        sa.ForeignKeyConstraint(["obligation"], ["obligations.id"], name="fk_exclusions_obligation"),
        sa.CheckConstraint("decision IN ('excluded', 'included')", name="ck_exclusions_decision"),
    )
    op.create_index("ix_exclusions_provider_obligation_id", "exclusions", ["provider", "obligation", "id"])
    op.create_table(
        "withdrawn_events",
        sa.Column("event", KEY, autoincrement=False, nullable=False),
        sa.Column("provider", sa.String(10), nullable=False),
        sa.Column("withdrawn_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("event", name="pk_withdrawn_events"),
        sa.ForeignKeyConstraint(["event"], ["events.id"], name="fk_withdrawn_events_event"),
    )
    op.create_index("ix_withdrawn_events_provider", "withdrawn_events", ["provider"])
    append_only.keep("former_names", [("id",)])
    append_only.keep("exclusions", [("id",)])
    append_only.keep("withdrawn_events", [("event",)])
    _let_debtors_be_renamed()


def _let_debtors_be_renamed() -> None:
    """An obligation may pass to another spelling of its own debtor's name; nothing else about it changes."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER obligations_no_update ON obligations")
        op.execute(
            "CREATE FUNCTION ajpes_renamed_only() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$BEGIN IF {_NO_NEW_NAME} THEN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END IF;"
            " RETURN NEW; END$$"
        )
        op.execute(
            "CREATE TRIGGER obligations_no_update BEFORE UPDATE ON obligations"
            " FOR EACH ROW EXECUTE FUNCTION ajpes_renamed_only()"
        )
        op.execute(_GRANT)
    else:
        # IS DISTINCT FROM only since SQLite 3.39
        refused = _NO_NEW_NAME.replace("IS DISTINCT FROM", "IS NOT")
        op.execute("DROP TRIGGER obligations_no_update")
        op.execute(
            f"CREATE TRIGGER obligations_no_update BEFORE UPDATE ON obligations WHEN {refused}"
            " BEGIN SELECT RAISE(ABORT, 'obligations is append-only'); END"
        )


# A role that may add obligations may rename their debtors; operating.md gives this right to new roles.
_GRANT = """
DO $$
DECLARE role name;
BEGIN
    FOR role IN
        SELECT DISTINCT granted.grantee::regrole::name
        FROM pg_class AS ours, aclexplode(ours.relacl) AS granted
        WHERE ours.oid = 'obligations'::regclass AND granted.privilege_type = 'INSERT'
        AND granted.grantee NOT IN (0, ours.relowner)
    LOOP
        EXECUTE format('GRANT UPDATE (debtor) ON obligations TO %I', role);
    END LOOP;
END$$
"""
