"""What UJP refuses, and what can go wrong on the way there, as types.

A refusal carries its `Code` with the meaning in English and Slovene, and UJP's own words; the
API key is taken out of them.

RefusedByUjp                   4  UJP understood and said no
├── NotAuthorised              4  code 1
├── WrongTime                  4  code 2
├── WrongNonce                 4  code 3
├── AccessDenied               4  code 4
├── NotFound                   4  code 10
├── RequestRefused             4  code -99, with a field error for each field that is wrong
├── WrongHttpMethod            4  HTTP 405
├── TooManyRequests            4  HTTP 429; nothing was done
└── ServiceFailed              4  HTTP 5xx; it may have been done
NotAnswered                    5  UJP was not reached, or did not answer; asking has changed nothing
PaymentUnknown                 6  nobody knows whether UJP holds the payment
AnswerUnusable                 1  an answer that is not what the document says
└── NotAuthentic                1  not signed by UJP
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ajpes_reporting.domain.errors import (
    AjpesReportingError,
    NotDelivered,
    OutcomeUnknown,
    RefusedByAuthority,
)
from ajpes_reporting.eplacila.codes import Code, code_of
from ajpes_reporting.eplacila.reading import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LONGEST_WORDS = 300
_HIDDEN = "…"


@dataclass(frozen=True, slots=True)
class FieldError:
    """What UJP holds against one field of a request; `code` is None for one nobody has documented."""

    field: str
    code: Code | None
    number: str
    words: str

    def __str__(self) -> str:
        meaning = self.code.english if self.code else "a code that is not documented"
        return f"{self.field or 'the request'}: {meaning} ({self.number})" + _quoted(self.words)


class RefusedByUjp(RefusedByAuthority):
    """UJP did not do what was asked. `trace_id` is what UJP's support asks for."""

    remedy_in_words = "ask UJP, naming the trace"

    def __init__(
        self,
        code: Code | None,
        status: int,
        words: str = "",
        trace_id: str = "",
        field_errors: Sequence[FieldError] = (),
    ) -> None:
        self.code = code
        self.status = status
        self.words = words
        self.trace_id = trace_id
        self.field_errors = tuple(field_errors)
        super().__init__(
            self._told(), self.remedy_in_words, [str(field_error) for field_error in self.field_errors]
        )

    def _told(self) -> str:
        number = f"code {self.code.number}, " if self.code else ""
        meaning = self.code.english if self.code else _phrase(self.status)
        if self.field_errors:  # -99 stands for anything; these say what it is
            meaning = "the request is not valid"
        trace = f" Trace {self.trace_id}." if self.trace_id else ""
        words = _quoted(self.words)
        return f"UJP refused: {meaning} ({number}HTTP {self.status}){words}.{trace}"


class NotAuthorised(RefusedByUjp):
    """Code 1."""

    remedy_in_words = (
        "check eplacila.api_key, shared_secret, ids and base_url; the address is part of what is signed"
    )


class WrongTime(RefusedByUjp):
    """Code 2."""

    remedy_in_words = "set the clock of this machine; `timedatectl` says whether it is kept in step"


class WrongNonce(RefusedByUjp):
    """Code 3."""

    remedy_in_words = "ask again; every request gets a nonce of its own"


class AccessDenied(RefusedByUjp):
    """Code 4."""

    remedy_in_words = "ask for what belongs to the e-service of eplacila.ids"


class NotFound(RefusedByUjp):
    """Code 10."""

    remedy_in_words = "check the identifier, and eplacila.base_url"


class RequestRefused(RefusedByUjp):
    """Code -99; `field_errors` tell which field is wrong."""

    remedy_in_words = "correct these fields and send it again"


class WrongHttpMethod(RefusedByUjp):
    """HTTP 405."""

    remedy_in_words = "check eplacila.base_url and eplacila.init_path"


class TooManyRequests(RefusedByUjp):
    """HTTP 429; nothing was done."""

    remedy_in_words = "try again later"


class ServiceFailed(RefusedByUjp):
    """HTTP 5xx. What was asked may have been done all the same."""

    remedy_in_words = "try again later; if it stays so, tell UJP the trace"


class NotAnswered(NotDelivered):
    """UJP was not reached or did not answer. What was asked was a question, or provably never arrived."""


class PaymentUnknown(OutcomeUnknown):
    """The answer to an init was lost, and UJP could not be asked, or does not know the order yet."""


class AnswerUnusable(AjpesReportingError):
    """An answer that is not what the document says."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"What came as an answer of UJP is not used: {reason}.",
            "check eplacila.base_url and eplacila.public_key; then ask UJP",
        )
        self.reason = reason


class NotAuthentic(AnswerUnusable):
    """An answer or a notice that UJP has not signed."""


def refusal(status: int, content: bytes, api_key: str) -> RefusedByUjp:
    """What UJP's answer with an HTTP status of 400 or more means."""
    try:
        document = read_json(content)
    except ValueError:
        document = {}
    field_errors = [_field_error(item, api_key) for item in _objects(document.get("validationerrors"))]
    code = code_of(document.get("errorcode"))
    messages = document.get("messages")
    words = "; ".join(map(str, messages)) if isinstance(messages, list) else ""
    trace = _clean(document.get("traceid"), api_key)
    return _kind(code, status)(code, status, _clean(words, api_key), trace, field_errors)


_BY_CODE: dict[Code | None, type[RefusedByUjp]] = {
    Code.AUTHORISATION: NotAuthorised,
    Code.TIMESTAMP: WrongTime,
    Code.NONCE: WrongNonce,
    Code.FORBIDDEN: AccessDenied,
    Code.NOT_FOUND: NotFound,
}
_BY_STATUS: dict[int, type[RefusedByUjp]] = {
    HTTPStatus.BAD_REQUEST: RequestRefused,
    HTTPStatus.UNAUTHORIZED: NotAuthorised,
    HTTPStatus.FORBIDDEN: AccessDenied,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.METHOD_NOT_ALLOWED: WrongHttpMethod,
    HTTPStatus.TOO_MANY_REQUESTS: TooManyRequests,
}


def _kind(code: Code | None, status: int) -> type[RefusedByUjp]:
    """By the code, which tells more than the status; -99 stands for anything and tells less."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ServiceFailed
    return _BY_CODE.get(code) or _BY_STATUS.get(status, RefusedByUjp)


def _field_error(item: Mapping[str, Any], api_key: str) -> FieldError:
    number = str(item.get("errorcode") or "").strip()
    return FieldError(
        _clean(item.get("identifier"), api_key),
        code_of(number),
        _clean(number, api_key),
        _clean(item.get("message"), api_key),
    )


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _clean(value: object, api_key: str) -> str:
    """One line of bounded length, without the key: UJP's words may repeat the address."""
    text = " ".join(str(value or "").replace(api_key, _HIDDEN).split())
    shown = "".join(letter for letter in text if letter.isprintable())
    return shown[:_LONGEST_WORDS]


def _quoted(words: str) -> str:
    return f" “{words.rstrip('.')}”" if words else ""


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "an answer of no known kind"
