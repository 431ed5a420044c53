"""Refusals of UJP, and everything that can go wrong on the way there, as types.

A refusal carries its `Code`, and UJP's own words with the API key taken out of them.

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
from ajpes_reporting.i18n import Message, _

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LONGEST_WORDS = 300
_HIDDEN = "…"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field of a request that UJP refuses; `code` is None for one that is not documented."""

    field: str
    code: Code | None
    number: str
    words: str

    @property
    def message(self) -> Message:
        """The field, the meaning of the code, and UJP's own words if there are any."""
        field = self.field or _("the request")
        meaning = self.code.meaning if self.code else _("a code that is not documented")
        given = {"field": field, "meaning": meaning, "code": self.number, "words": self.words.rstrip(".")}
        if given["words"]:
            return _("{field}: {meaning} ({code}) “{words}”", **given)
        return _("{field}: {meaning} ({code})", **given)


class RefusedByUjp(RefusedByAuthority):
    """UJP refused a request. `trace_id` is the number that UJP's support asks for."""

    usual_remedy = _("ask UJP, naming the trace")

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
        details = [field_error.message for field_error in self.field_errors]
        super().__init__(self._summary(), self.usual_remedy, details)

    def _summary(self) -> Message:
        meaning: str = self.code.meaning if self.code else _phrase(self.status)
        if self.field_errors:  # -99 stands for anything; these say what it is
            meaning = _("the request is not valid")
        answer = _("HTTP {status}", status=self.status)
        if self.code:
            answer = _("code {code}, HTTP {status}", code=self.code.number, status=self.status)
        words, trace = self.words.rstrip("."), self.trace_id
        given = {"meaning": meaning, "answer": answer, "words": words, "trace": trace}
        if words and trace:
            return _("UJP refused: {meaning} ({answer}) “{words}”. Trace {trace}.", **given)
        if words:
            return _("UJP refused: {meaning} ({answer}) “{words}”.", **given)
        if trace:
            return _("UJP refused: {meaning} ({answer}). Trace {trace}.", **given)
        return _("UJP refused: {meaning} ({answer}).", **given)


class NotAuthorised(RefusedByUjp):
    """Code 1."""

    usual_remedy = _(
        "check eplacila.api_key, shared_secret, ids and base_url; the address is part of what is signed"
    )


class WrongTime(RefusedByUjp):
    """Code 2."""

    usual_remedy = _("set the clock of this machine; `timedatectl` says whether it is kept in step")


class WrongNonce(RefusedByUjp):
    """Code 3."""

    usual_remedy = _("ask again; every request gets a nonce of its own")


class AccessDenied(RefusedByUjp):
    """Code 4."""

    usual_remedy = _("ask for what belongs to the e-service of eplacila.ids")


class NotFound(RefusedByUjp):
    """Code 10."""

    usual_remedy = _("check the identifier, and eplacila.base_url")


class RequestRefused(RefusedByUjp):
    """Code -99; `field_errors` tell which field is wrong."""

    usual_remedy = _("correct these fields, then send the request again")


class WrongHttpMethod(RefusedByUjp):
    """HTTP 405."""

    usual_remedy = _("check eplacila.base_url and eplacila.init_path")


class TooManyRequests(RefusedByUjp):
    """HTTP 429; nothing was done."""

    usual_remedy = _("try again later")


class ServiceFailed(RefusedByUjp):
    """HTTP 5xx. What was asked may have been done all the same."""

    usual_remedy = _("try again later; if it stays so, tell UJP the trace")


class NotAnswered(NotDelivered):
    """UJP was not reached or did not answer. What was asked was a question, or provably never arrived."""


class PaymentUnknown(OutcomeUnknown):
    """The answer to an init was lost, and UJP could not be asked or does not know the order yet."""


class AnswerUnusable(AjpesReportingError):
    """An answer that is not as the document has it; `reason` is a clause."""

    def __init__(self, reason: Message) -> None:
        super().__init__(
            _("The answer of UJP cannot be used: {reason}.", reason=reason),
            _("check eplacila.base_url and eplacila.public_key; then ask UJP"),
        )
        self.reason = reason


class NotAuthentic(AnswerUnusable):
    """An answer or a notice that UJP has not signed."""


def refusal(status: int, content: bytes, api_key: str) -> RefusedByUjp:
    """Return the error that an answer with an HTTP status of 400 or more stands for."""
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


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return _("an answer of no known kind")
