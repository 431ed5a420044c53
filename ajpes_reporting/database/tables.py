"""Every table: the ledger's facts and the journal's record of what was done with them.

Each row belongs to a provider, by itself or through its parent, so that one installation can
report for several. Whatever is a fact or a record is only ever added to; the database enforces
it (see the migrations).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from ajpes_reporting.database.types import (
    AccountNumber,
    Cents,
    Identifier,
    Instant,
    Key,
    Name,
    Provider,
    Words,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def _asked_once(column: str, parent: str) -> ForeignKeyConstraint:
    """A foreign key of facts that come by the million; on PostgreSQL a trigger keeps it (see `parents`)."""
    return ForeignKeyConstraint([column], [parent]).ddl_if(dialect="sqlite")


# --- The ledger ---------------------------------------------------------------------------------

# What the rules said in each of their editions may differ; see `domain.rules.RuleSettings.edition`.
rule_editions = Table(
    "rule_editions",
    metadata,
    Column("id", Key, primary_key=True),
    Column("fingerprint", String(64), nullable=False, unique=True),
)


def _clean_under() -> Column[int]:
    """The edition of the rules under which nothing was wrong with a fact when it came in.

    Empty: there was something, and each report that has the fact says it again.
    """
    return Column("clean_under", Key)


debtors = Table(
    "debtors",
    metadata,
    Column("id", Key, primary_key=True),
    Column("provider", Provider, nullable=False),
    Column("tax_number", String(8), nullable=False),
    # Part of the key: a debtor whose name is written in two ways keeps both.
    Column("name", Name, nullable=False),
    UniqueConstraint("provider", "tax_number", "name"),
)

obligations = Table(
    "obligations",
    metadata,
    Column("id", Key, primary_key=True),
    Column("provider", Provider, nullable=False),
    Column("obligation_id", Identifier, nullable=False),
    Column("issuer", Integer, nullable=False),
    Column("debtor", Key, ForeignKey("debtors.id"), nullable=False),
    Column("debtor_account", AccountNumber, nullable=False),
    _clean_under(),
    UniqueConstraint("provider", "obligation_id"),
    Index(None, "debtor", "debtor_account", "obligation_id"),
)

events = Table(
    "events",
    metadata,
    Column("id", Key, primary_key=True),
    Column("obligation", Key, nullable=False),
    _asked_once("obligation", "obligations.id"),
    # Unique within its obligation only (instruction, section 2.2, row 12).
    Column("event_id", Identifier, nullable=False),
    Column("cancels_event_id", Identifier),
    Column("change_type", String(2), nullable=False),
    Column("change_date", Date, nullable=False),
    Column("amount_cents", Cents, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    # The time of recording as the bank wrote it: the authority sees this text, always the same.
    Column("recorded_as", String(35), nullable=False),
    Column("reference_model", String(2)),
    Column("reference", String(22)),
    Column("priority", Integer),
    Column("creditor_account", String(34)),
    Column("creditor_name", Name),
    _clean_under(),
    UniqueConstraint("obligation", "event_id"),
    # Nothing is cancelled twice; empty for everything that is not a cancellation.
    UniqueConstraint("obligation", "cancels_event_id"),
    # The order of a history; with the rest of it, a report is summed up from it alone.
    Index(None, "obligation", "recorded_at", "id", "amount_cents", "clean_under"),
    CheckConstraint("(change_type = '00') = (cancels_event_id IS NOT NULL)", name="cancellation"),
)

# Events that the authority has not accepted yet. It could be derived from the acceptances, by
# reading all of them; this keeps the cost of a small day small. `audit verify` compares the two.
pending_events = Table(
    "pending_events",
    metadata,
    Column("event", Key, primary_key=True, autoincrement=False),
    _asked_once("event", "events.id"),
)

# Under which other spelling of its debtor's name an obligation stood before, and until when.
former_names = Table(
    "former_names",
    metadata,
    Column("id", Key, primary_key=True),
    Column("obligation", Key, ForeignKey("obligations.id"), nullable=False, index=True),
    Column("debtor", Key, ForeignKey("debtors.id"), nullable=False),
    Column("replaced_at", Instant, nullable=False),
)

# Persons' decisions to keep an obligation out of reports, and to let it in again; the newest counts.
exclusions = Table(
    "exclusions",
    metadata,
    Column("id", Key, primary_key=True),
    Column("provider", Provider, nullable=False),
    Column("obligation", Key, ForeignKey("obligations.id"), nullable=False),
    Column("decision", String(8), nullable=False),
    Column("reason", Text, nullable=False),
    Column("decided_at", Instant, nullable=False),
    Index(None, "provider", "obligation", "id"),
    CheckConstraint("decision IN ('excluded', 'included')", name="decision"),
)

# Events with a time of recording in the future, and their cancellations, of which AJPES never hears.
withdrawn_events = Table(
    "withdrawn_events",
    metadata,
    Column("event", Key, ForeignKey("events.id"), primary_key=True, autoincrement=False),
    Column("provider", Provider, nullable=False, index=True),
    Column("withdrawn_at", Instant, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Key, primary_key=True),
    Column("provider", Provider, nullable=False),
    Column("account", AccountNumber, nullable=False),
    Column("holder_tax_number", String(8), nullable=False),
    Column("holder_name", Name, nullable=False),
    Column("opened_on", Date, nullable=False),
    Column("closed_on", Date),
    _clean_under(),
    UniqueConstraint("provider", "account"),
)

account_months = Table(
    "account_months",
    metadata,
    Column("id", Key, primary_key=True),
    Column("account", Key, nullable=False),
    _asked_once("account", "accounts.id"),
    Column("month", String(7), nullable=False),  # YYYY-MM
    Column("credit_turnover_cents", Cents, nullable=False),
    Column("debit_turnover_cents", Cents, nullable=False),
    Column("closing_balance_cents", Cents, nullable=False),
    # 'imported' is a fact from the bank, which may be restated; 'closed' was summed up from postings, and is
    # renewed with whatever it follows from.
    Column("origin", String(8), nullable=False),
    UniqueConstraint("account", "month"),
    Index(None, "month"),
    CheckConstraint("origin IN ('imported', 'closed')", name="origin"),
)

postings = Table(
    "postings",
    metadata,
    Column("id", Key, primary_key=True),
    Column("provider", Provider, nullable=False),
    Column("posting_id", Identifier, nullable=False),
    Column("account", Key, nullable=False),
    _asked_once("account", "accounts.id"),
    Column("booked_on", Date, nullable=False),
    Column("amount_cents", Cents, nullable=False),
    UniqueConstraint("provider", "posting_id"),
    Index(None, "account", "booked_on", "amount_cents"),  # a month is summed up from it alone
)

# Bank statements whose entries are among the postings, each proved, and how it stood to those before it.
# The fingerprint is that of all that counts in it: a statement that comes again is known by it.
statements = Table(
    "statements",
    metadata,
    Column("id", Key, primary_key=True),
    Column("account", Key, ForeignKey("accounts.id"), nullable=False),
    Column("statement_id", Identifier, nullable=False),
    Column("sequence", BigInteger, nullable=False),  # 0 where the bank gives none; so for the page
    Column("page", BigInteger, nullable=False),
    Column("begins_on", Date, nullable=False),
    Column("ends_on", Date, nullable=False),
    Column("opening_cents", Cents, nullable=False),
    Column("closing_cents", Cents, nullable=False),
    Column("entries", BigInteger, nullable=False),
    Column("standing", String(8), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("file_sha256", String(64), nullable=False),
    Column("taken_at", Instant, nullable=False),
    UniqueConstraint("account", "fingerprint"),
    Index(None, "account", "ends_on", "sequence", "page"),
    CheckConstraint("standing IN ('first', 'joined', 'overlaps', 'gap')", name="standing"),
)

# What stood in an account, or in a month that was imported, before it was restated. The database lets
# neither change unless the newest row here holds what it had (see `append_only.restatable`).
former_accounts = Table(
    "former_accounts",
    metadata,
    Column("id", Key, primary_key=True),
    Column("account", Key, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("holder_tax_number", String(8), nullable=False),
    Column("holder_name", Name, nullable=False),
    Column("opened_on", Date, nullable=False),
    Column("closed_on", Date),
    Column("restated_at", Instant, nullable=False),
    Column("reason", Text, nullable=False),
)

former_account_months = Table(
    "former_account_months",
    metadata,
    Column("id", Key, primary_key=True),
    Column("account_month", Key, ForeignKey("account_months.id"), nullable=False, index=True),
    Column("credit_turnover_cents", Cents, nullable=False),
    Column("debit_turnover_cents", Cents, nullable=False),
    Column("closing_balance_cents", Cents, nullable=False),
    Column("restated_at", Instant, nullable=False),
    Column("reason", Text, nullable=False),
)

# --- The journal --------------------------------------------------------------------------------

submissions = Table(
    "submissions",
    metadata,
    Column("id", Key, primary_key=True),
    Column("provider", Provider, nullable=False),
    Column("report", String(20), nullable=False),
    Column("period", String(10), nullable=False),  # YYYY-MM-DD or YYYY-MM
    Column("state", String(30), nullable=False),
    Column("prepared_at", Instant, nullable=False),
    Column("file_name", String(40), nullable=False),
    Column("archive_path", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    # Of the file without its time of preparation: tells whether a new file says anything new.
    Column("content_sha256", String(64), nullable=False),
    Column("record_count", BigInteger, nullable=False),
    Column("totals", Text, nullable=False),  # JSON, as written into Ident
    Column("superseded_by", Key, ForeignKey("submissions.id")),
    # Held for a person, and why; empty for one that may go. Its release is a person's word.
    Column("held_because", Words),
    Column("released_at", Instant),
    Index(None, "provider", "report", "period"),
    Index(None, "state"),
)

# The events that a submission reports for the first time, or again after a refusal.
submission_events = Table(
    "submission_events",
    metadata,
    Column("submission", Key, ForeignKey("submissions.id"), primary_key=True, autoincrement=False),
    Column("event", Key, primary_key=True, autoincrement=False),
    _asked_once("event", "events.id"),
    Index(None, "event"),
)

# What a monthly report said of an account, noted when the ledger moved away from it: of the others the
# ledger still says the same. Empty figures: the account was not in the report.
reported_figures = Table(
    "reported_figures",
    metadata,
    Column("submission", Key, ForeignKey("submissions.id"), primary_key=True, autoincrement=False),
    Column("account", Key, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("credit_turnover_cents", Cents),
    Column("debit_turnover_cents", Cents),
    Column("closing_balance_cents", Cents),
)

submission_findings = Table(
    "submission_findings",
    metadata,
    Column("id", Key, primary_key=True),
    Column("submission", Key, ForeignKey("submissions.id"), nullable=False, index=True),
    Column("severity", String(7), nullable=False),
    Column("record", Words, nullable=False),
    Column("field", String(40), nullable=False),
    Column("rule", String(60), nullable=False),
    Column("message", Words, nullable=False),
    Column("remedy", Words, nullable=False),
    Column("location", String(40), nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Key, primary_key=True),
    Column("submission", Key, ForeignKey("submissions.id"), nullable=False, index=True),
    Column("via", String(10), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("outcome", String(20)),
    Column("detail", Words),
    Column("evidence_path", Text),
    Column("evidence_sha256", String(64)),
    # The last moment before the authority might have it; empty: provably nothing arrived.
    Column("handed_over_at", Instant),
    # Over SFTP, the name under which the whole file waited for its final one.
    Column("handed_over_as", Text),
)

answers = Table(
    "answers",
    metadata,
    Column("id", Key, primary_key=True),
    Column("provider", Provider, nullable=False),
    Column("submission", Key, ForeignKey("submissions.id"), index=True),  # empty: it fits nothing
    Column("received_at", Instant, nullable=False),
    Column("via", String(10), nullable=False),
    # Where it lay, and how it looked there, so that it is not fetched again.
    Column("remote_name", Text, nullable=False),
    Column("remote_size", BigInteger, nullable=False),
    Column("remote_modified_at", BigInteger, nullable=False),
    Column("archive_path", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    # 'stored', then 'applied', 'unmatched', 'unreadable' or 'duplicate', with the reason in words.
    Column("status", String(20), nullable=False),
    Column("note", Words, nullable=False, server_default=""),
    Column("declared_errors", BigInteger),
    Column("declared_warnings", BigInteger),
    Column("error_rows", BigInteger),
    Column("warning_rows", BigInteger),
    # What one that was set aside says it is about; empty where it does not say, or could not be read.
    Column("report", String(20)),
    Column("period", String(10)),
    Index(None, "provider", "sha256"),
    Index(None, "provider", "remote_name"),
)

# What the authority said about single records; appended, never written into the ledger.
answer_rows = Table(
    "answer_rows",
    metadata,
    Column("id", Key, primary_key=True),
    Column("answer", Key, nullable=False, index=True),
    Column("severity", String(7), nullable=False),
    Column("code", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("obligation_id", String(36)),
    Column("event_id", String(36)),
    Column("ref_id", String(36)),
    Column("account", String(15)),
    _asked_once("answer", "answers.id"),
    # In the database only of rows that have one (migration 0007); to say so here would load both dialects.
    Index("ix_answer_rows_obligation_id", "obligation_id"),
)

# What the calendar asks for, and how it ended. Days without changes live only here.
due_reports = Table(
    "due_reports",
    metadata,
    Column("provider", Provider, primary_key=True),
    Column("report", String(20), primary_key=True),
    Column("period", String(10), primary_key=True),
    Column("deadline", Instant, nullable=False),
    Column("settled_at", Instant),
    Column("settled_as", String(30)),  # 'nothing_to_report' or the accepting state
    Column("submission", Key, ForeignKey("submissions.id")),
    # How often the schedule has tried in vain, and when it tries again.
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("next_try_at", Instant),
)

# What is wrong now, or was, and who has been told. One row for each time something went wrong.
alarms = Table(
    "alarms",
    metadata,
    Column("id", Key, primary_key=True),
    Column("provider", Provider, nullable=False),
    Column("key", String(80), nullable=False),  # what it is about, such as 'refused NODURS 2026-11-17'
    Column("severity", String(8), nullable=False),  # 'warning' or 'critical'
    Column("text", Words, nullable=False),
    Column("remedy", Words, nullable=False),
    Column("raised_at", Instant, nullable=False),
    Column("cleared_at", Instant),
    Index(None, "provider", "cleared_at"),
)

alarm_messages = Table(
    "alarm_messages",
    metadata,
    Column("id", Key, primary_key=True),
    Column("alarm", Key, ForeignKey("alarms.id"), nullable=False, index=True),
    Column("channel", String(20), nullable=False),  # 'mail' or 'webhook'
    Column("occasion", String(10), nullable=False),  # 'raised', 'reminded' or 'cleared'
    Column("told_at", Instant, nullable=False),
)

# What is done now and then, such as checking the audit record, and when it was done last.
chores = Table(
    "chores",
    metadata,
    Column("provider", Provider, primary_key=True),
    Column("name", String(40), primary_key=True),
    Column("done_at", Instant, nullable=False),
    Column("note", Words, nullable=False, server_default=""),
)

# Archived files whose time is over. The rows that speak of them stay, with their hashes.
purged_files = Table(
    "purged_files",
    metadata,
    Column("provider", Provider, primary_key=True),  # each has an archive of its own
    Column("path", Text, primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("purged_at", Instant, nullable=False),
)

# Reports that left, or lie with the authority, and that the journal does not know: it was put back.
orphans = Table(
    "orphans",
    metadata,
    Column("id", Key, primary_key=True),
    Column("provider", Provider, nullable=False),
    Column("report", String(20), nullable=False),
    Column("period", String(10), nullable=False),
    Column("file_name", Text, nullable=False),
    # Where it was seen, what tells it from another file of its name, and when it left or came there.
    Column("place", Words, nullable=False),
    Column("mark", String(64), nullable=False),
    Column("left_at", Instant, nullable=False),
    Column("found_at", Instant, nullable=False),
    # The newest one then: what a person decides about a later one is decided about this.
    Column("newest_submission", Key, nullable=False),
    Index(None, "provider", "report", "period"),
)

# --- Web payments through UJP e-plačila ----------------------------------------------------------

# One payment, by the order it pays, as UJP last told of it.
eplacila_payments = Table(
    "eplacila_payments",
    metadata,
    Column("id", Key, primary_key=True),
    Column("provider", Provider, nullable=False),
    Column("order_id", String(300), nullable=False),
    Column("transaction_id", String(100)),  # empty: begun, and nobody knows yet whether UJP holds it
    Column("state", Integer, nullable=False),
    Column("ordered_cents", Cents),  # empty: not begun here
    Column("amount_cents", Cents, nullable=False),
    Column("reversed_cents", Cents, nullable=False),
    Column("method", Text, nullable=False, server_default=""),
    Column("receipt_number", Text, nullable=False, server_default=""),
    Column("pay_url", Text),
    Column("paid_at", Instant),
    # When UJP signed what stands here; what is older is passed over.
    Column("told_at", Instant, nullable=False),
    Column("ask_at", Instant),  # when UJP is asked for it again; empty: nothing can change any more
    UniqueConstraint("provider", "order_id"),
    UniqueConstraint("provider", "transaction_id"),
    Index(None, "provider", "ask_at"),
)

# Every state a payment has been in.
eplacila_states = Table(
    "eplacila_states",
    metadata,
    Column("id", Key, primary_key=True),
    Column("payment", Key, ForeignKey("eplacila_payments.id"), nullable=False, index=True),
    Column("state", Integer, nullable=False),
    Column("told_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
)

# Notices that were signed by UJP, each once. What they claimed was never taken for true.
eplacila_notices = Table(
    "eplacila_notices",
    metadata,
    Column("id", Key, primary_key=True),
    Column("provider", Provider, nullable=False),
    Column("transaction_id", String(100), nullable=False),
    Column("nonce", String(15), nullable=False),
    Column("timestamp", String(40), nullable=False),  # as it was signed
    Column("claimed_state", Integer),
    Column("received_at", Instant, nullable=False),
    UniqueConstraint("provider", "transaction_id", "nonce", "timestamp"),
)

# The hash chain: each row seals the one before it.
audit_records = Table(
    "audit_records",
    metadata,
    Column("seq", Key, primary_key=True, autoincrement=False),
    Column("at", String(35), nullable=False),  # text, since its bytes are sealed
    Column("provider", Provider, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("submission", Key, index=True),
    Column("body", Text, nullable=False),  # JSON
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Index(None, "provider", "seq"),
)

APPEND_ONLY = (
    "rule_editions",
    "debtors",
    "obligations",
    "events",
    "former_names",
    "exclusions",
    "withdrawn_events",
    "postings",
    "statements",
    "former_accounts",
    "former_account_months",
    "submission_events",
    "reported_figures",
    "submission_findings",
    "answer_rows",
    "audit_records",
    "purged_files",
    "orphans",
    "eplacila_states",
    "eplacila_notices",
)
"""Tables whose rows are never changed or removed; triggers in the database see to it.

But an obligation may pass to another spelling of its debtor's name (`RENEWABLE`)."""

RENEWABLE = {"obligations": ("debtor",)}
"""Columns of these tables that the program may renew."""
