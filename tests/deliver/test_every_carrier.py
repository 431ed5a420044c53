"""What every way owes the run, whatever goes over its line: SOAP, SFTP, and REST, which is the tests' own."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ajpes_reporting.deliver import registry
from ajpes_reporting.deliver.sftp_way import SftpWay
from ajpes_reporting.deliver.soap_way import SoapWay
from ajpes_reporting.deliver.way import Setup, Way
from ajpes_reporting.domain.errors import NotDelivered, UsageError
from ajpes_reporting.domain.outcomes import Delivered, Unreachable
from ajpes_reporting.domain.ports import Carrier, Parcel, no_progress
from tests.deliver.conftest import ANSWER, NOW, Keys, MakeServer
from tests.deliver.handovers import Watched, refuse
from tests.deliver.rest_way import RestWay
from tests.servers.rest_authority import RestAuthority
from tests.servers.sshd import Sshd


@dataclass(frozen=True)
class Line:
    """A way with a server at its other end: `arrived` are the files that the authority could take."""

    way: Callable[[int], Way]
    port: int
    arrived: Callable[[], list[bytes]]
    setup: Setup

    @property
    def carrier(self) -> Carrier:
        return self.way(self.port).carrier(self.setup)

    @property
    def dead(self) -> Carrier:
        """The same way, where nobody listens."""
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            return self.way(closed.getsockname()[1]).carrier(self.setup)


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(
        "5860571000",
        Path,
        lambda _key, reference: reference,
        lambda: NOW,
        tmp_path / "back",
        ("nodurs", "spapp"),
    )


@pytest.fixture(params=["soap", "sftp", "rest"])
def line(request: pytest.FixtureRequest, setup: Setup) -> Line:
    made: Line = request.getfixturevalue(f"{request.param}_line")
    return made


@pytest.fixture
def soap_line(setup: Setup, make_server: MakeServer, keys: Keys) -> Line:
    server = make_server()

    def way(port: int) -> SoapWay:
        endpoint = f"https://localhost:{port}/wsBlokIzmenjava.asmx"
        return SoapWay(endpoint=endpoint, client_certificate=str(keys.client), server_ca=str(keys.ca))

    return Line(way, server.port, lambda: [request.body for request in server.requests], setup)


@pytest.fixture
def rest_line(setup: Setup, make_server: MakeServer, keys: Keys) -> Line:
    authority = RestAuthority(lambda _report: ANSWER)
    server = make_server(authority)

    def way(port: int) -> RestWay:
        url = f"https://localhost:{port}/api"
        return RestWay(url=url, client_certificate=str(keys.client), server_ca=str(keys.ca))

    return Line(way, server.port, lambda: [report for _name, report in authority.reports], setup)


@pytest.fixture
def sftp_line(setup: Setup, sshd: Sshd) -> Line:
    def way(port: int) -> SftpWay:
        return SftpWay(
            host="127.0.0.1",
            port=port,
            username=sshd.username,
            host_key=sshd.host_key,
            private_key=str(sshd.private_key),
        )

    def arrived() -> list[bytes]:
        return [path.read_bytes() for path in sshd.box("nodurs", "v_ajpes").glob("*.xml")]

    return Line(way, sshd.port, arrived, setup)


def test_what_is_delivered_has_arrived_once_and_whole(line: Line, parcel: Parcel) -> None:
    """The bank counts on it; an answer comes in the call or, where the way says so, later."""
    done: list[int] = []
    outcome = line.carrier.deliver(parcel, done.append)
    assert isinstance(outcome, Delivered)
    (arrived,) = line.arrived()
    assert parcel.path.read_bytes().partition(b"?>\n")[2].strip() in arrived
    assert outcome.answer is not None or line.way(1).answers_later()
    assert outcome.answer is None or b"BlokOdgovor" in outcome.answer.read_bytes()
    assert sum(done) == parcel.size_bytes


def test_the_hand_over_comes_before_anything_can_arrive(line: Line, parcel: Parcel) -> None:
    """A run that dies before that moment is told as one that sent nothing."""
    seen: list[tuple[str, int]] = []

    handover = Watched(
        begin=lambda _waits_as: seen.append(("begun", len(line.arrived()))),
        still_ours=lambda: seen.append(("last byte", len(line.arrived()))),
    )
    assert isinstance(line.carrier.deliver(parcel, no_progress, handover), Delivered)
    assert seen == [("begun", 0), ("last byte", 0)]


def test_whoever_may_not_hand_over_sends_nothing(line: Line, parcel: Parcel) -> None:
    """Another run has settled the report meanwhile."""
    outcome = line.carrier.deliver(parcel, no_progress, Watched(refuse))
    assert isinstance(outcome, Unreachable)
    assert "taken its place" in outcome.reason
    assert line.arrived() == []


def test_whoever_is_replaced_in_the_middle_does_not_come_to_the_end(line: Line, parcel: Parcel) -> None:
    """It was paused while it sent; half a report is none."""
    outcome = line.carrier.deliver(parcel, no_progress, Watched(still_ours=refuse))
    assert not isinstance(outcome, Delivered)
    assert line.arrived() == []


def test_where_nobody_listens_provably_nothing_arrives(line: Line, parcel: Parcel) -> None:
    """Then, and only then, the next way may be tried; the operator learns what to check."""

    handed_over: list[str] = []
    outcome = line.dead.deliver(parcel, no_progress, Watched(handed_over.append))
    assert handed_over == []
    assert isinstance(outcome, Unreachable)
    assert outcome.reason
    assert outcome.remedy
    with pytest.raises(NotDelivered) as caught:
        line.dead.inspect()
    assert caught.value.remedy


def test_to_inspect_is_to_send_no_report(line: Line) -> None:
    """`doctor` asks as often as somebody likes."""
    assert line.carrier.inspect().reached
    assert line.arrived() == []


def test_a_file_that_is_no_longer_the_parcels_does_not_go(line: Line, parcel: Parcel) -> None:
    """What is sent is what was archived."""
    with parcel.path.open("ab") as report:
        report.write(b" ")
    with pytest.raises(UsageError, match="changed"):
        line.carrier.deliver(parcel, no_progress, Watched(refuse))
    assert line.arrived() == []


@pytest.mark.parametrize("way", [*registry.WAYS, RestWay])
def test_a_way_has_a_name_that_the_journal_can_keep(way: type[Way]) -> None:
    """It stands in every attempt, on PostgreSQL in ten characters, and is an option and a section."""
    assert way.name.isascii()
    assert way.name.isalpha()
    assert way.name == way.name.lower()
    assert len(way.name) <= 10
    assert f"# [{way.name}]" in way.example
