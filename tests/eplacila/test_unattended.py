"""What nobody looks at: open payments that no notice told of, and what `doctor` sees of e-plačila."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from ajpes_reporting.config import open_workspace
from ajpes_reporting.doctor import Diagnosis, Health, examine
from ajpes_reporting.eplacila import store
from ajpes_reporting.eplacila.answers import State
from ajpes_reporting.schedule.tick import do, tick
from ajpes_reporting.unattended import open_duty
from ajpes_reporting.wiring import open_context
from tests.eplacila.conftest import API_KEY, NOW, ORDER_ID, SECRET, Ujp, as_json
from tests.eplacila.test_commands import call, workspace
from tests.eplacila.test_order import EXAMPLE

__all__ = ["call", "workspace"]

QUARTER = timedelta(minutes=15)


def state(folder: Path) -> State:
    context = open_context(open_workspace(folder))
    with context.engine.connect() as connection:
        entry = store.by_order(connection, context.provider, ORDER_ID)
    context.engine.dispose()
    assert entry
    return entry.state


def once(folder: Path, at: datetime) -> None:
    """A tick at this time; nothing is due."""
    duty = open_duty(open_workspace(folder), lambda: at)
    duty = replace(duty, starts={})
    assert list(tick([duty], do)) == []
    duty.context.engine.dispose()


def begin(ujp: Ujp, call: Any, tmp_path: Path) -> None:
    order = tmp_path / "order.json"
    order.write_text(EXAMPLE, encoding="utf-8")
    ujp.answer = lambda _request: as_json(ujp.started())
    assert call("init", str(order))[0] == 0
    ujp.requests.clear()


def test_a_payment_of_which_no_notice_came_is_asked_for(
    ujp: Ujp, workspace: Path, call: Any, tmp_path: Path
) -> None:
    """By the schedule, every quarter of an hour, until it is final."""
    begin(ujp, call, tmp_path)
    ujp.answer = lambda _request: as_json(ujp.status(6))
    once(workspace, NOW)
    assert state(workspace) is State.AWAITING_CONFIRMATION
    ujp.answer = lambda _request: as_json(ujp.status(0))
    once(workspace, NOW + QUARTER - timedelta(seconds=1))
    assert len(ujp.requests) == 1
    once(workspace, NOW + QUARTER)
    assert state(workspace) is State.PAID
    once(workspace, NOW + 2 * QUARTER)
    assert len(ujp.requests) == 2


def test_it_can_be_left_to_somebody_else(ujp: Ujp, workspace: Path, call: Any, tmp_path: Path) -> None:
    """To a shop that must hear of each change itself."""
    begin(ujp, call, tmp_path)
    with (workspace / "ajpes.toml").open("a", encoding="utf-8") as settings:
        settings.write("ask_open_every_seconds = 0\n")
    once(workspace, NOW)
    assert ujp.requests == []


def test_ujp_out_of_reach_holds_nothing_up(
    ujp: Ujp, workspace: Path, call: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is asked once, the log says so, without a secret, and the tick goes on."""
    begin(ujp, call, tmp_path)
    ujp.answer = lambda _request: None
    with caplog.at_level(logging.INFO):
        once(workspace, NOW)
    assert len(ujp.requests) == 1
    assert "Open web payments could not be asked for: UJP did not answer" in caplog.text
    ujp.answer = lambda _request: as_json({"errorCode": "10", "messages": [ORDER_ID]}, "404 Not Found")
    once(workspace, NOW + QUARTER)
    assert "not told of: NotFound" in caplog.text
    (workspace / "key").unlink()
    once(workspace, NOW + 2 * QUARTER)
    assert "eplacila.api_key" in caplog.text
    for hidden in (API_KEY, SECRET, ORDER_ID):
        assert hidden not in caplog.text


def looks(folder: Path, at: datetime = NOW) -> dict[str, Diagnosis]:
    return {found.subject: found for found in examine(open_workspace(folder), lambda: at)}


def test_doctor_asks_whether_e_placila_work(ujp: Ujp, workspace: Path) -> None:
    """That shows the secrets, the key of UJP, the way there and both clocks."""
    paid = "2026-11-17T15:00:00Z"
    ujp.answer = lambda _request: as_json({"status": 0, "zadnjePlacilo": paid, "auth": ujp.signer.auth()})
    found = looks(workspace)
    assert found["e-plačila"].health is Health.OK
    assert "2026-11-17 16:00" in found["e-plačila"].detail
    assert found["UJP's clock"].health is Health.OK
    assert "listener" not in found
    for seconds, health in ((300, Health.OK), (301, Health.WARNING), (-301, Health.WARNING)):
        assert looks(workspace, NOW + timedelta(seconds=seconds))["UJP's clock"].health is health
    ujp.answer = lambda _request: as_json({"status": 1, "auth": ujp.signer.auth()})
    assert (looks(workspace)["e-plačila"].health, looks(workspace)["e-plačila"].exit_code) == (
        Health.FAILED,
        5,
    )


@pytest.mark.parametrize(
    ("spoil", "said", "code"),
    [
        (lambda folder, _ujp: (folder / "key").unlink(), "eplacila.api_key", 2),
        (lambda folder, _ujp: (folder / "secret").write_text(""), "eplacila.shared_secret", 2),
        (lambda folder, _ujp: (folder / "ujp.pub").write_text("x"), "eplacila.public_key", 2),
        (lambda _folder, ujp: ujp.server.__exit__(None, None, None), "refuses connections", 5),
    ],
)
def test_doctor_names_what_is_wrong_with_e_placila(
    ujp: Ujp, workspace: Path, spoil: Any, said: str, code: int
) -> None:
    """And looks at everything else all the same."""
    spoil(workspace, ujp)
    found = looks(workspace)
    assert (found["e-plačila"].health, found["e-plačila"].exit_code) == (Health.FAILED, code)
    assert said in found["e-plačila"].detail
    assert {"settings", "database", "disk"} <= set(found)


def test_doctor_is_asked_once(ujp: Ujp, workspace: Path) -> None:
    """A person waits for it."""
    ujp.answer = lambda _request: None
    assert looks(workspace)["e-plačila"].exit_code == 5
    assert len(ujp.requests) == 1


def test_doctor_says_how_long_the_certificate_of_the_listener_holds(ujp: Ujp, workspace: Path) -> None:
    """Without it no notice arrives; one that is not that of its key is none."""
    ujp.answer = lambda _request: as_json({"status": 0, "auth": ujp.signer.auth()})
    ca = trustme.CA()
    given = ca.issue_cert("bank.example", not_after=NOW + timedelta(days=5, hours=1))
    (workspace / "listen.pem").write_bytes(given.cert_chain_pems[0].bytes())
    (workspace / "listen.key").write_bytes(given.private_key_pem.bytes())
    with (workspace / "ajpes.toml").open("a", encoding="utf-8") as settings:
        settings.write('listen_certificate = "listen.pem"\nlisten_key = "listen.key"\n')
    found = looks(workspace)["listener"]
    assert (found.health, found.exit_code) == (Health.WARNING, 0)
    assert "5 days left" in found.detail
    expired = looks(workspace, NOW + timedelta(days=7))["listener"]
    assert (expired.health, expired.exit_code) == (Health.FAILED, 2)
    other = ca.issue_cert("bank.example").private_key_pem.bytes()
    (workspace / "listen.key").write_bytes(other)
    assert looks(workspace)["listener"].health is Health.FAILED


def test_doctor_says_nothing_of_what_is_not_set_up(ujp: Ujp, workspace: Path) -> None:
    """Most banks take no web payments."""
    settings = workspace / "ajpes.toml"
    settings.write_text(settings.read_text().split("\n[eplacila]")[0])
    assert not {"e-plačila", "UJP's clock", "listener"} & set(looks(workspace))
    assert ujp.requests == []
