"""`eplacila …` as a clerk calls it: tables, JSON, exit codes, files; and no secret anywhere."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from ajpes_reporting.cli.main import run
from tests.eplacila.conftest import API_KEY, NOW, ORDER_ID, SECRET, TRANSACTION, Signer, Ujp, as_json
from tests.eplacila.test_order import EXAMPLE
from tests.eplacila.test_statements import PAYMENT, STATEMENT
from tests.servers.https import Request


@pytest.fixture
def workspace(ujp: Ujp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace whose e-service is that of the tests."""
    folder = tmp_path / "ws"
    assert run(["init", str(folder)]) == 0
    for name, text in (("key", API_KEY), ("secret", SECRET)):
        (folder / name).write_text(text + "\n", encoding="ascii")
    (folder / "ujp.pub").write_bytes(ujp.signer.public.read_bytes())
    with (folder / "ajpes.toml").open("a", encoding="utf-8") as settings:
        settings.write(
            f'\n[eplacila]\nbase_url = "{ujp.base_url}"\napi_key = "file:key"\n'
            f'shared_secret = "file:secret"\nids = 143\npublic_key = "ujp.pub"\nserver_ca = "{ujp.ca}"\n'
        )
    monkeypatch.setenv("AJPES_WORKSPACE", str(folder))
    return folder


@pytest.fixture
def call(workspace: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Calls a command; gives its exit code, stdout and stderr."""
    capsys.readouterr()

    def called(*arguments: str) -> tuple[int, str, str]:
        code = run(["eplacila", *arguments])
        captured = capsys.readouterr()
        assert API_KEY not in captured.out + captured.err
        assert SECRET not in captured.out + captured.err
        return code, captured.out, captured.err

    return called


def test_health(ujp: Ujp, signer: Signer, call: Any) -> None:
    """Not working is an exit code, too."""
    ujp.answer = lambda _request: as_json({"status": 0, "auth": signer.auth()})
    assert call("health") == (0, "UJP e-plačila work.\nLast payment: none yet\n", "")
    ujp.answer = lambda _request: as_json({"status": 1, "auth": signer.auth()})
    assert call("health")[0] == 5


def test_a_payment_from_its_order_to_its_receipt(ujp: Ujp, signer: Signer, call: Any, tmp_path: Path) -> None:
    """Begun, open, paid; asked for without naming it, and by name."""
    order = tmp_path / "order.json"
    order.write_text(EXAMPLE, encoding="utf-8")
    ujp.answer = lambda _request: as_json(ujp.started())
    code, out, _err = call("init", str(order), "--json")
    assert code == 0
    begun = json.loads(out)
    assert (begun["transaction_id"], begun["amount_cents"]) == (TRANSACTION, 100)
    later = signer.auth(TRANSACTION, time=str(int(NOW.timestamp()) + 9))
    ujp.answer = lambda _request: as_json(ujp.status(0, auth=later))
    code, out, _err = call("status")
    assert code == 0
    assert ORDER_ID in out
    assert "paid" in out
    assert call("status")[1] == "No payment is open.\n"
    for arguments in ((TRANSACTION,), ("--order", ORDER_ID)):
        (entry,) = json.loads(call("status", *arguments, "--json")[1])
        assert (entry["state"], entry["amount_cents"], entry["is_final"]) == (0, 100, True)
    packed = base64.b64encode(b"%PDF-1.7").decode()
    answer = {"stevilkaRacuna": "EPS-1", "racun": packed, "auth": signer.auth(TRANSACTION)}
    ujp.answer = lambda _request: as_json(answer)
    target = tmp_path / "receipt.pdf"
    assert call("receipt", TRANSACTION, "-o", str(target))[0] == 0
    assert target.read_bytes() == b"%PDF-1.7"


def test_another_amount_than_was_ordered_is_shown(ujp: Ujp, call: Any, tmp_path: Path) -> None:
    """It is no payment of that order."""
    order = tmp_path / "order.json"
    order.write_text(EXAMPLE, encoding="utf-8")
    ujp.answer = lambda _request: as_json(ujp.started())
    assert call("init", str(order))[0] == 0
    ujp.answer = lambda _request: as_json(ujp.status(0, znesek="0.99"))
    assert "paid, not as ordered" in call("status", TRANSACTION)[1]


def test_the_exit_code_tells_what_happened(ujp: Ujp, call: Any, tmp_path: Path) -> None:
    """3: not sent; 4: refused; 5: not reached; 6: unknown; 2: what was typed."""
    order = tmp_path / "order.json"
    order.write_text(json.dumps(json.loads(EXAMPLE) | {"isoValuta": "USD"}), encoding="utf-8")
    code, _out, err = call("init", str(order))
    assert code == 3
    assert "isoValuta: only EUR is taken" in err
    ujp.answer = lambda _request: as_json({"errorCode": "10", "messages": [API_KEY]}, "404 Not Found")
    code, _out, err = call("status", TRANSACTION)
    assert code == 4
    assert "does not exist" in err
    wrong = {"errorCode": "-99", "validationErrors": [{"identifier": "id", "errorCode": "206"}],
             "messages": ["Ni."]}  # fmt: skip
    ujp.answer = lambda _request: as_json(wrong, "400 Bad Request")
    lines = call("status", TRANSACTION)[2].splitlines()
    assert lines[0] == "UJP refused: the request is not valid (code -99, HTTP 400) “Ni”."
    assert lines[1].startswith("  id: the identifier of the order has been used")
    order.write_text("{", encoding="utf-8")
    assert call("init", str(order))[0] == 2
    assert call("init", str(tmp_path / "nowhere"))[0] == 2
    for wrong, said in (('{"id":"a","id":"b"}', "twice"), ('{"id":1e99999999999999999999}', "beyond"),
                        ("\ufeff[1]", "no JSON object")):  # fmt: skip
        order.write_text(wrong, encoding="utf-8")
        code, _out, err = call("init", str(order))
        assert code == 2
        assert said in err
    assert call("status", "a", "--order", "b")[0] == 2
    for nothing in (("",), ("--order", ""), ("--order", "..")):  # an empty variable of a script is not "all"
        assert call("status", *nothing)[0] == 2
    assert call("statement", "--from", "2024-01-02", "--to", "2024-01-01")[0] == 2
    assert call("statement", "--from", "2024-01-01", "--to", "2024-01-02", "--state", "1")[0] == 2


def test_a_statement_as_a_table_and_as_files(ujp: Ujp, signer: Signer, call: Any, tmp_path: Path) -> None:
    """Two periods, two files; the table adds up."""

    def answer(request: Request) -> bytes | None:
        packed = "izpiskidata" in request.line
        content = base64.b64encode(b"<Izpisek/>").decode() if packed else STATEMENT
        return as_json({"izpisek": content, "auth": signer.auth()})

    ujp.answer = answer
    code, out, _err = call("statement", "--from", "2024-01-01", "--to", "2024-01-31")
    assert code == 0
    assert PAYMENT["idEplacil"] in out
    assert "1 payment, 12.23 EUR in all" in out
    found = json.loads(call("statement", "--from", "2024-01-01", "--to", "2025-01-31", "--json")[1])
    assert (found["count"], found["total_cents"]) == (2, 2446)
    code, _out, _err = call(
        "statement", "--from", "2024-01-01", "--to", "2025-01-31", "--file", "xml", "-o", str(tmp_path)
    )
    assert code == 0
    assert sorted(path.name for path in tmp_path.glob("izpisek-*")) == [
        "izpisek-5860571000-2024-01-01-2024-12-30.xml", "izpisek-5860571000-2024-12-31-2025-01-31.xml"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (('public_key = "ujp.pub"', 'public_key = "key"'), "eplacila.public_key"),
        (('shared_secret = "file:secret"', 'shared_secret = "file:no"'), "eplacila.shared_secret"),
        (("https://127", "http://ujp"), "eplacila.base_url"),
        (("[eplacila]", "[eplacilo]"), "eplacilo"),
    ],
)
def test_settings_that_cannot_be_used_are_named(workspace: Path, call: Any, wrong: Any, said: str) -> None:
    """With what to do, before anything is sent."""
    path = workspace / "ajpes.toml"
    path.write_text(path.read_text(encoding="utf-8").replace(*wrong), encoding="utf-8")
    code, _out, err = call("health")
    assert code == 2
    assert said in err
