"""Judges what the outbox reports: exactly what happened, in the order in which it did.

Whoever listens to a ledger can rebuild it from its events, and from nothing else. So
none may be lost, none may report what was rolled back, and none may come too early.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.concurrency.values import name_in
from wallet_app.domain.transactions import Transaction
from wallet_app.services.events import Event
from wallet_app.services.payments.payment import PaymentSnapshot
from wallet_app.services.service import WalletService


class Listener:
    """Listens to a service from its beginning."""

    def __init__(self, service: WalletService) -> None:
        self._service = service
        self.events: list[Event] = []
        service.outbox.listener = self.events.append
        service.outbox.is_open = True

    def wrong(self) -> str | None:
        """Return what was reported that is not what happened, when nothing runs."""
        subjects = [event.subject for event in self.events]
        transactions = [each for each in subjects if isinstance(each, Transaction)]
        for wallet in self._service.store.readable.values():
            reported = [each for each in transactions if each.wallet_id == wallet.id]
            if reported != wallet.history:
                name = name_in(wallet.currency, wallet.identity.user_id)
                return (
                    f"The outbox reported {name}: {_changes(reported)}. "
                    f"What happened is: {_changes(wallet.history)}."
                )
        payments = [each for each in subjects if isinstance(each, PaymentSnapshot)]
        ended = [each for each in self._service.payments.all() if not each.is_open]
        if sorted(payments, key=_id) != sorted(ended, key=_id):
            return (
                f"The outbox reported payments: {_ends(payments)}. "
                f"What happened is: {_ends(ended)}."
            )
        return None


def _changes(transactions: Sequence[Transaction]) -> str:
    changes = [
        f"{each.change:+}, balance {each.balance_after}" for each in transactions
    ]
    return "; ".join(changes) or "nothing"


def _ends(payments: Sequence[PaymentSnapshot]) -> str:
    ends = [f"{each.direction} of {each.amount} {each.status}" for each in payments]
    return ", ".join(ends).lower() or "nothing"


def _id(payment: PaymentSnapshot) -> str:
    return payment.id
