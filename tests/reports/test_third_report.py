"""A third kind of report, which no file of the program names: one folder, and one line that registers it.

It is TOY, see `toy/`. It goes by the third way of the tests: the bundled authority knows two reports only.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from ajpes_reporting import unattended, wiring
from ajpes_reporting.cli.main import run as command_line
from ajpes_reporting.cli.session import Session
from ajpes_reporting.config import open_workspace, read_settings
from ajpes_reporting.deliver import registry as ways
from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.reports import registry
from ajpes_reporting.schedule.tick import do, tick
from ajpes_reporting.wiring import open_context
from ajpes_reporting.workspace import make_workspace
from tests.deliver.conftest import Keys, MakeServer, keys, make_server
from tests.deliver.rest_way import RestWay
from tests.pipeline.conftest import Bank, authority, bank, clock
from tests.reports.toy import TOY
from tests.servers.rest_authority import RestAuthority

__all__ = ["authority", "bank", "clock", "keys", "make_server"]

ACCOUNTS = "account,holder_tax_number,holder_name,opened_on"
Call = Callable[..., tuple[int, str]]


class ToyWay(RestWay):
    """The third way, for toys."""

    reports = ("toy",)


@pytest.fixture
def database_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """Which database it is makes no difference here."""
    return f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'ajpes.db')}"


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one line."""
    monkeypatch.setattr(registry, "KINDS", (*registry.KINDS, TOY))


def verdict(report: bytes) -> bytes:
    """An answer that accepts the report."""
    day = etree.fromstring(report).get("datumPodatkov")
    return (
        f'<ToyOdgovor><Ident iErr="0" iWrn="0" maticnaPonudnika="5860571000" datumPodatkov="{day}"'
        f' datumPriprave="{day}T17:01:00"/></ToyOdgovor>'
    ).encode()


@pytest.fixture
def receiver(
    registered: None, bank: Bank, make_server: MakeServer, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RestAuthority]:
    """An authority that takes toys, and a bank with one account that has to tell them."""
    monkeypatch.setattr(ways, "WAYS", (ToyWay, *ways.WAYS))
    made = RestAuthority(verdict)
    section = (
        f'\n[rest]\nurl = "https://localhost:{make_server(made).port}/api"\n'
        f'client_certificate = "{keys.client}"\nserver_ca = "{keys.ca}"\n\n[toy]\nsecret_prefix = "77"\n'
    )
    settings = bank.folder / "ajpes.toml"
    settings.write_text(settings.read_text("utf-8") + section, "utf-8")
    bank.context.engine.dispose()
    bank.context = replace(open_context(open_workspace(bank.folder), bank.time), answer_wait_seconds=0)
    bank.record("010000000100187,50123459,Kovinarstvo Žagar d.o.o.,2020-01-01", header=ACCOUNTS)
    bank.record("770000000100187,50123459,Kovinarstvo Žagar d.o.o.,2020-01-01", header=ACCOUNTS)
    yield made
    bank.context.engine.dispose()


@pytest.fixture
def call(bank: Bank, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls a command at this bank, at its time: its exit code, and what it prints."""
    monkeypatch.setattr(Session, "context", lambda _session: bank.context)
    monkeypatch.setattr(wiring, "open_context", lambda *_workspace: bank.context)
    monkeypatch.setattr(unattended, "open_context", lambda *_workspace: bank.context)

    def run(*command: str) -> tuple[int, str]:
        capsys.readouterr()
        code = command_line(["-w", str(bank.folder), *command])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def test_a_third_report_is_built_and_checked(receiver: RestAuthority, call: Call, tmp_path: Path) -> None:
    """Protects whoever adds a report from a list of files to change: the file is made by its own settings."""
    file = tmp_path / "toy.xml"
    code, said = call("build", "toy", "-o", str(file))
    assert (code, "TOY for 17 November 2026" in said) == (0, True)
    assert file.read_bytes() == (
        b'<Toy xmlns="urn:toy" maticnaPonudnika="5860571000" datumPodatkov="2026-11-17" stevilo="1">'
        b'<Thing rn="010000000100187"/></Toy>'
    )
    assert call("check", str(file))[0] == 0
    file.write_bytes(file.read_bytes().replace(b'rn="01', b'rn="00'))
    code, said = call("check", str(file))
    assert (code, "begins with zeros" in said) == (3, True)
    answer = tmp_path / "answer.xml"
    answer.write_bytes(verdict(b'<Toy xmlns="urn:toy" datumPodatkov="2026-11-17"/>'))
    assert call("check", str(answer))[0] == 0
    assert receiver.reports == []


def test_a_third_report_is_sent_and_told_of(receiver: RestAuthority, call: Call) -> None:
    """Protects whoever adds a report from a list of files to change: each command knows it, in each form."""
    (listed,) = json.loads(call("--json", "pending", "toy")[1])
    assert (listed["period"], listed["records"]) == ("2026-11-17", 1)
    assert "TOY for 17 November 2026 holds 1 toy" in call("pending")[1]
    assert call("pending", "toy", "--csv", "-")[1].startswith('"period","deadline","records"')
    code, said = call("run", "toy")
    assert (code, "TOY for 17 November 2026 was accepted" in said) == (0, True)
    ((name, _report),) = receiver.reports
    assert name == "TOY_20261117_5860571.xml"
    assert re.search(r"TOY +2026-11-17", call("status")[1])
    document = json.loads(call("--json", "status")[1])
    assert ("TOY", "accepted") in {(item["report"], item["state"]) for item in document["submissions"]}
    assert "TOY" in {item["report"] for item in document["due"]}
    assert json.loads(call("--json", "show", "1")[1])["report"] == "TOY"
    assert 'report="TOY"' in call("metrics")[1]


def test_the_schedule_starts_a_third_report_at_its_hour(
    receiver: RestAuthority, bank: Bank, call: Call
) -> None:
    """Protects a bank from a report that everything knows but the schedule."""
    duty = unattended.open_duty(open_workspace(bank.folder), bank.time)
    assert duty.starts["TOY"] == TOY.starts_at
    done = [result for _duty, result in tick([replace(duty, chores=())], do)]
    assert [result.kind.code for result in done] == ["NODURS", "TOY"]
    assert [name for name, _report in receiver.reports] == ["TOY_20261117_5860571.xml"]
    duty.context.engine.dispose()


def test_the_doctor_says_where_a_third_report_goes(receiver: RestAuthority, bank: Bank, call: Call) -> None:
    """Protects whoever sets the program up from a report that goes nowhere."""
    settings = bank.folder / "ajpes.toml"
    settings.write_text(re.sub(r"\[rest\]\n(.+\n)+", "", settings.read_text("utf-8")), "utf-8")
    assert "TOY" in call("doctor")[1]


@pytest.mark.usefixtures("registered")
def test_its_settings_are_those_of_a_report(tmp_path: Path) -> None:
    """Protects a bank from a slip of the keyboard, and shows in a new workspace what can be set."""
    made = make_workspace(tmp_path / "new")
    assert made.settings.report(TOY).volume_factor == 20
    text = (tmp_path / "new/ajpes.toml").read_text("utf-8")
    assert '[toy]\n# secret_prefix = "99"\n' in text
    assert "# toy_start = 12:00:00\n" in text
    schedule = "[schedule]\ntoy_start = 08:00:00\nreports = ['toy']\n"
    settings = read_settings(text.replace("[schedule]\n", schedule))
    assert [settings.schedule.start(kind) for kind in registry.KINDS[:2]] == [None, None]
    assert str(settings.schedule.start(TOY)) == "08:00:00"
    with pytest.raises(ConfigurationError) as refused:
        read_settings(text.replace("[toy]\n", "[toy]\namount = 'cents'\n"))
    assert "toy.amount is not a setting" in str(refused.value)


def test_a_report_that_is_not_registered_is_no_section() -> None:
    """Protects a bank from settings of a report that this program does not know."""
    with pytest.raises(ConfigurationError) as refused:
        read_settings('[provider]\nregistration_number = "5860571000"\nname = "Banka"\n[toy]\n')
    assert "toy is not a setting" in str(refused.value)
