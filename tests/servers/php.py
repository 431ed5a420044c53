"""PHP's SoapServer behind mutual TLS."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.https import HttpsServer, Visit
from tests.servers.https import http as response

SCRIPT = Path(__file__).parent / "php_authority.php"


def find_php() -> bool:
    """Whether PHP is there, with its SOAP extension (Debian: php-cli, php-soap)."""
    program = shutil.which("php")
    if program is None:
        return False
    return "soap" in subprocess.run([program, "-m"], capture_output=True, text=True, check=False).stdout


@contextmanager
def running_php(wsdls: Path, folder: Path, certificate: Path, client_ca: Path) -> Iterator[HttpsServer]:
    """Serves each WSDL of `wsdls` under its name; what arrives is in `folder`/received.json."""
    command = ["php", "-S", "127.0.0.1:0", str(SCRIPT)]
    environment = {**os.environ, "WSDLS": f"{wsdls}/", "FOLDER": str(folder)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stderr is not None
            started = next(line for line in process.stderr if "Development Server" in line)
            found = re.search(r":(\d+)\) started", started)
            assert found, started
            port = int(found[1])
            with HttpsServer(str(certificate), str(client_ca), lambda visit: _forward(visit, port)) as server:
                yield server
        finally:
            process.terminate()


def _forward(visit: Visit, port: int) -> None:
    request = visit.read_request()
    method, target, _ = request.line.split()
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    line.request(method, target, request.body, {**request.headers, "connection": "close"})
    reply = line.getresponse()
    status = f"{reply.status} {reply.reason}"
    visit.send(response(reply.read(), status, reply.getheader("Content-Type", "text/plain")))
