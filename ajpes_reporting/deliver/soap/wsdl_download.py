"""Fetching a WSDL, with all that it imports, into files beside each other.

Only a person asks for it, by `doctor --wsdl URL`; a run reads files. Only over HTTPS, only from the host that
was named, and bounded in size, number and time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

import httpx
from lxml import etree

from ajpes_reporting.deliver.soap.wsdl_files import (
    LARGEST_FILE_BYTES,
    MOST_FILES,
    WSDL,
    XSD,
    is_known,
    parse_safely,
)
from ajpes_reporting.domain.errors import NotDelivered, UsageError
from ajpes_reporting.i18n import Message, _
from ajpes_reporting.i18n.libraries import xml_reason
from ajpes_reporting.i18n.system import system_reason
from ajpes_reporting.network.transport import Transport
from ajpes_reporting.network.trouble import connection_trouble
from ajpes_reporting.network.watchdog import Watchdog, watched

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from ajpes_reporting.network.line import Proxy

_CONNECT_SECONDS, _SILENCE_SECONDS, _WHOLE_SECONDS = 20, 20, 120
_MOST_REDIRECTS = 3
_BY_HAND = _("save the WSDL in a browser, with the files it imports beside it, and name that file")
_NOT_GIVEN = {
    401: (
        _("the server asks for a user name and password"),
        _('set soap.username, password and authentication = "basic"; or {by_hand}', by_hand=_BY_HAND),
    ),
    403: (
        _("the server does not let us have it"),
        _("ask AJPES whether our certificate is registered; or {by_hand}", by_hand=_BY_HAND),
    ),
    404: (
        _("the server has nothing at this address"),
        _("check the address, which often ends with ?wsdl; or {by_hand}", by_hand=_BY_HAND),
    ),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller: our certificate and our trust; user name and password only for HTTP Basic."""

    context: ssl.SSLContext = field(repr=False)
    basic: tuple[str, str] | None = field(default=None, repr=False)
    proxy: Proxy | None = None


def is_address(text: str) -> bool:
    """Whether a WSDL is named by its address, not by the name of a file."""
    return re.match(r"https?://", text, re.IGNORECASE) is not None


def download(url: str, caller: Caller, folder: Path) -> tuple[Path, list[Message]]:
    """Stores the WSDL at this address in the folder; returns its file, and what was done in sentences.

    Nothing that is there is overwritten. Raises `UsageError` if there is no WSDL at that address, and
    `NotDelivered` if it was not reached.
    """
    _check(url)
    with watched(_WHOLE_SECONDS) as watchdog, _client(caller) as client:
        fetched = _Fetched(_Download(client, watchdog), url)
    return _stored(fetched, folder)


def _check(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme.lower() != "https" or not parts.hostname or parts.username is not None:
        raise UsageError(
            _(
                "A WSDL is fetched only from an address with https:// and no user, and {url} is none.",
                url=url,
            ),
            _("name it by https://; or {by_hand}", by_hand=_BY_HAND),
        )


def _client(caller: Caller) -> httpx.Client:
    return httpx.Client(
        transport=Transport(caller.context, caller.proxy),
        auth=caller.basic,
        timeout=httpx.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS),
        follow_redirects=False,
        trust_env=False,
    )


class _Download:
    """Gets one file after the other, all from one host."""

    def __init__(self, client: httpx.Client, watchdog: Watchdog) -> None:
        self._client = client
        self._watchdog = watchdog
        self._left = MOST_FILES

    def get(self, url: str) -> tuple[str, bytes]:
        """The content at an address, and where it was in the end."""
        self._left -= 1
        if self._left < 0:
            raise UsageError(_("The WSDL imports more than {count:count} files.", count=MOST_FILES), _BY_HAND)
        host = urlsplit(url).netloc
        for _hop in range(_MOST_REDIRECTS + 1):
            status, target, content = self._ask(url)
            if not httpx.codes.is_redirect(status):
                return url, self._given(status, url, content)
            url = urljoin(url, target)
            if urlsplit(url).scheme != "https" or urlsplit(url).netloc != host:
                raise UsageError(
                    _("The server sends us on to {url}; nothing was fetched there.", url=url), _BY_HAND
                )
        raise UsageError(_("The server sends us on and on; nothing was fetched."), _BY_HAND)

    def _ask(self, url: str) -> tuple[int, str, bytes]:
        try:
            with self._client.stream("GET", url, extensions={"trace": self._trace}) as response:
                content = b""
                for block in response.iter_bytes():
                    content += block
                    if len(content) > LARGEST_FILE_BYTES:
                        raise UsageError(
                            _(
                                "{url} is larger than {count:count} bytes.",
                                url=url,
                                count=LARGEST_FILE_BYTES,
                            ),
                            _BY_HAND,
                        )
                return response.status_code, response.headers.get("Location", ""), content
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            reason, remedy = connection_trouble(TimeoutError() if self._watchdog.expired else error)
            raise NotDelivered(
                _("{server} was not reached: {reason}.", server=urlsplit(url).netloc, reason=reason), remedy
            ) from error

    def _trace(self, event: str, info: dict[str, object]) -> None:
        if event == "connection.connect_tcp.complete":
            stream: Any = info["return_value"]
            self._watchdog.guard(stream.get_extra_info("socket"))

    @staticmethod
    def _given(status: int, url: str, content: bytes) -> bytes:
        if httpx.codes.is_success(status):
            return content
        if status not in _NOT_GIVEN:
            raise UsageError(
                _("The server does not give {url} (HTTP {status}).", url=url, status=status),
                _("ask AJPES; or {by_hand}", by_hand=_BY_HAND),
            )
        reason, remedy = _NOT_GIVEN[status]
        raise UsageError(
            _(
                "The server does not give {url} (HTTP {status}): {reason}.",
                url=url,
                status=status,
                reason=reason,
            ),
            remedy,
        )


class _Fetched:
    """A WSDL and what it imports, in memory; the files name each other by their places here."""

    def __init__(self, source: _Download, url: str) -> None:
        self._source = source
        self._numbers: dict[str, int] = {}
        self.documents: list[etree._Element] = []
        self.suffixes: list[str] = []
        url, root = self._root(url)
        self.stem = _stem(url)
        self._take(url, root, ".wsdl")

    def _root(self, url: str) -> tuple[str, etree._Element]:
        """The WSDL itself; the address of a service alone, without ?wsdl, gives a page for people."""
        final, content = self._source.get(url)
        if not urlsplit(url).query and not _is_wsdl(content):
            final, content = self._source.get(f"{url}?wsdl")
        return final, _parsed(final, content)

    def _take(self, url: str, root: etree._Element, suffix: str) -> int:
        number = self._numbers[url] = len(self.documents)
        self.documents.append(root)
        self.suffixes.append(suffix)
        for node, attribute in _references(root):
            place = node.get(attribute, "")
            if not place or is_known(place, node.get("namespace", "")):
                continue
            target = self._same_host(urljoin(url, place), url)
            if target not in self._numbers:
                below = _parsed(target, self._source.get(target)[1])
                self._take(target, below, ".wsdl" if below.tag == f"{{{WSDL}}}definitions" else ".xsd")
            node.set(attribute, f"{_PLACE}{self._numbers[target]}")
        return number

    @staticmethod
    def _same_host(target: str, url: str) -> str:
        """By https also where the service, behind a proxy, writes its imports with http."""
        here, there = urlsplit(url), urlsplit(target)
        if there.hostname != here.hostname or there.scheme not in {"http", "https"}:
            raise UsageError(
                _("The WSDL imports {target}, which is on another host. Nothing was stored.", target=target),
                _BY_HAND,
            )
        return urlunsplit(there._replace(scheme="https", netloc=here.netloc, fragment=""))

    def files(self, stem: str) -> dict[str, bytes]:
        """The files to store, the WSDL itself first, under names that begin with `stem`."""
        numbers = ("", *(f".{number}" for number in range(1, len(self.suffixes))))
        names = [f"{stem}{number}{suffix}" for number, suffix in zip(numbers, self.suffixes, strict=True)]
        for root in self.documents:
            for node, attribute in _references(root):
                place = node.get(attribute, "")
                if place.startswith(_PLACE):
                    node.set(attribute, names[int(place.removeprefix(_PLACE))])
        written = [etree.tostring(each, encoding="UTF-8", xml_declaration=True) for each in self.documents]
        return dict(zip(names, written, strict=True))


_PLACE = "ajpes-reporting:"


def _references(root: etree._Element) -> Iterator[tuple[etree._Element, str]]:
    for node in root.iter(f"{{{XSD}}}import", f"{{{XSD}}}include", f"{{{XSD}}}redefine"):
        yield node, "schemaLocation"
    for node in root.iter(f"{{{WSDL}}}import"):
        yield node, "location"


def _is_wsdl(content: bytes) -> bool:
    try:
        return parse_safely(content).tag == f"{{{WSDL}}}definitions"
    except (ValueError, etree.XMLSyntaxError):
        return False


def _parsed(url: str, content: bytes) -> etree._Element:
    if re.search(rb"<html[\s>]", content[:5_000], re.IGNORECASE):
        raise UsageError(
            _("{url} is a web page (HTML), not a WSDL.", url=url),
            _("check the address, which often ends with ?wsdl; or {by_hand}", by_hand=_BY_HAND),
        )
    try:
        root = parse_safely(content)
    except (ValueError, etree.XMLSyntaxError) as error:
        raise UsageError(
            _("{url} is no XML that can be read here: {error}.", url=url, error=xml_reason(str(error))),
            _BY_HAND,
        ) from error
    if root.tag not in {f"{{{WSDL}}}definitions", f"{{{XSD}}}schema"}:
        raise UsageError(
            _(
                "{url} is no WSDL, its root element is {element}.",
                url=url,
                element=etree.QName(root).localname,
            ),
            _BY_HAND,
        )
    return root


def _stem(url: str) -> str:
    name = PurePosixPath(unquote(urlsplit(url).path)).stem
    return re.sub(r"[^A-Za-z0-9_-]", "_", name) or "ajpes"


def _stored(fetched: _Fetched, folder: Path) -> tuple[Path, list[Message]]:
    """Writes the files under the first names that are free, or hold the very same."""
    for number in count(1):
        stem = fetched.stem if number == 1 else f"{fetched.stem}-{number}"
        files = fetched.files(stem)
        if all(_is_free(folder / name, content) for name, content in files.items()):
            break
    told = [_write(folder / name, content) for name, content in files.items()]
    if number > 1:
        told.append(
            _("There are other files of the name {name}, which were left as they are.", name=fetched.stem)
        )
    return folder / next(iter(files)), told


def _is_free(path: Path, content: bytes) -> bool:
    return not path.exists() or (path.is_file() and path.read_bytes() == content)


def _write(path: Path, content: bytes) -> Message:
    if path.exists():
        return _("{path} is there already, and is the same.", path=str(path))
    try:
        with path.open("xb") as file:
            file.write(content)
    except OSError as error:
        raise UsageError(
            _("{path} cannot be written: {reason}.", path=str(path), reason=system_reason(error)),
            _("name another folder with -w DIR"),
        ) from error
    return _("Stored {path}.", path=str(path))
