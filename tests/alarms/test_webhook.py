"""Alarms by a webhook, to a real HTTPS server: signed, to that address alone, and bounded in time."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ajpes_reporting.alarms.alarm import Alarm, Severity
from ajpes_reporting.alarms.notification import Notice, Notification, Occasion, trial
from ajpes_reporting.alarms.webhook import WebhookChannel, WebhookReceiver
from ajpes_reporting.domain.errors import AlarmNotTold, ConfigurationError
from ajpes_reporting.network.line import Proxy
from ajpes_reporting.network.tls_context import tls_context
from tests.alarms.conftest import NOW, PROVIDER, Keys
from tests.servers.https import Behaviour, HttpsServer, Visit, answering, http
from tests.servers.proxies import SmallProxy, find_tinyproxy, running_tinyproxy, saying

SECRET = "Skrivnost-1f"
KEY_IN_PATH = "T0-kljuc"


def channel(port: int, ca: Path, seconds: float = 2, proxy: Proxy | None = None) -> WebhookChannel:
    url = f"https://127.0.0.1:{port}/{KEY_IN_PATH}"
    return WebhookChannel(WebhookReceiver(url, tls_context(ca, "webhook.server_ca"), SECRET, seconds, proxy))


def serving(keys: Keys, behaviour: Behaviour, certificate: str = "server") -> HttpsServer:
    return HttpsServer(str(getattr(keys, certificate)), None, behaviour)


def test_alarms_are_posted_and_signed(keys: Keys) -> None:
    """The receiver can tell that it was us, and when; computed here from the words of the manual."""
    with serving(keys, answering(http(b"", "204 No Content"))) as server:
        assert channel(server.port, keys.ca).tell(trial(PROVIDER, NOW)) == "127.0.0.1 answered 204"
    (request,) = server.requests
    assert request.line == f"POST /{KEY_IN_PATH} HTTP/1.1"
    signed = request.headers["x-ajpes-reporting-time"].encode() + b"." + request.body
    expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert request.headers["x-ajpes-reporting-signature"] == f"sha256={expected}"
    assert request.headers["x-ajpes-reporting-time"] == str(int(NOW.timestamp()))
    document = json.loads(request.body)
    assert document["provider"] == PROVIDER
    assert document["alarms"] == [
        {"id": 0, "occasion": "raised", "key": "test", "severity": "warning",
         "text": "This is a test. Nothing is wrong.", "remedy": "nothing",
         "since": "2026-11-17T16:00:00+00:00", "until": None}
    ]  # fmt: skip


def test_half_a_character_is_told_too(keys: Keys) -> None:
    """A name of a file that is not UTF-8 does not keep an alarm from being told."""
    alarm = Alarm("backup", Severity.WARNING, "The file \udce8\u202e is missing.", "look")
    notification = Notification(PROVIDER, NOW, (Notice(1, Occasion.RAISED, alarm, NOW),))
    with serving(keys, answering(http(b"", "204 No Content"))) as server:
        channel(server.port, keys.ca).tell(notification)
    (request,) = server.requests
    assert request.body.isascii()
    assert json.loads(request.body)["alarms"][0]["text"] == alarm.text


@pytest.mark.parametrize(("ca", "certificate"), [("foreign_ca", "server"), ("ca", "elsewhere")])
def test_a_receiver_that_cannot_prove_who_it_is_gets_nothing(keys: Keys, ca: str, certificate: str) -> None:
    """Alarms go to nobody else, and the key in the address is not shown."""
    server = serving(keys, answering(http(b"")), certificate)
    with server, pytest.raises(AlarmNotTold, match="the server's certificate") as caught:
        channel(server.port, getattr(keys, ca)).tell(trial(PROVIDER, NOW))
    assert server.requests == []
    assert KEY_IN_PATH not in caught.value.message


def test_a_redirect_is_not_followed(keys: Keys) -> None:
    """Where alarms go is decided by the settings."""
    with serving(keys, answering(http(b""))) as elsewhere:
        away = http(b"", "307 Temporary Redirect", Location=f"https://127.0.0.1:{elsewhere.port}/")
        with serving(keys, answering(away)) as server, pytest.raises(AlarmNotTold, match="answered 307"):
            channel(server.port, keys.ca).tell(trial(PROVIDER, NOW))
    assert elsewhere.requests == []


def test_the_environment_does_not_lead_alarms_elsewhere(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that is set for browsers does not see them."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with serving(keys, answering(http(b""))) as server:
        channel(server.port, keys.ca).tell(trial(PROVIDER, NOW))
    assert len(server.requests) == 1


def test_alarms_go_through_a_real_proxy(keys: Keys, tmp_path: Path) -> None:
    """Whoever is told of alarms is often outside of the bank."""
    program = find_tinyproxy()
    if program is None:
        pytest.skip("install tinyproxy")
    with (
        running_tinyproxy(program, tmp_path, "BasicAuth banka Geslo-1") as running,
        serving(keys, answering(http(b""))) as server,
    ):
        proxy = Proxy("127.0.0.1", running.port, "webhook.proxy", username="banka", password="Geslo-1")
        channel(server.port, keys.ca, proxy=proxy).tell(trial(PROVIDER, NOW))
        with pytest.raises(AlarmNotTold, match="asks for user name and password") as caught:
            stranger = replace(proxy, username=None, password=None)
            channel(server.port, keys.ca, proxy=stranger).tell(trial(PROVIDER, NOW))
    assert "webhook.proxy_username" in caught.value.remedy
    assert KEY_IN_PATH not in caught.value.message
    assert len(server.requests) == 1


@pytest.mark.parametrize("hangs_up", [True, False])
def test_a_proxy_that_does_not_answer_is_told_in_time(keys: Keys, hangs_up: bool) -> None:
    """The limit on a call holds for the proxy as well."""
    with SmallProxy(saying(b"", hangs_up=hangs_up)) as proxy, pytest.raises(AlarmNotTold, match="the proxy"):
        channel(9, keys.ca, 1, Proxy("127.0.0.1", proxy.port, "webhook.proxy")).tell(trial(PROVIDER, NOW))


@pytest.mark.parametrize("status", ["401 Unauthorized", "500 Internal Server Error", "404 Not Found"])
def test_only_success_counts_as_told(keys: Keys, status: str) -> None:
    """Otherwise an alarm would be thought told that nobody has seen."""
    server = serving(keys, answering(http(b"secret", status)))
    with server, pytest.raises(AlarmNotTold, match=f"answered {status[:3]}") as caught:
        channel(server.port, keys.ca).tell(trial(PROVIDER, NOW))
    assert SECRET not in caught.value.message + caught.value.remedy


@pytest.mark.parametrize("talks", [True, False])
def test_the_whole_call_is_bounded(keys: Keys, talks: bool) -> None:
    """A receiver that drips its headers, or says nothing, does not hold the reports."""

    def drip(visit: Visit) -> None:
        visit.read_request()
        for _ in range(400):
            visit.send(b"H" if talks else b"")
            if visit.leaving.wait(0.05):
                return

    begun = time.monotonic()
    with serving(keys, drip) as server, pytest.raises(AlarmNotTold):
        channel(server.port, keys.ca, seconds=3).tell(trial(PROVIDER, NOW))
    assert time.monotonic() - begun < 12


def test_a_dead_receiver_is_named(keys: Keys) -> None:
    """Its host stands in the message."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(AlarmNotTold, match=r"at 127\.0\.0\.1 did not take.*refuses connections"):
        channel(port, keys.ca).tell(trial(PROVIDER, NOW))


@pytest.mark.parametrize(
    "url",
    [
        "http://host/x",
        "https://",
        "https://u:p@host/",
        "nothing",
        "https://xn--/u:p",
        "https://a..b/u:p",
        "https://h:99999/u:p",
    ],
)
def test_only_https_addresses_are_used(keys: Keys, url: str) -> None:
    """Nothing is posted in the clear, and a wrong address is not repeated: it may hold a key."""
    with pytest.raises(ConfigurationError, match=r"webhook\.url") as caught:
        WebhookChannel(WebhookReceiver(url, tls_context(keys.ca, "webhook.server_ca")))
    assert "u:p" not in caught.value.message


def test_a_file_that_holds_no_issuer_is_named(tmp_path: Path) -> None:
    """A mistyped path is a wrong setting, named."""
    (tmp_path / "empty.pem").write_text("nothing")
    for name in ("missing.pem", "empty.pem"):
        with pytest.raises(ConfigurationError, match=r"webhook\.server_ca"):
            tls_context(tmp_path / name, "webhook.server_ca")
