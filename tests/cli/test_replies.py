"""A bank's `run nodurs` against a service that writes its replies in its own way: words and exit codes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ajpes_reporting import wiring
from ajpes_reporting.cli.main import run
from ajpes_reporting.cli.session import Session
from ajpes_reporting.config import open_workspace
from ajpes_reporting.wiring import open_context
from tests import replies
from tests.deliver.conftest import Keys, keys
from tests.pipeline.conftest import HEADER, event
from tests.servers.https import HttpsServer, answering, http

__all__ = ["keys"]

NOW = datetime(2026, 11, 17, 16, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def server(keys: Keys) -> Iterator[HttpsServer]:
    """A service of a stranger."""
    with HttpsServer(str(keys.server), str(keys.ca), lambda _visit: None) as server:
        yield server


@pytest.fixture(scope="module")
def ready(server: HttpsServer, keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one event to report by SOAP."""
    folder = tmp_path_factory.mktemp("replies") / "bank"
    folder.mkdir()
    (folder / "ajpes.toml").write_text(f"""
[provider]
registration_number = "5860571000"
name = "Banka Vzorec d.d."
[soap]
endpoint = "https://localhost:{server.port}/wsBlokIzmenjava.asmx"
username = "banka"
client_certificate = "{keys.client}"
server_ca = "{keys.ca}"
password = "file:geslo"
""")
    (folder / "geslo").write_text("Geslo-7f3c")
    (folder / "geslo").chmod(0o600)
    (folder / "events.csv").write_text("\n".join([HEADER, event("O-1", 1), ""]))
    assert run(["init", str(folder)]) == 0
    assert run(["-w", str(folder), "ledger", "import", str(folder / "events.csv")]) == 0
    return folder


@dataclass(frozen=True)
class Told:
    code: int
    text: str


@pytest.fixture
def told(
    ready: Path,
    server: HttpsServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Told]:
    """What a command of that bank says and leaves with; it has the workspace for itself."""
    folder = tmp_path / "bank"
    shutil.copytree(ready, folder)
    context = replace(open_context(open_workspace(folder), lambda: NOW), patience_seconds=0)
    monkeypatch.setattr(Session, "context", lambda _session: context)
    monkeypatch.setattr(wiring, "open_context", lambda _workspace: context)

    def call(*command: str, reply: replies.Reply | None = None) -> Told:
        if reply is not None:
            server.behaviour = answering(http(reply.body, reply.status, reply.content_type))
        capsys.readouterr()
        code = run(["-w", str(folder), *command])
        printed = capsys.readouterr()
        return Told(code, " ".join((printed.out + printed.err).split()))

    return call


@pytest.mark.parametrize(
    "wrapping",
    [
        "typed result", "elements for attributes", "escaped twice", "MIME", "XOP", "UTF-16 with a BOM",
        "windows-1250, by its header alone", "NULs after the end", "the answer of a BlokOdgovor, by JSON",
    ],
)  # fmt: skip
def test_a_run_ends_as_the_reply_says(told: Callable[..., Told], wrapping: str) -> None:
    """The clerk reads which event is refused, and corrects it; the next report is the day's own."""
    refused = told("run", "nodurs", reply=replies.WRAPPINGS[wrapping](replies.NO))
    assert refused.code == 4
    assert "was refused by AJPES" in refused.text
    assert "AJPES, error 12: O-1 / event 1: račun ni pravi" in refused.text
    again = told("resubmit", "1", "--same", reply=replies.WRAPPINGS[wrapping](replies.MAYBE))
    assert again.code == 0
    assert "accepted with warnings" in again.text
    assert told("audit", "verify").code == 0


def test_json_without_a_date_accepts_the_report_that_was_sent(told: Callable[..., Told]) -> None:
    """What the reply does not say is not asked of a person; that it was not said stands in the record."""
    accepted = told("run", "nodurs", reply=replies.as_json({"success": True, "failure": False, "rows": []}))
    assert accepted.code == 0
    assert "was accepted" in accepted.text
    assert "the reply came as JSON; the reply leaves out the provider, the day and the time" in accepted.text
    assert "the reply came as JSON" in told("show", "1").text


def test_a_service_error_is_a_refusal_with_its_number(told: Callable[..., Told]) -> None:
    """Nothing was taken; the reason is for whoever looks after the settings."""
    refused = told("run", "nodurs", reply=replies.SERVICE_ERRORS["escaped"])
    assert refused.code == 4
    assert "12: Ni pravic." in refused.text
    assert "AJPES took nothing of it" in refused.text
    assert "resubmit 1 --same" in refused.text


def test_without_a_verdict_a_person_is_told_where_the_reply_is(told: Callable[..., Told]) -> None:
    """Whoever asks AJPES has before him what they sent."""
    unknown = told("run", "nodurs", reply=replies.UNKNOWN["JSON: yes and no"][0])
    assert unknown.code == 6
    assert "the reply contradicts itself: success True, failure True" in unknown.text
    assert "ajpes-reporting show 1 --reply" in unknown.text
    attempt = json.loads(told("show", "1", "--json").text)["attempts"][0]
    assert attempt["outcome"] == "unknown"


def test_an_answer_about_another_day_settles_nothing(told: Callable[..., Told]) -> None:
    """An old answer out of some cache does not accept today's report."""
    reply = replies.as_json({"success": True, "datumPodatkov": "2026-11-16"})
    unknown = told("run", "nodurs", reply=reply)
    assert unknown.code == 6
    assert "2026-11-16" in unknown.text
