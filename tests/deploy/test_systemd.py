"""The units that administrators copy: systemd understands them, and they keep the program in its place."""

from __future__ import annotations

import re
import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy"
PROGRAM = "/opt/ajpes-reporting/bin/ajpes-reporting"
SERVICES = ("ajpes-reporting.service", "ajpes-reporting-tick.service")
UNITS = (*SERVICES, "ajpes-reporting-tick.timer")
MOST_EXPOSED = 2.0  # systemd's own scale: 10 is unsafe, below 2 is "OK"
SETTINGS = DEPLOY.parent / "configuration.md"


@pytest.fixture
def analyze() -> str:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("install systemd")
    return program


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units as installed, with a program in the place of ours, which is not installed here."""
    stub = tmp_path / "ajpes-reporting"
    stub.write_text("#!/bin/sh\n", encoding="utf-8")
    stub.chmod(0o755)
    for name in UNITS:
        text = (DEPLOY / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace(PROGRAM, str(stub)), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("name", UNITS)
def test_systemd_understands_every_line(analyze: str, units: Path, name: str) -> None:
    """A misspelt directive is ignored, and protects nothing."""
    done = subprocess.run([analyze, "verify", str(units / name)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", SERVICES)
def test_the_service_is_shut_in(analyze: str, units: Path, name: str) -> None:
    """What breaks into the program finds little to do with it."""
    command = [analyze, "security", "--offline=true", "--no-pager", str(units / name)]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", told)
    assert found is not None, told
    assert float(found[1]) < MOST_EXPOSED


def test_both_services_are_shut_in_alike() -> None:
    """Whoever changes one of them changes the other."""
    first, second = (dict(_section(name)) for name in SERVICES)
    own = {"Type", "ExecStart", "WatchdogSec", "Restart", "RestartSec", "TimeoutStartSec"}
    assert {k: v for k, v in first.items() if k not in own} == {
        k: v for k, v in second.items() if k not in own
    }


@pytest.mark.parametrize("name", SERVICES)
def test_a_stop_waits_for_a_report_that_is_on_its_way(name: str) -> None:
    """By SOAP until its time is over, then by SFTP: only after that may the process be killed."""
    page = SETTINGS.read_text(encoding="utf-8")
    limits = re.findall(r"`(?:soap|sftp)\.call_timeout_seconds` \| number \| `([\d.]+)`", page)
    assert len(limits) == 2
    minutes = int(dict(_section(name))["TimeoutStopSec"].removesuffix("min"))
    assert minutes * 60 > sum(float(limit) for limit in limits)


def _section(name: str) -> list[tuple[str, str]]:
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(DEPLOY / name, encoding="utf-8")
    return parser.items("Service")
