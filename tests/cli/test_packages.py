"""What is not installed: a bank may leave out what only the bundled servers need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

# Runs the program as if these packages were not installed.
WITHOUT = """
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
from ajpes_reporting.cli.main import main
main({arguments!r})
"""


def without(missing: set[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """The program, where these modules cannot be imported."""
    program = WITHOUT.format(missing=missing, arguments=list(arguments))
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.parametrize(
    ("command", "module", "package"),
    [
        (("sandbox",), "asyncssh", "asyncssh"),
        (("demo",), "asyncssh", "asyncssh"),
        (("sandbox",), "stdnum", "python-stdnum"),
        (("eplacila", "sandbox"), "segno", "segno"),
        (("eplacila", "sandbox"), "reportlab", "reportlab"),
        (("eplacila", "sandbox"), "jinja2", "jinja2"),
        (("eplacila", "demo"), "reportlab", "reportlab"),
        (("eplacila", "demo"), "uvicorn", "uvicorn"),
    ],
)
def test_a_package_that_is_missing_is_named(
    tmp_path: Path, command: tuple[str, ...], module: str, package: str
) -> None:
    """With how to install it, exit code 2, and nothing begun."""
    folder = tmp_path / "new"
    done = without({module}, *command, str(folder), "--json")
    assert done.returncode == 2, done.stderr
    assert f"needs the package {package}, which is not installed" in done.stderr
    assert f"pip install {package}" in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout)["exit_code"] == 2
    assert not folder.exists()


def test_a_bank_without_the_bundled_servers_works(tmp_path: Path) -> None:
    """Their packages are needed by nothing else."""
    done = without({"asyncssh", "reportlab", "segno", "jinja2"}, "init", str(tmp_path / "ws"))
    assert done.returncode == 0, done.stderr
    assert without({"asyncssh", "reportlab", "segno", "jinja2"}, "--help").returncode == 0
