"""`ledger pull eplacila`: each payment once, each reversal as a debit of its own, all of it or nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from ajpes_reporting.cli.main import run
from ajpes_reporting.config import open_workspace
from ajpes_reporting.database.tables import accounts, audit_records, postings
from ajpes_reporting.domain.errors import LedgerRefused, UsageError
from ajpes_reporting.pipeline.audit import verify_all
from ajpes_reporting.pipeline.context import Context
from ajpes_reporting.pipeline.facts import import_files
from ajpes_reporting.pipeline.pull import Pulled, posting_id, pull_file, pull_period
from ajpes_reporting.sandbox.eplacila import Rules, Simulator
from ajpes_reporting.shipped import sample
from ajpes_reporting.wiring import open_context
from tests.eplacila.conftest import TRANSACTION, Ujp, as_json
from tests.eplacila.test_commands import call, workspace
from tests.eplacila.test_simulator import RECIPIENT, TODAY, Street
from tests.eplacila.test_statements import PAYMENT, STATEMENT
from tests.sandbox.eplacila.long_statement import payments
from tests.servers.https import Request

__all__ = ["call", "workspace"]

MILL, PUB = "010000000100575", "010000000100381"


@pytest.fixture
def context(database_url: str, tmp_path: Path) -> Iterator[Context]:
    """A bank with accounts, of which the mill's is credited."""
    folder = tmp_path / "bank"
    folder.mkdir()
    found = _desk(folder, database_url)
    yield found
    found.engine.dispose()


def _desk(folder: Path, url: str) -> Context:
    (folder / "ajpes.toml").write_text(
        '[provider]\nregistration_number = "5860571000"\nname = "Banka"\n'
        f"[database]\nurl = {json.dumps(url)}\n",
        encoding="utf-8",
    )
    context = open_context(open_workspace(folder), lambda: datetime(2026, 11, 21, tzinfo=UTC))
    import_files(context, [sample("ledger/accounts.csv")])
    return context


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    found = Street(tmp_path)
    with found.open():
        yield found


def pull(context: Context, street: Street, first: date = TODAY, last: date = TODAY, **more: Any) -> Pulled:
    given = {"account": MILL, "ask_each": True} | more
    return pull_period(context, street.client(), RECIPIENT, first, last, **given)


def posted(context: Context) -> list[tuple[str, str, str, int]]:
    """Every posting: identifier, account, day, cents."""
    column = postings.c
    with context.engine.connect() as connection:
        rows = connection.execute(
            select(column.posting_id, accounts.c.account, column.booked_on, column.amount_cents)
            .join(accounts, accounts.c.id == column.account)
            .order_by(column.id)
        )
        return [(name, account, str(day), cents) for name, account, day, cents in rows]


def imports(context: Context) -> list[Any]:
    """What the audit record notes of imports, but for that of the accounts."""
    record = audit_records.c
    with context.engine.connect() as connection:
        bodies = connection.scalars(select(record.body).where(record.kind == "import").order_by(record.seq))
        found = [json.loads(body) if isinstance(body, str) else body for body in bodies]
    return [body for body in found if body["kind"] == "postings"]


def paid(street: Street, way: str = "VISA") -> str:
    transaction: str = street.client().init(street.order()).transaction_id
    street.pay(transaction, way)
    return transaction


def test_what_was_paid_goes_in_once(context: Context, street: Street) -> None:
    """At once or with delay; not what failed, waits or was given up. Again, and nothing is new."""
    card, client = paid(street), street.client()
    street.simulator.payments.choose(client.init(street.order()).transaction_id, "VISA")
    waiting, later = (client.init(street.order(methods=("QR koda",))).transaction_id for _ in range(2))
    for transaction in (waiting, later):
        assert street.simulator.payments.choose(transaction, "QR koda")
        assert street.simulator.payments.conclude(transaction)
    assert street.simulator.payments.confirm(later)
    found = pull(context, street)
    assert posted(context) == [(f"{name}-p", MILL, "2026-11-17", 1221) for name in (card, later)]
    assert (found.rows_read, found.rows_new) == (2, 2)
    (month,) = found.turnover
    assert (month.account, month.month, month.credits, month.credit_cents) == (MILL, "2026-11", 2, 2442)
    assert (month.debits, month.debit_cents, month.counts) == (0, 0, True)
    note = {"eplacila": RECIPIENT, "from": "2026-11-17", "to": "2026-11-17", "kind": "postings"}
    assert imports(context) == [note | {"new": 2, "known": 0}]
    again = pull(context, street)
    assert (again.rows_read, again.rows_new, again.rows_known, again.turnover) == (2, 0, 2, ())
    assert len(imports(context)) == 1
    assert street.simulator.payments.confirm(waiting)
    assert pull(context, street).rows_new == 1
    assert verify_all(context).problems == ()


def test_each_reversal_is_a_debit_of_its_day(context: Context, street: Street, tmp_path: Path) -> None:
    """UJP tells only the sum; a second reversal does not change the first, nor an old statement either."""
    transaction = paid(street)
    assert street.simulator.payments.reverse(transaction, 221)
    pull(context, street)
    street.now += timedelta(days=1)
    assert street.simulator.payments.reverse(transaction, 1)
    assert street.simulator.payments.reverse(transaction, 299)
    found = pull(context, street)
    first = [(f"{transaction}-p", MILL, "2026-11-17", 1221), (f"{transaction}-r1", MILL, "2026-11-17", -221)]
    assert posted(context) == [*first, (f"{transaction}-r2", MILL, "2026-11-18", -300)]
    assert (found.turnover[0].debits, found.turnover[0].debit_cents) == (1, 300)
    assert pull(context, street).rows_new == 0
    old = statement(tmp_path, payment(transaction, 1221, 221, "2026-11-17T13:00:00"))
    assert pull_file(context, old, MILL).rows_new == 0
    assert len(posted(context)) == 3


def test_the_day_is_that_of_ljubljana(context: Context, street: Street) -> None:
    """Half past midnight there is still the day before in UTC; the month turns with the day."""
    street.now = datetime(2026, 10, 31, 23, 30, tzinfo=UTC)
    transaction = paid(street)
    street.now = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
    found = pull(context, street, date(2026, 11, 1), date(2026, 11, 1))
    assert posted(context) == [(f"{transaction}-p", MILL, "2026-11-01", 1221)]
    assert found.turnover[0].month == "2026-11"


def test_a_statement_of_somebody_else_is_not_credited_to_us(context: Context, tmp_path: Path) -> None:
    """Unless it names one of our accounts itself; a number of 7 digits is the beginning of one of 10."""
    ours, theirs = payment("a" * 32, 100), payment("b" * 32, 100) | {"ponudnik": "5860571000"}
    with pytest.raises(LedgerRefused) as refused:
        pull_file(context, statement(tmp_path, ours, theirs), MILL, RECIPIENT)
    assert [finding.field for finding in refused.value.findings] == ["ponudnik"]
    assert posted(context) == []
    named = theirs | {"racunDobro": f"SI56{PUB}"}
    pull_file(context, statement(tmp_path, ours, named), MILL, RECIPIENT[:7])
    assert [account for _name, account, _day, _cents in posted(context)] == [MILL, PUB]


def test_an_unknown_account_is_reported_and_nothing_goes_in(context: Context, tmp_path: Path) -> None:
    """Neither the payment beside it, nor a line in the record."""
    good, bad = payment("a" * 32, 100), payment("b" * 32, 100) | {"racunDobro": "SI56010000000999999"}
    with pytest.raises(LedgerRefused) as refused:
        pull_file(context, statement(tmp_path, good, bad), MILL)
    (finding,) = refused.value.findings
    assert "does not know this account" in finding.message
    assert "010000000999999" in finding.record
    assert posted(context) == []
    assert imports(context) == []


def test_the_account_of_the_statement_counts_before_the_setting(context: Context, tmp_path: Path) -> None:
    """It is written as an IBAN there."""
    pull_file(context, statement(tmp_path, payment("a" * 32, 100) | {"racunDobro": f"SI56{PUB}"}), MILL)
    assert [account for _name, account, _day, _cents in posted(context)] == [PUB]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"datumPlacila": None}, "when it was paid"),
        ({"znesek": -1}, "negative"),
        ({"znesekStornacij": 2, "casZadnjeStornacije": "2026-11-17T13:00:00"}, "more than was paid"),
        ({"znesekStornacij": -1, "casZadnjeStornacije": "2026-11-17T13:00:00"}, "less than nothing"),
        ({"znesekStornacij": 1}, "when it was reversed"),
        ({"idEplacil": "a" * 32, "znesek": 2}, "in the ledger|another row|twice|here"),
    ],
)
def test_a_payment_that_cannot_be_booked_is_named(
    context: Context, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    """And with it the whole statement is refused."""
    good, bad = payment("a" * 32, 100), payment("b" * 32, 100) | change
    with pytest.raises(LedgerRefused) as refused:
        pull_file(context, statement(tmp_path, good, bad), MILL)
    assert re.search(said, refused.value.findings[0].message)
    assert posted(context) == []


@pytest.mark.parametrize("result", range(7))
def test_only_what_was_paid_is_booked(context: Context, ujp: Ujp, tmp_path: Path, result: int) -> None:
    """0 by section 6.5.3.1, 3 by section 6.5.5.1; from a file and from UJP alike."""
    told = payment("a" * 32, 100) | {"rezultat": result}
    expected = [100] if result in (0, 3) else []
    pull_file(context, statement(tmp_path, told), MILL)
    assert [cents for _name, _account, _day, cents in posted(context)] == expected
    content = STATEMENT | {"placilo": [told | {"idEplacil": "b" * 32}]}
    ujp.answer = lambda _request: as_json({"izpisek": content, "auth": ujp.signer.auth()})
    pull_period(context, ujp.client(), RECIPIENT, TODAY, TODAY, MILL, ask_each=False)
    assert [cents for _name, _account, _day, cents in posted(context)] == expected * 2


def test_without_an_account_nothing_is_guessed(context: Context, tmp_path: Path) -> None:
    """The setting is named."""
    with pytest.raises(LedgerRefused) as refused:
        pull_file(context, statement(tmp_path, payment("a" * 32, 100)), "")
    assert "eplacila.account" in refused.value.findings[0].remedy


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"status": 2}, "its status that it is done, but"),
        ({"znesek": "12.22"}, "12.23 EUR, its status 12.22 EUR"),
        ({"epsid": "1"}, "another payment"),
    ],
)
def test_a_statement_that_the_status_denies_is_not_booked(
    context: Context, ujp: Ujp, change: dict[str, Any], said: str
) -> None:
    """Whichever of the two is wrong."""
    told: dict[str, Any] = {"id": PAYMENT["id"], "znesek": "12.23", "epsid": PAYMENT["idEplacil"]}
    ujp.answer = answers(ujp, lambda: ujp.status(**{"state": 0, **told} | change))
    with pytest.raises(LedgerRefused) as refused:
        pull_period(context, ujp.client(), RECIPIENT, TODAY, TODAY, MILL, ask_each=True)
    assert said in refused.value.findings[0].message
    ujp.answer = answers(ujp, lambda: ujp.status(**{"state": 0, **told}))
    pulled = pull_period(context, ujp.client(), RECIPIENT, TODAY, TODAY, MILL, ask_each=True)
    assert (pulled.rows_read, pulled.rows_new, pulled.turnover[0].credits) == (2, 1, 1)  # told by both calls


def test_a_long_period_is_asked_for_in_parts(context: Context, ujp: Ujp) -> None:
    """At most 365 days at a time, without and with delay."""
    ujp.answer = answers(ujp, dict)
    pull_period(
        context, ujp.client(), RECIPIENT, date(2024, 1, 1), date(2025, 1, 31), MILL, ask_each=False
    )  # fmt: skip
    asked = [path for path in ujp.paths() if "/izpiski/" in path]
    assert [path.endswith("zakasnjenaPlacila=true") for path in asked] == [False, False, True, True]
    with pytest.raises(UsageError, match="ends before it begins"):
        pull_period(context, ujp.client(), RECIPIENT, TODAY, date(2026, 1, 1), MILL, ask_each=False)


def test_a_month_that_was_imported_is_said_not_to_count(context: Context, street: Street) -> None:
    """The payments are booked, but the report stays as it was."""
    import_files(context, [sample("ledger/account-months.csv")])
    street.now = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
    paid(street)
    day = date(2026, 10, 5)
    (month,) = pull(context, street, day, day, account=PUB).turnover
    assert (month.month, month.counts) == ("2026-10", False)


def test_an_identifier_is_told_apart_however_long_it_is() -> None:
    """UJP's own have 32 characters and stay readable; a longer one becomes a digest."""
    assert posting_id(TRANSACTION, "p") == f"{TRANSACTION}-p"
    assert len(posting_id(TRANSACTION, "r99")) == 36
    names = {posting_id("x" * 100, part) for part in ("p", "r1", "r2")}
    assert len(names) == 3
    assert {len(name) for name in names} == {36}


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=8))
@settings(max_examples=15, deadline=None)
def test_whatever_statements_come_the_largest_sum_of_reversals_is_booked(
    migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory, sums: list[int]
) -> None:
    """In any order, old ones between new ones; no posting ever changes."""
    folder = tmp_path_factory.mktemp("pulls")
    (folder / "ajpes.db").write_bytes(migrated_sqlite.read_bytes())
    context = _desk(folder, f"sqlite:///{folder / 'ajpes.db'}")
    before: list[Any] = []
    for told in sums:
        pull_file(context, statement(folder, payment("a" * 32, 1000, told, "2026-11-17T13:00:00")), MILL)
        now = posted(context)
        assert now[: len(before)] == before
        before = now
    assert sum(cents for _name, _account, _day, cents in before) == 1000 - max(sums)
    context.engine.dispose()


# --- The command ------------------------------------------------------------------------------------


def test_a_clerk_pulls_a_period_and_a_file(
    ujp: Ujp, workspace: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A line and a table, or one JSON document; 3 if it is refused, 2 if it is not said what."""
    with (workspace / "ajpes.toml").open("a", encoding="utf-8") as file:
        file.write(f'account = "SI56{MILL}"\nrecipient = "{PAYMENT["ponudnik"]}"\n')
    assert run(["ledger", "import", str(sample("ledger/accounts.csv"))]) == 0
    told = {"id": PAYMENT["id"], "znesek": "12.23", "epsid": PAYMENT["idEplacil"]}
    ujp.answer = answers(ujp, lambda: ujp.status(0, **told))
    capsys.readouterr()
    period = ("ledger", "pull", "eplacila", "--from", "2024-07-01", "--to", "2024-07-31")
    assert run(period) == 0
    out = capsys.readouterr().out
    assert "The statement from 2024-07-01 to 2024-07-31: 2 postings, 1 new, 1 known already" in out
    assert re.search(rf"{MILL} +2024-07 +1 +12\.23 EUR +0 +0\.00 EUR", out)
    assert run([*period, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["new"], document["known"], document["turnover"]) == (0, 2, [])
    path = str(statement(tmp_path, PAYMENT | {"idEplacil": "other"}))
    assert run(["ledger", "pull", "eplacila", "--file", path, "--json"]) == 0
    (turnover,) = json.loads(capsys.readouterr().out)["turnover"]
    assert turnover == {
        "account": MILL, "month": "2024-07", "credits": 1, "credit_cents": 1223, "debits": 0,
        "debit_cents": 0, "counts": True,
    }  # fmt: skip
    stranger = str(statement(tmp_path, PAYMENT | {"idEplacil": "theirs", "ponudnik": "5860571000"}))
    assert run(["ledger", "pull", "eplacila", "--file", stranger]) == 3
    assert "somebody else than eplacila.recipient" in capsys.readouterr().err
    assert run(["ledger", "pull", "eplacila", "--file", stranger, "--account", PUB]) == 0
    for wrong in ([], ["--from", "2024-07-01"], ["--file", path, "--to", "2024-07-01"]):
        assert run(["ledger", "pull", "eplacila", *wrong]) == 2
    assert run(["ledger", "pull", "eplacila", "--file", path, "--account", "12"]) == 2
    assert run(["ledger", "pull", "eplacila", "--file", path, "--account", "010000000999999"]) == 3
    assert run(["ledger", "pull", "eplacila", "--file", str(tmp_path / "none")]) == 2
    ujp.answer = lambda _request: as_json({"errorCode": "4"}, "403 Forbidden")
    assert run(period) == 4


def test_a_setting_that_is_no_account_is_named(workspace: Path, call: Any) -> None:
    """Before anything is asked."""
    with (workspace / "ajpes.toml").open("a", encoding="utf-8") as file:
        file.write('account = "12"\n')
    code, _out, err = call("health")
    assert code == 2
    assert "account" in err
    assert "15 digits" in err


def test_memory_does_not_grow_with_the_statement(tmp_path: Path, engine: Engine) -> None:
    """A hundred thousand payments of a simulator, by a program of its own; all of them are in the ledger.

    SQLite fills its caches of pages with the larger one, 8 MiB and what the temporary tables have.
    """
    small, large = (_peak(tmp_path / str(count), engine, count) for count in (2_000, 100_000))
    assert large < small + 28 * 2**20


def _peak(folder: Path, engine: Engine, count: int) -> int:
    """The most memory, in bytes, of a program that pulled so many payments into a ledger."""
    folder.mkdir()
    context = _desk(folder, engine.url.render_as_string(hide_password=False))
    now = int(datetime.now(UTC).timestamp())
    with Simulator(
        folder / "till", poll_seconds=None, rules=Rules(reversals_in_statements=True)
    ) as simulator:
        simulator.store.enter(
            replace(one, transaction_id=f"{count}-{one.transaction_id[8:]}") for one in payments(count, now)
        )
        with (folder / "ajpes.toml").open("a", encoding="utf-8") as file:
            file.write(f'{simulator.settings()}account = "{MILL}"\nreversals = "statement"\n')
        days = ("--from", str(date.today() - timedelta(1)), "--to", str(date.today() + timedelta(1)))
        command = [sys.executable, "-m", "tests.eplacila.long_pull", "-w", str(folder), *days, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document, _, peak = done.stdout.strip().rpartition("\n")
    assert json.loads(document)["new"] == count
    context.engine.dispose()
    return int(peak)


# --- Statements -------------------------------------------------------------------------------------


def payment(transaction: str, cents: int, reversed_cents: int = 0, reversed_at: str = "") -> dict[str, Any]:
    """A payment of the document's example, of another amount and with reversals."""
    told = {"znesekStornacij": reversed_cents / 100, "casZadnjeStornacije": reversed_at}
    return PAYMENT | {
        "idEplacil": transaction, "znesek": cents / 100, "datumPlacila": "2026-11-17T12:00:00"
    } | (told if reversed_cents else {})  # fmt: skip


def statement(folder: Path, *payments: dict[str, Any]) -> Path:
    path = folder / "izpisek.json"
    path.write_text(json.dumps(STATEMENT | {"placilo": payments}), encoding="utf-8")
    return path


def answers(ujp: Ujp, status: Callable[[], Any]) -> Callable[[Request], bytes | None]:
    """The statement of the document's example to whoever asks for one, and this status."""

    def answer(request: Request) -> bytes | None:
        if "/izpiski/" in request.line:
            return as_json({"izpisek": STATEMENT, "auth": ujp.signer.auth()})
        return as_json(status())

    return answer
