"""Checks one file: what it is, whether it follows its schema, whether it keeps the rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ajpes_reporting.check.explain import WHOLE_FILE, explain, plain_finding
from ajpes_reporting.check.log import FindingLog
from ajpes_reporting.domain.errors import ChecksRefused
from ajpes_reporting.domain.findings import Finding, Severity
from ajpes_reporting.domain.ports import Progress, no_progress
from ajpes_reporting.i18n import NOTHING, _
from ajpes_reporting.xmlread import (
    Element,
    Root,
    SchemaBroken,
    UnreadableXml,
    forget,
    load_schema,
    local_name,
    read_root,
    stream,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path


class Rules(Protocol):
    """Business rules fed with the elements of a file; see `reports.kind.FileRules`."""

    starts: frozenset[str]
    ends: frozenset[str]

    def start(self, element: Element, /) -> Iterable[Finding]: ...
    def end(self, element: Element, /) -> Iterable[Finding]: ...
    def finish(self) -> Iterable[Finding]: ...
    @property
    def record_count(self) -> int: ...


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file that can be checked: a report or an answer."""

    root: str
    namespace: str | None
    schema: Path
    rules: Callable[[], Rules]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The result of checking one file. `record_count` counts events, accounts or answer rows."""

    root: Root
    record_count: int
    log: FindingLog

    @property
    def ok(self) -> bool:
        return self.log.error_count == 0


def recognise(path: Path, kinds: Sequence[FileKind]) -> tuple[Root, FileKind]:
    """Returns the kind of a file by its root element. Raises `ChecksRefused` if it has none of ours."""
    try:
        root = read_root(path)
    except UnreadableXml as error:
        raise ChecksRefused(
            _("{file} is not XML.", file=path.name),
            NOTHING,
            [_unreadable(error)],
        ) from None
    for kind in kinds:
        if kind.root == root.local_name:
            return root, kind
    known = [kind.root for kind in kinds]
    raise ChecksRefused(
        _(
            "{file} is a {root} document; that is neither a report nor an answer.",
            file=path.name,
            root=root.local_name[:40],
        ),
        _("give a file whose first element is one of {roots}", roots=known),
    )


def check_file(
    path: Path, root: Root, kind: FileKind, *, strict: bool = False, progress: Progress = no_progress
) -> CheckReport:
    """Schema and rules in one pass over the file; memory does not grow with it.

    An answer is read by local name, as when it comes in: its namespace is dropped.
    """
    log = FindingLog(strict=strict)
    rules = kind.rules()
    plain = kind.namespace is None and root.namespace is not None
    if not plain and root.namespace != kind.namespace:
        log.add([_wrong_namespace(root, kind)])
        return CheckReport(root, 0, log)
    try:
        for findings in _pass_over(path, kind, rules, progress, plain=plain):
            log.add(findings)
        log.add(rules.finish())
    except UnreadableXml as error:
        log.add([_unreadable(error)])
    except SchemaBroken as broken:
        # What the rules said before that rests on a file that is not what it should be.
        log = FindingLog(strict=strict)
        log.add(explained(path, kind.schema, broken.message, plain=plain, sound=broken.sound))
    except Exception as error:  # whatever is in a stranger's file, its check ends with words
        log.add([_unforeseen(error)])
    return CheckReport(root, rules.record_count, log)


def _pass_over(
    path: Path, kind: FileKind, rules: Rules, progress: Progress, *, plain: bool
) -> Iterator[Iterable[Finding]]:
    counted = 0
    for event, element in stream(path, ("start", "end"), load_schema(kind.schema), plain=plain):
        name = local_name(element)
        if event == "start" and name in rules.starts:
            yield rules.start(element)
        elif event == "end" and name in rules.ends:
            yield rules.end(element)
            progress(rules.record_count - counted)
            counted = rules.record_count
        if event == "end" and name in _DONE_WITH:
            forget(element)


# Elements that hold whole records, or lists of them: once closed, nobody looks at them again.
_DONE_WITH = frozenset({"Blok", "Tr", "Dolznik", "Pi", "Napaka"})


def explained(
    path: Path, schema: Path, verdict: str, *, plain: bool = False, sound: int = 0
) -> list[Finding]:
    """Returns where a file breaks its schema, or why it cannot be read; see `explain`."""
    try:
        return list(explain(path, schema, verdict, plain=plain, sound=sound))
    except UnreadableXml as unreadable:
        return [_unreadable(unreadable)]
    except Exception:  # it is broken, that is certain; no words for it are found
        return [plain_finding(verdict)]


def _unreadable(error: UnreadableXml) -> Finding:
    return Finding(
        Severity.ERROR,
        WHOLE_FILE,
        "",
        "xml",
        _("the file cannot be read as XML ({reason})", reason=error.message),
        _("have the file made or fetched again; half a file ends like this"),
        line=error.line or None,
    )


def _unforeseen(error: Exception) -> Finding:
    return Finding(
        Severity.ERROR,
        WHOLE_FILE,
        "",
        "unforeseen",
        _("the file cannot be checked to its end ({error})", error=type(error).__name__),
        _("have the file made again; if it is right, show it to the makers of this program"),
    )


def _wrong_namespace(root: Root, kind: FileKind) -> Finding:
    namespace = root.namespace or _("missing")
    if kind.namespace:
        message = _(
            "the namespace is {namespace}, it must be {wanted}", namespace=namespace, wanted=kind.namespace
        )
    else:
        message = _("the namespace is {namespace}, there must be none", namespace=namespace)
    return Finding(
        Severity.ERROR,
        WHOLE_FILE,
        "xmlns",
        "schema",
        message,
        _("have the file made with the right namespace"),
        root.local_name,
    )
