"""How each operation is called on the service, in process.

The only file of the suite that knows the service's methods. What an operation means
is in `specification.py`.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Protocol

from tests.concurrency.ledger import currency_of
from tests.concurrency.results import Attempted
from tests.concurrency.specification import (
    RATE,
    Add,
    AtRest,
    Attempt,
    Audit,
    Confirm,
    Create,
    Deduct,
    Deposit,
    Exchange,
    Freeze,
    Get,
    GetLimits,
    GetPayment,
    History,
    Operation,
    Quote,
    Retry,
    SetLimits,
    Transfer,
    Unfreeze,
    Withdraw,
)
from wallet_app.domain.spending import Limits
from wallet_app.services.idempotency import Claim
from wallet_app.services.service import WalletService
from wallet_app.settings import Settings

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


def call(service: WalletService, operation: Operation, by: str, ids: Ids) -> object:
    """Return what the service returns; raise what it raises.

    `by` is the label of the call: the description of its transactions.
    """
    if operation.key is None:
        return _call(service, operation, by, ids, None)
    request = replace(operation, key=None, faults=())
    return service.idempotency.run(
        operation.key, request, lambda claim: _call(service, request, by, ids, claim)
    )


def _call(
    service: WalletService,
    operation: Operation,
    by: str,
    ids: Ids,
    claim: Claim | None,
) -> object:
    match operation:
        case Create(name):
            return service.wallets.create(ids.user(name), currency_of(name), claim)
        case Add(wallet, amount):
            return service.money.add(
                ids.wallet(wallet), amount, description=by, claim=claim
            )
        case Deduct(wallet, amount):
            deduct = partial(
                service.money.deduct, ids.wallet(wallet), amount, description=by
            )
            return service.approvals.run(deduct, claim)
        case Transfer(source, target, amount):
            transfer = partial(
                service.money.transfer,
                ids.wallet(source),
                ids.wallet(target),
                amount,
                description=by,
            )
            return service.approvals.run(transfer, claim)
        case Exchange(source, target, amount, label):
            return service.exchange.transfer(
                ids.wallet(source),
                ids.wallet(target),
                amount,
                description=by,
                quote_id=ids.made(label),
                claim=claim,
            )
        case Get(wallet):
            return service.wallets.get(ids.wallet(wallet))
        case History(wallet):
            return service.history.page(ids.wallet(wallet), limit=History.limit)
        case Audit():
            return service.audit.run()
        case Freeze(wallet):
            return service.freeze.freeze(ids.wallet(wallet), by, claim)
        case Unfreeze(wallet):
            return service.freeze.unfreeze(ids.wallet(wallet), claim)
        case SetLimits(wallet, daily, threshold):
            limits = Limits(daily=daily, approval_threshold=threshold)
            return service.limits.put(ids.wallet(wallet), limits)
        case GetLimits(wallet):
            return service.limits.get(ids.wallet(wallet))
        case Confirm(label):
            return service.approvals.confirm(ids.made(label), CODE, claim)
        case Quote(amount):
            return service.quotes.create("INR", "USD", amount, claim)
        case Withdraw(wallet, amount, account):
            withdraw = partial(
                service.payments.withdraw, ids.wallet(wallet), amount, account
            )
            return service.approvals.run(withdraw, claim)
        case Deposit(wallet, amount, account):
            return service.payments.deposit(ids.wallet(wallet), amount, account, claim)
        case GetPayment(label):
            return service.payments.get(ids.made(label))
        case Retry(label):
            return service.payments.retry(ids.made(label), claim)
        case Attempt(label):
            return _attempt(service, ids.made(label))
        case AtRest():
            return [*service.store.readable.values(), *service.payments.all()]
    raise TypeError(f"no call for {operation!r}")


def _attempt(service: WalletService, payment_id: str) -> Attempted:
    """Do what a worker of the background does with one payment."""
    queue = service.payments._lane
    payment = service.payments._table.find(payment_id)
    try:
        queue.run(payment)
    except Exception as error:  # as `Background` does
        queue.failed(payment, error)
        raise
    return Attempted()
