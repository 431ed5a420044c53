"""Foreign keys that PostgreSQL asks about once per statement, and not once per row.

Its own keys look each row up by itself and lock what they find, a million times in one import. A
fact that is never removed needs no lock, so all rows of a statement can be compared with it at
once. The trigger holds for a bare connection too. SQLite keeps its own keys: they cost little there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import op

if TYPE_CHECKING:
    from collections.abc import Iterable


def create_function() -> None:
    """Creates the function of the triggers: with the column, and the append-only table of its parents.

    Each row is looked up by its key, whatever PostgreSQL knows of a table that grows within the transaction.
    """
    op.execute(
        """
        CREATE OR REPLACE FUNCTION ajpes_parent_known() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE orphaned boolean;
        BEGIN
            EXECUTE format(
                'SELECT EXISTS (SELECT FROM added WHERE added.%1$I IS NOT NULL'
                ' AND (SELECT parent.id FROM %2$I.%3$I AS parent WHERE parent.id = added.%1$I) IS NULL)',
                TG_ARGV[0], TG_TABLE_SCHEMA, TG_ARGV[1]
            ) INTO orphaned;
            IF orphaned THEN
                RAISE foreign_key_violation
                    USING MESSAGE = format('%s names a row that %s does not have', TG_TABLE_NAME, TG_ARGV[1]);
            END IF;
            RETURN NULL;
        END$$
        """
    )


def ask_once(table: str, column: str, parent: str, actions: Iterable[str] = ("INSERT", "UPDATE")) -> None:
    """Replaces the foreign key of `column` to `parent`, whose rows are never removed."""
    op.drop_constraint(f"fk_{table}_{column}", table, type_="foreignkey")
    for action in actions:
        op.execute(
            f"CREATE TRIGGER {table}_{column}_{action.lower()} AFTER {action} ON {table}"
            " REFERENCING NEW TABLE AS added FOR EACH STATEMENT"
            f" EXECUTE FUNCTION ajpes_parent_known('{column}', '{parent}')"
        )
