"""One composed style: what is asked of a call, and how it is replied to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .binding import DOCUMENT, LENIENT_ACTION
from .blok import ANY
from .encoding import Reply, plain
from .ident import ARRAY
from .result import ELEMENT, response

if TYPE_CHECKING:
    from collections.abc import Callable, Set

    from .binding import Action, Binding
    from .blok import Blok
    from .ident import Ident
    from .result import Result


def _as_written(answer: bytes) -> bytes:
    return answer


@dataclass(frozen=True, slots=True)
class Style:
    """The parts that a style may change; without changes, the authority is as its siblings are.

    `names` are those that were asked for. `form` is "qualified" or "unqualified", `deviation` changes an
    answer before it is put into the result, `quirks` is what the exchange server does all the time, and
    `settings` are lines that a bank's own settings need besides, by section.
    """

    names: tuple[str, ...] = ()
    blok: Blok = ANY
    ident: Ident = ARRAY
    binding: Binding = DOCUMENT
    action: Action = LENIENT_ACTION
    form: str = "qualified"
    imports_schemas: bool = False
    result: Result = ELEMENT
    rejects_all: bool = False
    deviation: Callable[[bytes], bytes] = _as_written
    encoding: Callable[[Reply], Reply] = plain
    quirks: Set[str] = field(default=frozenset(), hash=False)
    settings: dict[str, str] = field(default_factory=dict, hash=False)

    @property
    def asks_as_shipped(self) -> bool:
        """Whether the WSDL that is shipped with the program describes the calls and the result."""
        shipped = Style()
        return all(getattr(self, name) == getattr(shipped, name) for name in _IN_WSDL)

    def reply(self, answer: bytes) -> Reply:
        """The reply that holds an answer, or a service error; `answer` is an element in UTF-8."""
        return self.reply_with(self.result.put(answer))

    def reply_with(self, content: bytes) -> Reply:
        """The reply with these bytes as its result."""
        qualified = self.form == "qualified" and not self.binding.is_rpc
        body = self.binding.version.envelope(response(content, qualified=qualified))
        return self.encoding(Reply(200, self._content_type, body))

    def fault(self, blame: str, text: str) -> Reply:
        """A SOAP fault; `blame` is Client or Server. SOAP 1.1, section 6.2: 500, whoever is to blame."""
        body = self.binding.version.fault(blame, text)
        return self.encoding(Reply(500, self._content_type, body))

    def speaking_as(self, other: Style) -> Style:
        """Return a style with the same calls, and with replies as the other style has them."""
        return replace(self, **{name: getattr(other, name) for name in _OF_REPLIES})

    @property
    def _content_type(self) -> str:
        return f"{self.binding.version.media_type}; charset=utf-8"


_OF_REPLIES = ("result", "rejects_all", "deviation", "encoding")
_IN_WSDL = ("blok", "ident", "binding", "action", "form", "imports_schemas", "result")
