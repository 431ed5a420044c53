"""Alarms by e-mail, to a real server with real certificates: told whole, or said why not."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ajpes_reporting.alarms.alarm import Alarm, Severity
from ajpes_reporting.alarms.mail import MailChannel
from ajpes_reporting.alarms.mail import MailServer as Settings
from ajpes_reporting.alarms.notification import Notice, Notification, Occasion, trial
from ajpes_reporting.domain.errors import AlarmNotTold, ConfigurationError
from ajpes_reporting.network.tls_context import tls_context
from tests.alarms.conftest import NOW, PROVIDER, Keys
from tests.servers.smtp import PASSWORD, USER, MailServer


def settings(port: int, ca: Path | None, security: str = "starttls") -> Settings:
    assert security in ("starttls", "tls", "none")
    return Settings(
        "127.0.0.1", port, security, "ajpes@bank.example",  # type: ignore[arg-type]
        ("clerk@bank.example", "night@bank.example"), tls_context(ca, "mail.server_ca"),
        username=USER, password=PASSWORD, timeout_seconds=2,
    )  # fmt: skip


def unprotected(port: int) -> Settings:
    return replace(settings(port, None, "none"), username=None, password=None)


@contextmanager
def answering_slowly(pause_seconds: float) -> Iterator[int]:
    """A server that greets byte by byte and never comes to an end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            with contextlib.suppress(OSError):
                line, _ = listener.accept()
                with line:
                    for letter in b"220 " + b"x" * 80:
                        line.sendall(bytes([letter]))
                        time.sleep(pause_seconds)

        threading.Thread(target=drip, daemon=True).start()
        yield listener.getsockname()[1]


def test_a_strangers_text_makes_no_header_and_no_line(keys: Keys) -> None:
    """AJPES's words in an alarm neither add a recipient nor a paragraph, and turn no line round."""
    evil = "x\r\nBcc: spy@example.org\n\nOver: nothing is wrong.\u202e\x9b\u2028\ud800"
    message = Notice(1, Occasion.RAISED, Alarm(f"refused {evil}", Severity.CRITICAL, evil, evil), NOW)
    with MailServer(str(keys.server)) as server:
        MailChannel(settings(server.port, keys.ca)).tell(Notification(PROVIDER, NOW, (message,)))
    (mail,) = server.mails
    assert mail["Bcc"] is None
    text = str(mail["Subject"]) + mail.get_content().replace("\r\n", "\n")
    assert [letter for letter in text if letter != "\n" and not letter.isprintable()] == []
    assert len(mail.get_content().splitlines()) == 3


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_all_alarms_of_one_time_are_one_mail(keys: Keys, security: str) -> None:
    """The clerk's mailbox gets one mail, with what is wrong, since when, and what to do."""
    refused = Alarm("refused NODURS 2026-11-17 no. 3", Severity.CRITICAL, "AJPES refused it.", "correct č")
    disk = Alarm("disk", Severity.WARNING, "The disk is nearly full.", "make room")
    messages = (Notice(1, Occasion.RAISED, refused, NOW), Notice(2, Occasion.CLEARED, disk, NOW, NOW))
    with MailServer(str(keys.server), security=security) as server:
        said = MailChannel(settings(server.port, keys.ca, security)).tell(
            Notification(PROVIDER, NOW, messages)
        )
    (mail,) = server.mails
    assert said.endswith("for 2 of 2 recipients")
    assert (
        mail["Subject"] == "[ajpes-reporting 5860571000] critical: refused NODURS 2026-11-17 no. 3 and 1 more"
    )
    assert mail["To"] == "clerk@bank.example, night@bank.example"
    text = mail.get_content().replace("\r\n", "\n")
    assert "AJPES refused it.\n  critical, since 2026-11-17 17:00\n  Do: correct č." in text
    assert "Over: The disk is nearly full.\n  since 2026-11-17 17:00, over at 2026-11-17 17:00" in text


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("certificate", ["server", "elsewhere"])
def test_a_server_that_cannot_prove_who_it_is_gets_nothing(
    keys: Keys, security: str, certificate: str
) -> None:
    """Another issuer, or a certificate for another host: neither the password nor the mail goes there."""
    ca = keys.foreign_ca if certificate == "server" else keys.ca
    server = MailServer(str(getattr(keys, certificate)), security=security)
    with server, pytest.raises(AlarmNotTold, match="the server's certificate") as caught:
        MailChannel(settings(server.port, ca, security)).tell(trial(PROVIDER, NOW))
    assert caught.value.remedy
    assert (server.passwords, server.mails) == ([], [])


def test_no_mail_goes_in_the_clear_unless_that_is_set(keys: Keys) -> None:
    """A server, or somebody in between, that offers no STARTTLS gets neither password nor mail."""
    with MailServer(security="none") as server:
        with pytest.raises(AlarmNotTold, match="STARTTLS"):
            MailChannel(settings(server.port, keys.ca)).tell(trial(PROVIDER, NOW))
        assert (server.passwords, server.mails) == ([], [])
        MailChannel(unprotected(server.port)).tell(trial(PROVIDER, NOW))
        assert len(server.mails) == 1


def test_a_password_is_never_set_to_go_in_the_clear(keys: Keys) -> None:
    """Such a setting is refused before there is any connection."""
    with pytest.raises(ConfigurationError, match="in the clear") as caught:
        MailChannel(settings(1, keys.ca, "none"))
    assert PASSWORD not in str(caught.value)


def test_a_login_that_cannot_be_sent_is_a_wrong_setting(keys: Keys) -> None:
    """A user without a password, or letters that no login carries: said at once, without the secret."""
    for wrong in ({"password": None}, {"username": None}, {"password": "Napačno-1"}):
        with pytest.raises(ConfigurationError, match=r"mail\.password") as caught:
            MailChannel(replace(settings(1, keys.ca), **wrong))
        assert "Napačno-1" not in str(caught.value)


def test_a_refused_login_is_named_without_the_password(keys: Keys) -> None:
    """The administrator knows which setting to look at, and the log holds no secret."""
    with MailServer(str(keys.server)) as server:
        wrong = replace(settings(server.port, keys.ca), password="Narobe-1")
        with pytest.raises(AlarmNotTold, match="refused the login") as caught:
            MailChannel(wrong).tell(trial(PROVIDER, NOW))
    assert "Narobe-1" not in caught.value.message + caught.value.remedy + repr(wrong)
    assert "mail.password" in caught.value.remedy


def test_what_the_server_says_is_told_without_the_password(keys: Keys) -> None:
    """A server that repeats what it was sent does not bring the secret into a log."""
    with MailServer(str(keys.server)) as server:
        server.refuses = f"451 not now, {PASSWORD}"
        with pytest.raises(AlarmNotTold, match="451 not now, ") as caught:
            MailChannel(settings(server.port, keys.ca)).tell(trial(PROVIDER, NOW))
    assert PASSWORD not in caught.value.message


def test_one_recipient_who_is_refused_does_not_keep_the_others_from_being_told(keys: Keys) -> None:
    """A clerk who has left does not silence the alarms; if nobody is left, that is a failure."""
    with MailServer(str(keys.server)) as server:
        server.refused_recipients = {"clerk@bank.example"}
        channel = MailChannel(settings(server.port, keys.ca))
        assert channel.tell(trial(PROVIDER, NOW)).endswith("for 1 of 2 recipients")
        server.refused_recipients = {"clerk@bank.example", "night@bank.example"}
        with pytest.raises(AlarmNotTold, match="every recipient"):
            channel.tell(trial(PROVIDER, NOW))


def test_a_dead_server_is_named(keys: Keys) -> None:
    """Host and port stand in the message, and what to check."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(AlarmNotTold, match=f"127.0.0.1, port {port}.*refuses connections"):
        MailChannel(settings(port, keys.ca)).tell(trial(PROVIDER, NOW))


@pytest.mark.parametrize("host", ["mail.invalid", "a..b", "x" * 70])
def test_a_host_that_is_none_is_named(keys: Keys, host: str) -> None:
    """A mistyped host is said to be one."""
    with pytest.raises(AlarmNotTold, match=f"mail server {host[:5]}"):
        MailChannel(replace(settings(587, keys.ca), host=host)).tell(trial(PROVIDER, NOW))


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_that_drips_does_not_hold_the_reports(keys: Keys, security: str) -> None:
    """One byte at a time satisfies every single wait; the whole call is bounded all the same."""
    begun = time.monotonic()
    with answering_slowly(0.1) as port:
        slow = replace(settings(port, keys.ca, security), timeout_seconds=0.3)
        with pytest.raises(AlarmNotTold):
            MailChannel(slow).tell(trial(PROVIDER, NOW))
    assert time.monotonic() - begun < 5


def test_addresses_that_are_none_are_named(keys: Keys) -> None:
    """A mistyped address is said to be one, and is no traceback at night."""
    wrong = replace(settings(1, keys.ca), sender="a\nb: c")
    with pytest.raises(ConfigurationError, match=r"mail\.sender"):
        MailChannel(wrong).tell(trial(PROVIDER, NOW))
