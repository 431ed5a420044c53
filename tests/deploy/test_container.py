"""The Containerfile, as far as it can be checked without a container engine."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ajpes_reporting.cli.main import COMMANDS

PROJECT = Path(__file__).parents[2]
TEXT = (PROJECT / "docs" / "deploy" / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
LAST_STAGE = TEXT.rpartition("\nFROM ")[2]


def test_what_is_copied_is_there() -> None:
    """A build does not break over a file that was moved."""
    copied = [line.split()[1:-1] for line in TEXT.splitlines() if re.match("COPY (?!--from)", line)]
    names = [name for line in copied for name in line]
    assert names
    assert [name for name in names if not (PROJECT / name).exists()] == []


def test_every_library_comes_with_its_hash() -> None:
    """A library that was exchanged on its way is not installed."""
    assert "--require-hashes -r requirements.lock" in TEXT
    lock = (PROJECT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    pinned = [line for line in lock.splitlines() if re.match(r"[a-z0-9]", line)]
    assert pinned
    assert [line for line in pinned if "==" not in line or "--hash=sha256:" not in line] == []


def test_it_runs_as_somebody_without_rights_and_keeps_no_secret() -> None:
    """The image may be read by anybody; the process may do nothing but its work."""
    assert re.search(r"^USER (?!root|0\b)", LAST_STAGE, re.M)
    assert not re.search(r"(?i)password|secret|\.pem|\.p12", TEXT)
    (command,) = re.findall(r"^CMD (\[.*\])$", LAST_STAGE, re.M)
    assert json.loads(command)[0] in COMMANDS


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_follows_the_page(status: int, code: int) -> None:
    """The engine starts a container again that is not well."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    (check,) = re.findall(r"HEALTHCHECK .*CMD (\[.*\])", LAST_STAGE)
    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        program = [part.replace("9187", str(server.server_port)) for part in json.loads(check)]
        done = subprocess.run([sys.executable, *program[1:]], check=False, timeout=30)
        server.shutdown()
    assert done.returncode == code


def test_nobody_listening_is_not_well() -> None:
    """A program that is gone answers nothing."""
    (check,) = re.findall(r"HEALTHCHECK .*CMD (\[.*\])", LAST_STAGE)
    program = [part.replace("9187", "1") for part in json.loads(check)]
    done = subprocess.run([sys.executable, *program[1:]], check=False, stderr=subprocess.DEVNULL, timeout=30)
    assert done.returncode != 0
