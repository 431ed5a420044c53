"""A third way of delivery, which no other file of the program names: one file, one line, one section.

It is REST, see `rest_way.py`, against an HTTPS server that asks for our certificate. The bank has the bundled
authority as well, for the two ways that AJPES has.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest
from lxml import etree

from ajpes_reporting import wiring
from ajpes_reporting.alarms.watch import standing
from ajpes_reporting.cli.main import run as command_line
from ajpes_reporting.cli.session import Session
from ajpes_reporting.config import AlarmsSection, open_workspace, read_settings
from ajpes_reporting.deliver import registry
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.domain.states import State
from ajpes_reporting.journal import answers, submissions
from ajpes_reporting.pipeline.run import Ending
from ajpes_reporting.schedule.provider_schedule import ProviderSchedule
from ajpes_reporting.schedule.retries import Retries
from ajpes_reporting.schedule.tick import do, tick
from ajpes_reporting.wiring import open_context
from ajpes_reporting.workspace import make_workspace
from tests.deliver.conftest import Keys, MakeServer
from tests.deliver.rest_way import RestWay
from tests.pipeline.conftest import Bank, authority, bank, clock, event
from tests.servers.rest_authority import RestAuthority

__all__ = ["authority", "bank", "clock"]

PROVIDER = '[provider]\nregistration_number = "5860571000"\nname = "Banka Vzorec d.d."\n'
Call = Callable[..., tuple[int, str]]


@pytest.fixture
def database_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """Which database it is makes no difference here."""
    return f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'ajpes.db')}"


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one line: REST is the first choice from now on."""
    monkeypatch.setattr(registry, "WAYS", (RestWay, *registry.WAYS))


def verdict(report: bytes, errors: int = 0) -> bytes:
    """A BlokOdgovor to this report, with so many errors."""
    day = etree.fromstring(report)[0].get("datumPodatkov")
    wrong = '<Napaka blokId="O-1" dogId="1" id="12" vrsta="ERR"><Opis>Manjka.</Opis></Napaka>' * errors
    return (
        f'<BlokOdgovor><Ident iErr="{errors}" iWrn="0" maticnaPonudnika="5860571000" datumPodatkov="{day}"'
        f' datumPriprave="{day}T17:01:00"/>{wrong}</BlokOdgovor>'
    ).encode()


@pytest.fixture
def rest(
    registered: None, bank: Bank, make_server: MakeServer, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> RestAuthority:
    """An authority that takes reports by REST, and a bank whose settings have a section for it."""
    made = RestAuthority(verdict)
    server = make_server(made)
    monkeypatch.setenv("REST_TOKEN", "zeton-5b2e")
    section = (
        f'\n[rest]\nurl = "https://localhost:{server.port}/api"\ntoken = "env:REST_TOKEN"\n'
        f'client_certificate = "{keys.client}"\nserver_ca = "{keys.ca}"\n'
    )
    settings = bank.folder / "ajpes.toml"
    settings.write_text(settings.read_text("utf-8") + section, "utf-8")
    reopen(bank)
    bank.record(event("O-1", 1))
    return made


def reopen(bank: Bank) -> None:
    bank.context.engine.dispose()
    bank.context = replace(open_context(open_workspace(bank.folder), bank.time), answer_wait_seconds=0)


def change(bank: Bank, pattern: str, text: str) -> None:
    """Another line in the settings."""
    settings = bank.folder / "ajpes.toml"
    settings.write_text(re.sub(pattern, text, settings.read_text("utf-8"), count=1), "utf-8")
    reopen(bank)


def close(bank: Bank) -> None:
    """Nobody listens there any more."""
    change(bank, r"https://localhost:\d+/api", "https://localhost:1/api")


@pytest.fixture
def call(bank: Bank, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls a command at this bank, at its time: its exit code, and what it prints, in one line."""
    monkeypatch.setattr(Session, "context", lambda _session: bank.context)
    monkeypatch.setattr(wiring, "open_context", lambda _workspace: bank.context)

    def run(*command: str) -> tuple[int, str]:
        capsys.readouterr()
        code = command_line(["-w", str(bank.folder), *command])
        printed = capsys.readouterr()
        return code, " ".join((printed.out + printed.err).split())

    return run


def attempts(bank: Bank, key: int = 1) -> list[tuple[str, str | None]]:
    with bank.context.engine.connect() as connection:
        return [(row.via, row.outcome) for row in submissions.attempts_of(connection, key)]


def state(bank: Bank, key: int = 1) -> State:
    with bank.context.engine.connect() as connection:
        return submissions.get(connection, key).state


def alarms(bank: Bank) -> list[str]:
    with bank.context.engine.connect() as connection:
        found = standing(connection, bank.context.provider, AlarmsSection(), bank.time())
    return [item.alarm.text + " " + item.alarm.remedy for item in found]


# --- What becomes of a report ---


def test_a_report_goes_by_it_and_is_accepted(rest: RestAuthority, bank: Bank, call: Call) -> None:
    """The clerk calls the same command, and reads the same words."""
    code, said = call("run", "nodurs", "--date", "2026-11-17")
    assert (code, "was accepted" in said, "by REST" in said) == (0, True, True)
    ((name, report),) = rest.reports
    assert name == "NODURS_20261117_5860571.xml"
    with bank.context.engine.connect() as connection:
        sent = submissions.get(connection, 1)
        (answer,) = answers.of_submission(connection, 1)
    assert report == b"".join(bank.context.archive.blocks(sent.archive_path))
    assert (sent.state, answer.via, answer.status) == (State.ACCEPTED, "rest", "applied")
    assert set(rest.tokens) == {"Bearer zeton-5b2e"}
    _code, shown = call("show", "1")
    assert "by REST: delivered" in shown
    assert "accepted" in call("status")[1]
    assert bank.problems() == ()


def test_it_can_be_asked_for_and_be_left_out(rest: RestAuthority, bank: Bank, call: Call) -> None:
    """`--via` takes the name of any way there is, and says which there are."""
    assert call("run", "nodurs", "--date", "2026-11-17", "--via", "soap")[0] == 0
    assert rest.reports == []
    bank.time.pass_by(days=1)
    bank.record(event("O-2", 1, recorded="2026-11-18T08:00:00"))
    assert call("run", "nodurs", "--date", "2026-11-18", "--via", "rest")[0] == 0
    assert attempts(bank, 2) == [("rest", "delivered")]
    code, said = call("run", "nodurs", "--via", "post")
    assert (code, "'rest', 'soap', 'sftp'" in said) == (2, True)
    assert "[rest|soap|sftp]" in call("run", "nodurs", "--help")[1]


def test_it_carries_no_report_that_it_does_not_name(rest: RestAuthority, bank: Bank, call: Call) -> None:
    """SPAPP has no business there: neither by itself nor when it is asked for."""
    code, said = call("run", "spapp", "--month", "202610", "--via", "rest")
    assert (code, "'rest' is not 'sftp'" in said) == (2, True)
    assert [way.name for way in open_workspace(bank.folder).settings.ways("spapp")] == ["sftp"]


def test_a_refused_report_is_corrected_and_sent_again(rest: RestAuthority, bank: Bank, call: Call) -> None:
    """The answer is read as any other, and `resubmit` goes the same way."""
    rest.judge = lambda report: verdict(report, errors=1)
    code, said = call("run", "nodurs", "--date", "2026-11-17")
    assert (code, "was refused by AJPES" in said) == (4, True)
    rest.judge, name = verdict, rest.reports.pop()
    bank.cancel("O-1", "1", {"amount_cents": "12000"})
    assert call("resubmit", "1", "--via", "rest")[0] == 0
    assert (attempts(bank, 2), state(bank, 2)) == ([("rest", "delivered")], State.ACCEPTED)
    assert rest.reports[-1] != name


def test_a_message_that_is_turned_away_names_the_section(rest: RestAuthority, bank: Bank, call: Call) -> None:
    """It is not the ledger that has to be mended; nor does a refused report go by another way."""
    rest.mood = "422 No such provider"
    code, said = call("run", "nodurs", "--date", "2026-11-17")
    assert (code, "put right what the reason names in [rest]" in said) == (4, True)
    assert attempts(bank) == [("rest", "refused")]
    assert any("correct [rest]" in text for text in alarms(bank))


@pytest.mark.parametrize("mood", ["401 Unauthorized", "413 Too Large", "closed"])
def test_where_it_is_provably_closed_the_next_way_is_taken(
    rest: RestAuthority, bank: Bank, call: Call, mood: str
) -> None:
    """An outage does not make the report late, and is not passed over in silence."""
    rest.mood = mood
    if mood == "closed":
        close(bank)
    assert call("run", "nodurs", "--date", "2026-11-17")[0] == 0
    assert attempts(bank) == [("rest", "unreachable"), ("soap", "delivered")]
    assert (state(bank), rest.reports) == (State.ACCEPTED, [])
    assert any("had to go by SOAP; REST is closed" in text for text in alarms(bank))


def test_with_all_ways_closed_each_is_told(rest: RestAuthority, bank: Bank, call: Call) -> None:
    """Three ways are tried, in their order, and three things are to be mended."""
    close(bank)
    bank.authority.faults.add("soap", "refuse", times=1)
    bank.authority.faults.add("sftp", "refuse", times=1)
    code, said = call("run", "nodurs", "--date", "2026-11-17")
    assert code == 5
    assert all(f"by {name}: unreachable" in said for name in ("REST", "SOAP", "SFTP"))


def test_nothing_that_may_have_arrived_goes_again(rest: RestAuthority, bank: Bank, call: Call) -> None:
    """Neither by this way nor by another: nobody answered, and nobody knows."""
    rest.mood = "deaf"
    code, said = call("run", "nodurs", "--date", "2026-11-17")
    assert (code, "resolve 1" in said) == (6, True)
    assert call("run", "nodurs", "--date", "2026-11-17")[0] == 6
    assert attempts(bank) == [("rest", "unknown")]
    assert bank.authority.store.submissions() == []


def test_what_its_box_tells_settles_what_was_unknown(rest: RestAuthority, bank: Bank, call: Call) -> None:
    """The report lies there, and its answer has come meanwhile: no person has to ask."""
    rest.mood = "silent"
    assert call("run", "nodurs", "--date", "2026-11-17")[0] == 6
    rest.answers["odgovor.xml"] = verdict(rest.reports[0][1])
    assert call("run", "nodurs", "--date", "2026-11-17")[0] == 0
    assert (state(bank), attempts(bank)) == (State.ACCEPTED, [("rest", "unknown")])
    assert len(rest.reports) == 1


def test_an_answer_that_comes_later_is_collected_from_every_box(
    rest: RestAuthority, bank: Bank, call: Call
) -> None:
    """That of REST, and that of SFTP; one that is closed does not hide the other."""
    rest.judge = lambda _report: None
    code, said = call("run", "nodurs", "--date", "2026-11-17")
    assert (code, "awaits its answer" in said) == (0, True)
    rest.answers["odgovor.xml"] = verdict(rest.reports[0][1])
    bank.authority.faults.add("sftp", "refuse", times=1)
    assert call("collect")[0] == 5
    with bank.context.engine.connect() as connection:
        (answer,) = answers.of_submission(connection, 1)
    assert (state(bank), answer.via, answer.remote_name) == (State.ACCEPTED, "rest", "nodurs/odgovor.xml")
    assert call("collect") == (0, "No new answers.")


def test_what_lies_in_its_box_and_is_not_ours_holds_the_report(
    rest: RestAuthority, bank: Bank, call: Call
) -> None:
    """The journal may have been put back. Let go by a person it meets HTTP 409, and goes by no other way."""
    rest.reports.append(("NODURS_20261117_5860571.xml", b"<Nodurs/>"))
    code, said = call("run", "nodurs", "--date", "2026-11-17")
    assert (code, "release 2" in said, rest.reports[1:]) == (3, True, [])
    assert call("release", "2", "--reason", "it was a trial")[0] == 0
    assert call("run", "nodurs", "--date", "2026-11-17")[0] == 4
    assert attempts(bank, 2) == [("rest", "refused")]


def test_the_very_bytes_again_count_as_delivered(rest: RestAuthority, bank: Bank, call: Call) -> None:
    """HTTP 409 for a report that had arrived after all, though a person was told that it never did."""
    rest.mood = "silent"
    call("run", "nodurs", "--date", "2026-11-17")
    held = rest.reports.pop()
    assert call("resolve", "1", "--as", "never-arrived", "--reason", "they said so")[0] == 0
    rest.mood = "judge"
    rest.reports.append(held)
    assert call("resubmit", "1", "--same")[0] == 0
    assert attempts(bank) == [("rest", "unknown"), ("rest", "delivered")]
    assert state(bank) is State.DELIVERED


def test_the_schedule_takes_it_too(rest: RestAuthority, bank: Bank) -> None:
    """Nobody has to be there."""
    duty = ProviderSchedule(bank.context, {"NODURS": time(16)}, Retries(), timedelta(minutes=5))
    endings = [result.ending for _duty, result in tick([duty], do)]  # type: ignore[union-attr]
    assert endings == [Ending.ATTEMPTED]
    assert attempts(bank) == [("rest", "delivered")]


# --- What its section says ---


def test_the_order_is_a_setting(rest: RestAuthority, bank: Bank) -> None:
    """Until AJPES says that it is the first choice, it is the last one."""
    change(bank, r"\[delivery\]\n|\Z", '\n[delivery]\norder = ["soap", "sftp"]\n')
    bank.run()
    assert attempts(bank) == [("soap", "delivered")]
    assert [way.name for way in open_workspace(bank.folder).settings.ways()] == ["soap", "sftp", "rest"]


def test_the_doctor_looks_at_it(rest: RestAuthority, bank: Bank, call: Call) -> None:
    """Whether it is open, and how long what it needs will hold."""
    change(bank, r"\[rest\]\n", f"[rest]\ntoken_expires = {datetime.now(LJUBLJANA).date()}\n")
    _code, said = call("doctor")
    assert "/api answers (HTTP 200)" in said
    assert "certificate for REST" in said
    assert "certificate for SOAP" in said
    assert "rest.token" in said
    assert rest.reports == []
    rest.allows = "GET"
    code, said = call("doctor")
    assert (code, "REST nodurs failed reports may not be put there" in said) == (5, True)
    close(bank)
    assert "https://localhost:1/api was not reached: the server refuses connections" in call("doctor")[1]


@pytest.mark.usefixtures("registered")
def test_where_it_is_not_set_up_that_is_said(bank: Bank, call: Call) -> None:
    """A bank that has only the other two is not bothered with it."""
    said = call("doctor")[1]
    assert "REST not set up no [rest] in the settings; NODURS goes by SOAP or SFTP" in said
    code, said = call("run", "nodurs", "--date", "2026-11-17", "--via", "rest")
    assert (code, "has no [rest]" in said) == (2, True)


@pytest.mark.usefixtures("registered")
def test_its_settings_are_checked_as_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slip of the keyboard shows, a secret in clear is refused, a variable overrides."""
    for line, said in (("", "rest.url is missing"), ("url='x'\nurll='x'", "rest.urll is not a setting"),
                       ("url='x'\ntoken='zeton'", "rest.token: a secret is given by reference")):  # fmt: skip
        with pytest.raises(ConfigurationError) as refused:
            read_settings(f"{PROVIDER}[rest]\n{line}\n")
        assert said in refused.value.message + refused.value.remedy
    monkeypatch.setenv("AJPES_REPORTING_REST__URL", "https://other/api")
    way = read_settings(f"{PROVIDER}[rest]\nurl = 'https://one/api'\n").way(RestWay)
    assert way is not None
    assert way.url == "https://other/api"


def test_a_way_that_is_not_registered_is_no_section() -> None:
    """What the program cannot do is not quietly taken from the settings."""
    with pytest.raises(ConfigurationError) as refused:
        read_settings(f"{PROVIDER}[rest]\nurl = 'x'\n")
    assert "rest is not a setting" in str(refused.value)


@pytest.mark.usefixtures("registered")
def test_a_new_workspace_shows_how_it_is_set_up(tmp_path: Path) -> None:
    """`init` writes its section with the others, commented out."""
    make_workspace(tmp_path / "new")
    assert '# [rest]\n# url = "https://…/api"\n' in (tmp_path / "new/ajpes.toml").read_text("utf-8")
