"""A bank installs what it uses: the rest is an extra, and one that is missing is told with its command."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ajpes_reporting.config import SETTINGS_FILE
from ajpes_reporting.extras import EXTRAS
from tests.packaging.conftest import PYPROJECT, Built, Environment, asked_for, environment, with_all_they_need

# Imports every module, and prints those that want a package that is not there.
IMPORT_ALL = """
import importlib, pkgutil, ajpes_reporting
for found in pkgutil.walk_packages(ajpes_reporting.__path__, "ajpes_reporting.", lambda name: None):
    if ".migrations" not in found.name and not found.name.endswith("__main__"):
        try:
            importlib.import_module(found.name)
        except ModuleNotFoundError as error:
            print(found.name, error.name)
"""


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory, built: Built) -> Environment:
    """The program without any extra, as `pip install ajpes-reporting` leaves it."""
    return environment(tmp_path_factory.mktemp("bare"), built.wheel, with_all_they_need(asked_for()))


@pytest.fixture(scope="session")
def rehearsing(tmp_path_factory: pytest.TempPathFactory, built: Built) -> Environment:
    """The program with the extra `sandbox`."""
    packages = with_all_they_need([*asked_for(), *asked_for("sandbox")])
    return environment(tmp_path_factory.mktemp("rehearsing"), built.wheel, packages)


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (("sandbox",), "sandbox"),
        (("demo",), "sandbox"),
        (("eplacila", "sandbox"), "sandbox"),
        (("eplacila", "demo"), "sandbox"),
    ],
)
def test_an_extra_that_is_missing_is_named_with_its_command(
    bare: Environment, tmp_path: Path, command: tuple[str, ...], extra: str
) -> None:
    """Whoever reads the message types what it says, and nothing was begun meanwhile."""
    folder = tmp_path / "new"
    done = bare.call("--json", *command, str(folder))
    assert done.returncode == 2, done.stderr
    assert f"{bare.folder}/bin/python -m pip install 'ajpes-reporting[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout)["exit_code"] == 2
    assert not folder.exists()


def test_postgresql_and_the_receiver_are_extras_too(bare: Environment, tmp_path: Path) -> None:
    """A bank on SQLite that takes no web payments has neither a driver nor a web server to look after."""
    made = bare.call("init", str(tmp_path / "ws"))
    assert made.returncode == 0, made.stderr
    settings = tmp_path / "ws" / SETTINGS_FILE
    text = settings.read_text(encoding="utf-8")
    settings.write_text(
        re.sub(r"(?m)^url = .*", 'url = "postgresql+psycopg://localhost/reports"', text), encoding="utf-8"
    )
    told = bare.call("-w", str(tmp_path / "ws"), "status")
    assert (told.returncode, "Traceback" in told.stderr) == (2, False), told.stderr
    assert "pip install 'ajpes-reporting[postgresql]'" in told.stderr


def test_only_what_serves_an_extra_needs_its_packages(bare: Environment) -> None:
    """A module that a bank's run passes through cannot come to need the simulator unnoticed."""
    done = bare.python("-c", IMPORT_ALL)
    assert done.returncode == 0, done.stderr
    assert dict(line.split() for line in done.stdout.splitlines()) == {
        "ajpes_reporting.eplacila.receiver": "starlette",
        "ajpes_reporting.eplacila.server": "uvicorn",
        "ajpes_reporting.sandbox": "asyncssh",
        "ajpes_reporting.schedule.queue": "procrastinate",
        "ajpes_reporting.schedule.workers": "psycopg",
    }


def test_a_bank_without_extras_reports(bare: Environment, tmp_path: Path) -> None:
    """Workspace, ledger, both reports, checks and the timer need nothing more."""
    workspace = str(tmp_path / "ws")
    samples = "from ajpes_reporting import shipped; print(shipped.sample('ledger/events.csv'))"
    events = bare.python("-c", samples).stdout.strip()
    assert bare.call("init", workspace).returncode == 0
    for command, code in (
        (("ledger", "import", events), 0),
        (("build", "nodurs", "--date", "2026-11-17", "-o", str(tmp_path / "report.xml")), 0),
        (("check", str(tmp_path / "report.xml")), 0),
        (("pending", "nodurs"), 0),
        (("status",), 0),
        (("backup", str(tmp_path / "backup")), 0),
        (("audit", "verify"), 0),
    ):
        done = bare.call("-w", workspace, *command)
        assert done.returncode == code, (command, done.stdout, done.stderr)


@pytest.mark.parametrize("command", [("demo",), ("eplacila", "demo")])
def test_the_demo_runs_from_the_wheel_with_the_extra(
    rehearsing: Environment, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """Whoever has no checkout sees the main job, too."""
    done = rehearsing.call(*command, str(tmp_path / "demo"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_package_of_an_extra_is_known_by_one_that_has_it() -> None:
    """The command that is told brings the package that is missing."""
    extras = PYPROJECT["project"]["optional-dependencies"]
    own = {one.name for one in asked_for()}
    of_extras = {one.name for extra in extras for one in asked_for(extra)}
    assert set(EXTRAS) == of_extras
    assert not own & of_extras
    for package, extra in EXTRAS.items():
        assert package in {one.name for one in asked_for(extra)}
