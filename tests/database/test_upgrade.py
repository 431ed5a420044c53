"""The database becomes what the program needs, and is refused where it is not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from ajpes_reporting.database.engine import open_engine, writing
from ajpes_reporting.database.tables import metadata
from ajpes_reporting.database.upgrade import HEAD, current_revision, require_current, upgrade
from ajpes_reporting.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine


@pytest.fixture
def empty(empty_database_url: str) -> Iterator[Engine]:
    engine = open_engine(empty_database_url)
    yield engine
    engine.dispose()


def test_migrated_tables_are_the_tables_of_the_program(engine: Engine) -> None:
    """Whoever upgrades gets the very tables that the program was tested with."""
    with engine.connect() as connection:
        # Not every key is made on each database; the next test compares them.
        but_keys = {"include_object": lambda _object, _name, kind, *_: kind != "foreign_key_constraint"}
        context = MigrationContext.configure(connection, opts=but_keys)
        assert compare_metadata(context, metadata) == []


def test_migrated_constraints_and_defaults_are_those_of_the_program(empty: Engine) -> None:
    """A key or a check that only the program's own tables have would protect nobody."""
    metadata.create_all(empty)
    wanted = _details(empty)
    metadata.drop_all(empty)
    upgrade(empty)
    assert _details(empty) == wanted


def _details(engine: Engine) -> dict[str, Any]:
    look = inspect(engine)
    return {
        table: (
            [(column["name"], column["nullable"], column["default"]) for column in look.get_columns(table)],
            look.get_pk_constraint(table),
            sorted(look.get_foreign_keys(table), key=lambda key: str(key["name"])),
            sorted(look.get_unique_constraints(table), key=lambda key: str(key["name"])),
            sorted(look.get_check_constraints(table), key=lambda check: str(check["name"])),
        )
        for table in metadata.tables
    }


def test_upgrade_makes_an_empty_database_current(empty: Engine) -> None:
    """A new workspace works at once."""
    assert current_revision(empty) is None
    upgrade(empty)
    assert current_revision(empty) == HEAD
    require_current(empty)


def test_upgrade_again_changes_nothing(engine: Engine) -> None:
    """An operator who runs it twice loses nothing."""
    with writing(engine) as connection:
        connection.execute(
            text("INSERT INTO debtors (provider, tax_number, name) VALUES ('5860571000', '12345679', 'A')")
        )
    upgrade(engine)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM debtors")) == 1


def test_two_machines_may_upgrade_at_once(empty: Engine) -> None:
    """Two servers that start together do not trip over each other."""
    engines = [open_engine(empty.url.render_as_string(hide_password=False)) for _ in range(4)]
    with ThreadPoolExecutor(len(engines)) as pool:
        list(pool.map(upgrade, engines))
    for engine in engines:
        engine.dispose()
    require_current(empty)


def test_the_head_written_down_is_the_newest_revision() -> None:
    """A migration that is added but not named would be taken for a foreign one."""
    config = Config()
    config.set_main_option("script_location", "ajpes_reporting.database:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_a_database_without_tables_is_refused_with_a_remedy(empty: Engine) -> None:
    """An operator with a wrong url is told so, instead of meeting an SQL error."""
    with pytest.raises(ConfigurationError) as refused:
        require_current(empty)
    assert "has no tables yet" in refused.value.message
    assert "init" in refused.value.remedy


@pytest.mark.parametrize(("revision", "age"), [("0000", "older"), ("9999", "newer")])
def test_tables_of_another_version_are_refused(engine: Engine, revision: str, age: str) -> None:
    """A program never works on tables that it does not know."""
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    with pytest.raises(ConfigurationError, match=age):
        require_current(engine)


@pytest.mark.parametrize(
    "url",
    ["sqlite:////nowhere/at/all/ajpes.db", "postgresql://clerk:very-secret@127.0.0.1:1/ledger"],
)
def test_a_database_that_cannot_be_opened_is_said_without_its_password(url: str) -> None:
    """A server that is down is a clear message, and no secret ends up on the screen."""
    engine = open_engine(url)
    for ask in (require_current, upgrade):
        with pytest.raises(ConfigurationError) as refused:
            ask(engine)
        assert "cannot be used" in refused.value.message
        assert "very-secret" not in refused.value.message
    engine.dispose()


def test_a_password_among_the_options_of_a_url_is_not_told() -> None:
    """Who reads the message over the clerk's shoulder learns no password."""
    engine = open_engine("postgresql://bank@127.0.0.1:1/books?password=Geslo-91")
    with pytest.raises(ConfigurationError) as refused:
        require_current(engine)
    assert "127.0.0.1" in refused.value.message
    assert "Geslo-91" not in f"{refused.value.message} {refused.value.remedy}"
    engine.dispose()
