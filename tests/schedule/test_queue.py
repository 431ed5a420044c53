"""The queue of the workers is made once, kept up to date, and refused where it cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from ajpes_reporting.config import open_workspace
from ajpes_reporting.database.engine import open_engine
from ajpes_reporting.doctor import Health, examine
from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.schedule import queue
from ajpes_reporting.schedule.queue import SCHEMA, make_queue, require_queue
from ajpes_reporting.unattended import make_engine, open_installation
from ajpes_reporting.wiring import now
from ajpes_reporting.workspace import complete_workspace
from tests.servers.postgres import Cluster

SETTINGS = """
[provider]
registration_number = "{number}"
name = "Banka"
[database]
url = "{url}"
[schedule]
engine = "procrastinate"
"""
WITHOUT_ADDED_VALUES = "03.00.00_01"  # before it, values were added to types, which needs commits of its own


@pytest.fixture
def empty(postgres: Cluster) -> Iterator[Engine]:
    """A PostgreSQL database without tables."""
    with postgres.database() as url:
        engine = open_engine(url)
        yield engine
        engine.dispose()


def functions(engine: Engine) -> list[tuple[str, str]]:
    query = f"SELECT proname, prosrc FROM pg_proc WHERE pronamespace = '{SCHEMA}'::regnamespace"
    with engine.connect() as connection:
        # The body alone: old and new scripts indent differently.
        return sorted((row[0], " ".join(row[1].split())) for row in connection.execute(text(query)))


def test_several_machines_may_make_the_queue_at_once(empty: Engine) -> None:
    """Two administrators call `init` at the same moment; neither sees an error."""
    with ThreadPoolExecutor(4) as machines:
        list(machines.map(lambda _number: make_queue(empty), range(4)))
    require_queue(empty)


def test_a_queue_of_an_older_version_is_brought_up_to_date(
    empty: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an update of Procrastinate `init` changes the tables, and what was granted on them stays."""
    make_queue(empty)
    wanted = functions(empty)
    with empty.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {SCHEMA} CASCADE"))
    _make_old_queue(empty)
    with pytest.raises(ConfigurationError, match="another version"):
        require_queue(empty)
    make_queue(empty)
    require_queue(empty)
    assert set(wanted) <= set(functions(empty))


def _make_old_queue(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {SCHEMA}")
        connection.exec_driver_sql(f"SET search_path TO {SCHEMA}")
        for name in queue._changes():
            if name < WITHOUT_ADDED_VALUES:
                script = (queue._folder() / name).read_text(encoding="utf-8")
                connection.exec_driver_sql(script, execution_options={"no_parameters": True})
        connection.exec_driver_sql(f"COMMENT ON SCHEMA {SCHEMA} IS '{WITHOUT_ADDED_VALUES}'")


def test_workers_need_postgresql(tmp_path: Path) -> None:
    """Whoever asks for workers on SQLite is told so by `init`, not by a lost report."""
    _write(tmp_path, "5860571000", "sqlite:///ajpes.db")
    with pytest.raises(ConfigurationError, match="not PostgreSQL"):
        complete_workspace(tmp_path)


def test_workers_need_their_queue(tmp_path: Path, empty: Engine) -> None:
    """Tables made before the workers were asked for: `schedule` says that `init` makes the rest."""
    url = empty.url.render_as_string(hide_password=False)
    _write(tmp_path, "5860571000", url, engine="embedded")
    complete_workspace(tmp_path)
    _write(tmp_path, "5860571000", url)
    installation = open_installation(tmp_path)
    with pytest.raises(ConfigurationError, match="queue") as refused:
        make_engine(installation, lambda _duty, _done: None, lambda: None)
    installation.duties[0].context.engine.dispose()
    assert "init" in refused.value.remedy
    seen = {item.subject: item.health for item in examine(open_workspace(tmp_path), now)}
    assert seen["queue"] is Health.FAILED
    complete_workspace(tmp_path)
    seen = {item.subject: item.health for item in examine(open_workspace(tmp_path), now)}
    assert seen["queue"] is Health.OK


def test_workspaces_that_share_workers_share_a_database(tmp_path: Path, postgres: Cluster) -> None:
    """A bureau whose banks lie in two databases is told before a bank is forgotten."""
    with postgres.database() as one, postgres.database() as other:
        (tmp_path / "ajpes.toml").write_text('workspaces = ["a", "b"]', encoding="utf-8")
        for name, number, url in (("a", "5860571000", one), ("b", "5860580000", other)):
            _write(tmp_path / name, number, url)
            complete_workspace(tmp_path / name)
        installation = open_installation(tmp_path)
        with pytest.raises(ConfigurationError, match="different databases"):
            make_engine(installation, lambda _duty, _done: None, lambda: None)
        for duty in installation.duties:
            duty.context.engine.dispose()


def _write(folder: Path, number: str, url: str, engine: str = "procrastinate") -> None:
    folder.mkdir(exist_ok=True)
    text = SETTINGS.format(number=number, url=url).replace("procrastinate", engine)
    (folder / "ajpes.toml").write_text(text, encoding="utf-8")
