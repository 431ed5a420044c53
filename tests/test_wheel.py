"""The wheel brings everything the program needs along."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
COPIED = ("ajpes_reporting", "schemas", "samples")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the project, built as pip builds it."""
    copy = tmp_path_factory.mktemp("project")
    for folder in COPIED:
        shutil.copytree(PROJECT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, copy / name)
    done = _build(copy)
    if done.returncode and ("hatchling" in done.stderr and "No matching distribution" in done.stderr):
        pytest.skip("install hatchling, or let pip reach a package index")
    assert done.returncode == 0, done.stderr
    (built,) = copy.glob("*.whl")
    return built


def test_schemas_and_samples_lie_in_the_wheel(wheel: Path) -> None:
    """`demo` and `check` work where there is no checkout."""
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("schemas", "samples"):
        expected = {
            f"ajpes_reporting/{path.relative_to(PROJECT).as_posix()}"
            for path in (PROJECT / folder).rglob("*")
            if path.is_file()
        }
        assert expected
        assert expected <= names


def test_the_wheel_has_the_program_and_nothing_else(wheel: Path) -> None:
    """Migrations are found by their place, types by their mark; tests and databases stay here."""
    names = zipfile.ZipFile(wheel).namelist()
    assert "ajpes_reporting/py.typed" in names
    assert "ajpes_reporting/database/migrations/versions/0001_ledger_and_journal.py" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"ajpes_reporting"}
    assert not [name for name in names if name.endswith((".db", ".pyc"))]


def test_what_lies_in_the_wheel_is_found_there(wheel: Path, tmp_path: Path) -> None:
    """The program reads its schemas from the wheel, not from a checkout that happens to be near."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    program = (
        "from ajpes_reporting import shipped;"
        "print(shipped.schema('psodgovor.xsd'), shipped.sample('ledger/events.csv'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    for path in map(Path, done.stdout.split()):
        assert path.is_relative_to(tmp_path)
        assert path.is_file()


def _build(project: Path) -> subprocess.CompletedProcess[str]:
    here = importlib.util.find_spec("hatchling") is not None
    isolation = ["--no-build-isolation"] if here else []
    return subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--disable-pip-version-check",
         "--retries", "0", "--timeout", "5", *isolation, "--wheel-dir", project, project],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
