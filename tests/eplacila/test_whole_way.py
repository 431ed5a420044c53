"""A payment in a browser, and what it adds to the month's report: every part of the way is the real one."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.sandbox.eplacila import Simulator
from ajpes_reporting.shipped import sample
from tests.eplacila.test_listening import process
from tests.servers.chromium import browser, find_chromium
from tests.servers.shop_site import ShopSite

ACCOUNT = "010000000100575"
CENTS, EUROS = 4_960, 50


def ours(workspace: Path, *arguments: str) -> Any:
    """A command, in a process of its own, as JSON."""
    command = [sys.executable, "-m", "ajpes_reporting", "-w", str(workspace), "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def credits(workspace: Path, target: Path, month: str) -> dict[str, str]:
    """Credit turnover by account, as the SPAPP file has it."""
    ours(workspace, "build", "spapp", "--month", month, "-o", str(target))
    return {row.get("rn", ""): row.get("dob", "") for row in etree.parse(target).iter("{*}Pi")}


def test_a_payment_in_a_browser_raises_the_turnover_of_its_account(tmp_path: Path) -> None:
    """Begun, paid in Chromium, told by a signed notice, confirmed, stated, pulled, reported."""
    program = find_chromium()
    if program is None:
        pytest.skip("install chromium")
    bank = tmp_path / "bank"
    with Simulator(tmp_path / "till") as simulator, ShopSite() as site:
        ours(bank, "init", str(bank))
        with (bank / "ajpes.toml").open("a", encoding="utf-8") as file:
            file.write(f'\n{simulator.settings()}account = "SI56{ACCOUNT}"\n')
        ours(bank, "ledger", "import", str(sample("ledger/accounts.csv")))
        with process("-m", "ajpes_reporting", "-w", str(bank), "eplacila", "listen") as listening:
            assert listening.stdout
            port = re.search(r"port (\d+)\.", listening.stdout.readline())
            assert port
            order = {
                "id": "web-1", "maticna": "5874831000", "opisPlacila": "Taksa",
                "successUrl": f"{site.url}/uspesno", "failureUrl": f"{site.url}/neuspesno",
                "callbackUrl": f"http://127.0.0.1:{port[1]}/notices",
                "postavka": [{"opis": "Taksa", "kolicina": 1, "cena": CENTS / 100}],
            }  # fmt: skip
            (tmp_path / "order.json").write_text(json.dumps(order), encoding="utf-8")
            begun = ours(bank, "eplacila", "init", str(tmp_path / "order.json"))
            with browser(program) as chromium:
                page = chromium.new_page()
                page.goto(begun["pay_url"])
                page.get_by_label("Visa").check()
                page.get_by_role("button", name="Nadaljuj").click()
                page.get_by_role("button", name="Plačaj 49,60 EUR").click()
                assert page.inner_text("body") == "shop /uspesno"
            _await_answer(simulator, begun["transaction_id"])
            listening.send_signal(signal.SIGTERM)
            assert listening.stderr
            assert "A payment is paid." in listening.stderr.read()
        assert ours(bank, "eplacila", "status") == []  # nothing is open: the notice has been enough
        (entry,) = ours(bank, "eplacila", "status", begun["transaction_id"])
        assert (entry["state"], entry["amount_cents"], entry["order_id"]) == (0, CENTS, "web-1")
        day = datetime.fromisoformat(entry["paid_at"]).astimezone(LJUBLJANA).date()
        period = ("--from", str(day), "--to", str(day))
        assert ours(bank, "eplacila", "statement", *period)["total_cents"] == CENTS
        postings = tmp_path / "postings.csv"
        postings.write_text(f"posting_id,account,booked_on,amount_cents\nP-1,{ACCOUNT},{day},1000\n")
        ours(bank, "ledger", "import", str(postings))
        before = credits(bank, tmp_path / "before.xml", f"{day:%Y%m}")
        assert ours(bank, "ledger", "pull", "eplacila", *period)["new"] == 1
        after = credits(bank, tmp_path / "after.xml", f"{day:%Y%m}")
        assert before[ACCOUNT] == "10"
        assert after == before | {ACCOUNT: str(10 + EUROS)}
        assert ours(bank, "ledger", "pull", "eplacila", *period)["new"] == 0
        assert credits(bank, tmp_path / "again.xml", f"{day:%Y%m}") == after


def test_the_demo_tells_the_same_in_a_minute(tmp_path: Path) -> None:
    """Without a browser; line by line, or as one JSON document."""
    told = ours(tmp_path, "eplacila", "demo", str(tmp_path / "demo"))
    assert (told["amount_cents"], told["credit_before"], told["credit_after"]) == (CENTS, 0, EUROS)


@pytest.mark.parametrize(
    ("button", "code", "said"), [("Plačaj", 0, "now 50.00 EUR"), ("Prekliči", 1, "given up")]
)
def test_the_demo_lets_a_person_pay(tmp_path: Path, button: str, code: int, said: str) -> None:
    """Who comes to a page that tells him so; who changes his mind is told that, and waits for nothing."""
    program = find_chromium()
    if program is None:
        pytest.skip("install chromium")
    demo = [sys.executable, "-m", "ajpes_reporting", "eplacila", "demo", "--by-hand", str(tmp_path / "demo")]
    with (
        subprocess.Popen(demo, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running,
        browser(program) as chromium,
    ):
        try:
            assert running.stdout and running.stderr
            lines = iter(running.stderr.readline, "")
            url = next(found[1] for line in lines if (found := re.search(r"Pay at (\S+),", line)))
            page = chromium.new_page()
            page.goto(url)
            assert page.get_by_label("Koda QR").count() == 0
            page.get_by_label("Visa").check()
            page.get_by_role("button", name="Nadaljuj").click()
            page.get_by_role("button", name=button).first.click()
            assert ("plačano" if code == 0 else "opuščeno") in page.inner_text("main")
            told = running.stdout.read() + running.stderr.read()
            assert running.wait(60) == code
        finally:
            running.kill()
    assert said in told


def _await_answer(simulator: Simulator, transaction: str) -> None:
    """Until the receiver has answered that it has the notice."""
    for _ in range(600):
        if any("200" in (notice.answer or "") for notice in simulator.store.notices(transaction)):
            return
        time.sleep(0.1)
    pytest.fail("no notice was taken")
