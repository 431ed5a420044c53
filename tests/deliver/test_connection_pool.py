"""Connections that a run keeps: used again while they are sound, never when they are not, none left over."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from ajpes_reporting.deliver.connection_pool import borrowed, kept_connections
from ajpes_reporting.deliver.sftp.client import ListingLimits
from ajpes_reporting.deliver.sftp.session import SftpServer, SftpSessions
from ajpes_reporting.domain.errors import NotDelivered
from tests.servers.cutting_proxy import CuttingProxy
from tests.servers.odd_sftp import OddSftp


@pytest.fixture(scope="module")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OddSftp]:
    with OddSftp(tmp_path_factory.mktemp("odd")) as running:
        yield running


@pytest.fixture
def server(one_server: OddSftp) -> OddSftp:
    one_server.orders.logins = 0
    return one_server


@pytest.fixture
def settings(server: OddSftp) -> SftpServer:
    return server.settings(connect_timeout_seconds=5)


def look(settings: SftpServer) -> None:
    """As each carrier and each answer box does, with sessions of its own."""
    with SftpSessions(settings).open() as sftp:
        assert "nodurs" in sftp.listdir(".")


def transports() -> int:
    return sum("Transport" in type(thread).__name__ for thread in threading.enumerate())


def fall_to(count: int) -> bool:
    """Whether so few are left in the end; each needs a moment to notice that it is closed."""
    end = time.monotonic() + 10
    while transports() > count and time.monotonic() < end:
        time.sleep(0.02)
    return transports() == count


def test_a_session_is_kept_until_the_run_is_over(settings: SftpServer, server: OddSftp) -> None:
    """Whoever asks for the same server gets it; afterwards no thread holds up the end of the program."""
    before = transports()
    with kept_connections():
        look(settings)
        with kept_connections():
            look(settings)
        look(settings)
        assert transports() == before + 1
    assert server.orders.logins == 1
    assert fall_to(before)


def test_without_a_run_a_session_is_closed_after_use(settings: SftpServer, server: OddSftp) -> None:
    """A single look, such as the doctor's, leaves nothing open."""
    before = transports()
    look(settings)
    look(settings)
    assert server.orders.logins == 2
    assert fall_to(before)


def test_another_login_is_another_session(settings: SftpServer, server: OddSftp, tmp_path: Path) -> None:
    """A service bureau's banks have accounts of their own on the same server; a folder is no account."""
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(tmp_path / "key")
    with kept_connections():
        look(settings)
        look(replace(settings, folder="nodurs", listing_limits=ListingLimits(names=7)))
        look(replace(settings, private_key=tmp_path / "key"))
    assert server.orders.logins == 2


def test_another_thread_has_its_own(settings: SftpServer, server: OddSftp) -> None:
    """Two runs never share a session."""
    with kept_connections():
        look(settings)
        thread = threading.Thread(target=look, args=(settings,))
        thread.start()
        thread.join()
        look(settings)
    assert server.orders.logins == 2


def test_two_uses_at_once_have_a_session_each(settings: SftpServer, server: OddSftp) -> None:
    """While the answers of a folder are fetched one by one, somebody looks for a report."""
    with kept_connections():
        with SftpSessions(settings).open() as sftp:
            look(settings)
            assert "nodurs" in sftp.listdir(".")
        look(settings)
    assert server.orders.logins == 2


def test_a_session_in_which_something_went_wrong_is_not_used_again(
    settings: SftpServer, server: OddSftp
) -> None:
    """Replies to what was asked before may still be under way in it."""
    with kept_connections():
        with pytest.raises(NotDelivered), SftpSessions(settings).open():
            raise NotDelivered("a folder without an end")
        look(settings)
    assert server.orders.logins == 2


def test_a_session_that_the_server_has_ended_is_opened_again(settings: SftpServer, server: OddSftp) -> None:
    """Servers end idle sessions; nothing has begun yet, so nobody need hear of it."""
    with kept_connections():
        look(settings)
        server.drop()
        time.sleep(0.2)
        look(settings)
    assert server.orders.logins == 2


def test_a_session_that_has_died_in_silence_is_found_out_first(
    settings: SftpServer, server: OddSftp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A firewall forgets idle lines and tells nobody: what is begun in one would never end."""
    monkeypatch.setattr("ajpes_reporting.deliver.sftp.session._FRESH_SECONDS", 0.0)
    with CuttingProxy(server.port) as proxy:
        through = replace(settings, port=proxy.port, connect_timeout_seconds=1)
        with kept_connections():
            look(through)
            proxy.silent_before = proxy.connections
            look(through)
        assert proxy.connections == 2


def test_the_time_limit_is_for_each_use(settings: SftpServer) -> None:
    """A run that builds and waits for half an hour must not find its session cut off."""
    limited = replace(settings, call_timeout_seconds=2)
    with kept_connections():
        for _use in range(2):
            with SftpSessions(limited).open() as sftp:
                time.sleep(1.1)
                assert "nodurs" in sftp.listdir(".")


class Line:
    """A connection that breaks in each use."""

    def is_alive(self, idle_seconds: float) -> bool:
        return True

    def close(self) -> None:
        pass


def test_a_line_that_keeps_breaking_is_made_anew_with_pauses(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """At once at first, to settle what became of a report; then ever slower: logins are limited."""
    pauses: list[float] = []
    monkeypatch.setattr("ajpes_reporting.deliver.connection_pool.time.sleep", pauses.append)
    caplog.set_level(logging.INFO, "ajpes_reporting")
    with kept_connections():
        for _use in range(7):
            with pytest.raises(OSError), borrowed("key", "the server", Line):
                raise OSError("broken")
    assert pauses == [0, 2, 4, 6, 6, 6]
    assert "the server has ended; connecting again (no. 7 in this run)" in caplog.text
