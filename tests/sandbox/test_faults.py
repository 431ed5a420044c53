"""The bad days: each fault happens as told, as often as told, and the store says what really arrived."""

from __future__ import annotations

import io
import json
import time
from typing import TYPE_CHECKING

import httpx
import paramiko
import pytest
from lxml import etree

from ajpes_reporting.sandbox import Sandbox
from tests.sandbox.conftest import answers, letter, tls
from tests.sandbox.letters import event, one
from tests.sandbox.test_sftp import INCOMING, NAME, connect, limit, upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

GOOD = one(event("1"), count=1, total=10000)


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    """A client that does not keep connections, so that each call is a new one."""
    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(verify=tls(sandbox), limits=limits, timeout=10, trust_env=False) as client:
        yield client


def call(sandbox: Sandbox, client: httpx.Client) -> httpx.Response:
    return client.post(sandbox.soap_url, content=letter(sandbox, GOOD))


def received(sandbox: Sandbox) -> int:
    return len(sandbox.store.submissions())


def test_refused_connections_bring_nothing(sandbox: Sandbox, client: httpx.Client) -> None:
    """A client must know that nothing arrived; and after so many times all is well again."""
    sandbox.faults.add("soap", "refuse", times=2)
    for _ in range(2):
        with pytest.raises(httpx.TransportError):
            call(sandbox, client)
    assert received(sandbox) == 0
    assert call(sandbox, client).status_code == 200
    assert [fault.kind for fault in sandbox.faults.played] == ["refuse", "refuse"]


def test_a_dropped_request_brings_nothing(sandbox: Sandbox, client: httpx.Client) -> None:
    """A client that cannot tell this from a dropped answer must not guess."""
    sandbox.faults.add("soap", "drop_request", times=1)
    with pytest.raises(httpx.TransportError):
        call(sandbox, client)
    assert received(sandbox) == 0


def test_a_dropped_answer_leaves_the_report_accepted(sandbox: Sandbox, client: httpx.Client) -> None:
    """A client that would send again: the authority holds the report."""
    sandbox.faults.add("soap", "drop_answer", times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        call(sandbox, client)
    assert [found.verdict for found in sandbox.store.submissions()] == ["accepted"]
    assert b"BlokOdgovor" in (sandbox.store.answer(1) or b"")


def test_a_slow_answer_comes_after_its_seconds(sandbox: Sandbox, client: httpx.Client) -> None:
    """A client with a limit of its own: what it gives up on has arrived all the same."""
    sandbox.faults.add("soap", "slow", seconds=1, times=1)
    with pytest.raises(httpx.ReadTimeout):
        client.post(sandbox.soap_url, content=letter(sandbox, GOOD), timeout=0.5)
    assert received(sandbox) == 1


@pytest.mark.parametrize("status", [200, 502])
def test_a_web_page_takes_the_place_of_the_answer(
    sandbox: Sandbox, client: httpx.Client, status: int
) -> None:
    """A client that takes any 200 for acceptance."""
    sandbox.faults.add("soap", "html", status=status)
    response = call(sandbox, client)
    assert (response.status_code, response.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert received(sandbox) == 0


@pytest.mark.parametrize("processed", [True, False])
def test_whether_the_report_was_taken_before_the_fault_can_be_told(
    sandbox: Sandbox, client: httpx.Client, processed: bool
) -> None:
    """A client that draws conclusions from a page of somebody in between."""
    sandbox.faults.add("soap", "html", status=504, processed=processed)
    assert call(sandbox, client).status_code == 504
    assert received(sandbox) == processed


@pytest.mark.parametrize("code", ["Client", "Server"])
def test_a_soap_fault_can_blame_either_side(sandbox: Sandbox, client: httpx.Client, code: str) -> None:
    """A client that reads who is to blame."""
    sandbox.faults.add("soap", "fault", code=code)
    response = call(sandbox, client)
    assert response.status_code == 500
    assert f"<faultcode>soap:{code}</faultcode>" in response.text


def test_an_empty_body_says_nothing(sandbox: Sandbox, client: httpx.Client) -> None:
    """A client that takes silence for consent."""
    sandbox.faults.add("soap", "empty")
    response = call(sandbox, client)
    assert (response.status_code, response.content) == (200, b"")
    assert received(sandbox) == 1


def test_half_an_answer_looks_whole_to_http(sandbox: Sandbox, client: httpx.Client) -> None:
    """A client that reads until it has enough."""
    sandbox.faults.add("soap", "truncated")
    response = call(sandbox, client)
    assert response.status_code == 200
    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(response.content)


def test_a_redirect_leads_round_in_circles(sandbox: Sandbox, client: httpx.Client) -> None:
    """A client that would deliver once per round."""
    sandbox.faults.add("soap", "redirect")
    response = call(sandbox, client)
    assert (response.status_code, response.headers["location"]) == (307, sandbox.soap_url)
    with pytest.raises(httpx.TooManyRedirects):
        client.post(sandbox.soap_url, content=letter(sandbox, GOOD), follow_redirects=True)
    assert received(sandbox) == 0


def test_an_answer_can_drip(sandbox: Sandbox, client: httpx.Client) -> None:
    """A client whose timeout begins anew with each byte."""
    sandbox.faults.add("soap", "drip", seconds=0.05)
    begun = time.monotonic()
    with client.stream("POST", sandbox.soap_url, content=letter(sandbox, GOOD)) as response:
        drops = response.iter_raw(chunk_size=1)
        assert b"".join(next(drops) for _ in range(10)) == b"<?xml vers"
    assert time.monotonic() - begun > 0.3


def test_stopping_does_not_wait_for_the_slow(sandbox: Sandbox, client: httpx.Client) -> None:
    """Whoever presses Ctrl-C."""
    sandbox.faults.add("soap", "slow", seconds=600)
    with pytest.raises(httpx.ReadTimeout):
        client.post(sandbox.soap_url, content=letter(sandbox, GOOD), timeout=0.5)
    begun = time.monotonic()
    sandbox.stop()
    assert time.monotonic() - begun < 5


def test_a_person_can_write_the_file(sandbox: Sandbox, client: httpx.Client) -> None:
    """Somebody at another terminal, mistakes included."""
    path = sandbox.directory / "faults.json"
    path.write_text("[{")
    assert call(sandbox, client).status_code == 200
    path.write_text(json.dumps([{"channel": "soap", "kind": "nonsense"}]))
    assert call(sandbox, client).status_code == 200
    path.write_text(json.dumps([{"channel": "soap", "kind": "html", "status": 503, "times": 1}]))
    assert [call(sandbox, client).status_code for _ in range(2)] == [503, 200]
    assert json.loads(path.read_text()) == []


def test_faults_can_be_taken_back(sandbox: Sandbox, client: httpx.Client) -> None:
    """Whoever has seen enough; and a fault that does not exist is not silently ignored."""
    sandbox.faults.add("soap", "html")
    sandbox.faults.clear()
    assert call(sandbox, client).status_code == 200
    with pytest.raises(ValueError, match="no fault 'nonsense' for 'soap'"):
        sandbox.faults.add("soap", "nonsense")


def test_sftp_refuses(sandbox: Sandbox) -> None:
    """A client must know that nothing arrived."""
    sandbox.faults.add("sftp", "refuse", times=1)
    with pytest.raises((paramiko.SSHException, EOFError, OSError)):
        connect(sandbox)
    connect(sandbox).close()


def test_an_upload_is_cut_after_so_many_bytes(sandbox: Sandbox) -> None:
    """A client that uploads under the final name: half of it would be validated."""
    sandbox.faults.add("sftp", "cut", bytes=100, times=1)
    with connect(sandbox) as client, pytest.raises((OSError, EOFError, paramiko.SSHException)):
        upload(client.open_sftp(), GOOD, f"{INCOMING}/{NAME}.part")
    assert (sandbox.folder / INCOMING / f"{NAME}.part").read_text() == GOOD[:100]
    sandbox.process_now()
    assert received(sandbox) == 0


def test_half_a_file_under_the_final_name_is_taken_and_refused(sandbox: Sandbox) -> None:
    """The same client, shown what it did: once the connection is gone, nobody is writing any more."""
    sandbox.faults.add("sftp", "cut", bytes=100, times=1)
    with connect(sandbox) as client, pytest.raises((OSError, EOFError, paramiko.SSHException)):
        upload(client.open_sftp(), GOOD, f"{INCOMING}/{NAME}")
    end = time.monotonic() + 10
    while received(sandbox) == 0 and time.monotonic() < end:
        sandbox.process_now()
    assert [found.verdict for found in sandbox.store.submissions()] == ["refused"]


def test_sftp_falls_silent(sandbox: Sandbox) -> None:
    """A client without timeouts on its channel would wait for ever."""
    sandbox.faults.add("sftp", "silent", times=1)
    with connect(sandbox) as client:
        session = client.open_sftp()
        limit(session, seconds=0.5)
        assert session.listdir(INCOMING) == []
        with pytest.raises(TimeoutError):
            session.open(f"{INCOMING}/{NAME}.part", "w")


def test_the_login_falls_silent(sandbox: Sandbox) -> None:
    """A client without a timeout on its login."""
    sandbox.faults.add("sftp", "silent_login", times=1)
    with pytest.raises(paramiko.AuthenticationException):
        connect(sandbox, key_filename=str(sandbox.keys.sftp_key), auth_timeout=0.5)


def test_an_answer_comes_late(sandbox: Sandbox) -> None:
    """A client that collects too early must come again."""
    sandbox.faults.add("sftp", "delay", seconds=0.5, times=1)
    (sandbox.folder / INCOMING / NAME).write_text(GOOD)
    sandbox.process_now()
    assert received(sandbox) == 1
    assert answers(sandbox, "nodurs") == set()
    time.sleep(0.6)
    sandbox.process_now()
    assert len(answers(sandbox, "nodurs")) == 1


def test_an_answer_never_comes(sandbox: Sandbox) -> None:
    """A client that waits for it must be told by a person; the auditor knows what it would have been."""
    sandbox.faults.add("sftp", "no_answer", times=1)
    (sandbox.folder / INCOMING / NAME).write_text(GOOD)
    sandbox.process_now()
    sandbox.process_now()
    assert answers(sandbox, "nodurs") == set()
    assert sandbox.store.submissions()[0].answered_at is None
    assert b'iErr="0"' in (sandbox.store.answer(1) or b"")


@pytest.mark.parametrize("shown", [False, True])
def test_an_upload_is_swept_away_before_it_has_its_name(sandbox: Sandbox, shown: bool) -> None:
    """A client that takes a file which is gone for one that never arrived."""
    sandbox.faults.add("sftp", "sweep", shown=shown, times=1)
    with connect(sandbox) as client, client.open_sftp() as session:
        session.putfo(io.BytesIO(GOOD.encode()), f"{INCOMING}/{NAME}.12ab.part", confirm=False)
        sandbox.process_now()
        assert session.listdir(INCOMING) == []
        assert session.listdir("nodurs/accepted") == ([NAME] if shown else [])
    assert [found.verdict for found in sandbox.store.submissions()] == ["accepted"]
    assert len(answers(sandbox, "nodurs")) == 1


def test_an_upload_is_swept_away_as_soon_as_it_has_its_name(sandbox: Sandbox) -> None:
    """A client that looks for the name it has just given."""
    sandbox.faults.add("sftp", "sweep_renamed", times=1)
    with connect(sandbox) as client, client.open_sftp() as session:
        upload(session, GOOD, f"{INCOMING}/{NAME}.part")
        session.rename(f"{INCOMING}/{NAME}.part", f"{INCOMING}/{NAME}")
        with pytest.raises(FileNotFoundError):
            session.stat(f"{INCOMING}/{NAME}")
    sandbox.process_now()
    assert received(sandbox) == 1


def test_a_file_is_copied_and_left_where_it_was(sandbox: Sandbox) -> None:
    """A client that thinks that what still lies there was not taken; the authority takes it once."""
    sandbox.faults.add("sftp", "copy", times=1)
    (sandbox.folder / INCOMING / NAME).write_text(GOOD)
    sandbox.process_now()
    sandbox.process_now()
    assert (sandbox.folder / INCOMING / NAME).read_text() == GOOD
    assert (sandbox.folder / "nodurs/accepted" / NAME).read_text() == GOOD
    assert received(sandbox) == 1


def test_a_rename_is_a_lie(sandbox: Sandbox) -> None:
    """A client that believes what it is told and never looks."""
    sandbox.faults.add("sftp", "lying_rename", times=1)
    with connect(sandbox) as client, client.open_sftp() as session:
        upload(session, GOOD, f"{INCOMING}/{NAME}.part")
        session.rename(f"{INCOMING}/{NAME}.part", f"{INCOMING}/{NAME}")
        assert session.listdir(INCOMING) == [f"{NAME}.part"]


def test_a_session_tells_no_sizes(sandbox: Sandbox) -> None:
    """A client that compares with what it is not told."""
    (sandbox.folder / INCOMING / "a.txt").write_text("something")
    sandbox.faults.add("sftp", "bare_stat", times=1)
    with connect(sandbox) as client, client.open_sftp() as session:
        found = session.stat(f"{INCOMING}/a.txt")
        assert (found.st_size, found.st_mtime is None) == (None, False)
    with connect(sandbox) as client, client.open_sftp() as session:
        assert session.stat(f"{INCOMING}/a.txt").st_size == len("something")


def test_a_listing_has_names_alone(sandbox: Sandbox) -> None:
    """A client that passes over what it cannot tell to be a file."""
    (sandbox.folder / INCOMING / "a.txt").write_text("something")
    sandbox.faults.add("sftp", "bare_listing", times=1)
    with connect(sandbox) as client, client.open_sftp() as session:
        (found,) = session.listdir_attr(INCOMING)
        assert (found.filename, found.st_size, found.st_mode, found.st_mtime) == ("a.txt", None, None, None)


@pytest.mark.parametrize(
    ("place", "names"),
    [
        ("before", ["Drugo_0001.xml", "Odgovor_20261117_170501_0001.xml"]),
        ("after", ["Odgovor_20261117_170501_0001.xml", "Pozno_0001.xml"]),
        ("instead", ["Drugo_0001.xml"]),
    ],
)
def test_another_answer_is_put_out(sandbox: Sandbox, place: str, names: list[str]) -> None:
    """A client that is stopped by what it cannot read."""
    (sandbox.directory / "other.xml").write_bytes(b"\xff<")
    sandbox.faults.add("sftp", "other_answer", path="other.xml", place=place, times=1)
    (sandbox.folder / INCOMING / NAME).write_text(GOOD)
    sandbox.process_now()
    found = sorted(answers(sandbox, "nodurs"))
    assert [path.name for path in found] == names
    assert b"\xff<" in [path.read_bytes() for path in found]
    assert b'iErr="0"' in (sandbox.store.answer(1) or b"")


def test_a_call_has_another_result(sandbox: Sandbox, client: httpx.Client) -> None:
    """A client that thinks that whatever comes in the right envelope can be read."""
    (sandbox.directory / "other.xml").write_bytes(b"<BlokOdgovor a:b='1'/>")
    sandbox.faults.add("soap", "other_answer", path="other.xml", times=1)
    reply = call(sandbox, client)
    assert b"<BlokPodOddajResult><BlokOdgovor a:b='1'/></BlokPodOddajResult>" in reply.content
    assert received(sandbox) == 1


@pytest.mark.parametrize(
    ("style", "part"),
    [
        ("json", b'"success": true'),
        ("cdata", b"<![CDATA[<BlokOdgovor>"),
        ("text mime", b"&lt;Blok"),
        ("loose", b'verzija="2"'),
    ],
)
def test_a_reply_can_be_in_another_style_for_once(
    sandbox: Sandbox, client: httpx.Client, style: str, part: bytes
) -> None:
    """A client on the day on which the service has been renewed: the report is taken as on any other."""
    sandbox.faults.add("soap", "style", style=style, times=1)
    response = call(sandbox, client)
    assert part in response.content
    assert response.headers["content-type"].startswith("multipart" if "mime" in style else "text/xml")
    assert b"<BlokOdgovor xmlns=" in call(sandbox, client).content
    assert [found.verdict for found in sandbox.store.submissions()] == ["accepted"] * 2
    with pytest.raises(ValueError, match="nonsense"):
        sandbox.faults.add("soap", "style", style="nonsense")


def test_a_service_error_for_once_takes_nothing(sandbox: Sandbox, client: httpx.Client) -> None:
    """A bank that reports out of hours: it may send the same report again later."""
    sandbox.faults.add("soap", "style", style="service-error", times=1)
    assert b"idNapake=" in call(sandbox, client).content
    assert sandbox.store.submissions() == []


def test_a_reply_can_contradict_itself(sandbox: Sandbox, client: httpx.Client) -> None:
    """A client that must not choose the verdict it likes better."""
    sandbox.faults.add("soap", "contradiction", times=1)
    answers = list(etree.fromstring(call(sandbox, client).content).iter("BlokOdgovor"))
    assert [answer.find("Ident").get("iErr") for answer in answers] == ["0", "1"]  # type: ignore[union-attr]


def test_a_reply_in_mime_can_break_off(sandbox: Sandbox, client: httpx.Client) -> None:
    """A client that looks for the end of the part."""
    sandbox.faults.add("soap", "broken_mime", times=1)
    response = call(sandbox, client)
    assert response.headers["content-type"].startswith("multipart/related")
    assert b"</soap:Envelope>" not in response.content
    assert [found.verdict for found in sandbox.store.submissions()] == ["accepted"]


RIGHTS = [
    ("no_rename", lambda session: session.rename("nodurs/v_ajpes/x.part", "nodurs/v_ajpes/x")),
    ("no_rename", lambda session: session.posix_rename("nodurs/v_ajpes/x.part", "nodurs/v_ajpes/x")),
    ("no_remove", lambda session: session.remove("nodurs/v_ajpes/x.part")),
    ("no_list", lambda session: session.listdir("nodurs/v_ajpes")),
    ("no_stat", lambda session: session.stat("nodurs/v_ajpes/x.part")),
]


@pytest.mark.parametrize(("kind", "try_it"), RIGHTS)
def test_a_right_can_be_missing(
    sandbox: Sandbox, kind: str, try_it: Callable[[paramiko.SFTPClient], object]
) -> None:
    """A bank whose account at the exchange server may not do everything."""
    with connect(sandbox) as client, client.open_sftp() as session:
        upload(session, "x", "nodurs/v_ajpes/x.part")
        sandbox.faults.add("sftp", kind)
        with pytest.raises(PermissionError):
            try_it(session)
        session.listdir("nodurs/iz_ajpes")
        sandbox.faults.clear()
        assert session.listdir("nodurs/v_ajpes") == ["x.part"]


def test_a_missing_file_can_be_a_plain_failure(sandbox: Sandbox) -> None:
    """Servers that know no other status code."""
    sandbox.faults.add("sftp", "vague_status")
    with connect(sandbox) as client, client.open_sftp() as session:
        with pytest.raises(OSError, match="failure") as caught:
            session.stat("nodurs/v_ajpes/x.xml")
        assert not isinstance(caught.value, FileNotFoundError)


def test_a_habit_of_a_style_holds_all_the_time(tmp_path: Path) -> None:
    """Whoever rehearses with an exchange server that has one; the day's own faults come before it."""
    with Sandbox(tmp_path / "ajpes", style=["no-list"], poll_seconds=None) as sandbox:
        with connect(sandbox) as client, client.open_sftp() as session:
            for _ in range(2):
                with pytest.raises(PermissionError):
                    session.listdir("nodurs/v_ajpes")
        assert sandbox.faults.played == []
