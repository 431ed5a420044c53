"""`sandbox` as people start it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ajpes_reporting.cli.main import run
from ajpes_reporting.config import open_workspaces
from ajpes_reporting.sandbox import STYLES


def test_the_styles_are_listed_with_what_each_plays(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever holds AJPES's letter and looks for the style that it describes."""
    assert run(["sandbox", "--styles"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown] == [one.name for one in STYLES]
    assert run(["--json", "sandbox", "--styles"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"name": one.name, "plays": one.description} for one in STYLES
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--style", "nonsense"], "no style 'nonsense'"),
        (["--style", "json", "--style", "text"], "json and text exclude each other"),
        (["--provider", "12"], "no registration number"),
        (["--provider", "5860571", "--provider", "5860571000"], "comes twice"),
    ],
)
def test_what_cannot_be_played_is_told_and_leaves_nothing_running(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    """A person who mistypes: words, what to do, and no half of a workspace."""
    assert run(["sandbox", str(tmp_path / "try"), *arguments]) == 2
    assert told in (said := capsys.readouterr().err)
    assert "Do: " in said
    assert not (tmp_path / "try" / "ajpes.toml").exists()


def test_several_providers_are_a_bureau_each_with_a_workspace_of_its_own(tmp_path: Path) -> None:
    """A service bureau that rehearses: one list, and per bank its own keys, user name and style."""
    folder = tmp_path / "bureau"
    command = [
        sys.executable, "-m", "ajpes_reporting", "--json", "sandbox", str(folder), "--style", "basic",
        "--provider", "5860571000:Banka A d.d.:banka-a", "--provider", "1572814000",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = "".join(iter(process.stdout.readline, "}\n"))
        process.kill()
    document = json.loads(f"{told}}}")
    assert document["style"] == ["basic"]
    a, b = (workspace.settings for workspace in open_workspaces(folder))
    assert (a.provider.name, b.provider.registration_number) == ("Banka A d.d.", "1572814000")
    assert a.soap is not None
    assert b.soap is not None
    assert (a.soap.username, b.soap.username) == ("banka-a", "banka1572814000")
    assert (a.soap.authentication, a.soap.wsdl) == (
        "basic",
        str(folder / "authority" / "wsBlokIzmenjava.wsdl"),
    )
    assert a.soap.client_key != b.soap.client_key
    assert [Path(one) for one in document["workspaces"]] == [folder / "5860571000", folder / "1572814000"]
