"""`eplacila demo [DIR]`: one web payment, from its order to the bank's SPAPP report."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ajpes_reporting.cli.output import echo
from ajpes_reporting.cli.session import Session, with_session
from ajpes_reporting.domain.calendar import LJUBLJANA
from ajpes_reporting.domain.errors import AjpesReportingError, UsageError
from ajpes_reporting.domain.money import format_decimal
from ajpes_reporting.i18n import Message, _, _n

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ajpes_reporting.domain.periods import Month
    from ajpes_reporting.eplacila.answers import StartedPayment
    from ajpes_reporting.eplacila.store import StoredPayment
    from ajpes_reporting.sandbox.eplacila import Simulator

_ACCOUNT = "010000000100575"
_CENTS = 4_960  # SPAPP has whole euros, and these are rounded up
_NOTICE_SECONDS, _BY_HAND_SECONDS = 30, 600
_PAUSE_SECONDS = 0.1


@click.command("demo", short_help="A payment's whole way, on loopback.")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), default=Path("demo-eplacila"))
@click.option("--by-hand", is_flag=True, help="Pay yourself, in a browser.")
@with_session
def command(session: Session, directory: Path, by_hand: bool) -> None:
    """Take one web payment its whole way in a new workspace in DIRECTORY (default: demo-eplacila).

    The payment is begun, paid at the bundled e-plačila, told by a signed notice, confirmed by its
    status, listed in the statement and pulled into the ledger; it raises the credit turnover of its
    account in SPAPP.
    """
    import reportlab  # noqa: F401 - needed for the first receipt: better told now if it is missing

    from ajpes_reporting.sandbox import SandboxError
    from ajpes_reporting.sandbox.eplacila import Simulator
    from ajpes_reporting.workspace import make_workspace

    make_workspace(directory)
    try:
        with Simulator(directory / "till") as simulator:
            Demo(session, directory, simulator).play(by_hand=by_hand)
    except SandboxError as error:
        raise UsageError(Message(str(error), {}), Message(error.remedy, {})) from None


class Demo:
    """The story, one step after the other; every step is what a command does, too."""

    def __init__(self, session: Session, directory: Path, simulator: Simulator) -> None:
        from ajpes_reporting.config import open_workspace
        from ajpes_reporting.wiring import open_context
        from ajpes_reporting.wiring.eplacila import eplacila_payments

        self._session = session
        self._directory = directory
        self._simulator = simulator
        with (directory / "ajpes.toml").open("a", encoding="utf-8") as file:
            file.write(f'\n{simulator.settings()}account = "{_ACCOUNT}"\n')
        self._workspace = open_workspace(directory)
        self._context = open_context(self._workspace)
        self._payments = eplacila_payments(self._workspace)

    def play(self, *, by_hand: bool) -> None:
        """Plays all of it. Raises `AjpesReportingError` if a step does not end as it must."""
        self._say(
            _(
                "A bank in {folder}, and UJP e-plačila at {address}",
                folder=str(self._directory),
                address=self._simulator.url,
            )
        )
        self._import()
        with self._listening() as port:
            started = self._begin(port)
            self._pay(started, by_hand=by_hand)
            entry = self._told(started, _BY_HAND_SECONDS if by_hand else _NOTICE_SECONDS)
            if entry is None:
                raise _not_paid() if by_hand else _failed(_("no notice told that it was paid"))
        self._confirm(entry)
        before, after = self._pull(entry)
        self._session.emit(
            {
                "workspace": self._directory,
                "transaction_id": started.transaction_id,
                "amount_cents": entry.amount_cents,
                "credit_before": before,
                "credit_after": after,
            },
            lambda: echo(
                _("Look around: ajpes-reporting -w {folder} audit export", folder=str(self._directory))
            ),
        )

    def _import(self) -> None:
        from ajpes_reporting.pipeline.facts import import_files
        from ajpes_reporting.shipped import sample

        (summary,) = import_files(self._context, [sample("ledger/accounts.csv")])
        self._say(
            _n(
                "1. ledger import: {count} account; {account} is credited",
                "1. ledger import: {count} accounts; {account} is credited",
                summary.rows_new,
                account=_ACCOUNT,
            )
        )

    @contextmanager
    def _listening(self) -> Iterator[int]:
        from ajpes_reporting.eplacila.server import serving
        from ajpes_reporting.wiring.eplacila import eplacila_receiver

        app = eplacila_receiver(self._workspace, self._payments)
        with serving(app, "127.0.0.1:0") as (_host, port):
            self._say(_("2. eplacila listen: notices are taken on port {port}", port=port))
            yield port

    def _begin(self, port: int) -> StartedPayment:
        from ajpes_reporting.eplacila.order import read_order
        from ajpes_reporting.wiring.eplacila import eplacila_recipient, eplacila_section

        site, page = f"http://127.0.0.1:{port}", f"{self._simulator.url}/nadzor"
        order = read_order(
            {
                "id": f"demo-{time.time_ns()}",
                "maticna": eplacila_recipient(self._workspace),
                "successUrl": page,
                "failureUrl": page,
                "callbackUrl": site,
                "opisPlacila": "Taksa",
                "idn": "GRP_CARDS",
                "postavka": [{"opis": "Taksa", "kolicina": 1, "cena": format_decimal(_CENTS)}],
            },
            eplacila_section(self._workspace).ids,
        )
        started = self._payments.begin(order)
        self._say(
            _(
                "3. eplacila init: {amount:eur}, transaction {transaction}",
                amount=order.total_cents,
                transaction=started.transaction_id,
            )
        )
        return started

    def _pay(self, started: StartedPayment, *, by_hand: bool) -> None:
        from ajpes_reporting.sandbox.eplacila import Outcome

        if by_hand:
            self._session.say(
                _("4. Pay at {address}, by card; you have ten minutes", address=started.pay_url)
            )
            return
        self._simulator.payments.choose(started.transaction_id, "VISA")
        self._simulator.payments.report(started.transaction_id, Outcome.PAID)
        self._say(_("4. the customer pays by card"))

    def _told(self, started: StartedPayment, seconds: float) -> StoredPayment | None:
        """Return the payment once a notice has told that it is paid; None if it was not paid."""
        from ajpes_reporting.eplacila import store
        from ajpes_reporting.eplacila.answers import State

        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with self._context.engine.connect() as connection:
                entry = store.by_transaction(connection, self._context.provider, started.transaction_id)
            if entry and entry.state is State.PAID:
                self._say(_("5. a signed notice has come; UJP was asked, and the payment is stored as paid"))
                return entry
            if entry and entry.state is State.ABANDONED:
                break
            time.sleep(_PAUSE_SECONDS)
        return None

    def _confirm(self, entry: StoredPayment) -> None:
        status = self._payments.client.status_of_order(entry.order_id)
        if (status.state, status.amount_cents) != (entry.state, _CENTS):
            raise _failed(_("by its status it is {state}", state=status.state.label))
        self._say(
            _(
                "6. eplacila status: {state}, {amount:eur} by {method}",
                state=status.state.label,
                amount=status.amount_cents,
                method=status.method,
            )
        )

    def _pull(self, entry: StoredPayment) -> tuple[int, int]:
        """Pull the payment into the ledger; return the credit turnover before and after, in euros."""
        from ajpes_reporting.domain.periods import Month
        from ajpes_reporting.pipeline.pull import pull_period
        from ajpes_reporting.wiring.eplacila import eplacila_recipient

        if entry.paid_at is None:
            raise _failed(_("nobody says when it was paid"))
        day = entry.paid_at.astimezone(LJUBLJANA).date()
        month = Month(day.year, day.month)
        before = self._credit(month)
        pulled = pull_period(
            self._context,
            self._payments.client,
            eplacila_recipient(self._workspace),
            day,
            day,
            _ACCOUNT,
            ask_each=True,
        )
        if pulled.rows_new != 1:
            raise _failed(
                _n(
                    "the statement brought {count} posting",
                    "the statement brought {count} postings",
                    pulled.rows_new,
                )
            )
        self._say(
            _n(
                "7. ledger pull eplacila: {count} new posting",
                "7. ledger pull eplacila: {count} new postings",
                pulled.rows_new,
            )
        )
        after = self._credit(month)
        self._say(
            _(
                "8. build spapp: credit turnover of {account} in {month:period}: {before:eur}, "
                "now {after:eur}",
                account=_ACCOUNT,
                month=month.key,
                before=before * 100,
                after=after * 100,
            )
        )
        if after - before != round(_CENTS / 100):
            raise _failed(_("the credit turnover rose by {amount:eur}", amount=(after - before) * 100))
        return before, after

    def _credit(self, month: Month) -> int:
        """Return the credit turnover, in euros, that the report for a month would have now."""
        from ajpes_reporting import xmlread
        from ajpes_reporting.pipeline.foresee import rehearse
        from ajpes_reporting.reports.registry import by_code

        with self._context.working_folder() as folder:
            built = rehearse(self._context, by_code("SPAPP"), month, folder)
            if built is not None:
                for _event, element in xmlread.stream(built.path, ("end",)):
                    row = xmlread.attributes(element)
                    if row.get("rn") == _ACCOUNT:
                        return int(row["dob"])
        raise _failed(_("SPAPP does not report {account}", account=_ACCOUNT))

    def _say(self, text: Message) -> None:
        if not self._session.as_json:
            echo(text)


def _not_paid() -> AjpesReportingError:
    return AjpesReportingError(
        _("The payment was given up, or nobody paid in ten minutes; the ledger is as it was."),
        _("run the demo again in another folder, and pay by card"),
    )


def _failed(reason: Message) -> AjpesReportingError:
    return AjpesReportingError(
        _("The demo has failed: {reason}.", reason=reason), _("report this, it is a fault of the program")
    )
