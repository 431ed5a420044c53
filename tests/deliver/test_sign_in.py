"""Signing in by SFTP: whatever a server asks for, shown once, and told in words if that is not enough."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from ajpes_reporting.deliver.connection_pool import TurnedAway, kept_connections
from ajpes_reporting.deliver.sftp.session import SftpServer, SftpSessions
from ajpes_reporting.domain.errors import NotDelivered
from tests.servers.cutting_proxy import CuttingProxy
from tests.servers.odd_sftp import PASSWORD, USERNAME, Door, OddSftp, say_goodbye

KEY, WORD, QUESTION = "publickey", "password", "keyboard-interactive"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OddSftp]:
    with OddSftp(tmp_path_factory.mktemp("odd")) as running:
        yield running


@pytest.fixture(scope="module")
def client_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture(scope="module")
def key_file(client_key: asyncssh.SSHKey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("client") / "key"
    client_key.write_private_key(path)
    return path


@pytest.fixture
def door(server: OddSftp, client_key: asyncssh.SSHKey) -> Door:
    """How the server lets us in; tests change it."""
    server.orders.door = Door(key=client_key.convert_to_public())
    return server.orders.door


@pytest.fixture
def both(server: OddSftp, key_file: Path, door: Door) -> SftpServer:
    """Our settings, with a key and a password."""
    return SftpServer(
        host="127.0.0.1",
        port=server.port,
        username=USERNAME,
        private_key=key_file,
        password=PASSWORD,
        host_key=server.host_key,
        connect_timeout_seconds=10,
        operation_timeout_seconds=30,
        call_timeout_seconds=60,
        largest_answer_bytes=1 << 30,
        reports=("nodurs", "spapp"),
    )


def sign_in(settings: SftpServer) -> None:
    with SftpSessions(settings).open() as sftp:
        assert "nodurs" in sftp.listdir(".")


def refusal(settings: SftpServer) -> NotDelivered:
    with pytest.raises(NotDelivered) as caught:
        sign_in(settings)
    return caught.value


# --- What is asked for is shown, in its order, once ---


@pytest.mark.parametrize(
    "asks",
    [
        ((KEY,), (WORD,)),
        ((WORD,), (KEY,)),
        ((KEY,), (QUESTION,)),
        ((QUESTION,), (KEY,)),
        ((KEY,), (WORD, QUESTION)),
        ((KEY, WORD), (WORD,)),
        ((QUESTION,),),
        ((WORD,),),
        ((KEY,),),
        ((KEY, WORD, QUESTION),),
        ((KEY,), (WORD,), (QUESTION,)),
    ],
    ids=lambda asks: "+".join("|".join(step) for step in asks),
)
def test_key_and_password_are_shown_as_the_server_asks(
    both: SftpServer, door: Door, asks: tuple[tuple[str, ...], ...]
) -> None:
    """A bank configures what it was given; in which order, and as what, is the server's business."""
    door.asks = asks
    sign_in(both)
    assert door.shown == [step[0] for step in asks]


def test_a_password_is_answered_after_a_greeting_without_questions(both: SftpServer, door: Door) -> None:
    """Some servers send an empty round before or after the question."""
    door.asks = ((QUESTION,),)
    door.questions = [("Dobrodošli", []), ("", [("Login password for banka: ", False)]), ("", [])]
    sign_in(replace(both, private_key=None))


def test_a_key_that_is_not_known_gives_way_to_the_password(both: SftpServer, door: Door) -> None:
    """The server takes either, and somebody has renewed the key on one side alone."""
    door.asks = ((KEY, WORD),)
    door.key = None
    sign_in(both)
    assert door.shown == [KEY, WORD]


@pytest.mark.parametrize("asks", [((WORD, QUESTION),), ((QUESTION,),), ((KEY,), (WORD, QUESTION))])
def test_a_wrong_password_is_tried_once(
    both: SftpServer, door: Door, asks: tuple[tuple[str, ...], ...]
) -> None:
    """Not again as a question, nor by the next look in the same run: accounts are closed after a few."""
    door.asks = asks
    sessions = SftpSessions(replace(both, password="napačno"))
    with kept_connections():
        for _look in range(3):
            with pytest.raises(TurnedAway, match="does not admit 'banka' with the password"), sessions.open():
                pass
    assert sum(what != KEY for what in door.shown) == 1


# --- What is missing is named ---


@pytest.mark.parametrize(
    ("asks", "without", "missing"),
    [
        (((KEY,), (WORD,)), "password", "set sftp.password too"),
        (((KEY,), (QUESTION,)), "password", "set sftp.password too"),
        (((WORD,), (KEY,)), "private_key", "set sftp.private_key"),
        (((KEY,),), "private_key", "set sftp.private_key"),
        (((WORD,),), "password", "set sftp.password"),
    ],
)
def test_the_setting_that_is_missing_is_named(
    both: SftpServer, door: Door, asks: tuple[tuple[str, ...], ...], without: str, missing: str
) -> None:
    """The server wants both, and only one is configured."""
    door.asks = asks
    error = refusal(replace(both, **{without: None}))  # type: ignore[arg-type]  # either field
    assert missing in error.remedy
    assert "does not admit" not in error.message


@pytest.mark.parametrize(
    "question",
    [
        ("", [("Verification code: ", False)]),
        ("", [("One-time password (OATH) for `banka': ", False)]),
        ("", [("Password: ", False), ("Token: ", False)]),
        ("Vnesite kodo iz SMS", [("Koda: ", False)]),
        ("", [("Are you sure (yes/no)? ", True)]),
        ("", [("Passcode or option (1-3): ", False)]),
    ],
)
def test_a_question_that_only_a_person_can_answer_is_told(
    both: SftpServer, door: Door, question: tuple[str, list[tuple[str, bool]]]
) -> None:
    """The password is no code: it is not given away as one."""
    door.asks = ((KEY,), (QUESTION,))
    door.questions = [question]
    error = refusal(both)
    assert "asks what only a person can answer" in error.message
    assert question[1][0][0].strip() in error.message


def test_a_code_after_the_password_is_told(both: SftpServer, door: Door) -> None:
    """The second round of a login with two factors."""
    door.asks = ((QUESTION,),)
    door.questions.append(("", [("Enter your code: ", False)]))
    assert "only a person" in refusal(both).message


def test_a_password_that_has_expired_is_told(both: SftpServer, door: Door) -> None:
    """It is not wrong, and is not changed from here."""

    def expired(_password: str) -> None:
        raise asyncssh.PasswordChangeRequired("Geslo je poteklo. New password: ")

    door.asks = ((WORD,),)
    door.on_password = expired
    error = refusal(both)
    assert "demands a new password" in error.message
    assert "does not admit" not in error.message


@pytest.mark.parametrize(
    "question",
    [
        (
            "You are required to change your password immediately (password expired).",
            [("Current password: ", False)],
        ),
        ("", [("New password: ", False)]),
        ("Your password has expired.", [("Password:", False), ("Retype:", False)]),
    ],
)
def test_a_question_for_a_new_password_is_told(
    both: SftpServer, door: Door, question: tuple[str, list[tuple[str, bool]]]
) -> None:
    """The old one is not given where a new one is to be set."""
    door.asks = ((QUESTION,),)
    door.questions = [question]
    assert "demands a new password" in refusal(both).message


def test_a_login_without_sftp_is_told(both: SftpServer, door: Door) -> None:
    """The account may sign in, and nothing else was set up for it."""
    door.has_sftp = False
    error = refusal(both)
    assert "took the login, and" in error.message
    assert "whether 'banka' may use SFTP" in error.remedy


def test_a_password_that_has_expired_may_be_told_before_the_login(both: SftpServer, door: Door) -> None:
    """OpenSSH with PAM takes the old password then, and opens no session."""
    door.has_sftp = False
    door.banner = "You are required to change your password immediately (password expired)."
    assert "demands a new password" in refusal(both).message


def test_a_second_key_is_told(both: SftpServer, door: Door) -> None:
    """Two keys cannot be set here."""
    door.asks = ((KEY,), (KEY,))
    error = refusal(both)
    assert "took the key of sftp.private_key, and demands more: another key" in error.message
    assert door.shown == [KEY]


# --- Too slow, or hung up: that is no wrong password ---


def test_a_login_that_is_too_slow_is_told_as_that(both: SftpServer, door: Door) -> None:
    """paramiko calls it a failed authentication; our own limit is the one that ends it."""
    door.asks = ((WORD,),)
    door.on_password = lambda _password: asyncio.sleep(5)
    started = time.monotonic()
    error = refusal(replace(both, connect_timeout_seconds=1))
    assert time.monotonic() - started < 4
    assert "did not answer in time" in error.message
    assert "raise sftp.connect_timeout_seconds" in error.remedy
    assert not isinstance(error, TurnedAway)


def test_our_limits_take_the_place_of_the_librarys(both: SftpServer) -> None:
    """A server that needs a minute for its greeting and its login is waited for, if we say so."""
    with SftpSessions(replace(both, connect_timeout_seconds=90)).open() as sftp:
        channel = sftp.get_channel()
        transport = channel.get_transport() if channel else None
        assert transport is not None
        limits = (
            transport.banner_timeout,
            transport.handshake_timeout,  # type: ignore[attr-defined]  # not in its stubs
            transport.auth_timeout,
            transport.channel_timeout,  # type: ignore[attr-defined]  # not in its stubs
        )
    assert min(limits) >= 90


@contextmanager
def a_listener(*lines: bytes, then_wait: bool = False) -> Iterator[int]:
    """Says these lines to whoever connects, 2.2 seconds apart, and hangs up, or is silent then."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        over = threading.Event()

        def serve() -> None:
            with listener.accept()[0] as line:
                for number, text in enumerate(lines):
                    over.wait(2.2 if number else 0)
                    line.sendall(text)
                if then_wait:
                    over.wait(20)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        over.set()
        thread.join()


def test_a_greeting_that_is_too_slow_is_told_as_that(both: SftpServer) -> None:
    """Our limit ends it, not one of the library's."""
    with a_listener(then_wait=True) as port:
        error = refusal(replace(both, port=port, connect_timeout_seconds=0.5))
    assert "did not answer in time" in error.message


@pytest.mark.parametrize("said", [b"", b"Exceeded MaxStartups\r\n", b"Not allowed at this time\r\n"])
def test_a_server_that_hangs_up_before_its_greeting_is_busy(both: SftpServer, said: bytes) -> None:
    """OpenSSH does so beyond MaxStartups, and to addresses it has barred for a while."""
    with a_listener(*filter(None, [said])) as port:
        error = refusal(replace(both, port=port))
    assert "hung up before the login began" in error.message
    assert said.decode().strip() in error.message
    assert "try again later" in error.remedy


def test_a_server_may_take_its_time_between_the_lines_of_its_greeting(both: SftpServer) -> None:
    """The library gives two seconds to each line but the first; a slow machine needs more."""
    with a_listener(b"One moment\r\n", b"Closed until Monday\r\n") as port:
        error = refusal(replace(both, port=port))
    assert "Closed until Monday" in error.message


@pytest.mark.parametrize("at", [KEY, WORD])
def test_a_line_that_is_cut_in_the_login_is_no_wrong_password(both: SftpServer, door: Door, at: str) -> None:
    """Nobody knows what the server would have said; the next run tries again."""
    door.asks = ((KEY,), (WORD,))
    door.drop_at = at
    error = refusal(both)
    assert "ended the connection before the session was open" in error.message
    assert "admit" not in error.message
    assert not isinstance(error, TurnedAway)


def test_what_a_server_says_as_it_hangs_up_is_told(both: SftpServer, door: Door, server: OddSftp) -> None:
    """ "Too many authentication failures", say, or which address is not let in."""

    def hang_up(_password: str) -> None:
        say_goodbye(server.orders.connections[-1], "Maintenance until 20:00\x1b[2J")

    door.asks = ((WORD,),)
    door.on_password = hang_up
    error = refusal(both)
    assert r"Maintenance until 20:00\x1b[2J" in error.message
    assert "admit" not in error.message


def test_a_server_that_hangs_up_in_the_place_of_a_refusal_has_refused(
    both: SftpServer, door: Door, server: OddSftp
) -> None:
    """OpenSSH does so at the last attempt that it allows: the password is not tried again in this run."""

    def hang_up(_password: str) -> None:
        say_goodbye(server.orders.connections[-1], "Too many authentication failures")

    door.asks = ((WORD,),)
    door.on_password = hang_up
    sessions = SftpSessions(both)
    with kept_connections():
        for _look in range(2):
            with pytest.raises(TurnedAway, match="Too many authentication failures"), sessions.open():
                pass
    assert door.shown == [WORD]


def test_the_line_may_break_anywhere_in_the_login(both: SftpServer, server: OddSftp) -> None:
    """It is told in words, as not delivered, wherever it breaks."""
    with CuttingProxy(server.port) as proxy:
        sign_in(replace(both, port=proxy.port))
        whole = proxy.received
    for offset in range(1, whole, whole // 12):
        with CuttingProxy(server.port, cut_after_received=offset) as proxy:
            error = refusal(replace(both, port=proxy.port))
        assert "was not reached" in error.message or "hung up" in error.message
        assert not isinstance(error, TurnedAway)


def test_what_a_server_says_as_it_ends_a_session_is_told(both: SftpServer, server: OddSftp) -> None:
    """In the middle of the work, too; a delivery says so in its reason."""
    with (
        pytest.raises(NotDelivered, match="It said: Server shutting down"),
        SftpSessions(both).open() as sftp,
    ):
        server.say_goodbye("Server shutting down")
        channel = sftp.get_channel()
        while channel is not None and channel.get_transport().is_active():
            time.sleep(0.02)
        sftp.listdir(".")


# --- What it tells before ---


def test_what_everybody_is_told_before_the_login_stands_in_the_log(
    both: SftpServer, door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    """A legal notice of several pages, with whatever commands a terminal: bounded, and on one line."""
    caplog.set_level(logging.INFO, "ajpes_reporting")
    door.banner = "Samo za pooblaščene.\r\n\x1b[31m" + "Lorem ipsum " * 5000
    sign_in(both)
    [said] = [text for text in caplog.messages if "before the login" in text]
    assert r"Samo za pooblaščene.\r\n\x1b[31mLorem" in said
    assert len(said) < 2000
    assert "\x1b" not in said


def test_no_password_is_in_what_is_told(
    both: SftpServer, door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither where it is refused, nor where it is answered, nor in what the library logs."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "paramiko.transport")
    door.asks = ((QUESTION,), (QUESTION,))
    error = refusal(both)
    assert PASSWORD not in f"{error.message} {error.remedy} {caplog.text}"
