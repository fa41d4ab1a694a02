"""How each operation is called on the service, in process.

The only file of the suite that knows the service's methods. What an operation means
is in `specification.py` and beside it.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple, Protocol, TypedDict

from uuid_utils import UUID

from tests.concurrency.ledger import currency_of
from tests.concurrency.results import Done
from tests.concurrency.specification import (
    RATE,
    Add,
    Batch,
    Create,
    Deduct,
    Exchange,
    Freeze,
    Operation,
    Quote,
    SetLimits,
    Transfer,
    Unfreeze,
)
from tests.concurrency.specification_of_approvals import (
    Cancel,
    Confirm,
    GetApproval,
    Resend,
)
from tests.concurrency.specification_of_payments import (
    Attempt,
    Deposit,
    GetPayment,
    Retry,
    Withdraw,
)
from tests.concurrency.specification_of_reads import (
    AtRest,
    Audit,
    Export,
    Get,
    GetLimits,
    GetTransaction,
    History,
    ListLiquidity,
    ListWallets,
    Summarize,
)
from tests.concurrency.specification_of_webhooks import (
    CreateWebhook,
    DeleteWebhook,
    GetWebhook,
    ListWebhooks,
)
from wallet_app.domain.spending import Limits
from wallet_app.services import movement
from wallet_app.services.events import EventType
from wallet_app.services.payments.payment import PaymentSnapshot
from wallet_app.services.service import WalletService
from wallet_app.settings import Settings
from wallet_app.store import Wallet

CODE = "000000"
"""The code of every approval."""

SETTINGS = Settings(
    fx_rates=(("INR", "USD", Decimal(RATE)),),
    payment_max_attempts=1,  # the first attempt that fails parks its payment
)
"""The settings of a service that does as the specification says."""


class Ids(Protocol):
    """The ids that a client knows."""

    def wallet(self, name: str, /) -> str:
        """Return the id of the wallet with this name."""
        ...

    def user(self, name: str, /) -> str:
        """Return the id of the user whose wallet has this name."""
        ...

    def made(self, label: str, /) -> str:
        """Return the id of what a call has made: an approval, a quote, a payment."""
        ...

    def transaction(self, wallet: str, label: str, /) -> str:
        """Return the id of the first transaction of a wallet that a call has made."""
        ...


class Everything(NamedTuple):
    """What there is at rest."""

    wallets: tuple[Wallet, ...]
    payments: tuple[PaymentSnapshot, ...]


class Once(TypedDict, total=False):
    """The arguments by which a use case runs at most once."""

    key: str
    fingerprint: Operation


def call(service: WalletService, operation: Operation, by: str, ids: Ids) -> object:
    """Return what the service returns; raise what it raises.

    `by` is the label of the call: the description of its transactions.
    """
    once: Once = {}
    if operation.key is not None:
        request = replace(operation, key=None, faults=())
        once = {"key": operation.key, "fingerprint": request}
    match operation:
        case Create(name):
            return service.create_wallet(ids.user(name), currency_of(name), **once)
        case Add(wallet, amount):
            return service.add(ids.wallet(wallet), amount, description=by, **once)
        case Deduct(wallet, amount):
            return service.deduct(ids.wallet(wallet), amount, description=by, **once)
        case Transfer(source, target, amount):
            return service.transfer(
                ids.wallet(source), ids.wallet(target), amount, description=by, **once
            )
        case Exchange(source, target, amount, label):
            return service.transfer(
                ids.wallet(source),
                ids.wallet(target),
                amount,
                description=by,
                quote_id=ids.made(label),
                **once,
            )
        case Batch(operations):
            return service.batch([_part(each, by, ids) for each in operations], **once)
        case Get(wallet):
            return service.get_wallet(ids.wallet(wallet))
        case ListWallets(user):
            return service.list_user_wallets(ids.user(user))
        case ListLiquidity():
            return service.list_liquidity()
        case History(wallet):
            return service.get_history(ids.wallet(wallet), limit=History.limit)
        case GetTransaction(wallet, label):
            return service.get_transaction(UUID(ids.transaction(wallet, label)))
        case Export(wallet):
            return list(service.export_history(ids.wallet(wallet)))
        case Summarize(wallet):
            return service.summarize(ids.wallet(wallet))
        case Audit():
            return service.audit()
        case Freeze(wallet):
            return service.freeze(ids.wallet(wallet), by, **once)
        case Unfreeze(wallet):
            return service.unfreeze(ids.wallet(wallet), **once)
        case SetLimits(wallet, daily, threshold):
            limits = Limits(daily=daily, approval_threshold=threshold)
            return service.set_limits(ids.wallet(wallet), limits)
        case GetLimits(wallet):
            return service.get_limits(ids.wallet(wallet))
        case Confirm(label):
            return service.confirm_approval(ids.made(label), CODE, **once)
        case GetApproval(label):
            return service.get_approval(ids.made(label))
        case Cancel(label):
            return service.cancel_approval(ids.made(label), **once)
        case Resend(label):
            return service.resend_code(ids.made(label), **once)
        case Quote(amount):
            return service.create_quote("INR", "USD", amount, **once)
        case Withdraw(wallet, amount, account):
            return service.withdraw(ids.wallet(wallet), amount, account, **once)
        case Deposit(wallet, amount, account):
            return service.deposit(ids.wallet(wallet), amount, account, **once)
        case GetPayment(label):
            return service.get_payment(ids.made(label))
        case Retry(label):
            return service.retry_payment(ids.made(label), **once)
        case CreateWebhook():
            return service.create_webhook(url_of(by), [*EventType], **once)
        case GetWebhook(label):
            return service.get_webhook(ids.made(label))
        case DeleteWebhook(label):
            service.delete_webhook(ids.made(label))
            return Done()
        case ListWebhooks():
            return service.list_webhooks()
        case Attempt(label):
            return _attempt(service, ids.made(label))
        case AtRest():
            wallets = service.store.readable.values()
            return Everything(tuple(wallets), tuple(service.payments.all()))
    raise TypeError(f"no call for {operation!r}")


def url_of(label: str) -> str:
    """Return the URL of a webhook that the call with this label creates."""
    return f"https://receiver.example/{label}"


def _part(operation: Operation, by: str, ids: Ids) -> movement.Operation:
    """Return an operation of a batch as the service takes it."""
    ends: dict[str, str] = {}
    match operation:
        case Add(wallet):
            ends = {"target_id": ids.wallet(wallet)}
        case Deduct(wallet):
            ends = {"source_id": ids.wallet(wallet)}
        case Transfer(source, target):
            ends = {"source_id": ids.wallet(source), "target_id": ids.wallet(target)}
        case _:
            raise TypeError(f"no part of a batch: {operation!r}")
    return movement.Operation(amount=operation.amount, description=by, **ends)


def _attempt(service: WalletService, payment_id: str) -> Done:
    """Do what a worker of the background does with one payment."""
    queue = service.payments._table._queue
    payment = service.payments._table.find(payment_id)
    try:
        queue.run(payment)
    except Exception as error:  # as `Background` does
        queue.failed(payment, error)
        raise
    return Done()
