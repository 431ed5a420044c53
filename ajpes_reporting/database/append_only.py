"""Triggers that keep facts as they are, whoever opens the database.

They hold for a bare connection too, one without our settings. SQLite needs a guard of its own
there: `REPLACE` removes the old row without asking a delete trigger, so a row whose key is
already taken is turned away before it is inserted. (`ON CONFLICT DO NOTHING` is turned away with
it: leave out known rows in the query.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import op

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ALWAYS = "1 = 1"


def keep(table: str, keys: Sequence[Sequence[str]], *, changed: str = ALWAYS, kept: str = ALWAYS) -> None:
    """Refuses UPDATE, DELETE, REPLACE and TRUNCATE on `table`, whose unique keys are `keys`.

    An UPDATE gets through where the condition `changed`, over OLD and NEW, does not hold; a row
    may be replaced where the condition `kept`, over the row of that name, does not hold.
    """
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    for statement in _postgresql(table, changed) if on_postgresql else _sqlite(table, keys, changed, kept):
        op.execute(statement)


def restatable(
    table: str, former: str, parent: str, columns: Sequence[str], *, kept: str, freely: str
) -> None:
    """Lets a row of `table` change as a whole only where `former` holds what stood in it.

    The newest row of `former` whose column `parent` names the row must have its `columns` as they are before
    the UPDATE. Never where the condition `kept` holds, and without more ado where `freely` does; both are
    over OLD and NEW. Takes the place of the guard that `keep` sets on an UPDATE.
    """
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    op.execute(f"DROP TRIGGER {table}_no_update" + (f" ON {table}" if on_postgresql else ""))
    if on_postgresql:
        refuse, arguments = "EXECUTE FUNCTION ajpes_append_only()", ", ".join((former, parent, *columns))
        before = f"BEFORE UPDATE ON {table} FOR EACH ROW WHEN"
        op.execute(f"CREATE TRIGGER {table}_no_update {before} ({kept}) {refuse}")
        op.execute(
            f"CREATE TRIGGER {table}_restated {before} (NOT ({freely}))"
            f" EXECUTE FUNCTION ajpes_restated({arguments})"
        )
        return
    same = " AND ".join(f"before.{column} IS OLD.{column}" for column in columns)
    newest = f"SELECT max(id) FROM {former} WHERE {parent} = OLD.id"  # noqa: S608 - our own names only
    is_kept = f"EXISTS (SELECT 1 FROM {former} AS before WHERE before.id = ({newest}) AND {same})"  # noqa: S608
    changed = f"({kept}) OR NOT (({freely}) OR {is_kept})".replace("IS DISTINCT FROM", "IS NOT")
    op.execute(
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} WHEN {changed}"
        f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )


def create_restating_function() -> None:
    """Creates the function of the triggers of `restatable` on PostgreSQL, with their arguments."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            """
            CREATE FUNCTION ajpes_restated() RETURNS trigger LANGUAGE plpgsql AS $$
            DECLARE
                is_kept boolean;
                same text := 'true';
            BEGIN
                FOR place IN 2 .. TG_NARGS - 1 LOOP
                    same := same || format(' AND before.%1$I IS NOT DISTINCT FROM ($1).%1$I', TG_ARGV[place]);
                END LOOP;
                EXECUTE format(
                    'SELECT %s FROM %I.%I AS before'
                    ' WHERE before.%I = ($1).id ORDER BY before.id DESC LIMIT 1',
                    same, TG_TABLE_SCHEMA, TG_ARGV[0], TG_ARGV[1]
                ) INTO is_kept USING OLD;
                IF is_kept IS NOT TRUE THEN
                    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
                END IF;
                RETURN NEW;
            END$$
            """
        )


def create_function() -> None:
    """Creates the function of the triggers on PostgreSQL; SQLite needs none."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION ajpes_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END$$"
        )


def _postgresql(table: str, changed: str) -> Iterator[str]:
    refuse = "EXECUTE FUNCTION ajpes_append_only()"
    yield f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({changed}) {refuse}"
    yield f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} FOR EACH ROW {refuse}"
    yield f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {refuse}"


def _sqlite(table: str, keys: Sequence[Sequence[str]], changed: str, kept: str) -> Iterator[str]:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    taken = " OR ".join(f"EXISTS ({_row_with(table, key, kept)})" for key in keys)
    changed = changed.replace("IS DISTINCT FROM", "IS NOT")  # the former only since SQLite 3.39
    yield f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} WHEN {changed} {refuse}"
    yield f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}"
    yield f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {taken} {refuse}"


def _row_with(table: str, key: Sequence[str], kept: str) -> str:
    same = " AND ".join(f"kept.{column} = NEW.{column}" for column in key)
    return f"SELECT 1 FROM {table} AS kept WHERE {same} AND {kept}"  # noqa: S608 - our own names only
