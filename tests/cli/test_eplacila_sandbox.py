"""`eplacila sandbox` as a process of its own."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pytest


def test_it_starts_tells_what_a_workspace_needs_and_stops(tmp_path: Path) -> None:
    """A developer who starts it, copies the section, and presses Ctrl-C."""
    command = [
        sys.executable,
        "-m",
        "ajpes_reporting",
        "--json",
        "eplacila",
        "sandbox",
        str(tmp_path / "till"),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=_mind_ctrl_c
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line == "}\n":
                break
        told = json.loads("".join(lines))
        section = tomllib.loads(told["settings"])["eplacila"]
        assert httpx.get(section["base_url"] + "/nadzor", trust_env=False).status_code == 200
        for name in ("api_key", "shared_secret"):
            secret = Path(section[name].removeprefix("file:"))
            assert len(secret.read_text()) == 32
            assert secret.stat().st_mode & 0o077 == 0
        assert "PUBLIC KEY" in Path(section["public_key"]).read_text()
        try:
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        finally:
            process.kill()


def _mind_ctrl_c() -> None:
    """What a shell starts in the background ignores it, and these tests may have been started so."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_two_tills_in_one_folder(tmp_path: Path) -> None:
    """The second says that there is one, in words."""
    from ajpes_reporting.sandbox.eplacila import Simulator

    with Simulator(tmp_path, poll_seconds=None):
        command = [sys.executable, "-m", "ajpes_reporting", "eplacila", "sandbox", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "running" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("till.json", '{"port": 99999}'),
        ("till.json", '{"port": "x"}'),
        ("book.sqlite", "no database"),
        ("keys/eplacila-private.pem", "no key"),
    ],
)
def test_a_file_of_the_till_that_is_none_is_named(tmp_path: Path, name: str, content: str) -> None:
    """With what to do about it."""
    (tmp_path / "keys").mkdir()
    (tmp_path / name).write_text(content)
    command = [sys.executable, "-m", "ajpes_reporting", "eplacila", "sandbox", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert f"{tmp_path / name}" in done.stderr
    assert "Do: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_told_with_the_way_out(tmp_path: Path) -> None:
    """The simulator has no settings but its own."""
    with socket.create_server(("127.0.0.1", 0)) as line:
        port = str(line.getsockname()[1])
        command = [
            sys.executable,
            "-m",
            "ajpes_reporting",
            "eplacila",
            "sandbox",
            str(tmp_path),
            "--port",
            port,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert f"127.0.0.1:{port}: Address already in use." in done.stderr
    assert "name another one with --port" in done.stderr
