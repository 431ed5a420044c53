"""What the authority accepts of a NODURS report, what it refuses, and what it only warns of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sandbox.conftest import Deliver, findings, ident
from tests.sandbox.letters import OTHER_ACCOUNT, cancellation, debtor, event, nodurs, obligation, one

if TYPE_CHECKING:
    from ajpes_reporting.sandbox import Sandbox


def test_a_report_without_fault_is_accepted(sandbox: Sandbox, deliver: Deliver) -> None:
    """Everybody: an authority that refuses what is right would teach us wrong."""
    answer = deliver(one(event("1"), event("2", 2550, sSpre="02"), count=2, total=12550))
    assert ident(answer) == {
        "iErr": "0",
        "maticnaPonudnika": "5860571000",
        "datumPriprave": "2026-11-17T17:05:01+01:00",
        "iWrn": "0",
        "datumPodatkov": "2026-11-17",
    }
    assert [(row["event_id"], row["amount_cents"]) for row in sandbox.store.events("O-1")] == [
        ("1", 10000),
        ("2", 2550),
    ]


def test_every_attribute_of_an_event_is_kept(sandbox: Sandbox, deliver: Deliver) -> None:
    """An auditor, who compares the store with the ledger."""
    upnik = '<Upnik rn="DE89370400440532013000"><Naziv>Gläubiger &amp; Co</Naziv></Upnik>'
    # Model 12, 1234: 4*2 + 3*3 + 2*4 + 1*5 = 30, 30 mod 11 = 8, 11 - 8 = 3.
    deliver(one(event("1", 7, upnik, model="12", sklic="12343", prior="2"), count=1, total=7))
    (row,) = sandbox.store.events()
    assert dict(row) == {
        "provider": "5860571000",
        "obligation_id": "O-1",
        "event_id": "1",
        "cancels": None,
        "change_type": "01",
        "change_date": "2026-11-17",
        "amount_cents": 7,
        "recorded_at": "2026-11-17T08:00:00",
        "model": "12",
        "reference": "12343",
        "priority": "2",
        "creditor_account": "DE89370400440532013000",
        "creditor_name": "Gläubiger & Co",
        "submission": 1,
    }


def test_obligations_of_several_debtors_and_accounts_are_told_apart(
    sandbox: Sandbox, deliver: Deliver
) -> None:
    """An auditor: forgetting what was read must not mix up who owes what."""
    first = debtor(obligation("O-1", event("1")), obligation("O-2", event("1")), name="PRVI")
    accounts = (
        '<Dolznik davcna="12345687"><Naziv>DRUGI</Naziv>'
        f'<Tr rn="070000000000187">{obligation("O-3", event("1"))}</Tr>'
        f'<Tr rn="{OTHER_ACCOUNT}"><!-- x -->{obligation("O-4", event("1"))}</Tr></Dolznik>'
    )
    answer = deliver(nodurs(first, accounts, count=4, total=40000))
    assert findings(answer, "ERR") == []
    found = {
        row["obligation_id"]: (row["debtor_name"], row["account"]) for row in sandbox.store.obligations()
    }
    assert found == {
        "O-1": ("PRVI", "011006030000086"),
        "O-2": ("PRVI", "011006030000086"),
        "O-3": ("DRUGI", "070000000000187"),
        "O-4": ("DRUGI", OTHER_ACCOUNT),
    }


def test_cancellations_count_in_both_totals(deliver: Deliver) -> None:
    """The bank: rows 2 and 3 speak of all rows, and a storno is one."""
    answer = deliver(one(event("1"), cancellation("2", "1"), count=2, total=20000))
    assert findings(answer, "ERR") == []


@pytest.mark.parametrize(
    ("events", "count", "total", "said"),
    [
        ([event("1")], 2, 10000, "Število zapisov"),
        ([event("1")], 1, 10001, "(10001) ni enak seštevku v zapisih: 10000 (v centih)."),
        ([event("1"), cancellation("2", "1")], 2, 10000, "Seštevek zneskov"),
        ([event("1", "100.00")], 1, "100.00", "niso v centih"),
        ([event("1", "100.00"), event("2")], 2, 20000, "pomešani"),
        ([event("1")], 1, "100.00", "pomešani"),
    ],
)
def test_counts_totals_and_formats_that_do_not_fit_refuse_the_report(
    sandbox: Sandbox, deliver: Deliver, events: list[str], count: int, total: int | str, said: str
) -> None:
    """The bank: a factor of 100 or a lost row must not slip through."""
    answer = deliver(one(*events, count=count, total=total))
    ((record, _, text),) = findings(answer, "ERR")
    assert record is None
    assert said in text
    assert sandbox.store.events() == []


@pytest.mark.parametrize(
    ("events", "total", "wrong", "said"),
    [
        ([event("1"), cancellation("2", None)], 20000, "2", "manjka podatek refid"),
        ([event("1"), event("2", refid="1")], 20000, "2", "samo pri vrsti spremembe 00"),
        ([event("1"), cancellation("2", "9")], 20000, "2", "ki ga v tej blokadi ni"),
        ([event("1"), cancellation("2", "2")], 20000, "2", "sam nase"),
        ([event("1"), cancellation("2", "1"), cancellation("3", "2")], 30000, "3", "na drug storno"),
        ([event("1"), cancellation("2", "1"), cancellation("3", "1")], 30000, "3", "že storniran"),
        ([event("1"), cancellation("2", "1", 9999)], 19999, "2", "Znesek storna"),
        ([event("1"), event("1")], 20000, "1", "dogodka se v okviru blokade ponovi"),
    ],
)
def test_a_wrong_cancellation_refuses_the_report(
    sandbox: Sandbox, deliver: Deliver, events: list[str], total: int, wrong: str, said: str
) -> None:
    """The audit trail of section 2.2, which hangs on cancellations alone."""
    answer = deliver(one(*events, count=len(events), total=total))
    ((record, culprit, text),) = findings(answer, "ERR")
    assert (record, culprit) == ("O-1", wrong)
    assert said in text
    assert sandbox.store.events() == []


def test_an_event_id_may_stand_under_two_obligations(deliver: Deliver) -> None:
    """Banks that number events anew in each obligation (row 12)."""
    blocks = obligation("O-1", event("1")), obligation("O-2", event("1"))
    assert findings(deliver(nodurs(debtor(*blocks), count=2, total=20000)), "ERR") == []


def test_an_obligation_id_that_comes_twice_refuses_the_report(deliver: Deliver) -> None:
    """The bank: of two histories of one obligation, one would be lost (row 10)."""
    blocks = debtor(obligation("O-1", event("1"))), debtor(obligation("O-1", event("2")), tax="12345687")
    ((record, _, text),) = findings(deliver(nodurs(*blocks, count=2, total=20000)), "ERR")
    assert record == "O-1"
    assert "ponovi" in text


class TestHistory:
    """Section 2.2: what was accepted comes again, unchanged, and new events are added."""

    @pytest.fixture(autouse=True)
    def first_day(self, deliver: Deliver) -> None:
        deliver(one(event("1", model="12", sklic="12343", prior="3"), event("2", 500), count=2, total=10500))

    OLD = (event("1", model="12", sklic="12343", prior="3"), event("2", 500))

    def test_the_same_history_and_a_new_event_are_accepted(self, sandbox: Sandbox, deliver: Deliver) -> None:
        """The bank on day two."""
        answer = deliver(one(*self.OLD, event("3", 1), count=3, total=10501))
        assert findings(answer, "ERR") == []
        assert [row["submission"] for row in sandbox.store.events()] == [1, 1, 2]

    def test_the_same_file_again_is_accepted_and_counted_again(
        self, sandbox: Sandbox, deliver: Deliver
    ) -> None:
        """An auditor who looks for what was sent twice."""
        deliver(one(*self.OLD, count=2, total=10500))
        first, second = sandbox.store.submissions("nodurs")
        assert (first.sha256, first.content_sha256) == (second.sha256, second.content_sha256)
        assert second.verdict == "accepted"
        assert len(sandbox.store.events()) == 2

    def test_a_missing_event_is_refused(self, sandbox: Sandbox, deliver: Deliver) -> None:
        """The audit trail: nothing disappears."""
        answer = deliver(one(self.OLD[0], event("3", 1), count=2, total=10001))
        assert findings(answer, "ERR") == [
            ("O-1", "2", "Dogodek, ki je bil že sprejet, v zgodovini blokade manjka.")
        ]
        assert [row["event_id"] for row in sandbox.store.events()] == ["1", "2"]

    @pytest.mark.parametrize(
        ("changed", "total", "attribute"),
        [
            ({"amount": 10001, "model": "12", "sklic": "12343", "prior": "3"}, 10501, "No/znesek"),
            ({"model": "12", "sklic": "12343", "prior": "2"}, 10500, "No/prior"),
            ({"sklic": "12343", "prior": "3"}, 10500, "No/model"),
            ({"model": "12", "sklic": "12343", "prior": "3", "sSpre": "02"}, 10500, "No/sSpre"),
            ({"model": "12", "sklic": "12343", "prior": "3", "dSpre": "2026-11-16"}, 10500, "No/dSpre"),
            (
                {"model": "12", "sklic": "12343", "prior": "3", "dtVpis": "2026-11-17T08:00:01"},
                10500,
                "No/dtVpis",
            ),
            ({"model": "12", "sklic": "12343", "prior": "3", "inside": ""}, 10500, "Upnik/rn, Upnik/Naziv"),
        ],
    )
    def test_an_altered_event_is_refused(
        self, deliver: Deliver, changed: dict[str, str], total: int, attribute: str
    ) -> None:
        """The audit trail: a correction is never an edit."""
        answer = deliver(one(event("1", **changed), self.OLD[1], count=2, total=total))
        ((record, culprit, text),) = findings(answer, "ERR")
        assert (record, culprit) == ("O-1", "1")
        assert f"spremenjen ({attribute})" in text

    @pytest.mark.parametrize(
        ("other", "attribute"),
        [
            ({"tax": "12345687"}, "Dolznik/davcna"),
            ({"account": OTHER_ACCOUNT}, "Tr/rn"),
        ],
    )
    def test_another_debtor_or_account_is_refused(
        self, deliver: Deliver, other: dict[str, str], attribute: str
    ) -> None:
        """The debtor: an obligation does not move to somebody else."""
        ((_, _, text),) = findings(deliver(one(*self.OLD, count=2, total=10500, **other)), "ERR")
        assert text == f"Podatki že sprejete blokade so spremenjeni: {attribute}."

    def test_a_debtor_may_be_renamed(self, sandbox: Sandbox, deliver: Deliver) -> None:
        """The company that changed its name: its obligations are the same."""
        answer = deliver(one(*self.OLD, event("3"), count=3, total=20500, name="DRUGI"))
        assert findings(answer, "ERR") == []
        assert [row["debtor_name"] for row in sandbox.store.obligations()] == ["DRUGI"]

    def test_another_issuer_is_refused(self, deliver: Deliver) -> None:
        """The debtor: a tax debt does not become a court's."""
        answer = deliver(nodurs(debtor(obligation("O-1", *self.OLD, issuer=2)), count=2, total=10500))
        assert "Blok/izdajatelj" in findings(answer, "ERR")[0][2]

    def test_a_correction_by_cancellation_and_new_event_is_accepted(
        self, sandbox: Sandbox, deliver: Deliver
    ) -> None:
        """The clerk who made a mistake: the prescribed way is open."""
        correction = cancellation("3", "2", 500), event("4", 600)
        answer = deliver(one(*self.OLD, *correction, count=4, total=11600))
        assert findings(answer, "ERR") == []
        assert [row["cancels"] for row in sandbox.store.events()] == [None, None, "2", None]

    def test_an_untouched_obligation_need_not_come_again(self, deliver: Deliver) -> None:
        """The bank: only changed obligations are sent."""
        answer = deliver(nodurs(debtor(obligation("O-2", event("1"))), count=1, total=10000))
        assert findings(answer, "ERR") == []


def test_nothing_of_a_refused_report_is_kept(sandbox: Sandbox, deliver: Deliver) -> None:
    """The bank: one ERR refuses everything, also the obligations without fault."""
    blocks = obligation("O-1", event("1")), obligation("O-2", event("1"), event("1"))
    deliver(nodurs(debtor(*blocks), count=3, total=30000))
    assert (sandbox.store.obligations(), sandbox.store.events()) == ([], [])
    assert [one.verdict for one in sandbox.store.submissions()] == ["refused"]


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (one(event("1", sSpre="77"), count=1, total=10000), "Vrsta spremembe 77"),
        (one(event("1", prior="9"), count=1, total=10000), "Oznaka prioritete 9"),
        (one(event("1", dSpre="2026-11-16"), count=1, total=10000), "se razlikujeta"),
        (one(event("1", model="13", sklic="1"), count=1, total=10000), "Model sklica 13"),
        (one(event("1", model="12", sklic="12344"), count=1, total=10000), "Sklic ne ustreza"),
        (one(event("1", inside='<Upnik rn="110228000164691"><Naziv>U</Naziv></Upnik>'), count=1, total=10000),
         "računa upnika"),
        (one(event("1"), count=1, total=10000, account="010000100002123"), "računa dolžnika"),
        (one(event("1"), count=1, total=10000, tax="12345678"), "davčne številke"),
    ],
)  # fmt: skip
def test_doubts_are_warnings_and_the_report_is_accepted(
    sandbox: Sandbox, deliver: Deliver, report: str, said: str
) -> None:
    """The bank: the instruction's own samples fail several check digits."""
    answer = deliver(report)
    assert findings(answer, "ERR") == []
    ((record, _, text),) = findings(answer, "WRN")
    assert record == "O-1"
    assert said in text
    assert sandbox.store.submissions()[0].verdict == "accepted_with_warnings"
    assert len(sandbox.store.events()) == 1


# Worked by hand: 123 gives 3*2 + 2*3 + 1*4 = 16, 16 mod 11 = 5, 11 - 5 = 6, so 1236 is right;
# 12343 see above; 19: 9*2 + 1*3 = 21, 21 mod 11 = 10, 11 - 10 = 1, so 191 is right;
# 5: 5*2 = 10, 11 - 10 = 1, so 51; 0: 0, 11 - 0 = 11 gives 0, so 00; 6: 12 mod 11 = 1, 10 gives 0, so 60.
@pytest.mark.parametrize(
    ("model", "reference", "right"),
    [
        ("00", "kar koli", True),
        ("99", "x", True),
        ("12", "1236", True),
        ("12", "1236-1", False),
        ("12", "1A36", False),
        ("11", "1236-191", True),
        ("11", "1236-192", False),
        ("11", "1236", False),
        ("11", "1236-191-777", True),
        ("01", "12-3-6", True),
        ("01", "12-3-7", False),
        ("1", "1236", True),
        ("02", "7-51-00", True),
        ("02", "7-51-01", False),
        ("03", "51-60-00", True),
        ("04", "51-9-60", True),
        ("05", "51-9-9", True),
        ("06", "9-5-1", True),
        ("07", "9-51", True),
        ("08", "5-1-60", True),
        ("09", "5-1-8", True),
        ("10", "51-6-0", True),
        ("10", "51-6-1", False),
        ("12", "1236-", False),
        ("05", "51-9-9-9", False),
    ],
)
def test_reference_models_have_their_control_digits(
    deliver: Deliver, model: str, reference: str, right: bool
) -> None:
    """The bank, which would drown in warnings that are none."""
    answer = deliver(one(event("1", model=model, sklic=reference), count=1, total=10000))
    assert len(findings(answer, "WRN")) == (0 if right else 1)
