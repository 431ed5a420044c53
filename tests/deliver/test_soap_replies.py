"""What becomes of a report whose reply is written as services write them, over HTTPS as it really comes."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lxml import etree

from ajpes_reporting.domain.outcomes import Delivered, Outcome, Refused, Unknown, Unreachable, told
from ajpes_reporting.domain.ports import Parcel
from tests import replies
from tests.deliver.conftest import PASSWORD, Keys, MakeParcel, carrier_for, context_for
from tests.servers.https import HttpsServer, answering, http

Send = Callable[..., Outcome]


@pytest.fixture(scope="module")
def server(keys: Keys) -> Iterator[HttpsServer]:
    """One server, which answers as each test wants."""
    with HttpsServer(str(keys.server), str(keys.ca), lambda _visit: None) as server:
        yield server


@pytest.fixture
def send(server: HttpsServer, keys: Keys, tmp_path: Path, make_parcel: MakeParcel) -> Send:
    """Sends a report to the server, which replies so."""

    def send(reply: replies.Reply, parcel: Parcel | None = None, **headers: str) -> Outcome:
        server.behaviour = answering(http(reply.body, reply.status, reply.content_type, **headers))
        context = context_for(keys.client, keys.ca)
        return carrier_for(server.port, context, tmp_path / "replies").deliver(parcel or make_parcel())

    return send


def rows_of(outcome: Outcome) -> list[str]:
    """The errors that the head declares, and the severities of the rows."""
    assert isinstance(outcome, Delivered)
    assert outcome.answer is not None
    head, *rows = etree.parse(outcome.answer).getroot()
    return [head.get("iErr", ""), *(row.get("vrsta", "") for row in rows)]


@pytest.mark.parametrize("style", replies.ACCEPTED)
def test_an_acceptance_counts_however_it_is_written(send: Send, style: str) -> None:
    """What AJPES has taken is not reported a second time."""
    assert rows_of(send(replies.ACCEPTED[style])) == ["0"]


@pytest.mark.parametrize("style", replies.WARNED)
def test_a_warning_does_not_refuse(send: Send, style: str) -> None:
    """The clerk sees it; the report stands."""
    assert rows_of(send(replies.WARNED[style])) == ["0", "WRN"]


@pytest.mark.parametrize("style", replies.REFUSED)
def test_one_error_refuses_however_it_is_written(send: Send, style: str) -> None:
    """What AJPES has not taken is corrected and sent again the same day."""
    outcome = send(replies.REFUSED[style])
    if not isinstance(outcome, Refused):
        declared, *rows = rows_of(outcome)
        assert int(declared) > 0 or "ERR" in rows


@pytest.mark.parametrize("style", replies.SERVICE_ERRORS)
def test_a_service_error_refuses_the_whole_with_its_reason(send: Send, style: str) -> None:
    """Whoever mends the settings reads what AJPES says is wrong with them."""
    outcome = send(replies.SERVICE_ERRORS[style])
    assert isinstance(outcome, Refused)
    assert outcome.reason == "12: Ni pravic."
    assert outcome.evidence is not None
    assert outcome.evidence.read_bytes() == replies.SERVICE_ERRORS[style].body


@pytest.mark.parametrize("style", replies.FAULTS_OF_OURS)
def test_a_fault_that_blames_the_message_refuses_it(send: Send, style: str) -> None:
    """It was turned away before anything was done with it, and the reason is told with its detail."""
    reply, reason = replies.FAULTS_OF_OURS[style]
    outcome = send(reply)
    assert isinstance(outcome, Refused)
    assert outcome.reason == reason


@pytest.mark.parametrize("style", replies.UNKNOWN)
def test_without_a_verdict_the_outcome_is_unknown(send: Send, style: str) -> None:
    """A report that may have been taken is not sent again, and what came back can be seen."""
    reply, words = replies.UNKNOWN[style]
    outcome = send(reply)
    assert isinstance(outcome, Unknown)
    assert words in outcome.reason
    assert outcome.evidence is not None
    assert outcome.evidence.read_bytes() == reply.body


def test_a_deviation_stands_in_what_is_put_on_record(send: Send) -> None:
    """An auditor sees that the program had to unwrap what came, and the raw reply beside it."""
    accepted = send(replies.WRAPPINGS["MIME with a typed result"](replies.YES))
    assert told(accepted) == "the reply came in MIME; the answer in it is a typed result"
    refused = send(replies.SERVICE_ERRORS["in MIME"])
    assert told(refused) == "12: Ni pravic. (the reply came in MIME)"


@pytest.mark.parametrize("style", ["in the detail", "in a service error", "in a word", "in JSON"])
def test_our_password_is_masked_wherever_it_comes_back(send: Send, style: str) -> None:
    """A service that tells what it was sent does not write our password into the record."""
    reply = {
        "in the detail": replies.xml(replies.fault("soap:Client", "x", f"<detail>{PASSWORD}</detail>")),
        "in a service error": replies.xml(
            replies.call(replies.SERVICE_ERROR.replace("Ni pravic", f"Geslo {PASSWORD}"))
        ),
        "in a word": replies.xml(replies.call(f"Geslo {PASSWORD}")),
        "in JSON": replies.as_json({"success": False, "message": f"Geslo {PASSWORD}"}),
    }[style]
    outcome = send(reply)
    assert PASSWORD not in told(outcome)
    assert "***" in told(outcome)


def test_a_packed_reply_is_unpacked_though_nobody_asked_for_it(send: Send) -> None:
    """Some proxies pack whatever passes."""
    reply = replies.WRAPPINGS["typed result"](replies.NO)
    packed = replies.Reply(gzip.compress(reply.body))
    assert rows_of(send(packed, Content_Encoding="gzip")) == ["1", "ERR"]


def test_a_reply_that_is_not_packed_as_it_says_is_unknown(send: Send) -> None:
    """It is told what is wrong with it, and not that the line broke."""
    outcome = send(replies.WRAPPINGS["typed result"](replies.YES), Content_Encoding="gzip")
    assert isinstance(outcome, Unknown)
    assert "not packed as its Content-Encoding says" in outcome.reason


def test_a_fault_below_a_status_that_turns_the_message_away_changes_nothing(send: Send) -> None:
    """It is the server's own way to say the same, and the other way is open."""
    reply = replies.xml(replies.fault("soap:Client", "Ni dovoljeno."))
    outcome = send(replies.Reply(reply.body, status="403 Forbidden"))
    assert isinstance(outcome, Unreachable)


# --- Results as a library by strangers writes them ---


@pytest.fixture(scope="module")
def stranger(keys: Keys) -> Iterator[int]:
    """The port of a service made with spyne."""
    if sys.version_info >= (3, 12):
        pytest.skip("spyne runs on Python 3.11 only")
    script = Path(__file__).parents[1] / "servers" / "spyne_replies.py"
    command = [sys.executable, str(script), str(keys.server), str(keys.ca)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


@pytest.fixture
def ask(stranger: int, keys: Keys, tmp_path: Path, parcel: Parcel) -> Callable[[str], Outcome]:
    """Sends a report to that service, at the address for one kind of result."""

    def ask(path: str) -> Outcome:
        url = f"https://localhost:{stranger}{path}"
        context = context_for(keys.client, keys.ca)
        carrier = carrier_for(stranger, context, tmp_path, url=url, operation_timeout_seconds=20)
        return carrier.deliver(parcel)

    return ask


@pytest.mark.parametrize("path", ["/typed", "/typed12", "/elements", "/text", "/json", "/base64"])
def test_a_result_that_a_library_of_another_make_has_typed_is_read(
    ask: Callable[[str], Outcome], path: str
) -> None:
    """What a serialiser makes of types is not what we imagine, and is read all the same."""
    assert rows_of(ask(path)) == ["1", "ERR"]
    assert rows_of(ask(f"{path}?yes")) == ["0"]


def test_errors_of_a_library_of_another_make_are_told_apart(ask: Callable[[str], Outcome]) -> None:
    """A refusal is one, a breakdown is none, and no error is no verdict."""
    refused, fault, broken, nothing = map(ask, ("/error", "/refused", "/broken", "/error?yes"))
    assert isinstance(refused, Refused)
    assert refused.reason == "12: Ni pravic."
    assert isinstance(fault, Refused)
    assert fault.reason == "Ni pravic. (12)"
    assert isinstance(broken, Unknown)
    assert isinstance(nothing, Unknown)
    assert "neither yes nor no" in nothing.reason
