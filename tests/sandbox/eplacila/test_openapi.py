"""The OpenAPI document, held against the simulator by schemathesis."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ajpes_reporting.sandbox.eplacila import Outcome, Rules, Simulator
from tests.sandbox.eplacila.conftest import REGISTRATION_NUMBER, Shop

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


class Signature(requests.auth.AuthBase):
    """Signs what schemathesis is about to send."""

    def __init__(self, simulator: Simulator) -> None:
        self._given = simulator.credentials()
        self._numbers = itertools.count()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        username = f"{self._given.api_key}.nonce{next(self._numbers):07}.{int(time.time())}"
        text = f"{username}{self._given.shared_secret}{request.url}{self._given.service.ids}"
        return requests.auth.HTTPBasicAuth(username, hashlib.sha256(text.encode()).hexdigest())(request)


@pytest.mark.parametrize("like", ["samples", "tables"])
def test_the_document_is_true(tmp_path: Path, like: Literal["samples", "tables"], full: bool) -> None:
    """A developer who generates a client: no error of ours, no status or field that is not told of."""
    rules = Rules(like=like, numbers="number" if like == "samples" else "string")
    with Simulator(tmp_path / "till", poll_seconds=None, rules=rules) as simulator:
        document = schemathesis.openapi.from_url(f"{simulator.url}/swagger.json")
        operations = [result.ok() for result in document.get_all_operations()]
        assert len(operations) == 8
        for operation in operations:
            _try(operation, simulator, 200 if full else 15)


def _right_and_wrong(operation: Any) -> st.SearchStrategy[Any]:
    wrong = operation.as_strategy(GenerationMode.NEGATIVE)
    return st.one_of(operation.as_strategy(), wrong)


def _try(operation: Any, simulator: Simulator, examples: int) -> None:
    signature = Signature(simulator)
    good = st.sampled_from([simulator.credentials().api_key] * 3 + ["nobody"])

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=_right_and_wrong(operation), key=good, number=st.sampled_from([REGISTRATION_NUMBER, None]))
    def attempt(case: Any, key: str, number: str | None) -> None:
        # Most calls get past authentication, and some from there to a number that is known.
        case.path_parameters["apiKey"] = key
        if number is not None and "maticnaSt" in case.path_parameters:
            case.path_parameters["maticnaSt"] = number
        case.call_and_validate(checks=CHECKS, auth=signature, timeout=30)

    attempt()


def test_good_answers_are_as_the_document_says(make_shop: Callable[..., Shop]) -> None:
    """What schemathesis seldom hits: every method's 200, against the same schemas."""
    shop = make_shop(reversals_in_statements=True)
    transaction = shop.open("VISA", id="A-1", kupec={"naziv": "Novak"})
    shop.simulator.payments.report(transaction, Outcome.PAID)
    shop.simulator.payments.reverse(transaction, 100)
    document = schemathesis.openapi.from_url(f"{shop.simulator.url}/swagger.json")
    query = f"?datumOd={shop.clock.epoch}&datumDo={shop.clock.epoch}"
    root = "/api/v1/{key}"
    seen = {
        "/health": "/health",
        "/transaction/status/{transactionId}": f"/transaction/status/{transaction}",
        "/transaction/statusbynarocilo/{idNarocila}": "/transaction/statusbynarocilo/A-1",
        "/racun/{racunTip}/{transactionId}": f"/racun/pdf/{transaction}",
        "/izpiski/{maticnaSt}": f"/izpiski/{REGISTRATION_NUMBER}{query}",
        "/izpiskidata/{izpisekType}/{maticnaSt}": f"/izpiskidata/xml/{REGISTRATION_NUMBER}{query}",
    }
    for path, call in seen.items():
        answer = shop.get(root + call)
        assert answer.status_code == 200, answer.text
        document["/api/v1/{apiKey}" + path]["GET"].validate_response(answer)
    for path in ("/transaction/init", "/transaction/transaction/init"):
        answer = shop.call("POST", root + path, json=shop.order())
        document["/api/v1/{apiKey}" + path]["POST"].validate_response(answer)
