"""A SOAP reply by itself, whatever is in it: an answer, a fault, or words why it is neither."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ajpes_reporting.deliver.reply import Fault, UnusableReplyError, extract_answer
from tests import poison

RESULT = "BlokPodOddajResult"


def extracted(folder: Path, content: bytes) -> bytes | Fault:
    """The answer in a reply, or its fault."""
    (envelope := folder / "envelope.xml").write_bytes(content)
    fault = extract_answer(envelope, folder / "answer.xml", RESULT)
    return fault or (folder / "answer.xml").read_bytes()


def reply(body: str, root: str = "") -> bytes:
    """A SOAP envelope round a body."""
    soap = 'xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"'
    return f"<soap:Envelope {soap} {root}><soap:Body>{body}</soap:Body></soap:Envelope>".encode()


def levels(count: int, each: str) -> str:
    """Elements in one another, each with these attributes."""
    return "".join(f"<a {each.format(number)}>" for number in range(count)) + "</a>" * count


@pytest.mark.parametrize(
    "body",
    [
        levels(90, " ".join(f'xmlns:p{{0}}x{number}="u"' for number in range(4_000))),
        levels(1, " ".join(f'a{number}="1"' for number in range(2_000))),
        levels(1, " ".join(f'a{number}=""' for number in range(1_000_000))),
        f'<a x="{"x" * 20_000_000}"/>',
        f"<!--{'x' * 20_000_000}-->",
        levels(100_000, ""),
        f"<x:{RESULT}>&lt;BlokOdgovor&gt;",
        "<a:b/>&#0;",
        f"<{RESULT}>{'&lt;a&gt;' * 200_000}</{RESULT}>",
        f"<BlokOdgovor>{''.join(f'<a{number}/>' for number in range(1_000_000))}</BlokOdgovor>",
    ],
    ids=[
        "namespaces in namespaces", "2,000 attributes", "a million attributes", "a long value",
        "a long comment", "100,000 levels", "cut off", "a character that XML has not", "a deep text",
        "a million names",
    ],
)  # fmt: skip
def test_what_would_fill_the_memory_is_no_reply(tmp_path: Path, body: str) -> None:
    """The report has arrived, and the program that asks what became of it goes on living."""
    begun = time.process_time()
    with pytest.raises(UnusableReplyError):
        extracted(tmp_path, reply(body))
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("name", {**poison.UNREADABLE, **poison.UNMATCHED})
def test_an_answer_that_makes_no_sense_is_handed_on_or_refused_in_words(tmp_path: Path, name: str) -> None:
    """What it is worth is for whoever reads it; the reply itself is never a traceback."""
    content = {**poison.UNREADABLE, **poison.UNMATCHED}[name]
    if isinstance(content, bytes):
        content = content.decode("latin-1")
    for body in (
        content,
        f"<r><{RESULT}>{content.replace('&', '&amp;').replace('<', '&lt;')}</{RESULT}></r>",
    ):
        try:
            assert b"BlokOdgovor" in extracted(tmp_path, reply(body))  # type: ignore[operator]
        except UnusableReplyError as error:
            assert str(error)


def test_what_nobody_foresaw_is_told_as_unusable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours must not leave a report `sending`, as if nothing had been replied."""

    def broken(*_given: object) -> None:
        raise KeyError("zzz")

    monkeypatch.setattr("ajpes_reporting.deliver.reply._in_utf8", broken)
    with pytest.raises(UnusableReplyError, match="KeyError"):
        extracted(tmp_path, reply(poison.answer()))
