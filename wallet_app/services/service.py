"""The service: its parts wired together, and one method for each use case.

    use case    idempotency key, approval, movement, notification
    movement    lock, check, move, commit: see money.py

A use case is complete without HTTP. Locks, clocks, ids, one-time codes and how they
are sent, secrets, jitter, the bank and the transport of webhooks are constructor
arguments, so that tests own them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar

from uuid_utils import UUID, uuid4

from wallet_app.domain.clock import Clock, NewId
from wallet_app.domain.fraud_signals import Thresholds
from wallet_app.domain.spending import Limits, Policy
from wallet_app.domain.transactions import Transaction, WalletSnapshot
from wallet_app.gateways.bank import Bank
from wallet_app.gateways.delivery import Transport as HttpTransport
from wallet_app.gateways.sandbox_bank import SandboxBank, Statement
from wallet_app.services.alerts import Alert, Alerts
from wallet_app.services.approvals.approval import (
    ApprovalSnapshot,
    ApprovalStatus,
    Command,
    Moved,
)
from wallet_app.services.approvals.approvals import Approvals
from wallet_app.services.approvals.codes import CHANNELS, SendCode, new_code
from wallet_app.services.audit.audit import Audit
from wallet_app.services.audit.audit_report import AuditReport
from wallet_app.services.background import Background, Health
from wallet_app.services.events import EventType, Outbox
from wallet_app.services.freeze import Freeze
from wallet_app.services.history import History, HistoryFilter
from wallet_app.services.idempotency import IdempotencyKeys, Run
from wallet_app.services.limits import SpendingLimits, Usage
from wallet_app.services.money import Money, Pair
from wallet_app.services.movement import Operation
from wallet_app.services.page import Page, filtered_page
from wallet_app.services.payments.payment import PaymentSnapshot, PaymentStatus
from wallet_app.services.payments.payments import Payments
from wallet_app.services.quotes import Quote, Quotes
from wallet_app.services.summary import Summary, Totals
from wallet_app.services.wallets import Wallets
from wallet_app.services.webhooks.deliveries import Transport
from wallet_app.services.webhooks.delivery_log import DeliverySnapshot
from wallet_app.services.webhooks.standard_webhooks import new_secret
from wallet_app.services.webhooks.webhook import NewWebhook, WebhookSnapshot
from wallet_app.services.webhooks.webhooks import Webhooks
from wallet_app.settings import Settings
from wallet_app.store import LockFactory, Store, ThreadLock


def full_jitter(longest: int) -> int:
    """Return how long to wait, by chance, so that those who failed together do not
    retry together."""
    return random.randrange(longest + 1)


T = TypeVar("T")
M = TypeVar("M", bound=Moved)


class WalletService:
    """All use cases, over one ledger.

    A method that changes something takes an idempotency `key`, except `set_limits` and
    `delete_webhook`, which are idempotent. Called again with its key, it returns what
    it returned then and changes nothing; with another `fingerprint` of the request it
    is refused. The keys, quotes, approvals and webhooks of one `caller`
    are counted, so that no caller takes the share of the others. Such a method also
    raises IdempotencyKeyReused, IdempotencyInProgress and IdempotencyKeysExhausted.
    """

    def __init__(
        self,
        settings: Settings = Settings(),
        *,
        lock_factory: LockFactory = ThreadLock,
        clock: Clock = time.time_ns,
        monotonic: Clock = time.monotonic_ns,
        new_id: NewId = uuid4,
        new_code: Callable[[], str] = new_code,
        send_code: SendCode | None = None,
        bank: Bank | None = None,
        new_secret: Callable[[], str] = new_secret,
        transport: Transport | None = None,
        jitter: Callable[[int], int] = full_jitter,
    ) -> None:
        self.clock = clock
        self.store = Store(lock_factory, settings.time_zone, _default_policy(settings))
        self.outbox = Outbox(lock_factory)
        self.background = Background(clock, monotonic, lock_factory)
        self.wallets = Wallets(
            self.store,
            clock=clock,
            new_id=new_id,
            default_currency=settings.default_currency,
            outbox=self.outbox,
        )
        self.quotes = Quotes(
            self.store,
            clock=clock,
            monotonic=monotonic,
            new_id=new_id,
            rates=settings.fx_rates,
            ttl_seconds=settings.fx_quote_ttl_seconds,
            lock_factory=lock_factory,
        )
        self.money = Money(
            self.store,
            clock=clock,
            monotonic=monotonic,
            new_id=new_id,
            quotes=self.quotes,
            outbox=self.outbox,
        )
        self.freezes = Freeze(self.store, clock, self.outbox)
        self.limits = SpendingLimits(self.store, clock)
        self.alerts = Alerts(
            clock=clock, new_id=new_id, outbox=self.outbox, lock_factory=lock_factory
        )
        self.approvals = Approvals(
            clock=clock,
            monotonic=monotonic,
            new_id=new_id,
            new_code=new_code,
            send=send_code or CHANNELS[settings.otp_channel](self.outbox, clock),
            ttl_seconds=settings.otp_ttl_seconds,
            alerts=self.alerts,
            lock_factory=lock_factory,
        )
        self.bank = bank or SandboxBank()
        self.payments = Payments(
            self.store,
            clock=clock,
            new_id=new_id,
            money=self.money,
            bank=self.bank,
            background=self.background,
            outbox=self.outbox,
            retry_base_seconds=settings.payment_retry_base_seconds,
            attempts_max=settings.payment_max_attempts,
            jitter=jitter,
            lock_factory=lock_factory,
        )
        self.webhooks = Webhooks(
            clock=clock,
            monotonic=monotonic,
            new_id=new_id,
            new_secret=new_secret,
            transport=transport or HttpTransport(settings.webhook_allow_private),
            background=self.background,
            outbox=self.outbox,
            retry_seconds=settings.webhook_retry_seconds,
            jitter=jitter,
            lock_factory=lock_factory,
        )
        self.history = History(self.store)
        self.summary = Summary(self.store, self.history)
        self.audits = Audit(self.store, self.payments, lock_factory)
        self.idempotency = IdempotencyKeys(
            monotonic, settings.idempotency_ttl_seconds, lock_factory
        )

    def create_wallet(
        self,
        user_id: str,
        currency: str | None = None,
        *,
        key: str | None = None,
        fingerprint: Hashable = None,
        caller: str | None = None,
    ) -> WalletSnapshot:
        """Open an empty wallet. A user has one for each currency.

        Raises WalletExists.
        """
        create = partial(self.wallets.create, user_id, currency)
        return self._once(create, key, fingerprint, caller)

    def get_wallet(self, wallet_id: str) -> WalletSnapshot:
        """Return the wallet as it is between two movements.

        Raises WalletNotFound.
        """
        return self.wallets.get(wallet_id)

    def list_wallets(self, limit: int = 20, page: int = 1) -> Page[WalletSnapshot]:
        """Return one page of the wallets of all users at one moment, newest first."""
        return self.wallets.page(limit, page)

    def list_user_wallets(self, user_id: str) -> list[WalletSnapshot]:
        """Return a user's wallets at one moment, by currency; none for an unknown
        user."""
        return self.wallets.of_user(user_id)

    def add(
        self,
        wallet_id: str,
        amount: int,
        category: str | None = None,
        description: str | None = None,
        *,
        key: str | None = None,
        fingerprint: Hashable = None,
        caller: str | None = None,
    ) -> Transaction:
        """Credit a wallet with money from outside.

        Raises WalletNotFound, WalletFrozen and BalanceOverflow.
        """
        add = partial(self.money.add, wallet_id, amount, category, description)
        return self._once(add, key, fingerprint, caller)

    def deduct(
        self,
        wallet_id: str,
        amount: int,
        category: str | None = None,
        description: str | None = None,
        *,
        key: str | None = None,
        fingerprint: Hashable = None,
        caller: str | None = None,
    ) -> Transaction | ApprovalSnapshot:
        """Debit a wallet, or return the approval that the debit waits for.

        Raises WalletNotFound, WalletFrozen, InsufficientFunds, LimitExceeded,
        FraudBlocked, and what `Approvals.run` raises.
        """
        deduct = partial(self.money.deduct, wallet_id, amount, category, description)
        return self._once(self._approved(deduct, caller), key, fingerprint, caller)

    def transfer(
        self,
        source_id: str,
        target_id: str,
        amount: int,
        category: str | None = None,
        description: str | None = None,
        quote_id: str | None = None,
        *,
        key: str | None = None,
        fingerprint: Hashable = None,
        caller: str | None = None,
    ) -> tuple[Transaction, Transaction] | ApprovalSnapshot:
        """Move money between two wallets. Return what left and what arrived, or the
        approval that the transfer waits for. Between currencies it needs a quote.

        Raises what `deduct` raises, SameWallet, CurrencyMismatch, BalanceOverflow, and
        with a quote QuoteNotFound, QuoteMismatch, QuoteUsed, QuoteExpired and
        LiquidityExhausted.
        """
        transfer = partial(
            self.money.transfer,
            source_id,
            target_id,
            amount,
            category,
            description,
            quote_id,
        )
        return self._once(self._approved(transfer, caller), key, fingerprint, caller)

    def batch(
        self,
        operations: Sequence[Operation],
        *,
        key: str | None = None,
        fingerprint: Hashable = None,
        caller: str | None = None,
    ) -> tuple[Transaction | Pair, ...]:
        """Make adds, deducts and transfers in order, at one moment: all or none.

        Raises what one of them refuses, with its index, and ApprovalNeeded.
        """
        batch = partial(self.money.batch, operations)
        run = partial(self.approvals.run_without, batch)
        return self._once(run, key, fingerprint, caller)

    def get_history(
        self,
        wallet_id: str,
        wanted: HistoryFilter = HistoryFilter(),
        limit: int = 20,
        page: int = 1,
        before: UUID | None = None,
    ) -> Page[Transaction]:
        """Return one page of a wallet's transactions, latest first. `before` reads on
        from a transaction, in place of a page number.

        Raises WalletNotFound and TransactionNotFound.
        """
        return self.history.page(wallet_id, wanted, limit, page, before)

    def get_transaction(self, transaction_id: UUID) -> Transaction:
        """Raise TransactionNotFound if there is no such transaction."""
        return self.history.find(transaction_id)

    def export_history(
        self, wallet_id: str, wanted: HistoryFilter = HistoryFilter()
    ) -> Iterator[Transaction]:
        """Return all that match at this moment, latest first, to be read at any pace.

        Raises WalletNotFound, here and not at the first step.
        """
        return self.history.latest_first(wallet_id, wanted)

    def summarize(
        self, wallet_id: str, since: int | None = None, until: int | None = None
    ) -> Totals:
        """Add up what happened from `since` on and before `until`.

        Raises WalletNotFound.
        """
        return self.summary.totals(wallet_id, since, until)

    def freeze(
        self,
        wallet_id: str,
        reason: str,
        *,
        key: str | None = None,
        fingerprint: Hashable = None,
        caller: str | None = None,
    ) -> WalletSnapshot:
        """Freeze a wallet; one that is frozen keeps its first reason.

        Raises WalletNotFound.
        """
        freeze = partial(self.freezes.freeze, wallet_id, reason)
        return self._once(freeze, key, fingerprint, caller)

    def unfreeze(
        self,
        wallet_id: str,
        *,
        key: str | None = None,
        fingerprint: Hashable = None,
        caller: str | None = None,
    ) -> WalletSnapshot:
        """Let a wallet send and receive again.

        Raises WalletNotFound.
        """
        unfreeze = partial(self.freezes.unfreeze, wallet_id)
        return self._once(unfreeze, key, fingerprint, caller)

    def get_limits(self, wallet_id: str) -> Usage:
        """Return a wallet's limits, and how much of them is used.

        Raises WalletNotFound.
        """
        return self.limits.get(wallet_id)

    def set_limits(self, wallet_id: str, limits: Limits) -> Usage:
        """Replace a wallet's limits, from the next movement on.

        Raises WalletNotFound.
        """
        return self.limits.put(wallet_id, limits)

    def create_quote(
        self,
        from_currency: str,
        to_currency: str,
        amount: int,
        *,
        key: str | None = None,
        fingerprint: Hashable = None,
        caller: str | None = None,
    ) -> Quote:
        """Promise what an amount is worth in another currency, for a while.

        Raises SameCurrency, RateUnavailable, AmountNotExchangeable and QuotesExhausted.
        """
        create = partial(
            self.quotes.create, from_currency, to_currency, amount, caller=caller
        )
        return self._once(create, key, fingerprint, caller)

    def list_liquidity(self) -> list[WalletSnapshot]:
        """Return the liquidity wallets at one moment, by currency."""
        return self.wallets.liquidity()

    def list_alerts(self, limit: int = 20, page: int = 1) -> Page[Alert]:
        """Return one page of the movements that a fraud rule flagged, newest first."""
        return self.alerts.page(limit, page)

    def list_approvals(
        self,
        wallet_id: str | None = None,
        status: ApprovalStatus | None = None,
        limit: int = 20,
        page: int = 1,
    ) -> Page[ApprovalSnapshot]:
        """Return one page of the approvals, of one wallet or with one status if that is
        given, newest first."""
        approvals = self.approvals.newest_first()
        return filtered_page(approvals, wallet_id, status, limit, page)

    def get_approval(self, approval_id: str) -> ApprovalSnapshot:
        """Raise ApprovalNotFound if there is no such approval."""
        return self.approvals.get(approval_id)

    def confirm_approval(
        self,
        approval_id: str,
        code: str,
        *,
        key: str | None = None,
        fingerprint: Hashable = None,
        caller: str | None = None,
    ) -> Moved:
        """Make the movement that waits, by all the rules that hold now.

        Raises what `Approvals.confirm` raises.
        """
        confirm = partial(self.approvals.confirm, approval_id, code, caller=caller)
        return self._once(confirm, key, fingerprint, caller)

    def cancel_approval(
        self,
        approval_id: str,
        *,
        key: str | None = None,
        fingerprint: Hashable = None,
        caller: str | None = None,
    ) -> ApprovalSnapshot:
        """Close an approval: its movement will not be made.

        Raises ApprovalNotFound, ApprovalExpired and ApprovalClosed.
        """
        cancel = partial(self.approvals.cancel, approval_id)
        return self._once(cancel, key, fingerprint, caller)

    def resend_code(
        self,
        approval_id: str,
        *,
        key: str | None = None,
        fingerprint: Hashable = None,
        caller: str | None = None,
    ) -> ApprovalSnapshot:
        """Send a new code, which replaces the one before.

        Raises ApprovalNotFound, ApprovalExpired, ApprovalClosed and ResendsExhausted.
        """
        resend = partial(self.approvals.resend, approval_id)
        return self._once(resend, key, fingerprint, caller)

    def deposit(
        self,
        wallet_id: str,
        amount: int,
        bank_account: str,
        *,
        key: str | None = None,
        fingerprint: Hashable = None,
        caller: str | None = None,
    ) -> PaymentSnapshot:
        """Ask the bank for money; the wallet is credited when the bank has paid.

        Raises WalletNotFound, WalletFrozen, BalanceOverflow and PaymentsExhausted.
        """
        deposit = partial(self.payments.deposit, wallet_id, amount, bank_account)
        return self._once(deposit, key, fingerprint, caller)

    def withdraw(
        self,
        wallet_id: str,
        amount: int,
        bank_account: str,
        *,
        key: str | None = None,
        fingerprint: Hashable = None,
        caller: str | None = None,
    ) -> PaymentSnapshot | ApprovalSnapshot:
        """Debit a wallet now, and have the bank pay. Return the payment, or the
        approval that it waits for.

        Raises what `deduct` raises, and PaymentsExhausted.
        """
        withdraw = partial(self.payments.withdraw, wallet_id, amount, bank_account)
        return self._once(self._approved(withdraw, caller), key, fingerprint, caller)

    def list_payments(
        self,
        wallet_id: str | None = None,
        status: PaymentStatus | None = None,
        limit: int = 20,
        page: int = 1,
    ) -> Page[PaymentSnapshot]:
        """Return one page of the payments, of one wallet or with one status if that is
        given, newest first."""
        payments = reversed(self.payments.all())
        return filtered_page(payments, wallet_id, status, limit, page)

    def get_payment(self, payment_id: str) -> PaymentSnapshot:
        """Raise PaymentNotFound if there is no such payment."""
        return self.payments.get(payment_id)

    def retry_payment(
        self,
        payment_id: str,
        *,
        key: str | None = None,
        fingerprint: Hashable = None,
        caller: str | None = None,
    ) -> PaymentSnapshot:
        """Ask the bank again for a parked payment.

        Raises PaymentNotFound, PaymentNotParked and PaymentsExhausted.
        """
        retry = partial(self.payments.retry, payment_id)
        return self._once(retry, key, fingerprint, caller)

    def create_webhook(
        self,
        url: str,
        events: Sequence[EventType],
        *,
        key: str | None = None,
        fingerprint: Hashable = None,
        caller: str | None = None,
    ) -> NewWebhook:
        """Send these events to a URL from now on. Only the first answer to a key has
        the secret of the signatures.

        Raises UrlNotAllowed, WebhooksExhausted, TooManyWebhooks and ThreadsExhausted.
        """
        create = partial(self.webhooks.create, url, events, caller=caller)
        return self._once(create, key, fingerprint, caller)

    def list_webhooks(self) -> list[WebhookSnapshot]:
        """Return every webhook, oldest first."""
        return self.webhooks.all()

    def get_webhook(self, webhook_id: str) -> WebhookSnapshot:
        """Raise WebhookNotFound if there is no such webhook."""
        return self.webhooks.get(webhook_id)

    def delete_webhook(self, webhook_id: str) -> None:
        """Send nothing more there, and forget what was sent.

        Raises WebhookNotFound.
        """
        self.webhooks.delete(webhook_id)

    def list_deliveries(
        self, webhook_id: str, limit: int = 20, page: int = 1
    ) -> Page[DeliverySnapshot]:
        """Return one page of what was sent to a webhook, or will be, newest first.

        Raises WebhookNotFound.
        """
        return self.webhooks.deliveries(webhook_id, limit, page)

    def redeliver(
        self,
        webhook_id: str,
        delivery_id: str,
        *,
        key: str | None = None,
        fingerprint: Hashable = None,
        caller: str | None = None,
    ) -> DeliverySnapshot:
        """Deliver a message again, with the same id.

        Raises WebhookNotFound, DeliveryNotFound, NotRedeliverable and
        RedeliveriesExhausted.
        """
        redeliver = partial(self.webhooks.redeliver, webhook_id, delivery_id)
        return self._once(redeliver, key, fingerprint, caller)

    def audit(self) -> AuditReport:
        """Prove the books on one consistent snapshot of everything."""
        return self.audits.run()

    def health(self) -> Health:
        """Return the state of the background workers and queues."""
        return self.background.health()

    def get_statements(self) -> Mapping[str, Statement] | None:
        """Return the books of the sandbox bank, by currency; None for a real bank."""
        return self.bank.statements() if isinstance(self.bank, SandboxBank) else None

    def _approved(
        self, command: Command[M], caller: str | None
    ) -> Run[M | ApprovalSnapshot]:
        """Return a command that makes a movement, or asks for an approval of it."""
        return partial(self.approvals.run, command, caller=caller)

    def _once(
        self,
        command: Run[T],
        key: str | None,
        fingerprint: Hashable,
        caller: str | None,
    ) -> T:
        """Run a command, at most once for a key. Then notify the webhooks, which does
        not hide the outcome if it fails."""
        try:
            return self.idempotency.run(key, fingerprint, command, caller)
        finally:
            self.outbox.hand_over()


def _default_policy(settings: Settings) -> Policy:
    """Return what holds for every wallet without a policy of its own."""
    limits = Limits(
        per_transaction=settings.limit_per_transaction,
        daily=settings.limit_daily,
        monthly=settings.limit_monthly,
        approval_threshold=settings.approval_threshold,
    )
    return Policy(limits=limits, fraud=thresholds(settings))


def thresholds(settings: Settings) -> Thresholds | None:
    """Return where the fraud rules begin to see fraud, if any of them runs."""
    if not settings.fraud_rules:
        return None
    return Thresholds(
        rules=settings.fraud_rules,
        velocity_count=settings.fraud_velocity_count,
        velocity_seconds=settings.fraud_velocity_seconds,
        spike_factor=settings.fraud_spike_factor,
        spike_count=settings.fraud_spike_count,
        new_payee_amount=settings.fraud_new_payee_amount,
        drain_percent=settings.fraud_drain_percent,
        drain_seconds=settings.fraud_drain_seconds,
        drain_amount=settings.fraud_drain_amount,
        structuring_percent=settings.fraud_structuring_percent,
        structuring_count=settings.fraud_structuring_count,
        structuring_seconds=settings.fraud_structuring_seconds,
    )
