"""An authority that takes reports by REST, behind mutual TLS; see `tests/deliver/rest_way.py`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from tests.servers.https import Visit, http

Judge = Callable[[bytes], bytes | None]
"""What a report is answered with in the same call, as XML; or nothing, and it comes later."""


@dataclass
class RestAuthority:
    """`reports` are those that arrived whole, in order, with the name of each.

    `answers` are files for whoever asks later. `mood` is what it does with a report: "judge", "silent" (it
    takes it and hangs up), "deaf" (it hangs up and takes nothing), or a status, such as "503 Busy".
    """

    judge: Judge
    reports: list[tuple[str, bytes]] = field(default_factory=list)
    answers: dict[str, bytes] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    allows: str = "GET, PUT"
    mood: str = "judge"

    def __call__(self, visit: Visit) -> None:
        line, headers = visit.read_head()
        method, target, _version = line.split()
        name = PurePosixPath(target).name
        self.tokens.append(headers.get("authorization", ""))
        if method == "PUT":
            self._take(visit, name, int(headers["content-length"]))
        elif name == "odgovori":
            listed = [{"name": name, "size": len(text), "modified": 1} for name, text in self.answers.items()]
            visit.send(http(b"" if method == "HEAD" else json.dumps(listed).encode(), Allow=self.allows))
        elif name in self.answers:
            visit.send(http(self.answers[name]))
        elif held := dict(self.reports).get(name):
            visit.send(http(json.dumps({"sha256": hashlib.sha256(held).hexdigest()}).encode()))
        else:
            visit.send(http(b"", "404 Not Found"))

    def _take(self, visit: Visit, name: str, size: int) -> None:
        report = visit.read_body(size)
        if self.mood == "deaf":
            return
        if name in dict(self.reports):
            visit.send(http(b"a report of this name is here already", "409 Conflict"))
        elif self.mood not in ("judge", "silent"):
            visit.send(http(self.mood.encode(), self.mood))
        else:
            self.reports.append((name, report))
            answer = self.judge(report)
            if self.mood == "judge":
                accepted = http(b"", "202 Accepted")
                visit.send(http(answer, content_type="application/xml") if answer else accepted)
