"""The way out: a report to a real sshd, and in a SOAP message to a server that only reads.

`python -m benchmarks.delivery CARRIER FILE` delivers the file by the settings of the workspace in
the environment, and prints the seconds from the first connection to the outcome. Loading the
libraries is not part of it; a schedule loads them once.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from time import monotonic

import trustme

from ajpes_reporting.cli.main import NEW_OBJECTS
from ajpes_reporting.cli.session import WORKSPACE_VARIABLE
from ajpes_reporting.config import open_workspace
from ajpes_reporting.domain.outcomes import Delivered
from ajpes_reporting.domain.ports import Parcel
from ajpes_reporting.wiring import now
from ajpes_reporting.wiring.delivery import make_carriers
from benchmarks import ledgers
from benchmarks.measurement import Measurement, Stage, Trial, tool
from benchmarks.processes import Cost, MissingError, run, run_timing_itself
from benchmarks.workspaces import Kind
from tests.servers.https import HttpsServer, answering, http
from tests.servers.sshd import Sshd, find_sshd, running_sshd

_SOAP_NAMESPACE = "http://www.ajpes.si/wsBlokIzmenjava"
_ANSWER = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    f'<BlokPodOddajResponse xmlns="{_SOAP_NAMESPACE}"><BlokPodOddajResult><BlokOdgovor xmlns="">'
    f'<Ident iErr="0" maticnaPonudnika="{ledgers.PROVIDER}" datumPriprave="{ledgers.DAY}T18:00:00" iWrn="0"'
    f' datumPodatkov="{ledgers.DAY}"/></BlokOdgovor></BlokPodOddajResult></BlokPodOddajResponse>'
    "</s:Body></s:Envelope>"
)


def _sftp(stage: Stage, _kind: Kind, size: int) -> Iterator[Trial]:
    report = stage.report(size)
    sshd = find_sshd()
    if sshd is None:
        raise MissingError("sshd", "openssh-server")
    with tempfile.TemporaryDirectory() as folder, running_sshd(sshd, Path(folder)) as server:
        yield Trial(
            "OpenSSH's sshd",
            partial(_our_sftp, stage, server, report),
            partial(_openssh, server, report),
            size,
        )


def _our_sftp(stage: Stage, server: Sshd, report: Path) -> Cost:
    server.clear()
    settings = {
        "SFTP__HOST": "127.0.0.1",
        "SFTP__PORT": str(server.port),
        "SFTP__USERNAME": server.username,
        "SFTP__PRIVATE_KEY": str(server.private_key),
        "SFTP__HOST_KEY": server.host_key,
    }
    return _ours(stage, "sftp", report, settings)


def _openssh(server: Sshd, report: Path) -> Cost:
    server.clear()
    options = ("BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR")
    return run(
        [
            tool("sftp"), *(part for option in options for part in ("-o", option)), "-i", server.private_key,
            "-P", str(server.port), "-b", "-", f"{server.username}@127.0.0.1",
        ],
        stdin=f"cd nodurs/v_ajpes\nput {report} report.part\nrename report.part report.xml\n",
    )  # fmt: skip


def _soap(stage: Stage, _kind: Kind, size: int) -> Iterator[Trial]:
    report = stage.report(size)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _make_keys(folder)
        answer = answering(http(_ANSWER.encode()))
        with HttpsServer(str(folder / "server.pem"), str(folder / "ca.pem"), answer) as server:
            _our_soap(stage, server, folder, report)
            (folder / "envelope.xml").write_bytes(server.requests.pop().body)
            yield Trial(
                "HTTPS, certificates on both sides",
                partial(_our_soap, stage, server, folder, report),
                partial(_curl, server, folder),
                size,
            )


def _make_keys(folder: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    for name, certificate in (
        ("server", authority.issue_cert("localhost")),
        ("client", authority.issue_cert("bank.example")),
    ):
        (folder / f"{name}.pem").write_bytes(certificate.private_key_and_cert_chain_pem.bytes())


def _our_soap(stage: Stage, server: HttpsServer, folder: Path, report: Path) -> Cost:
    server.requests.clear()
    settings = {
        "SOAP__ENDPOINT": f"https://localhost:{server.port}/wsBlokIzmenjava.asmx",
        "SOAP__USERNAME": "bank",
        "SOAP__CLIENT_CERTIFICATE": str(folder / "client.pem"),
        "SOAP__CLIENT_KEY": str(folder / "client.pem"),
        "SOAP__SERVER_CA": str(folder / "ca.pem"),
    }
    return _ours(stage, "soap", report, settings)


def _curl(server: HttpsServer, folder: Path) -> Cost:
    server.requests.clear()
    return run(
        [
            tool("curl"), "--silent", "--show-error", "--fail", "--http1.1", "--output", "/dev/null",
            "--cacert", folder / "ca.pem", "--cert", folder / "client.pem",
            "--header", "Content-Type: text/xml; charset=utf-8", "--header", "Expect:",
            "--header", f'SOAPAction: "{_SOAP_NAMESPACE}/BlokPodOddaj"',
            "--upload-file", folder / "envelope.xml", "--request", "POST",
            f"https://localhost:{server.port}/wsBlokIzmenjava.asmx",
        ]
    )  # fmt: skip


def _ours(stage: Stage, carrier: str, report: Path, settings: dict[str, str]) -> Cost:
    workspace = stage.workspaces.get("sqlite", None)
    told = {f"AJPES_REPORTING_{name}": value for name, value in settings.items()}
    command: list[str | Path] = [sys.executable, "-m", "benchmarks.delivery", carrier, report]
    return run_timing_itself(command, workspace.environment | told)


def main(carrier_name: str, report: Path) -> None:
    """Delivers the file and prints how many seconds that took."""
    gc.set_threshold(NEW_OBJECTS)  # as the command line does
    workspace = open_workspace(Path(os.environ[WORKSPACE_VARIABLE]))
    with report.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    name = f"NODURS_{ledgers.DAY:%Y%m%d}_{ledgers.PROVIDER[:7]}.xml"
    parcel = Parcel(report, name, "nodurs", report.stat().st_size, sha256)
    with tempfile.TemporaryDirectory() as folder:
        (carrier,) = make_carriers(workspace, now, "nodurs", carrier_name, Path(folder))
        began = monotonic()
        outcome = carrier.deliver(parcel)
        seconds = monotonic() - began
    if not isinstance(outcome, Delivered):
        raise SystemExit(f"not delivered: {outcome}")
    print(json.dumps(seconds))


SFTP = Measurement(
    name="SFTP",
    what="the carrier puts a report into `v_ajpes` and renames it, from the connection on",
    yardstick="OpenSSH's `sftp` doing the same, from its start on",
    trials=_sftp,
    limit=1.25,  # 0.8 times its throughput
    databases=(),
)

SOAP = Measurement(
    name="SOAP",
    what="the carrier sends a report in its envelope and reads the answer, from the connection on",
    yardstick="`curl` posting the same envelope, from its start on",
    trials=_soap,
    limit=1.5,
    limit_from=100_000,
    databases=(),
)

if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
