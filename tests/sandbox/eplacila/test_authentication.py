"""Who is let in (6.4.1), and what the simulator signs (6.4.2)."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from ajpes_reporting.sandbox.eplacila import Simulator
from tests.sandbox.eplacila.conftest import KEY, Clock, Shop, code

HEALTH = KEY + "/health"


def test_the_example_of_the_description_is_let_in(tmp_path: Path) -> None:
    """Whoever follows 6.4.1 to the letter: the password is computed by sha256sum."""
    key, secret = "95b88d8ae8ac4ee987be3c28933332af", "eaa68045d0704c2aa14144b7bb81fa18"
    url = f"https://eplacila.ujp.gov.si/api/v1/{key}/transaction/transaction/init"
    username = f"{key}.tpjlETLsfk6QDeL.1719989032"
    done = subprocess.run(
        ["sha256sum"], input=f"{username}{secret}{url}143", capture_output=True, text=True, check=True
    )
    keys = tmp_path / "till" / "keys"
    keys.mkdir(parents=True)
    (keys / "143-api-key").write_text(key)
    (keys / "143-shared-secret").write_text(secret)
    moment = datetime.fromtimestamp(1719989032, UTC)
    header = base64.b64encode(f"{username}:{done.stdout.split()[0]}".encode()).decode()
    with Simulator(tmp_path / "till", clock=lambda: moment, poll_seconds=None) as simulator:
        assert simulator.authenticator.authenticate(key, f"Basic {header}", url, moment).service.ids == 143


def test_one_who_signs_is_let_in(shop: Shop) -> None:
    """Every e-service."""
    assert shop.get(HEALTH).json()["status"] == 0


def test_the_header_may_bear_the_name_of_the_description(shop: Shop) -> None:
    """An e-service that sends `Authentication`, as 6.4.1 calls it."""
    request = shop.signed("GET", HEALTH)
    headers = {"Authentication": request.headers["Authorization"]}
    assert httpx.get(request.url, headers=headers, trust_env=False).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic %%%",
        "Basic eA==",
        "Bearer x",
        "Basic " + base64.b64encode(b"\xff:\xff").decode(),
    ],
)
def test_without_credentials(shop: Shop, header: str | None) -> None:
    """Code 1: nobody said who calls."""
    headers = {} if header is None else {"Authorization": header}
    url = shop.simulator.url + HEALTH.format(key=shop.simulator.credentials().api_key)
    assert code(httpx.get(url, headers=headers, trust_env=False), 401) == "1"


def test_with_a_wrong_password(shop: Shop) -> None:
    """Code 1: the secret is another one."""
    assert code(shop.get(HEALTH, password="0" * 64), 401) == "1"


def test_a_password_is_good_for_one_address_only(shop: Shop) -> None:
    """Code 1: the URL counts with its query, so nobody can change it on the way."""
    request = shop.signed("GET", HEALTH)
    with httpx.Client(trust_env=False, headers=request.headers) as client:
        assert code(client.get(request.url.copy_with(query=b"a=1")), 401) == "1"
        assert client.get(request.url).status_code == 200


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        (-301, "2"),
        (301, "2"),
        (-299, None),
        (299, None),
        ("", "2"),
        ("now", "2"),
        ("2026-11-17T12:00:00Z", "2"),
    ],
)
def test_the_window_of_the_clock(shop: Shop, clock: Clock, timestamp: object, expected: str | None) -> None:
    """Code 2: outside of it, missing, or not a number."""
    moment = clock.epoch + timestamp if isinstance(timestamp, int) else timestamp
    answer = shop.get(HEALTH, timestamp=moment)
    assert answer.status_code == 200 if expected is None else code(answer, 401) == expected


@pytest.mark.parametrize("nonce", ["", "abc1234", "a" * 16, "abcdefgč", "abc-defgh"])
def test_a_nonce_has_a_form(shop: Shop, nonce: str) -> None:
    """Code 3: 8 to 15 letters and digits of ASCII. What is not ASCII cannot be a user name at all."""
    expected = "3" if nonce.isascii() else "1"
    assert code(shop.get(HEALTH, nonce=nonce), 401) == expected


def test_a_nonce_is_good_once(shop: Shop, clock: Clock) -> None:
    """Code 3: a call that was overheard is not answered again; after the window it is too old."""
    moment = clock.epoch
    assert shop.get(HEALTH, nonce="abcd1234", timestamp=moment).status_code == 200
    assert code(shop.get(HEALTH, nonce="abcd1234", timestamp=moment), 401) == "3"
    clock.move(seconds=299)
    assert code(shop.get(HEALTH, nonce="abcd1234", timestamp=moment), 401) == "3"
    clock.move(seconds=2)
    assert code(shop.get(HEALTH, nonce="abcd1234", timestamp=moment), 401) == "2"


def test_a_stranger_cannot_use_a_nonce_up(shop: Shop) -> None:
    """An e-service whose user name somebody overheard."""
    assert code(shop.get(HEALTH, nonce="abcd1234", password="0" * 64), 401) == "1"
    assert shop.get(HEALTH, nonce="abcd1234").status_code == 200


def test_the_key_in_the_path_must_be_the_callers(shop: Shop) -> None:
    """Code 4: another e-service's address."""
    other = shop.simulator.credentials(144).api_key
    assert code(shop.get(HEALTH, key=other), 403) == "4"


@pytest.mark.parametrize("like", ["samples", "tables"])
def test_answers_are_signed(make_shop: Callable[..., Shop], tmp_path: Path, like: str) -> None:
    """An e-service that verifies with openssl: over key, nonce, time as written, and transaction."""
    shop = make_shop(like=like)
    simulator = shop.simulator
    opened = shop.init().json()
    assert is_signed(simulator, opened["auth"], opened["transactionId"], tmp_path)
    assert not is_signed(simulator, opened["auth"], "", tmp_path)
    assert is_signed(simulator, shop.get(HEALTH).json()["auth"], "", tmp_path)
    expected: object = shop.clock.epoch if like == "tables" else "2026-11-17T12:00:00.1234560+00:00"
    assert opened["auth"]["timestamp"] == expected


def test_a_refusal_is_not_signed(shop: Shop) -> None:
    """6.4.2: only answers with 200 to 203 are."""
    assert "auth" not in shop.init(id="").json()


def is_signed(simulator: Simulator, auth: dict[str, object], transaction: str, folder: Path) -> bool:
    """openssl's word on a signature of the simulator."""
    text = f"{simulator.credentials().api_key}{auth['nonce']}{auth['timestamp']}{transaction}"
    signature = folder / "signature"
    signature.write_bytes(base64.b64decode(str(auth["signature"])))
    done = subprocess.run(
        ["openssl", "dgst", "-sha256", "-verify", simulator.public_key, "-signature", signature],
        input=text.encode(), capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode == 0
