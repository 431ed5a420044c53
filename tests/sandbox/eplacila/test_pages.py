"""The pages, clicked through in Chromium without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route

from tests.sandbox.eplacila.conftest import Clock, Shop
from tests.servers.chromium import browser, find_chromium


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip("install chromium")
    with browser(program) as started:
        yield started


@pytest.fixture
def page(chromium: Browser, shop: Shop) -> Iterator[Page]:
    """A page without JavaScript, in a world where nothing is asked for but the simulator and the shop."""
    context = chromium.new_context(java_script_enabled=False, locale="sl-SI")
    page = context.new_page()
    strays: list[str] = []

    def route(visit: Route) -> None:
        url = visit.request.url
        if url.startswith((shop.simulator.url, shop.site.url, "data:")):
            visit.continue_()
        else:
            strays.append(url)
            visit.abort()

    context.route("**/*", route)
    yield page
    context.close()
    assert strays == []


def enter(page: Page, shop: Shop, transaction: str) -> None:
    page.goto(f"{shop.simulator.url}/vstop/index?idt={transaction}")


def test_a_customer_pays(page: Page, shop: Shop) -> None:
    """From the choice to the shop's own page; and again, by the browser's history, to nothing else."""
    transaction = shop.open(opisPlacila="Taksa za vozniško")
    enter(page, shop, transaction)
    assert "12,21 EUR" in page.inner_text("main")
    assert "Taksa za vozniško" in page.inner_text("main")
    page.get_by_label("Flik").check()
    page.get_by_role("button", name="Nadaljuj").click()
    page.get_by_role("button", name="Plačaj 12,21 EUR").click()
    assert page.inner_text("body") == "shop /uspesno"
    assert shop.status(transaction)["nacinPlacila"] == "FLIK"
    assert shop.status(transaction)["status"] == 0
    enter(page, shop, transaction)
    assert page.inner_text("body") == "shop /uspesno"


def test_a_customer_must_choose(page: Page, shop: Shop) -> None:
    """Nothing chosen is said, and nothing is lost."""
    enter(page, shop, shop.open())
    page.get_by_role("button", name="Nadaljuj").click()
    assert "Izberite način plačila" in page.get_by_role("alert").inner_text()
    assert page.title().startswith("Napaka")


def test_only_the_shops_ways_are_offered(page: Page, shop: Shop) -> None:
    """`idn` of 6.5.2 narrows the choice, also for one who sends his own form."""
    transaction = shop.open(idn="GRP_EBANK,FLIK")
    enter(page, shop, transaction)
    assert page.locator(".choice label").all_inner_texts() == ["Flik", "Bank@Net"]
    sent = httpx.post(
        f"{shop.simulator.url}/vstop/nacin", data={"idt": transaction, "nacin": "VISA"}, trust_env=False
    )
    assert sent.status_code == 422


def test_a_refused_customer_tries_again(page: Page, shop: Shop) -> None:
    """3.4.2: to the shop, and back by the browser."""
    transaction = shop.open()
    enter(page, shop, transaction)
    page.get_by_label("Visa").check()
    page.get_by_role("button", name="Nadaljuj").click()
    page.get_by_role("button", name="Zavrni").click()
    assert page.inner_text("body") == "shop /neuspesno"
    assert shop.status(transaction)["status"] == 4
    enter(page, shop, transaction)
    assert "Prejšnji poskus ni uspel" in page.inner_text("main")
    page.get_by_label("Maestro").check()
    page.get_by_role("button", name="Nadaljuj").click()
    page.get_by_role("button", name="Plačaj 12").click()
    assert shop.status(transaction)["status"] == 0


def test_a_customer_cancels(page: Page, shop: Shop) -> None:
    """3.4.3: over, and coming back does not help."""
    transaction = shop.open()
    enter(page, shop, transaction)
    page.get_by_role("button", name="Prekliči plačilo").click()
    assert page.inner_text("body") == "shop /neuspesno"
    assert shop.status(transaction)["status"] == 1
    enter(page, shop, transaction)
    assert "ni več mogoče plačati" in page.inner_text("main")


def test_a_customer_falls_asleep(page: Page, shop: Shop, clock: Clock) -> None:
    """The button that was pressed too late does nothing."""
    transaction = shop.open()
    enter(page, shop, transaction)
    page.get_by_label("Visa").check()
    page.get_by_role("button", name="Nadaljuj").click()
    clock.move(minutes=10)
    page.get_by_role("button", name="Plačaj 12").click()
    assert "ni več mogoče plačati" in page.inner_text("main")
    assert shop.status(transaction)["status"] == 1


def test_a_qr_code_and_an_administrator(page: Page, shop: Shop) -> None:
    """3.4.1.2 and 3.4.1.3, each by a click."""
    transaction = shop.open(id="QR-1")
    enter(page, shop, transaction)
    page.get_by_label("Koda QR").check()
    page.get_by_role("button", name="Nadaljuj").click()
    assert page.locator("img.qr").evaluate("image => image.naturalWidth") > 200
    page.get_by_role("button", name="Zaključi").click()
    assert page.inner_text("body") == "shop /uspesno"
    assert shop.status(transaction)["status"] == 6
    page.goto(f"{shop.simulator.url}/nadzor")
    page.get_by_role("link", name="QR-1").click()
    page.get_by_role("button", name="Potrdi plačilo").click()
    assert shop.status(transaction)["status"] == 0
    for wrong in ("veliko", "0", "12,22"):
        page.get_by_label("Znesek stornacije").fill(wrong)
        page.get_by_role("button", name="Storniraj").click()
        assert page.get_by_role("alert").inner_text() == "Tega zneska ni mogoče stornirati."
    page.get_by_label("Znesek stornacije").fill("2,21")
    page.get_by_role("button", name="Storniraj").click()
    assert shop.status(transaction)["znesekStornacij"] == 2.21
    assert "2,21 EUR" in page.inner_text("main")


def test_the_administrator_reads_slovene(page: Page, shop: Shop, clock: Clock) -> None:
    """Statuses, days, amounts, payment methods, and how a webhook fared, as a Slovene clerk writes them."""
    clock.now = datetime(2024, 7, 3, 7, 4, tzinfo=UTC)
    items = [{"opis": "Taksa", "kolicina": 1, "cena": "1234.5"}]
    order = {"id": "N-1", "callbackUrl": "http://127.0.0.1:9/webhook", "referenca": "2024-7"}
    transaction = shop.open("QR koda", postavka=items, **order)
    shop.simulator.payments.conclude(transaction)
    page.goto(f"{shop.simulator.url}/nadzor")
    row = page.get_by_role("row", name="N-1").inner_text().replace("\xa0", " ").split("\t")
    assert row[:3] == ["N-1", "čaka na potrditev", "Koda QR: slikaj in plačaj"]
    assert row[3:] == ["1.234,50 EUR", "3. 7. 2024 ob 9.04"]
    page.get_by_role("link", name="N-1").click()
    assert "še ni poslan" in page.inner_text("main")
    shop.simulator.process_now()
    page.reload()
    shown = page.inner_text("main")
    for expected in ("Izdani račun", "Status", "Število poskusov", "ponudnik ni dosegljiv", "Referenca"):
        assert expected in shown
    assert page.locator("th", has_text="Stanje").count() == 0


def test_what_a_shop_sends_is_shown_as_text(page: Page, shop: Shop) -> None:
    """A shop that is careless with its names does not take the page over."""
    transaction = shop.open(opisPlacila="<b id=x>\n漢</b>", id="<script>1</script>")
    for way in (None, "QR koda"):
        if way:
            shop.simulator.payments.choose(transaction, way)
        enter(page, shop, transaction)
        assert page.locator("#x").count() == 0
        assert "<b id=x>" in page.inner_text("main")


def test_what_a_shop_sends_turns_no_line_round(shop: Shop) -> None:
    """What the customer reads is what is there: no character that reorders or hides comes out raw."""
    transaction = shop.open(opisPlacila="Za \u202e012\u2066\u200b\x9b EUR")
    page = httpx.get(f"{shop.simulator.url}/nadzor/placilo?idt={transaction}", trust_env=False).text
    page += httpx.get(f"{shop.simulator.url}/vstop/index?idt={transaction}", trust_env=False).text
    assert r"Za \u202e012\u2066\u200b\x9b EUR" in page
    assert [letter for letter in page if not letter.isprintable() and letter not in "\n\xa0"] == []


@pytest.mark.parametrize(
    "path", ["/vstop/index", "/vstop/index?idt=1", "/nadzor/placilo?idt=1", "/vstop/placilo?idt=x"]
)
def test_a_payment_that_is_not_there(shop: Shop, path: str) -> None:
    answer = httpx.get(shop.simulator.url + path, trust_env=False)
    assert answer.status_code == 404
    assert "Tega plačila ni" in answer.text
