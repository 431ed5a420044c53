"""Wheel and sdist bring everything along that they are for, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ajpes_reporting import __version__
from tests.packaging.conftest import PROJECT, PYPROJECT, Built, build


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory, built: Built) -> Path:
    """The project as it lies in the sdist."""
    folder = tmp_path_factory.mktemp("unpacked")
    subprocess.run(["tar", "-xzf", str(built.sdist), "-C", str(folder)], check=True)
    (project,) = folder.iterdir()
    return project


def test_the_wheel_holds_the_program_alone(built: Built) -> None:
    """Nothing but `ajpes_reporting` appears in a bank's environment; no file of it is left behind."""
    names = zipfile.ZipFile(built.wheel).namelist()
    packaged = {name for name in names if ".dist-info/" not in name}
    here = _files("ajpes_reporting")
    beside = {f"ajpes_reporting/{name}" for folder in ("schemas", "samples") for name in _files(folder)}
    assert packaged == here | beside
    (information,) = {name.partition("/")[0] for name in names} - {"ajpes_reporting"}
    assert information.endswith(".dist-info")


def test_types_migrations_and_catalogues_are_found_by_their_place(built: Built) -> None:
    """What is no Python is easily forgotten: the mark of typed packages, templates, translations."""
    names = zipfile.ZipFile(built.wheel).namelist()
    assert "ajpes_reporting/py.typed" in names
    assert "ajpes_reporting/database/migrations/versions/0001_ledger_and_journal.py" in names
    catalogues = {path.stem for path in PROJECT.glob("ajpes_reporting/i18n/locale/**/*.po")}
    assert catalogues == {Path(name).stem for name in names if name.endswith(".mo")}


def test_what_lies_in_the_wheel_is_found_there(built: Built, tmp_path: Path) -> None:
    """The program reads its schemas from the wheel, not from a checkout that happens to be near."""
    zipfile.ZipFile(built.wheel).extractall(tmp_path)
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


def test_the_sdist_is_the_project(unpacked: Path) -> None:
    """Whoever packages us for a distribution has sources, tests, documents and locks in one place."""
    if not (PROJECT / ".git").exists():
        pytest.skip("run this in a checkout, with git installed")
    call = ["git", "ls-files", "-z", "--", ".", ":!.gitignore"]
    known = subprocess.run(call, cwd=PROJECT, check=True, capture_output=True, text=True).stdout
    here = {name for name in known.strip("\0").split("\0") if (PROJECT / name).is_file()}
    assert {name for name in here if not (unpacked / name).is_file()} == set()


def test_the_wheel_is_the_same_from_a_checkout(built: Built, unpacked: Path) -> None:
    """It is made from the sdist; what it holds does not depend on where it is built."""
    build(unpacked, "--wheel")
    (again,) = (unpacked / "dist").glob("*.whl")
    assert again.read_bytes() == built.wheel.read_bytes()


def test_the_tests_of_the_sdist_can_be_collected(unpacked: Path) -> None:
    """Those that read files of the project as they are imported find them there."""
    call = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    reaching = ["tests/deploy", "tests/packaging", "tests/test_docs.py", "tests/test_benchmarks.py"]
    done = subprocess.run([*call, *reaching], cwd=unpacked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


def test_the_wheel_says_what_it_needs(built: Built) -> None:
    """pip reads the extras and the versions of Python from it."""
    archive = zipfile.ZipFile(built.wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    lines = archive.read(name).decode().splitlines()
    extras = {line.partition(": ")[2] for line in lines if line.startswith("Provides-Extra: ")}
    assert extras == set(PYPROJECT["project"]["optional-dependencies"])
    assert "Requires-Python: >=3.11" in lines


def _files(folder: str) -> set[str]:
    """The files of a folder of the project that git knows or would take, by their path in the project."""
    return {
        path.relative_to(PROJECT).as_posix()
        for path in (PROJECT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }


def test_the_version_is_the_newest_of_the_changelog() -> None:
    """Whoever asks `--version` finds under that number what changed."""
    changelog = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    first, *released = re.findall(r"(?m)^## (.*)$", changelog)
    assert first == "Unreleased"
    numbers = [re.fullmatch(r"\[([0-9.]+)\] - 20\d\d-\d\d-\d\d", heading) for heading in released]
    assert all(numbers)
    assert [number[1] for number in numbers[:1] if number] == ([__version__] if released else [])
