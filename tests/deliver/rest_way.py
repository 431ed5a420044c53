"""A third way of delivery, by REST with a client certificate: what it takes is all in this file.

    PUT  /nodurs/NAME              the report; its answer in the reply, or 202 and the answer later
    GET  /nodurs/NAME              {"sha256": …} of what lies there
    GET  /nodurs/odgovori          [{"name": …, "size": …, "modified": …}]
    GET  /nodurs/odgovori/NAME     an answer

AJPES has no such service; its sibling services do. The program does not know this file: tests put the way
into the registry.
"""

from __future__ import annotations

import json
import secrets
import ssl
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import httpx

from ajpes_reporting.deliver.way import HttpsWay, Setup
from ajpes_reporting.domain.errors import NotDelivered, UsageError
from ajpes_reporting.domain.outcomes import Delivered, Outcome, Refused, Unknown, Unreachable
from ajpes_reporting.domain.ports import (
    UNRECORDED,
    Handover,
    Inspection,
    Parcel,
    Progress,
    RemoteAnswer,
    RemoteReport,
    Shortfall,
    Sighting,
    no_progress,
)
from ajpes_reporting.i18n import Message, _
from ajpes_reporting.network.trouble import connection_trouble, hear_objection, refused_certificate
from ajpes_reporting.network.watchdog import Watchdog, watched
from ajpes_reporting.sections import SecretReference

_BLOCK_BYTES = 64 * 1024
_ASK = _("ask the authority whether it has the report, then say so with `ajpes-reporting resolve`")
_NOT_TAKEN = {
    401: "rest.token",
    403: "rest.client_certificate",
    404: "rest.url",
    413: "the size of the report",
}


class RestWay(HttpsWay):
    """NODURS by REST."""

    name: ClassVar[str] = "rest"
    title: ClassVar[str] = "REST"
    reports: ClassVar[tuple[str, ...]] = ("nodurs",)
    example: ClassVar[str] = '# [rest]\n# url = "https://…/api"\n'

    url: str
    token: SecretReference | None = None
    token_expires: date | None = None
    answer_wait_seconds: float = 0
    operation_timeout_seconds: float = 60
    call_timeout_seconds: float = 900

    def carrier(self, setup: Setup) -> RestCarrier:
        from ajpes_reporting.deliver.tls import client_context

        context = client_context(self.tls(setup), setup.clock())
        return RestCarrier(self, self._secret(setup, "token"), context, setup.folder)

    def answer_box(self, setup: Setup) -> RestCarrier:
        return self.carrier(setup)

    @property
    def seconds_to_wait_for_answer(self) -> float:
        return self.answer_wait_seconds


class RestCarrier:
    """Puts a report there, and gets what the authority has of it, and says of it."""

    name = RestWay.name

    def __init__(self, way: RestWay, token: str | None, context: ssl.SSLContext, folder: Path) -> None:
        self._way = way
        self._token = token
        self._context = context
        self._folder = folder

    def deliver(
        self, parcel: Parcel, progress: Progress = no_progress, handover: Handover = UNRECORDED
    ) -> Outcome:
        if parcel.path.stat().st_size != parcel.size_bytes:
            raise UsageError(
                _("{path} has changed since it was prepared. Nothing was sent.", path=str(parcel.path))
            )
        reply = self._folder / f"{parcel.file_name}.{secrets.token_hex(4)}.reply"
        reply.parent.mkdir(parents=True, exist_ok=True)
        with watched(self._way.call_timeout_seconds) as watchdog:
            call = _Call(parcel, watchdog, progress, handover)
            try:
                status = self._put(parcel, call, reply)
            except NotDelivered as error:
                return Unreachable(error.message, error.remedy)
            except (httpx.HTTPError, OSError) as error:
                objection = "" if call.reply_begun else refused_certificate(error)
                if call.is_whole and not objection:
                    return Unknown(
                        _("No reply came ({error}). The authority may have the report.", error=str(error)),
                        _ASK,
                    )
                return self._unreachable(error)
        return self._judge(parcel, status, reply)

    def inspect(self) -> Inspection:
        with self._answered("HEAD", "nodurs/odgovori") as response:
            return Inspection(
                _("{url} answers (HTTP {status})", url=self._way.url, status=response.status_code),
                self._lacking(response),
            )

    def _lacking(self, response: httpx.Response) -> tuple[Shortfall, ...]:
        """What the authority says that we may do there, if it says so."""
        if "PUT" in response.headers.get("allow", "PUT"):
            return ()
        return (
            Shortfall(
                "nodurs", _("reports may not be put there"), _("ask the authority for that right"), True
            ),
        )

    def look(self, parcel: Parcel, waits_as: str) -> Sighting:
        place = f"{parcel.report}/{parcel.file_name}"
        return Sighting(place if self._hash_at(place) == parcel.sha256 else "")

    def strange_reports(self, report: str, file_name: str, ours: Sequence[Parcel]) -> list[RemoteReport]:
        place = f"{report}/{file_name}"
        found = self._hash_at(place)
        return [RemoteReport(place, 0, 0)] if found and found not in {one.sha256 for one in ours} else []

    def fetch_new(
        self,
        report: str,
        already_fetched: Callable[[Sequence[RemoteAnswer]], Collection[RemoteAnswer]],
        into: Path,
    ) -> Iterable[tuple[RemoteAnswer, Path]]:
        with self._answered("GET", f"{report}/odgovori") as response:
            listed = json.loads(response.read()) if response.status_code == httpx.codes.OK else []
        remotes = [RemoteAnswer(report, item["name"], item["size"], item["modified"]) for item in listed]
        known = already_fetched(remotes)
        for number, remote in enumerate(remotes):
            if remote not in known:
                local = into / f"rest-{number}.xml"
                with self._answered("GET", f"{report}/odgovori/{remote.name}") as response:
                    local.write_bytes(response.read())
                yield remote, local

    def _put(self, parcel: Parcel, call: _Call, reply: Path) -> int:
        headers = {"Content-Type": "application/xml", "Content-Length": str(parcel.size_bytes)}
        with (
            self._client() as client,
            client.stream(
                "PUT", f"{parcel.report}/{parcel.file_name}", content=call.body(), headers=headers,
                extensions={"trace": call.trace},
            ) as response,
            reply.open("xb") as file,
        ):  # fmt: skip
            for block in response.iter_bytes():
                file.write(block)
            return response.status_code

    def _judge(self, parcel: Parcel, status: int, reply: Path) -> Outcome:
        said = reply.read_bytes()[:500].decode("utf-8", "replace")
        match status:
            case 200:
                return Delivered(reply)
            case 202:
                return Delivered(detail=_("taken; the answer comes later"), evidence=reply)
            case 409:
                return self._doubled(parcel, said, reply)
            case 400 | 422:
                return Refused(Message(said, {}), reply)
            case 401 | 403 | 404 | 413:
                return Unreachable(
                    _("It was not taken (HTTP {status}).", status=status),
                    _("check {setting}", setting=_NOT_TAKEN[status]),
                    reply,
                )
        return Unknown(
            _("HTTP {status} does not say whether it was taken: {said}", status=status, said=said),
            _ASK,
            reply,
        )

    def _doubled(self, parcel: Parcel, said: str, reply: Path) -> Outcome:
        """There is a report of this name: ours, or another one, which goes by no other way either."""
        try:
            is_ours = self._hash_at(f"{parcel.report}/{parcel.file_name}") == parcel.sha256
        except NotDelivered as error:
            return Unknown(
                _(
                    "{said}. Whether it is this one could not be asked: {reason}",
                    said=said,
                    reason=error.message,
                ),
                _ASK,
                reply,
            )
        if is_ours:
            return Delivered(detail=_("it was already there, the same bytes"), evidence=reply)
        return Refused(Message(said, {}), reply)

    def _hash_at(self, place: str) -> str:
        """What lies there, by its SHA-256. Raises `NotDelivered`."""
        with self._answered("GET", place) as response:
            found = response.status_code == httpx.codes.OK
            return str(json.loads(response.read())["sha256"]) if found else ""

    @contextmanager
    def _answered(self, method: str, path: str) -> Iterator[httpx.Response]:
        try:
            with self._client() as client, client.stream(method, path) as response:
                yield response
        except (httpx.HTTPError, OSError, ValueError) as error:
            unreachable = self._unreachable(error)
            raise NotDelivered(unreachable.reason, unreachable.remedy) from error

    def _client(self) -> httpx.Client:
        return httpx.Client(
            base_url=self._way.url,
            headers={"Authorization": f"Bearer {self._token}"} if self._token else {},
            verify=self._context,
            timeout=self._way.operation_timeout_seconds,
            follow_redirects=False,
            trust_env=False,
        )

    def _unreachable(self, error: Exception) -> Unreachable:
        reason, remedy = connection_trouble(error, self.name)
        return Unreachable(_("{url} was not reached: {reason}.", url=self._way.url, reason=reason), remedy)


class _Call:
    """How far the sending of one report has come. Its length is announced: without its end it is none."""

    def __init__(self, parcel: Parcel, watchdog: Watchdog, progress: Progress, handover: Handover) -> None:
        self._parcel = parcel
        self._watchdog = watchdog
        self._progress = progress
        self._handover = handover
        self.is_whole = False
        self.reply_begun = False

    def trace(self, event: str, info: dict[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            self._watchdog.guard(info["return_value"].get_extra_info("socket"))
        elif event == "connection.start_tls.complete":
            hear_objection(info["return_value"].get_extra_info("socket"))
        elif event == "http11.send_request_headers.started":
            self._handover.begin("")
        elif event == "http11.receive_response_headers.complete":
            self.reply_begun = True

    def body(self) -> Iterator[bytes]:
        left = self._parcel.size_bytes
        with self._parcel.path.open("rb") as report:
            while block := report.read(_BLOCK_BYTES):
                left -= len(block)
                if left <= 0:
                    self._handover.still_ours()
                    self.is_whole = True
                yield block
                self._progress(len(block))
