"""Which way a report goes, and when the other way may be tried."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ajpes_reporting.config import read_settings
from ajpes_reporting.deliver import registry
from ajpes_reporting.deliver.route import ClosedWay, deliver, require_open
from ajpes_reporting.domain.errors import ConfigurationError
from ajpes_reporting.domain.outcomes import Delivered, Outcome, Refused, Unknown, Unreachable
from ajpes_reporting.domain.ports import (
    UNRECORDED,
    Carrier,
    Handover,
    Inspection,
    Parcel,
    Progress,
    Unrecorded,
    no_progress,
)

PARCEL = Parcel(Path("report.xml"), "NODURS_20261117_5860571.xml", "nodurs", 1, "00")


@dataclass
class Way:
    """A way whose outcome is known beforehand."""

    name: str
    outcome: Outcome
    story: list[str]

    def deliver(
        self, parcel: Parcel, progress: Progress = no_progress, handover: Handover = UNRECORDED
    ) -> Outcome:
        self.story.append(f"{self.name} sends")
        return self.outcome

    def inspect(self) -> Inspection:
        raise AssertionError("nobody asks these")


@dataclass
class Log(Unrecorded):
    story: list[str] = field(default_factory=list)

    def started(self, carrier: Carrier) -> None:
        self.story.append(f"{carrier.name} is written down")

    def ended(self, carrier: Carrier, outcome: Outcome) -> None:
        self.story.append(f"{carrier.name}: {type(outcome).__name__}")


@pytest.mark.parametrize("outcome", [Delivered(), Refused("no"), Unknown("?")])
def test_a_definite_or_unknown_outcome_ends_the_search(outcome: Outcome) -> None:
    """A report the authority may already hold does not go the other way too."""
    log = Log()
    carriers = [Way("soap", outcome, log.story), Way("sftp", Delivered(), log.story)]
    assert deliver(carriers, PARCEL, log) is outcome
    assert log.story == ["soap is written down", "soap sends", f"soap: {type(outcome).__name__}"]


def test_the_other_way_opens_after_unreachable() -> None:
    """An outage of one path does not make the report late."""
    log = Log()
    carriers = [Way("soap", Unreachable("down"), log.story), Way("sftp", Delivered(), log.story)]
    assert deliver(carriers, PARCEL, log) == Delivered()
    assert log.story == [
        "soap is written down",
        "soap sends",
        "soap: Unreachable",
        "sftp is written down",
        "sftp sends",
        "sftp: Delivered",
    ]


def test_if_every_way_fails_each_reason_is_told() -> None:
    """The operator sees what to repair, not only the last thing that was tried."""
    log = Log()
    carriers = [
        Way("soap", Unreachable("The server is down.", "call them", Path("reply")), log.story),
        Way("sftp", Unreachable("The key is wrong.", "check it"), log.story),
    ]
    outcome = deliver(carriers, PARCEL, log)
    assert outcome == Unreachable(
        "By SOAP: The server is down. By SFTP: The key is wrong.", "call them; check it", Path("reply")
    )


PROVIDER = '[provider]\nregistration_number = "5860571000"\nname = "Banka Vzorec d.d."\n'
SFTP = '[sftp]\nhost = "127.0.0.1"\nusername = "banka"\nhost_key = "ssh-ed25519 AAAA"\n'
SOAP = '[soap]\nendpoint = "https://127.0.0.1:8443/ws"\n'


def order(report: str, text: str) -> list[str]:
    """The ways that these settings set up for a report, as they are tried."""
    return [way.name for way in read_settings(PROVIDER + text).ways(report)]


def test_the_first_choice_follows_the_instruction() -> None:
    """Section 4.2: SFTP for SPAPP, and for NODURS on outage."""
    assert order("nodurs", SFTP + SOAP) == ["soap", "sftp"]
    assert order("spapp", SFTP + SOAP) == ["sftp"]


def test_large_volumes_go_by_sftp_first() -> None:
    """Section 4.2 allows it, and the service may not take them."""
    ways = [Way("soap", Delivered(), []), Way("sftp", Delivered(), [])]
    assert registry.large_first(ways) == ways[::-1]


def test_a_bank_may_try_the_ways_in_another_order() -> None:
    """What AJPES agrees with a bank is a setting; a way that is not named comes after those that are."""
    first = '[delivery]\norder = ["sftp"]\n'
    assert order("nodurs", first + SOAP + SFTP) == ["sftp", "soap"]


@pytest.mark.parametrize("names", ['["rest"]', '["sftp", "sftp"]', '["SOAP"]'])
def test_an_order_of_ways_that_there_are_not_is_refused(names: str) -> None:
    """A slip in it would quietly leave the usual order."""
    with pytest.raises(ConfigurationError) as refused:
        read_settings(f"{PROVIDER}[delivery]\norder = {names}\n")
    assert "delivery.order" in refused.value.message


def test_a_way_that_is_not_set_up_is_not_tried() -> None:
    """A bank may have only one of the two."""
    assert order("nodurs", SOAP) == ["soap"]
    assert order("spapp", SOAP) == []


def test_what_to_do_about_each_closed_way_is_an_order_of_its_own() -> None:
    """Whoever has to mend both reads where the first ends."""
    closed = [
        ClosedWay("soap", ConfigurationError("No key.", "make one")),
        ClosedWay("sftp", ConfigurationError("No file.", "check it")),
    ]
    with pytest.raises(ConfigurationError) as caught:
        require_open(closed)
    assert caught.value.message == "By SOAP: No key. By SFTP: No file."
    assert caught.value.remedy == "make one; check it"
