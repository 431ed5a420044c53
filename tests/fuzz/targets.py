"""What is fed, and what counts as a crash: whatever is no word, no exit code, no end."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import random
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from lxml import etree

from ajpes_reporting.cli.main import run
from ajpes_reporting.config import open_workspace
from ajpes_reporting.database.engine import open_engine, writing
from ajpes_reporting.database.upgrade import upgrade
from ajpes_reporting.deliver.soap.envelope import SoapNames, make_envelope
from ajpes_reporting.deliver.soap.replies.answer import Call
from ajpes_reporting.deliver.soap.replies.read import Question, Reading, read_reply
from ajpes_reporting.deliver.soap.replies.unusable import UnusableReplyError
from ajpes_reporting.domain.errors import AjpesReportingError
from ajpes_reporting.domain.outcomes import Delivered
from ajpes_reporting.eplacila.notices import TimeWindow
from ajpes_reporting.eplacila.receiver import receiver
from ajpes_reporting.eplacila.signing import Verifier
from ajpes_reporting.journal import answers, submissions
from ajpes_reporting.journal.archive import Stored
from ajpes_reporting.journal.submissions import Draft
from ajpes_reporting.pipeline.answers import Arrival, AtOnce, apply, keep
from ajpes_reporting.pipeline.context import Context
from ajpes_reporting.pipeline.facts import import_files
from ajpes_reporting.reports.registry import by_code
from ajpes_reporting.shipped import sample
from ajpes_reporting.wiring import open_context
from ajpes_reporting.workspace import settings_text
from tests import poison, replies

from .mutation import WORDS, XML_WORDS, Mutation

NOW = datetime(2026, 11, 17, 16, 0, tzinfo=UTC)
PROVIDER = "5860571000"
WSDLS = Path(__file__).parents[1] / "deliver" / "wsdls"
_DONE, _USAGE, _REFUSED = 0, 2, 3
_UNFORESEEN = "cannot be checked to its end"  # `check` has words for it; here it is a crash all the same
_MOST_COMMITS_BY_CLI = 20  # of so many files one goes through the command line, which takes longer


class Crash(Exception):
    """What must not be."""


class Target(Protocol):
    """Something that reads what strangers wrote."""

    def document(self, dice: random.Random) -> bytes:
        """Something to read."""

    def play(self, content: bytes) -> None:
        """Has it read. Whatever is raised is a crash."""


def _bank(folder: Path, settings: str = "") -> Context:
    """A workspace with an empty ledger."""
    text = f'[provider]\nregistration_number = "{PROVIDER}"\nname = "Banka Vzorec d.d."\n{settings}'
    (folder / "ajpes.toml").write_text(text, encoding="utf-8")
    engine = open_engine(f"sqlite:///{folder / 'ajpes.db'}")
    upgrade(engine)
    engine.dispose()
    return open_context(open_workspace(folder), lambda: NOW)


def _samples(*names: str) -> list[bytes]:
    return [sample(name).read_bytes() for name in names]


@contextmanager
def _silence() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        yield out, err


def _command(codes: Sequence[int], *arguments: str) -> None:
    """Runs a command, which must end with words and one of these codes."""
    with _silence() as (out, err):
        code = run(arguments)
    if code not in codes:
        raise Crash(f"exit code {code}: {err.getvalue()[-300:]}")
    told = out.getvalue() + err.getvalue()
    if code and not told.strip():
        raise Crash(f"exit code {code} without a word")
    if _UNFORESEEN in told:
        raise Crash(told[-300:])
    if "--json" in arguments:
        json.loads(out.getvalue())


class Answers:
    """Answers in a call, in a folder and by hand, and `check` of the same file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._desk = _bank(folder)
        self._right = [
            *_samples("answers/blokodgovor-refused.xml", "answers/psodgovor-accepted.xml"),
            *_samples("instruction/blokodgovor.xml", "instruction/psodgovor.xml"),
            poison.answer(rows=poison.row('blokId="O-1" dogId="7" id="12"', "čšž &amp; x") * 3).encode(),
            poison.answer(root='xmlns="http://www.ajpes.si/x"').encode(),
        ]
        loose = {name: content for name, (content, _fate) in poison.LOOSE.items()}
        broken = {**poison.UNREADABLE, **poison.UNMATCHED, **loose}
        self._broken = [poison.as_bytes(one) for one in broken.values()]
        self._envelopes = [_enveloped(content) for content in (*self._right, *self._broken)]
        self._deliver()

    def document(self, dice: random.Random) -> bytes:
        seeds = dice.choice((self._right, self._right, self._broken, self._envelopes))
        return Mutation(dice, seeds, XML_WORDS).document()

    def play(self, content: bytes) -> None:
        path = self._folder / "answer.xml"
        path.write_bytes(content)
        self._in_a_call(path, self._folder / "extracted.xml")
        self._accept(path)
        _command((_DONE, _REFUSED), "check", str(path))

    def _in_a_call(self, path: Path, extracted: Path) -> None:
        reading = _read(path, extracted, Question("BlokPodOddajResult"))
        if reading is not None and reading.fault is None and reading.refusal is None:
            self._accept(extracted)

    def _accept(self, path: Path) -> None:
        context = self._desk
        kept = keep(context, Arrival(path, "hand"), AtOnce(context))
        assert kept is not None
        key, taken = kept.id, apply(context, kept, self._folder)
        with context.engine.connect() as connection:
            row = answers.owned(connection, PROVIDER, key)
        if row.status == answers.STORED or taken.status != row.status:
            raise Crash(f"the answer was left {row.status}, and told as {taken.status}")
        if row.status != answers.APPLIED and not row.note:
            raise Crash(f"the answer is {row.status}, and nobody knows why")
        if context.engine.pool.checkedout():  # type: ignore[attr-defined]
            raise Crash("a transaction was left open")
        if "makes no sense to this program" in row.note:
            raise Crash(f"nobody foresaw it: {row.note}")
        if row.status == answers.APPLIED:
            self._deliver()

    def _deliver(self) -> None:
        """Reports that await an answer, for the days and months that the seeds are about."""
        for report, period in (
            ("NODURS", "2026-11-17"),
            ("NODURS", "2026-11-04"),
            ("SPAPP", "2026-10"),
        ):
            with writing(self._desk.engine) as connection:
                latest = submissions.latest(connection, PROVIDER, report, period)
                if latest is None or not latest.state.awaits_answer:
                    draft = Draft(
                        PROVIDER, report, period, NOW, "report.xml", Stored("x", 1, "0" * 64), "0" * 64, 1, {}
                    )
                    submission = submissions.prepare(connection, draft, (), None, at=NOW)
                    attempt = submissions.begin_attempt(connection, submission, "sftp", at=NOW)
                    submissions.end_attempt(connection, submission, attempt, Delivered(), None, at=NOW)


def _read(path: Path, extracted: Path, question: Question) -> Reading | None:
    """What a reply says, or nothing if it cannot be used, for a reason that somebody foresaw."""
    try:
        return read_reply(path, extracted, question)
    except UnusableReplyError as error:
        if "makes no sense to this program" in str(error):
            raise Crash(f"nobody foresaw it: {error}") from error.__cause__
        return None


def _enveloped(content: bytes) -> bytes:
    text = content.decode("utf-8", "replace").partition("?>")[2] or content.decode("utf-8", "replace")
    return (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        f"<BlokPodOddajResponse><BlokPodOddajResult>{text}</BlokPodOddajResult></BlokPodOddajResponse>"
        "</s:Body></s:Envelope>"
    ).encode()


class Replies:
    """Replies to a call, in every wrapping and notation, and the answer that comes out of them."""

    def __init__(self, folder: Path) -> None:
        self._reply, self._answer = folder / "reply", folder / "answer.xml"
        (report := folder / "report.xml").write_bytes(_samples("reports/NODURS_20261104_5860571.xml")[0])
        self._call = Call(report, NOW)
        given = [
            *(wrapping(replies.NO + replies.row("WRN")) for wrapping in replies.WRAPPINGS.values()),
            *replies.ACCEPTED.values(), *replies.WARNED.values(), *replies.REFUSED.values(),
            *replies.SERVICE_ERRORS.values(), *(reply for reply, _ in replies.FAULTS_OF_OURS.values()),
            *(reply for reply, _ in replies.UNKNOWN.values()),
        ]  # fmt: skip
        self._seeds = [reply.body for reply in given]
        self._types = sorted({reply.content_type for reply in given} | {""})
        self._words = (*XML_WORDS, *(key.encode() for key in replies.KEYS), b'"rows":[', b"\r\n--x\r\n\r\n")

    def document(self, dice: random.Random) -> bytes:
        return Mutation(dice, self._seeds, self._words).document()

    def play(self, content: bytes) -> None:
        self._reply.write_bytes(content)
        self._answer.unlink(missing_ok=True)
        content_type = self._types[len(content) % len(self._types)]
        reading = _read(self._reply, self._answer, Question("BlokPodOddajResult", content_type, self._call))
        if reading is None:
            return
        if reading.fault is None and reading.refusal is None and not self._answer.exists():
            raise Crash("neither an answer nor a refusal")
        if reading.refusal is not None and not str(reading.refusal):
            raise Crash("refused without a word")


class Reports:
    """`check` of a report that anybody may have made."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "report.xml"
        self._seeds = _samples(
            "reports/NODURS_20261104_5860571.xml",
            "reports/SPAPP_202610_5860571.xml",
            "instruction/nodurs.xml",
            "instruction/spapp.xml",
        )
        namespaces = (by_code("NODURS").namespace, by_code("SPAPP").namespace)
        self._words = (*XML_WORDS, *(f' xmlns="{one}"'.encode() for one in namespaces))

    def document(self, dice: random.Random) -> bytes:
        return Mutation(dice, self._seeds, self._words).document()

    def play(self, content: bytes) -> None:
        self._path.write_bytes(content)
        options = ("--json",) if len(content) % 4 == 0 else ()
        _command((_DONE, _REFUSED), "check", str(self._path), *options)


class Notices:
    """Notices to the receiver of UJP's, signed and not."""

    def __init__(self, _folder: Path) -> None:
        key = rsa.generate_private_key(65537, 2048)
        verifier = Verifier(key.public_key(), "key")
        transaction, nonce, time = (
            "ce0763526b4f4527",
            "AeVLDoT9nZPN09O",
            str(int(NOW.timestamp())),
        )
        signed = key.sign(f"key{nonce}{time}{transaction}".encode(), padding.PKCS1v15(), SHA256())
        auth = {"nonce": nonce, "timestamp": time, "signature": base64.b64encode(signed).decode()}
        self._document = {
            "transactionId": transaction, "ids": 143, "id": "4585", "status": 0, "auth": auth,
        }  # fmt: skip
        window = TimeWindow(timedelta(days=1), timedelta(minutes=5))
        self._application = receiver(_Taking(), verifier, window)  # type: ignore[arg-type]

    def document(self, dice: random.Random) -> bytes:
        if dice.random() < 0.5:
            return self._odd(dice)
        return Mutation(dice, [json.dumps(self._document).encode()], WORDS).document()

    def play(self, content: bytes) -> None:
        asyncio.run(self._post(content))

    async def _post(self, content: bytes) -> None:
        transport = httpx.ASGITransport(self._application)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            status = (await client.post("/notice", content=content)).status_code
        if status not in (200, 403, 413):
            raise Crash(f"HTTP {status}")

    def _odd(self, dice: random.Random) -> bytes:
        """JSON as it should be, with values of any kind."""
        odd = dict(self._document)
        for _ in range(dice.randint(1, 3)):
            place = dice.choice((odd, odd["auth"])) if isinstance(odd["auth"], dict) else odd
            assert isinstance(place, dict)
            place = dict(place)
            place[dice.choice([*place, "x", "STATUS", "Auth"])] = _odd_value(dice)
            odd = place if "auth" in place else {**odd, "auth": place}
        return json.dumps(odd).encode()


class _Taking:
    """Takes every notice that was believed."""

    @staticmethod
    def clock() -> datetime:
        return NOW

    @staticmethod
    def receive(_notice: object) -> None:
        """Nothing has changed."""


def _odd_value(dice: random.Random, depth: int = 3) -> Any:
    simple: list[Any] = [
        None, True, False, 0, -1, 10**30, 1.5, 1e300, float("nan"), "", "²", "٣", "0", "\0", "\ud800",
        "\u202e", "x" * 5_000, "9" * 5_000, "2026-11-17T16:00:00Z", "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00",
    ]  # fmt: skip
    if depth and dice.random() < 0.2:
        return [_odd_value(dice, depth - 1) for _ in range(dice.randint(0, 3))]
    if depth and dice.random() < 0.2:
        return {str(number): _odd_value(dice, depth - 1) for number in range(dice.randint(0, 3))}
    return dice.choice(simple)


class Csv:
    """Ledger files of every kind."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._desk = _bank(folder)
        self._seeds = _samples(
            "ledger/accounts.csv", "ledger/account-months.csv", "ledger/postings.csv", "ledger/events.csv",
            "ledger/events-day-two.csv",
        )  # fmt: skip
        self._header = self._seeds[3].splitlines()[0]
        self._played = 0

    def document(self, dice: random.Random) -> bytes:
        words = (*WORDS, *self._header.split(b","), b'"', b'""', b"\r", b"\n", b"x" * 140_000)
        return Mutation(dice, self._seeds, words).document()

    def play(self, content: bytes) -> None:
        self._played += 1
        path = self._folder / "facts.csv"
        path.write_bytes(content)
        if self._played % _MOST_COMMITS_BY_CLI == 0:
            _command(
                (_DONE, _USAGE, _REFUSED), "-w", str(self._folder), "ledger", "import", str(path), "--json"
            )
            return
        try:
            import_files(self._desk, [path])
        except AjpesReportingError as error:
            if not error.message:
                raise Crash("refused without a word") from error
        if self._desk.engine.pool.checkedout():  # type: ignore[attr-defined]
            raise Crash("a transaction was left open")


class Configuration:
    """`ajpes.toml`, as somebody may have saved it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        text = settings_text(PROVIDER, "Banka Vzorec d.d.")
        commented = "\n".join(
            line.removeprefix("# ") if "=" in line or line.startswith("# [") else line
            for line in text.splitlines()
        )
        self._seeds = [text.encode(), commented.encode()]

    def document(self, dice: random.Random) -> bytes:
        words = (
            *WORDS,
            b"[soap]\n",
            b"[[provider]]\n",
            b"'''",
            b"a.b.c = 1\n",
            b"workspaces = ['a']\n",
            b"{}",
            b"[]",
        )
        return Mutation(dice, self._seeds, words).document()

    def play(self, content: bytes) -> None:
        (self._folder / "ajpes.toml").write_bytes(content)
        try:
            workspace = open_workspace(self._folder)
            workspace.database_url()
            workspace.ledger_url()
        except AjpesReportingError as error:
            if not error.message:
                raise Crash("refused without a word") from error


class Wsdls:
    """`doctor --wsdl`, and the message that a run would make."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "ajpes.wsdl"
        for name in ("wcf", "parts"):
            shutil.copytree(WSDLS / name, folder / name)
        self._seeds = [each.read_bytes() for each in sorted(WSDLS.glob("*.wsdl"))]

    def document(self, dice: random.Random) -> bytes:
        return Mutation(dice, self._seeds, XML_WORDS).document()

    def play(self, content: bytes) -> None:
        self._file.write_bytes(content)
        folder = str(self._file.parent)
        _command((_DONE, _USAGE), "--json", "-w", folder, "doctor", "--wsdl", str(self._file))
        with suppress(AjpesReportingError):
            envelope = make_envelope(self._file, SoapNames(), ("5860571000", "banka", "geslo"))
            etree.fromstring(envelope.head + envelope.tail)


TARGETS: dict[str, type[Answers | Replies | Reports | Notices | Csv | Configuration | Wsdls]] = {
    "answers": Answers,
    "replies": Replies,
    "reports": Reports,
    "notices": Notices,
    "csv": Csv,
    "configuration": Configuration,
    "wsdl": Wsdls,
}
