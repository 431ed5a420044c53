"""Makes documents that nobody foresaw out of documents that are right. The same dice make the same ones."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

_CHANGES_AT_ONCE = (1, 1, 1, 1, 2, 2, 3, 6)  # most inputs should get far
_MOST_REPEATS = 3_000
_LARGEST_BYTES = 400_000
_ENCODINGS = ("utf-16", "utf-16-be", "utf-32", "utf-7", "windows-1250", "iso-8859-2", "cp037", "utf-8-sig")

# Values that some reader somewhere has tripped over, whatever the format.
WORDS: tuple[bytes, ...] = (
    b"", b" ", b"\0", b"\t", b"\r\n", "\xa0".encode(), b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"0",
    b"-0", b"-1", b"+1", b"00000000000000000001", b"1e999999999", b"9" * 30, b"9" * 5_000, b"NaN", b"inf",
    "²".encode(), "٣".encode(), "\u202e".encode(), "\x9b31m".encode(), b"\x1b[31m", "e\u0301".encode(),
    b"9223372036854775808", b"2147483648", b"1.5", b"1,5", b"0x10", b"1_000", b"0000-00-00", b"9999-99-99",
    b"0001-01-01T00:00:00+14:00", b"9999-12-31T23:59:59-14:00", b"12026-01-01", b"-0001-01-01T00:00:00",
    b"2026-11-17T24:00:00", b"2016-12-31T23:59:60Z", b"2026-02-30", b"99999999999999999999",
    b"2026-03-29T02:30:00", b"2026-11-17T17:00:00.1234567890123", b"2062-11-23T08:00:00", b"<", b">", b"&",
    b"&amp;", b"&#0;", b"&#xD800;", b"&e;", b"'", b'"', b"]]>", b"<!--", b"-->", b"<![CDATA[", b"<?x", b"{",
    b"}", b"[", b"]", b"null", b"true", b"%s", b"{0}", b"\\", b"\\u0000", b"\\ud800", b";", b",", b"=1+1",
    b"../../etc/passwd", b"file:///dev/zero", b"env:HOME", b"sqlite:///:memory:",
)  # fmt: skip

XML_WORDS: tuple[bytes, ...] = (
    *WORDS,
    b' xmlns="urn:a"', b' xmlns="a}b{c"', b' xmlns=""', b' xmlns:a="urn:a"', b" a:b='1'", b"<a:b/>",
    b"<a/>", b"</a>",
    b' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"', b" xsi:type='zzz'", b" xsi:nil='true'",
    b" xsi:schemaLocation='urn:a file:///dev/zero'", b" xsi:noNamespaceSchemaLocation='/dev/zero'",
    b"<!DOCTYPE a [<!ENTITY e 'x'>]>", b"<?xml version='1.0' encoding='klingon'?>", b"<?xml version='1.1'?>",
    b' encoding="UTF-16"', b" xml:space='x'", b" xml:id='1'", b"<?a?>", b"<a>" * 150, b"<a><b>" * 40_000,
    b" " + b" ".join(b'a%d="1"' % number for number in range(2_000)),
    b" " + b" ".join(b'xmlns:a%d="u"' % number for number in range(500)),
    b"<a x='" + b"y" * 200_000 + b"'/>", b"x" * 150_000, b"&#65;" * 20_000,
)  # fmt: skip

_VALUE = re.compile(
    rb"""(?<==")[^"]*(?=")|(?<=')[^']*(?=')|(?<=>)[^<>]*(?=<)|(?<=[,;:])[^,;:\n]*(?=[,;\n}])"""
)
_TAG = re.compile(rb"<[^<>]*>")

Change = Callable[["Mutation", bytes], bytes]


class Mutation:
    """Changes documents. `words` are put where they do not belong; `seeds` are cut and joined."""

    def __init__(self, dice: random.Random, seeds: Sequence[bytes], words: Sequence[bytes]) -> None:
        self._dice = dice
        self._seeds = seeds
        self._words = words

    def document(self) -> bytes:
        """A seed with up to six changes, of a size that can be read in a moment."""
        content = self._dice.choice(self._seeds)
        for _ in range(self._dice.choice(_CHANGES_AT_ONCE)):
            content = self._dice.choice(_CHANGES)(self, content)[:_LARGEST_BYTES]
        return content

    def _another_value(self, content: bytes) -> bytes:
        return self._in_place_of(_VALUE, content, lambda _old: self._dice.choice(self._words))

    def _a_longer_value(self, content: bytes) -> bytes:
        return self._in_place_of(
            _VALUE, content, lambda old: (old or b"x") * self._dice.choice((2, 40, 6_000))
        )

    def _another_tag(self, content: bytes) -> bytes:
        tags = _TAG.findall(self._dice.choice(self._seeds)) or [b"<a/>"]
        return self._in_place_of(_TAG, content, lambda _old: self._dice.choice((b"", *tags)))

    def _a_word(self, content: bytes) -> bytes:
        place = self._place(content)
        return content[:place] + self._dice.choice(self._words) + content[place:]

    def _a_word_in_a_tag(self, content: bytes) -> bytes:
        word = self._dice.choice(self._words)
        return self._in_place_of(_TAG, content, lambda old: old[:-1].rstrip(b"/") + word + old[-1:])

    def _less(self, content: bytes) -> bytes:
        begin, end = self._range(content)
        return content[:begin] + content[end:]

    def _more_of_the_same(self, content: bytes) -> bytes:
        begin, end = self._range(content)
        times = self._dice.choice((2, 3, 100, _MOST_REPEATS))
        return content[:end] + content[begin:end] * times + content[end:]

    def _cut_off(self, content: bytes) -> bytes:
        return content[: self._place(content)]

    def _another_byte(self, content: bytes) -> bytes:
        place = self._place(content)
        return content[:place] + bytes([self._dice.randrange(256)]) + content[place + 1 :]

    def _two_halves(self, content: bytes) -> bytes:
        other = self._dice.choice(self._seeds)
        return content[: self._place(content)] + other[self._place(other) :]

    def _another_encoding(self, content: bytes) -> bytes:
        if self._dice.random() < 0.7:  # or hardly anything would be readable any more
            return content
        return content.decode("utf-8", "replace").encode(self._dice.choice(_ENCODINGS), "replace")

    def _in_place_of(
        self, pattern: re.Pattern[bytes], content: bytes, made: Callable[[bytes], bytes]
    ) -> bytes:
        found = list(pattern.finditer(content, 0, _LARGEST_BYTES))
        if not found:
            return content
        one = self._dice.choice(found)
        return content[: one.start()] + made(one[0]) + content[one.end() :]

    def _place(self, content: bytes) -> int:
        return self._dice.randint(0, len(content))

    def _range(self, content: bytes) -> tuple[int, int]:
        begin = self._place(content)
        return begin, min(len(content), begin + self._dice.choice((1, 4, 30, 300)))


_CHANGES: tuple[Change, ...] = (
    *(Mutation._another_value,) * 10,
    *(Mutation._a_word_in_a_tag,) * 3,
    *(Mutation._another_tag,) * 2,
    Mutation._a_word,
    Mutation._a_longer_value,
    Mutation._another_tag,
    Mutation._less,
    Mutation._more_of_the_same,
    Mutation._cut_off,
    Mutation._another_byte,
    Mutation._two_halves,
    Mutation._another_encoding,
)
