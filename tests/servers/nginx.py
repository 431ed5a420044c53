"""A real nginx with mutual TLS on loopback, as it stands before many a service."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 20

_CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {certificate};
    ssl_certificate_key {certificate};
    ssl_client_certificate {client_ca};
    ssl_verify_client on;
    {rules}
  }}
}}
"""


def find_nginx() -> str | None:
    """The path of nginx; None: install nginx."""
    return shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")


@contextmanager
def running_nginx(
    program: str, folder: Path, certificate: Path, client_ca: Path, rules: str
) -> Iterator[int]:
    """Its port, for as long as the context lasts. `rules` stand in its `server`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "nginx.conf"
    path.write_text(
        _CONFIGURATION.format(
            folder=folder, port=port, certificate=certificate, client_ca=client_ca, rules=rules
        )
    )
    command = [program, "-c", str(path), "-e", str(folder / "error.log"), "-p", str(folder)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            _await(port, process, folder / "error.log")
            yield port
        finally:
            process.kill()


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"nginx did not start: {log.read_text() if log.exists() else ''}")
