"""Tells e-services of their payments (6.6): signed, and again if they did not answer with 200."""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from datetime import datetime

    from ..faults import FaultInjector, InjectedFault
    from .answers import AnswerWriter
    from .payments import Payments
    from .rules import Rules
    from .services import Register
    from .signing import Signer
    from .store import Notice, Store

_log = logging.getLogger(__name__)

_OK = "200"
_TIMEOUT_SECONDS = 10


class WebhookSender:
    """Carries notices to the e-services, in rounds of a thread or when it is told to."""

    def __init__(
        self,
        store: Store,
        payments: Payments,
        register: Register,
        signer: Signer,
        writer: AnswerWriter,
        rules: Rules,
        faults: FaultInjector,
        clock: Callable[[], datetime],
        tls: ssl.SSLContext | bool,
    ) -> None:
        self._store = store
        self._payments = payments
        self._register = register
        self._signer = signer
        self._writer = writer
        self._rules = rules
        self._faults = faults
        self._clock = clock
        self._client = httpx.Client(verify=tls, timeout=_TIMEOUT_SECONDS, trust_env=False)
        self._held: int | None = None
        self._round = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, poll_seconds: float | None) -> None:
        """Begin to make rounds, with a pause of `poll_seconds`; with None only `process_now` makes them."""
        if poll_seconds is not None:
            self._thread = threading.Thread(target=self._work, args=(poll_seconds,), name="webhooks")
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._client.close()

    def process_now(self) -> None:
        """Give up idle payments, and send every notice that is due."""
        with self._round:
            self._payments.abandon_idle()
            for notice in self._store.notices_due(self._now()):
                if self._stopping.is_set():
                    break
                self._deliver(notice)

    def _work(self, poll_seconds: float) -> None:
        while not self._stopping.wait(poll_seconds):
            try:
                self.process_now()
            except Exception:
                # The next round may fare better, and a simulator that falls silent helps nobody.
                _log.exception("a round of webhooks failed")

    def _deliver(self, notice: Notice) -> None:
        if notice.number == self._held:
            return
        fault = self._faults.take("webhook", "duplicate", "reorder", "wrong_signature", "truncated", "lose")
        kind = fault.kind if fault else ""
        if kind == "reorder":
            # It waits until another one has gone.
            self._held = notice.number
            return
        answer = _OK if kind == "lose" else self._send(notice, fault)
        if kind == "duplicate":
            answer = self._send(notice, fault)
        self._held = None
        self._store.record_attempt(notice.number, answer, self._next(notice, answer))

    def _send(self, notice: Notice, fault: InjectedFault | None) -> str:
        """Send a notice; return the HTTP status, or the name of the error."""
        body = self._body(notice, wrong=fault is not None and fault.kind == "wrong_signature")
        if fault is not None and fault.kind == "truncated":
            body = body[: len(body) // 2]
        headers = {"Content-Type": "application/json; charset=utf-8"}
        try:
            url = notice.payment.callback_url
            with self._client.stream("POST", url, content=body, headers=headers) as response:
                return str(response.status_code)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as reason:
            return type(reason).__name__

    def _body(self, notice: Notice, *, wrong: bool) -> bytes:
        """Signed anew for each attempt, so that its time is the time of sending."""
        payment = notice.payment
        credentials = self._register.by_ids(payment.ids)
        if credentials is None:
            raise LookupError(f"nobody is registered as {payment.ids}")
        auth = self._signer.auth(credentials.api_key, self._clock(), payment.transaction_id, wrong=wrong)
        document = self._writer.status(payment) | {"auth": auth}
        return json.dumps(self._writer.numbers(document), ensure_ascii=False).encode()

    def _next(self, notice: Notice, answer: str) -> int | None:
        """Return when a notice is due again (6.6.1): within seconds once, then at an interval if set."""
        now = self._now()
        if answer == _OK:
            return None
        if notice.attempts == 0:
            return now + self._rules.repeat_after
        every = self._rules.repeat_every
        if every is None or now + every > notice.made_at + self._rules.repeat_until:
            return None
        return now + every

    def _now(self) -> int:
        return int(self._clock().timestamp())
