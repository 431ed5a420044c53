"""The two pages over HTTP: what they say, and that nobody can hold them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.monitoring import server, systemd
from ajpes_reporting.monitoring.heartbeat import Heartbeat
from ajpes_reporting.monitoring.metrics import Watched
from ajpes_reporting.network.address import parse_address
from tests.monitoring.test_heartbeat import Seconds
from tests.pipeline.conftest import Bank, event


@dataclass
class Site:
    url: str
    port: int
    seconds: Seconds
    pulse: Heartbeat

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(self.url + path, headers=headers, timeout=10, trust_env=False)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)


@pytest.fixture
def site(bank: Bank) -> Iterator[Site]:
    seconds = Seconds()
    pulse = Heartbeat(60, 3600, seconds)
    watched = [Watched(bank.context, frozenset({"NODURS", "SPAPP"}))]
    with server.served("127.0.0.1:0", watched, pulse) as (host, port):
        yield Site(f"http://{host}:{port}", port, seconds, pulse)


def test_metrics_can_be_read_by_prometheus(site: Site) -> None:
    """Both of the formats it asks for are valid, with the type it expects."""
    plain = site.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=")
    assert {f.name for f in text_string_to_metric_families(plain.text)} >= {"ajpes_up", "ajpes_alarms"}
    newer = site.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert newer.headers["content-type"].startswith("application/openmetrics-text")
    assert {f.name for f in openmetrics(newer.text)} >= {"ajpes_up"}


def test_health_is_ok_as_long_as_ticks_get_through(site: Site) -> None:
    """A load balancer or a container platform asks for the status code only."""
    answer = site.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    site.seconds.now += 200
    answer = site.get("/health")
    assert answer.status_code == 503
    assert "no tick has got through for 200 seconds" in answer.json()["reason"]
    site.pulse.beat()
    assert site.get("/health").status_code == 200


def test_health_says_that_the_database_is_away(bank: Bank, tmp_path: Path) -> None:
    """Without its database nothing is reported. Where it is, and its password, is not told."""
    from dataclasses import replace

    from ajpes_reporting.database.engine import open_engine

    gone = open_engine("postgresql://ajpes:secret@127.0.0.1:1/ajpes")
    watched = [Watched(replace(bank.context, engine=gone), frozenset())]
    with server.served("127.0.0.1:0", watched, Heartbeat(60, 3600, Seconds())) as (host, port):
        answer = httpx.get(f"http://{host}:{port}/health", trust_env=False)
        figures = httpx.get(f"http://{host}:{port}/metrics", trust_env=False).text
    assert answer.status_code == 503
    assert answer.json()["reason"] == f"the database of provider {bank.context.provider} does not answer"
    assert "secret" not in answer.text + figures
    assert 'ajpes_up{provider="' in figures


def test_only_these_two_pages_and_only_get(site: Site) -> None:
    """There is nothing here to change or to explore."""
    assert site.get("/").status_code == 404
    assert site.get("/metrics/../../etc/passwd").status_code == 404
    for method in ("POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "NONSENSE"):
        answer = httpx.request(method, site.url + "/metrics", timeout=10, trust_env=False)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


def test_slow_and_silent_clients_do_not_hold_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever connects and says nothing, or one byte now and then, is cut off; others are served again."""
    monkeypatch.setattr(server, "_CALL_SECONDS", 1.0)
    monkeypatch.setattr(server._Handler, "timeout", 0.6)
    crowd = [site.connect() for _ in range(server._MOST_AT_ONCE)]
    dripping = crowd[0]
    began = time.monotonic()
    with pytest.raises(OSError):
        while time.monotonic() - began < 5:
            dripping.sendall(b"G")
            time.sleep(0.2)
    assert time.monotonic() - began < 4
    assert site.get("/health").status_code == 200
    for connection in crowd:
        connection.close()


def test_a_crowd_is_turned_away_at_once(site: Site) -> None:
    """More callers than places: the next one is told so by a closed line, and no thread is spent on it."""
    crowd = [site.connect() for _ in range(server._MOST_AT_ONCE)]
    time.sleep(0.2)
    with pytest.raises(httpx.HTTPError):
        site.get("/health")
    for connection in crowd:
        connection.close()
    time.sleep(0.2)
    assert site.get("/health").status_code == 200


@pytest.mark.parametrize("data", [b"", b"GET /health HTTP/1.1\r\nHost: a\r\n"], ids=["silent", "half a head"])
def test_a_crowd_of_half_open_calls_keeps_no_scrape_out(site: Site, data: bytes) -> None:
    """Prometheus asks from elsewhere, or as late as the crowd has kept everybody waiting for a while."""
    with ExitStack() as stack:
        for _ in range(server._MOST_AT_ONCE + 10):
            with suppress(OSError):
                stack.enter_context(site.connect()).sendall(data)
        elsewhere = httpx.HTTPTransport(local_address="127.0.0.2", trust_env=False)
        with httpx.Client(transport=elsewhere, timeout=10) as client:
            assert [client.get(f"{site.url}/health").status_code for _ in range(3)] == [200] * 3
        time.sleep(server._PATIENCE_SECONDS)
        assert site.get("/health").status_code == 200


def test_nonsense_gives_a_short_refusal_and_nothing_on_stderr(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    """A port scanner fills no log."""
    for data in (
        b"\x16\x03\x01\x02\x00\x01\n\n",
        b"GET\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
    ):
        with site.connect() as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
    assert capfd.readouterr().err == ""
    assert site.get("/health").status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        "",
        "9187",
        "localhost",
        "localhost:",
        ":9187",
        "host:port",
        "host:70000",
        "http://h:1",
        "h:1/x",
        "u@h:1",
    ],
)
def test_an_address_that_is_none_is_refused(text: str) -> None:
    """A slip in the settings is told before anything starts."""
    with pytest.raises(ConfigurationError, match="HOST:PORT"):
        parse_address(text, "monitoring.listen")


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    """As everywhere where a port follows."""
    assert parse_address("[::1]:9187", "monitoring.listen") == ("::1", 9187)
    assert parse_address("127.0.0.1:9187", "monitoring.listen") == ("127.0.0.1", 9187)


def test_a_port_that_is_taken_keeps_the_schedule_from_starting(bank: Bank) -> None:
    """Two instances, or another program: better no start than one that nobody watches."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        _settings(bank, f'[monitoring]\nlisten = "127.0.0.1:{port}"\n')
        program = [sys.executable, "-m", "ajpes_reporting", "-w", str(bank.folder), "schedule"]
        told = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode == 2
    assert f"monitoring.listen is 127.0.0.1, port {port}" in told.stderr


def test_the_schedule_serves_tells_systemd_and_stops(bank: Bank) -> None:
    """The whole service: ready, alive, healthy, one line of JSON for the job, and a clean end."""
    bank.record(event("O-1", 1))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    _settings(
        bank,
        f'[monitoring]\nlisten = "127.0.0.1:{port}"\n[log]\nformat = "json"\n'
        '[schedule]\nnodurs_start = 00:00:00\nevery_seconds = 1\nreports = ["nodurs"]\n',
    )
    with _systemd(bank.folder / "notify") as heard:
        environment = {**os.environ, "NOTIFY_SOCKET": str(bank.folder / "notify"), "WATCHDOG_USEC": "600000"}
        program = [sys.executable, "-m", "ajpes_reporting", "-w", str(bank.folder), "schedule"]
        service = subprocess.Popen(
            program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            figures = _figures_after_a_tick(port)
            health = httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False)
            service.send_signal(signal.SIGTERM)
            out, err = service.communicate(timeout=30)
        finally:
            service.kill()
            service.communicate()
    assert service.returncode == 0, err
    assert (heard[0], heard[-1], set(heard[1:-1])) == ("READY=1", "STOPPING=1", {"WATCHDOG=1"})
    assert health.status_code == 200, health.text
    assert figures["ajpes_last_tick_timestamp_seconds"] > time.time() - 60
    assert out == ""
    lines = [json.loads(line) for line in err.splitlines()]
    first = next(line for line in lines if "report" in line)
    assert (first["report"], first["provider"]) == ("NODURS", bank.context.provider)
    assert {"period", "ending", "state", "submission", "exit_code"} <= first.keys()


@contextmanager
def _systemd(path: Path) -> Iterator[list[str]]:
    """What a service tells it, in order."""
    heard: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(path))

        def listen() -> None:
            while word := line.recv(100):
                heard.append(word.decode())

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield heard
        finally:
            line.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def _settings(bank: Bank, text: str) -> None:
    path = bank.folder / "ajpes.toml"
    path.write_text(path.read_text("utf-8") + "\n" + text, "utf-8")


def _figures_after_a_tick(port: int) -> dict[str, float]:
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        try:
            text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10, trust_env=False).text
        except httpx.ConnectError:
            time.sleep(0.2)  # it is still on its way up
            continue
        found = {
            sample.name: sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
        if found["ajpes_last_tick_timestamp_seconds"]:
            return found
        time.sleep(0.2)
    raise AssertionError("no tick got through")


def test_a_systemd_that_does_not_listen_holds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its queue is full, or it has gone: reports go out all the same, and the program still stops."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setattr(systemd, "_PATIENCE_SECONDS", 0.01)
        began = time.monotonic()
        for _ in range(600):  # more than any queue of datagrams holds
            systemd.notify("WATCHDOG=1")
            if time.monotonic() - began > 5:
                break
    systemd.notify("STOPPING=1")
    assert time.monotonic() - began < 10


def test_a_schedule_that_hangs_says_no_more_that_it_is_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd then starts it again."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        line.settimeout(0.5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "30000")
        with systemd.supervised(lambda: True):
            assert line.recv(100) == b"READY=1"
            with pytest.raises(TimeoutError):
                line.recv(100)
        assert line.recv(100) == b"STOPPING=1"
