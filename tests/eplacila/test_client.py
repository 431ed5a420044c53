"""The client against a real HTTPS server: what it asks, what it believes, when it asks again."""

from __future__ import annotations

import base64
import json
import logging
import socket
import subprocess
import time
import traceback
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from ajpes_reporting.domain.errors import ChecksRefused, ConfigurationError, UsageError
from ajpes_reporting.eplacila.answers import State
from ajpes_reporting.eplacila.codes import Code
from ajpes_reporting.eplacila.errors import (
    AccessDenied,
    AnswerUnusable,
    NotAnswered,
    NotAuthentic,
    NotAuthorised,
    NotFound,
    PaymentUnknown,
    RefusedByUjp,
    RequestRefused,
    ServiceFailed,
    TooManyRequests,
    WrongHttpMethod,
    WrongNonce,
    WrongTime,
)
from ajpes_reporting.eplacila.transport import Timeouts
from ajpes_reporting.network.line import Proxy
from tests.eplacila.conftest import (
    API_KEY,
    IDS,
    NOW,
    ORDER_ID,
    ROOT,
    SECRET,
    TRANSACTION,
    Signer,
    Ujp,
    as_json,
    order,
)
from tests.servers.https import Request, http
from tests.servers.proxies import SmallProxy, connecting, saying


def in_turn(*answers: bytes | None) -> Callable[[Request], bytes | None]:
    """Each answer once, the last one again and again."""
    left = list(answers)
    return lambda _request: left.pop(0) if len(left) > 1 else left[0]


def test_health_is_read(ujp: Ujp, signer: Signer) -> None:
    """Section 6.5.1; a number may come as text."""
    answer = {"status": "0", "zadnjePlacilo": "2024-06-21T06:52:25+00:00", "auth": signer.auth()}
    ujp.answer = lambda _request: as_json(answer)
    health = ujp.client().health()
    assert health.works
    assert health.last_payment_at == datetime(2024, 6, 21, 6, 52, 25, tzinfo=UTC)
    assert ujp.paths() == ["GET /health"]


def test_each_request_proves_who_asks_for_the_address_as_it_was_sent(ujp: Ujp, signer: Signer) -> None:
    """Section 6.4.1: with its query; computed by `sha256sum` from what the server received."""
    ujp.answer = lambda _request: as_json({"izpisek": {"placilo": []}, "auth": signer.auth()})
    list(ujp.client().payments("5874831000", date(2019, 1, 1), date(2019, 1, 1)))
    (request,) = ujp.requests
    username, password = base64.b64decode(request.headers["authorization"][6:]).decode().split(":")
    target = request.line.split()[1]
    signed = f"{username}{SECRET}{ujp.base_url}{target}{IDS}"
    summed = subprocess.run(["sha256sum"], input=signed.encode(), capture_output=True, check=True)
    assert password == summed.stdout.decode().split()[0]
    key, _nonce, seconds = username.split(".")
    assert (key, seconds) == (API_KEY, str(int(NOW.timestamp())))
    # The document's own example of a day: 1546297200 is 1 January 2019.
    assert target == (
        f"{ROOT}/izpiski/5874831000?datumOd=1546297200&datumDo=1546297200&zakasnjenaPlacila=false"
    )


def test_an_order_is_sent_with_the_names_of_the_document(ujp: Ujp) -> None:
    """Section 6.5.2: prices in euros, what was not given left out."""
    ujp.answer = lambda _request: as_json(ujp.started())
    started = ujp.client().init(order(methods=("VISA", "FLIK")))
    assert started.transaction_id == TRANSACTION
    assert started.pay_url == f"https://localhost:7085/vstop/index?idt={TRANSACTION}"
    assert ujp.paths() == ["POST /transaction/transaction/init"]
    assert json.loads(ujp.requests[0].body) == {
        "ids": 143, "id": ORDER_ID, "maticna": "5874831000", "successUrl": "https://shop.example/ok",
        "failureUrl": "https://shop.example/no", "callbackUrl": "https://shop.example/notice",
        "isoValuta": "EUR", "opisPlacila": "Testno plačilo", "idn": "VISA,FLIK",
        "postavka": [
            {"opis": "Testni artikel 0", "kolicina": 1, "cena": 12.23, "odstotekDdv": 22,
             "odstotekDdvSpecified": True}
        ],
    }  # fmt: skip


def test_the_other_address_for_an_init_is_a_setting(ujp: Ujp) -> None:
    """Sections 3.2 and 6.5.2 contradict each other."""
    ujp.answer = lambda _request: as_json(ujp.started())
    ujp.client(init_path="/transaction/init").init(order())
    assert ujp.paths() == ["POST /transaction/init"]


def test_a_status_is_read_as_the_document_shows_one(ujp: Ujp) -> None:
    """The table says `urlpar`, the example `urlPar`."""
    ujp.answer = lambda _request: as_json(ujp.status(0, znesek=12.21, urlPar="p", ids="143", status="0"))
    client = ujp.client()
    for status in (client.status(TRANSACTION), client.status_of_order(ORDER_ID)):
        assert (status.state, status.amount_cents, status.parameter) == (State.PAID, 1221, "p")
        assert (status.reversed_cents, status.reversed_at, status.method) == (0, None, "MONETA-S")
    assert ujp.paths() == [
        f"GET /transaction/status/{TRANSACTION}", f"GET /transaction/statusbynarocilo/{ORDER_ID}"
    ]  # fmt: skip


def test_what_stands_in_an_identifier_leads_to_no_other_address(ujp: Ujp) -> None:
    """A transaction identifier may come from a stranger's address line."""
    ujp.answer = lambda _request: as_json(ujp.status(transactionId="../x?y#z"))
    with pytest.raises(NotAuthentic):
        ujp.client().status("../x?y#z")
    assert ujp.paths() == ["GET /transaction/status/..%2Fx%3Fy%23z"]


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_an_identifier_of_dots_asks_for_nothing(ujp: Ujp, name: str) -> None:
    """In an address it would mean the folder itself, or the one above."""
    asked = (ujp.client().status, ujp.client().status_of_order, ujp.client().receipt)
    for ask in asked:
        with pytest.raises(UsageError, match="no identifier"):
            ask(name)
    assert ujp.requests == []


@pytest.mark.parametrize(
    ("kind", "content"), [("pdf", b"%PDF-1.7 ..."), ("xml", b"<?xml version='1.0'?><a/>")]
)
def test_a_receipt_is_unpacked(ujp: Ujp, signer: Signer, kind: Any, content: bytes) -> None:
    """Section 6.5.4."""
    answer = {"stevilkaRacuna": "EPS-1", "racun": base64.b64encode(content).decode()}
    ujp.answer = lambda _request: as_json(answer | {"auth": signer.auth(TRANSACTION)})
    receipt = ujp.client().receipt(TRANSACTION, kind)
    assert (receipt.number, receipt.content) == ("EPS-1", content)
    assert ujp.paths() == [f"GET /racun/{kind}/{TRANSACTION}"]


@pytest.mark.parametrize("racun", [None, "", "!", base64.b64encode(b"sorry").decode()])
def test_a_receipt_that_is_no_file_is_not_given_out(ujp: Ujp, signer: Signer, racun: Any) -> None:
    """A customer would get it."""
    ujp.answer = lambda _request: as_json({"racun": racun, "auth": signer.auth(TRANSACTION)})
    with pytest.raises(AnswerUnusable, match="receipt"):
        ujp.client().receipt(TRANSACTION)


GENERAL = [
    ("1", 401, NotAuthorised), ("2", 401, WrongTime), ("3", 401, WrongNonce), ("4", 403, AccessDenied),
    ("10", 404, NotFound), ("-99", 400, RequestRefused), ("-99", 500, ServiceFailed),
    (None, 401, NotAuthorised), (None, 403, AccessDenied), (None, 404, NotFound),
    (None, 405, WrongHttpMethod), (None, 429, TooManyRequests), (None, 500, ServiceFailed),
    (None, 502, ServiceFailed), (None, 418, RefusedByUjp),
]  # fmt: skip


@pytest.mark.parametrize(("code", "status", "kind"), GENERAL)
@pytest.mark.parametrize("as_number", [False, True])
def test_every_general_refusal_is_told_apart(
    ujp: Ujp, code: str | None, status: int, kind: type[RefusedByUjp], as_number: bool
) -> None:
    """Sections 6.3 and 6.3.3; the code as text, or as a number."""
    number = int(code) if code and as_number else code
    document = {"traceId": "T-1", "errorCode": number, "statusCode": str(status),
                "messages": [f"ni za {API_KEY}"]}  # fmt: skip
    ujp.answer = lambda _request: as_json(document, f"{status} No")
    with pytest.raises(kind) as caught:
        ujp.client(pauses=()).status(TRANSACTION)
    assert type(caught.value) is kind
    assert caught.value.trace_id == "T-1"
    assert (caught.value.code.number if caught.value.code else None) == code
    assert "ni za" in caught.value.message
    assert API_KEY not in caught.value.message


FIELD_CODES = [*range(101, 108), *range(201, 214), *range(301, 305)]


@pytest.mark.parametrize("number", FIELD_CODES)
def test_every_code_of_a_field_is_told_apart(ujp: Ujp, number: int) -> None:
    """Section 6.3.4."""
    fault = {"identifier": "maticna", "message": "proračunski uporabnik ne obstaja", "errorCode": number}
    answer = {"traceId": "T", "errorCode": "-99", "validationErrors": [fault]}
    ujp.answer = lambda _request: as_json(answer, "400 Bad Request")
    with pytest.raises(RequestRefused) as caught:
        ujp.client().init(order())
    (found,) = caught.value.field_errors
    assert (found.field, found.code, found.number) == ("maticna", Code(found.code), str(number))
    assert found.code.meaning in caught.value.message
    assert found.code.meaning != found.code.slovene


def test_no_code_has_the_meaning_of_another() -> None:
    """30 codes: 6 general ones and 24 of fields."""
    assert len(list(Code)) == 6 + len(FIELD_CODES)
    for words in ("number", "meaning", "slovene"):
        assert len({getattr(code, words) for code in Code}) == len(list(Code))


MEANINGS = {
    101: ("Prazna", "empty"), 102: ("Predolg niz", "too long"), 103: ("povezave", "link"),
    104: ("dolžine parametra", "length"), 105: ("številka", "number"), 106: ("datum", "date"),
    107: ("transakcije", "transaction"), 201: ("valuta", "currency"), 202: ("Matična", "registration number"),
    203: ("delovnega toka", "new way"), 204: ("ni aktivna", "not active"), 205: ("URL", "address"),
    206: ("že uporabljen", "used already"), 207: ("način plačila", "way of paying is not"),
    208: ("jezik", "language"), 209: ("postavke", "no items"), 210: ("DDV", "VAT"),
    211: ("količina", "quantity"), 212: ("Vsota", "add up"), 213: ("provizije", "commission"),
    301: ("kasnejši", "before it begins"), 302: ("neveljavno datumsko", "statement is not valid"),
    303: ("predolgo", "period of the statement is too long"), 304: ("statusi", "statuses"),
}  # fmt: skip


@pytest.mark.parametrize("number", FIELD_CODES)
def test_every_code_says_what_the_document_says_of_it(number: int) -> None:
    """The words of the table in section 6.3.4, so that no two of them are swapped."""
    (code,) = (code for code in Code if code.number == str(number))
    slovene, english = MEANINGS[number]
    assert slovene.casefold() in code.slovene.casefold()
    assert english in code.meaning


@pytest.mark.parametrize(
    "body", [b"", b"<html>Bad gateway</html>", b"[]", b'{"errorCode":{}}', b"\xff", b"[" * 100_000]
)
def test_a_refusal_that_is_no_document_is_told_by_its_status(ujp: Ujp, body: bytes) -> None:
    """A proxy on the way knows nothing of section 6.3.1."""
    ujp.answer = lambda _request: http(body, "404 Not Found", "text/html")
    with pytest.raises(NotFound, match="HTTP 404"):
        ujp.client().status(TRANSACTION)


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": 7}, {"status": None}, {"status": "x"}, {"znesek": "veliko"}, {"znesek": 1.234},
        {"casPlacila": "včeraj"}, {"ids": 144}, {"transactionId": ""}, {"id": None}, {"auth": None},
        {"auth": {}}, {"Status": 4}, {"status": False}, {"ids": True}, {"opomba": "\ud800"},
        {"ids": float("nan")},
        *({"status": text} for text in ("²", "\u0660", "\uff10", "+0", "0_0", "0x0", "0.0", "", "-0e0")),
        *({"ids": text} for text in ("1_43", "14\u0663", "14\uff13", "+143", "1.43e2", "143.0")),
        *({"znesek": text} for text in ("²", "\u0661", "\uff11", "1_0", "+5", "1e1", "NaN", "½")),
        *({"casPlacila": text} for text in
          ("1721638031²", "\u0662\u0660\u0662\u0664-07-22", "20240722", "2024-W30-1", "1_721638031")),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_as_documented_is_not_used(ujp: Ujp, wrong: dict[str, Any]) -> None:
    """Rather no status than one that was guessed."""
    ujp.answer = lambda _request: as_json(ujp.status() | wrong)
    with pytest.raises(AnswerUnusable):
        ujp.client().status(TRANSACTION)


@pytest.mark.parametrize("number", ["1e99999999", "1e-99999999", "1e99999999999999999999"])
@pytest.mark.parametrize("name", ["status", "ids", "znesek", "opomba", "nobody-knows"])
def test_a_number_beyond_all_measure_is_not_written_out(ujp: Ujp, name: str, number: str) -> None:
    """Ten letters in an answer would be a gigabyte of digits; nobody waits for those."""
    whole = json.dumps(ujp.status() | {name: "NUMBER"}).replace('"NUMBER"', number)
    ujp.answer = lambda _request: http(whole.encode(), "200 OK", "application/json")
    with pytest.raises(AnswerUnusable, match="beyond all measure"):
        ujp.client().status(TRANSACTION)


def test_an_answer_about_another_payment_is_not_used(ujp: Ujp, signer: Signer) -> None:
    """Well signed, but not what was asked for."""
    other = "f" * 32
    ujp.answer = lambda _request: as_json(ujp.status(transactionId=other, auth=signer.auth(other)))
    with pytest.raises(AnswerUnusable, match="another payment"):
        ujp.client().status(TRANSACTION)
    ujp.answer = lambda _request: as_json(ujp.status(id="other"))
    with pytest.raises(AnswerUnusable, match="another order"):
        ujp.client().status_of_order(ORDER_ID)


def test_an_answer_that_ujp_has_not_signed_is_not_believed(ujp: Ujp, forger: Signer) -> None:
    """A wrong signature never is; a missing one only where the settings say so."""
    ujp.answer = lambda _request: as_json(ujp.status(auth=forger.auth(TRANSACTION)))
    for options in ({}, {"answers_are_signed": False}):
        with pytest.raises(NotAuthentic):
            ujp.client(**options).status(TRANSACTION)
    ujp.answer = lambda _request: as_json(ujp.status(auth=None))
    with pytest.raises(NotAuthentic):
        ujp.client().status(TRANSACTION)
    assert ujp.client(answers_are_signed=False).status(TRANSACTION).state is State.PAID


def test_a_question_is_asked_again_with_a_new_nonce(ujp: Ujp) -> None:
    """A dropped line, a busy server, a broken one: asking changes nothing."""
    busy = as_json({}, "429 Too Many Requests")
    ujp.answer = in_turn(None, busy, as_json({}, "500 No"), as_json(ujp.status()))
    assert ujp.client().status(TRANSACTION).state is State.PAID
    assert ujp.slept == [1.0, 2.0, 4.0]
    assert len({request.headers["authorization"] for request in ujp.requests}) == 4


def test_a_question_that_finds_no_answer_says_so(ujp: Ujp) -> None:
    """After four tries; the address is not in the words."""
    ujp.answer = lambda _request: None
    with pytest.raises(NotAnswered, match="hung up") as caught:
        ujp.client().status(TRANSACTION)
    assert len(ujp.requests) == 4
    assert API_KEY not in caught.value.message


def test_nobody_at_home_is_told_apart_from_a_lost_answer(ujp: Ujp) -> None:
    """An init that provably never left may be tried again by the person."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NotAnswered, match="refuses connections"):
        ujp.client(base_url=f"https://127.0.0.1:{port}").init(order())
    assert ujp.slept == [1.0, 2.0, 4.0]


LOST: list[bytes | None] = [
    None, b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{", as_json({}, "500 Internal Server Error"),
    as_json({}, "502 Bad Gateway"), http(b"<html>", content_type="text/html"), as_json({"id": "x"}),
    http(b"", "302 Found", Location="/elsewhere"),
]  # fmt: skip


@pytest.mark.parametrize("lost", LOST)
def test_an_init_whose_answer_was_lost_is_settled_by_the_order(ujp: Ujp, lost: bytes | None) -> None:
    """One init is sent, whatever comes back; the payer is led to the payment that is there."""

    def answer(request: Request) -> bytes | None:
        return lost if request.line.startswith("POST") else as_json(ujp.status(3))

    ujp.answer = answer
    started = ujp.client().init(order())
    assert (started.transaction_id, started.state) == (TRANSACTION, State.RUNNING)
    assert started.pay_url == f"{ujp.base_url}/vstop/index?idt={TRANSACTION}"
    assert ujp.paths() == [
        "POST /transaction/transaction/init", f"GET /transaction/statusbynarocilo/{ORDER_ID}"
    ]  # fmt: skip


def test_an_init_that_comes_late_is_waited_for_and_never_sent_again(ujp: Ujp) -> None:
    """UJP does not know the order yet, then says that it does not exist yet (status 5)."""
    unknown = as_json({"errorCode": "10"}, "404 Not Found")
    ujp.answer = in_turn(None, unknown, as_json(ujp.status(5)), as_json(ujp.status(3)))
    assert ujp.client().init(order()).transaction_id == TRANSACTION
    assert [path.split()[0] for path in ujp.paths()] == ["POST", "GET", "GET", "GET"]


def test_an_init_that_nobody_knows_of_is_unknown(ujp: Ujp) -> None:
    """Not "failed": it may still arrive."""
    unknown = as_json({"errorCode": "10"}, "404 Not Found")
    ujp.answer = in_turn(None, unknown)
    with pytest.raises(PaymentUnknown, match="hung up") as caught:
        ujp.client().init(order())
    assert caught.value.exit_code == 6
    assert [path.split()[0] for path in ujp.paths()].count("POST") == 1


def test_a_busy_server_did_nothing_and_is_asked_again(ujp: Ujp) -> None:
    """HTTP 429 is a refusal before anything is done."""
    ujp.answer = in_turn(as_json({}, "429 Too Many Requests"), as_json(ujp.started()))
    assert ujp.client().init(order()).transaction_id == TRANSACTION
    assert [path.split()[0] for path in ujp.paths()] == ["POST", "POST"]


def test_an_order_id_that_is_taken_is_a_refusal_and_nothing_else(ujp: Ujp) -> None:
    """Code 206 to a first try: the payment there is somebody else's basket."""
    fault = {"identifier": "id", "message": "že uporabljen", "errorCode": "206"}
    ujp.answer = lambda _request: as_json(
        {"errorCode": "-99", "validationErrors": [fault]}, "400 Bad Request"
    )
    with pytest.raises(RequestRefused) as caught:
        ujp.client().init(order())
    assert [field_error.code for field_error in caught.value.field_errors] == [Code.ORDER_USED]
    assert len(ujp.requests) == 1


def test_a_wrong_order_is_not_sent(ujp: Ujp) -> None:
    """Every fault is named, and nothing leaves."""
    with pytest.raises(ChecksRefused) as caught:
        ujp.client().init(order(currency="USD", recipient=""))
    assert {finding.rule for finding in caught.value.findings} == {"eplacila.101", "eplacila.201"}
    assert ujp.requests == []


def test_a_server_that_cannot_prove_who_it_is_gets_nothing(ujp: Ujp, keys: Any) -> None:
    """The API key is in the address: it would be told to a stranger."""
    ujp.ca = keys.foreign_ca
    with pytest.raises(NotAnswered, match="the server's certificate"):
        ujp.client(pauses=()).health()
    assert ujp.requests == []


def test_a_redirect_is_not_followed(ujp: Ujp) -> None:
    """The address holds the key."""
    ujp.answer = lambda _request: http(b"", "307 Temporary Redirect", Location=f"{ujp.base_url}/elsewhere")
    with pytest.raises(AnswerUnusable, match="307"):
        ujp.client().health()
    assert len(ujp.requests) == 1


@pytest.mark.parametrize(
    "url",
    ["http://eplacila.ujp.gov.si", "https://", "eplacila", "https://u@host", "https://h/?a", "https://h#a"],
)
def test_an_address_that_would_give_the_key_away_is_refused(ujp: Ujp, url: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigurationError, match=r"eplacila\.base_url"):
        ujp.client(base_url=url)


def test_a_server_that_drips_is_left(ujp: Ujp) -> None:
    """One byte a second satisfies every limit on single reads."""

    def drip(_request: Request) -> bytes | None:
        for _ in range(40):
            time.sleep(0.1)
            ujp.visit_send(b"H")
        return None

    ujp.answer = drip
    with pytest.raises(NotAnswered, match="in time"):
        ujp.client(Timeouts(2, 2, 0.5), pauses=()).health()


def test_an_answer_without_end_is_cut(ujp: Ujp) -> None:
    """A megabyte is more than any status needs."""
    ujp.answer = lambda _request: http(b" " * (1 << 21), content_type="application/json")
    with pytest.raises(AnswerUnusable, match="longer"):
        ujp.client().health()


def test_neither_key_nor_secret_comes_into_a_log_or_a_traceback(
    ujp: Ujp, caplog: pytest.LogCaptureFixture
) -> None:
    """With every library at its most talkative: the key is part of each address."""
    caplog.set_level(logging.DEBUG)
    ujp.answer = in_turn(as_json(ujp.status()), None)
    client = ujp.client()
    client.status(TRANSACTION)
    with pytest.raises(NotAnswered) as caught:
        client.status(TRANSACTION)
    said = caplog.text + "".join(traceback.format_exception(caught.value)) + repr(client) + repr(vars(client))
    assert caplog.records  # httpcore does talk
    for hidden in (API_KEY, SECRET, base64.b64encode(API_KEY.encode()).decode()[:-4]):
        assert hidden not in said


def test_ujp_is_asked_through_a_proxy(ujp: Ujp) -> None:
    """A bank lets nothing out but what its proxy knows."""
    ujp.answer = lambda _request: as_json(ujp.status())
    with SmallProxy(connecting()) as proxy:
        client = ujp.client(proxy=Proxy("127.0.0.1", proxy.port, "eplacila.proxy"))
        assert client.status(TRANSACTION).transaction_id == TRANSACTION
    assert proxy.asked[0].startswith(f"CONNECT 127.0.0.1:{ujp.server.port} HTTP/1.1\r\n".encode())
    assert API_KEY.encode() not in proxy.asked[0]


def test_a_proxy_that_refuses_leaves_nothing_begun(ujp: Ujp) -> None:
    """The payment does not exist, and may be begun again."""
    with SmallProxy(saying(b"HTTP/1.1 403 Forbidden\r\n\r\n")) as proxy:
        client = ujp.client(proxy=Proxy("127.0.0.1", proxy.port, "eplacila.proxy"), pauses=(0.0,))
        with pytest.raises(NotAnswered, match="does not let us through"):
            client.init(order())
    assert ujp.requests == []
