"""The catalogues hold what the program says, and every translation can be filled in."""

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from babel.messages.mofile import read_mo

from ajpes_reporting.cli.help import CLICK_DOMAIN
from ajpes_reporting.i18n.catalogue import DOMAIN

from . import catalogue

DOMAINS = (DOMAIN, CLICK_DOMAIN)
_GAP = re.compile(r"(?<!\{)\{(\w+)(?:![rs])?(?::\w+)?\}(?!\})")


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_catalogue_holds_exactly_what_is_said(domain: str) -> None:
    """Protects a translator from texts that nobody says any more, and a reader from English ones."""
    kept = catalogue.read(domain)
    said = set(catalogue.templates(domain))
    assert {message.id for message in kept if message.id} == said, "run `python -m tests.i18n.catalogue`"
    assert catalogue.untranslated(kept) == []


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_compiled_catalogue_is_that_of_the_source(domain: str) -> None:
    """Protects a reader from yesterday's translations."""
    with catalogue.path_of(domain, suffix="mo").open("rb") as compiled:
        found = {_parts(message.id): _parts(message.string) for message in read_mo(compiled) if message.id}
    kept = {_parts(message.id): _parts(message.string) for message in catalogue.read(domain) if message.id}
    expected = {key: told for key, told in kept.items() if all(told)}
    assert found == expected, "run `python -m tests.i18n.catalogue`"


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_translation_has_the_gaps_of_its_text(domain: str) -> None:
    """Protects a reader from a sentence without its number, and from a gap that nothing fills."""
    for message in catalogue.read(domain):
        wanted = set().union(*(_GAP.findall(text) for text in _parts(message.id)))
        for text in filter(None, _parts(message.string)):
            gaps = set(_GAP.findall(text))
            assert gaps <= wanted, text
            # A form for one, or for two, may say the number in words.
            assert isinstance(message.id, tuple) or gaps == wanted, text


def _parts(text: str | Sequence[str]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def calls(names: set[str]) -> Iterator[tuple[Path, ast.Call]]:
    """Every call of these functions in our source, with the file it stands in."""
    for path in sorted(catalogue.PACKAGE.rglob("*.py")):
        if "sandbox" in path.relative_to(catalogue.PACKAGE).parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                yield path, node


def test_a_message_is_one_whole_literal() -> None:
    """Protects a translator from sentences that are glued from pieces, which no other language has so."""
    for path, call in calls({"_", "_n"}):
        count = 1 if isinstance(call.func, ast.Name) and call.func.id == "_" else 2
        for text in call.args[:count]:
            literal = isinstance(text, ast.Constant) and isinstance(text.value, str) and bool(text.value)
            assert literal, f"{path}:{call.lineno}: {ast.unparse(text)}"
        assert len(call.args) == (1 if count == 1 else 3), f"{path}:{call.lineno}"


def test_no_message_is_a_piece_of_an_english_text() -> None:
    """Protects a reader from a sentence that is half in his language: a message in an f-string is English."""
    for path in sorted(catalogue.PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            pieces: list[ast.expr] = []
            if isinstance(node, ast.JoinedStr):
                pieces = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
            elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
                pieces = [node.left, node.right]
            for piece in pieces:
                is_message = isinstance(piece, ast.Call) and isinstance(piece.func, ast.Name)
                assert not (is_message and piece.func.id in ("_", "_n")), f"{path}:{piece.lineno}"
