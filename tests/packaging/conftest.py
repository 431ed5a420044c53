"""The project as others get it: built, and installed where nothing but what it asks for is there."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import venv
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[2]
PYPROJECT: dict[str, Any] = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
NAME = "ajpes-reporting"
IN_THE_SDIST = (
    "ajpes_reporting", "benchmarks", "docs", "samples", "schemas", "tests", ".ci", "CHANGELOG.md", "LICENSE",
    "README.md", "pyproject.toml", *(path.name for path in PROJECT.glob("requirements*.lock")),
)  # fmt: skip


def asked_for(*extras: str) -> list[Requirement]:
    """The requirements of the project itself and of these extras, with the extras that they name in turn."""
    project = PYPROJECT["project"]
    found = [Requirement(line) for line in project["dependencies"]] if not extras else []
    for extra in extras:
        for requirement in map(Requirement, project["optional-dependencies"][extra]):
            found += asked_for(*requirement.extras) if requirement.name == NAME else [requirement]
    return found


def with_all_they_need(requirements: list[Requirement]) -> set[str]:
    """The names of the packages that have to be installed for these, by what the installed ones say."""
    names: set[str] = set()
    seen: set[tuple[str, str]] = set()
    waiting = list(requirements)
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        names.add(name)
        for extra in ("", *one.extras):
            if (name, extra) not in seen:
                seen.add((name, extra))
                needed = map(Requirement, distribution(name).requires or ())
                waiting += [
                    each for each in needed if not each.marker or each.marker.evaluate({"extra": extra})
                ]
    return names


@dataclass(frozen=True)
class Built:
    """What is published: the archive of the sources, and the wheel made from it."""

    sdist: Path
    wheel: Path


@dataclass(frozen=True)
class Environment:
    """A virtual environment in which the wheel is installed with chosen packages and no others."""

    folder: Path

    def python(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        call = [self.folder / "bin" / "python", *arguments]
        return subprocess.run(call, capture_output=True, text=True, timeout=300, check=False, cwd=cwd)

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The installed program, called as an operator calls it."""
        call = [self.folder / "bin" / NAME, *arguments]
        return subprocess.run(call, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Sources and wheel, built from a copy of the project without a network."""
    copy = tmp_path_factory.mktemp("project")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in IN_THE_SDIST:
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, copy / name, ignore=ignored)
        else:
            shutil.copy(PROJECT / name, copy / name)
    build(copy)
    (sdist,), (wheel,) = (copy / "dist").glob("*.tar.gz"), (copy / "dist").glob("*.whl")
    return Built(sdist, wheel)


def build(folder: Path, *kinds: str) -> None:
    """Builds into the folder `dist`; without a kind first the sdist and then the wheel from it."""
    call = [sys.executable, "-m", "build", "--no-isolation", *kinds, str(folder)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def environment(folder: Path, wheel: Path, packages: set[str]) -> Environment:
    """Installs the wheel and, from the environment of the tests, these packages."""
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in packages:
        for top in _tops(name):
            if not (site / top.name).exists():
                (site / top.name).symlink_to(top)
    python = folder / "bin" / "python"
    alone = ("--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check")
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "-q", *alone, wheel], check=True
    )
    return Environment(folder)


def _tops(name: str) -> set[Path]:
    """The files and folders of an installed package, as they lie in `site-packages`."""
    files = distribution(name).files or ()
    tops = {
        Path(str(distribution(name).locate_file(file.parts[0]))) for file in files if file.parts[0] != ".."
    }
    return {top for top in tops if top.name != "__pycache__"}
