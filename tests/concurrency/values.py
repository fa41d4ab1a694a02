"""Turns what the service answers into the values of the specification.

Ids and times are left out: a transaction is known by the label of the call that
made it, a wallet by the name of its user.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.concurrency import specification
from tests.concurrency.calls import Everything, url_of
from tests.concurrency.ledger import CURRENCY, DOLLARS
from tests.concurrency.results import (
    Approval,
    Done,
    Entry,
    Failed,
    HistoryPage,
    Payment,
    Quoted,
    Refused,
    Report,
    Rest,
    Result,
    Snapshot,
    Summed,
    Totals,
    Usage,
    Webhook,
)
from wallet_app.domain.errors.families import WalletError
from wallet_app.domain.transactions import HOUSE, Transaction, WalletSnapshot
from wallet_app.services import limits, summary
from wallet_app.services.approvals.approval import ApprovalSnapshot
from wallet_app.services.audit.audit_report import AuditReport
from wallet_app.services.page import Page
from wallet_app.services.payments.payment import PaymentSnapshot
from wallet_app.services.quotes import Quote
from wallet_app.services.webhooks.webhook import NewWebhook, WebhookSnapshot
from wallet_app.store import Wallet

Name = Callable[[str], str]
"""Tells the name of a wallet from its id."""


def value_of(answer: object, name: Name) -> Result:
    """Return the value of what the service returned or raised."""
    match answer:
        case Transaction():
            return Entry(
                name(answer.wallet_id),
                str(answer.type),
                answer.amount,
                answer.balance_after,
                answer.description or "",
            )
        case WalletSnapshot():
            return Snapshot(
                name_in(answer.currency, answer.user_id),
                answer.currency,
                answer.balance,
                answer.frozen_reason,
            )
        case limits.Usage():
            return Usage(
                name(answer.wallet_id), answer.limits.daily, answer.spent_today
            )
        case ApprovalSnapshot():
            return Approval(
                name(answer.wallet_id),
                answer.amount,
                str(answer.status),
                answer.resends_left,
            )
        case Quote():
            return Quoted(answer.from_amount, answer.to_amount)
        case NewWebhook():
            return value_of(answer.webhook, name)
        case WebhookSnapshot():
            return Webhook(answer.url.removeprefix(url_of("")))
        case PaymentSnapshot():
            return Payment(
                name(answer.wallet_id),
                str(answer.direction),
                answer.amount,
                str(answer.status),
            )
        case Done():
            return answer
        case Page():
            entries = tuple(value_of(each, name) for each in answer.rows)
            return HistoryPage(entries, answer.total)
        case summary.Totals():
            types = sorted(answer.by_type.items())
            groups = [*answer.by_category.values(), answer.other_categories]
            return Summed(
                answer.currency,
                tuple((str(t), s.count, s.amount) for t, s in types if s.count),
                sum(each.incoming for each in groups),
                sum(each.outgoing for each in groups),
            )
        case AuditReport():
            totals = sorted(answer.currencies.items())
            return Report(
                tuple(problem.detail for problem in answer.problems),
                answer.wallets,
                answer.transactions,
                tuple(
                    Totals(
                        currency,
                        each.balances,
                        each.credits,
                        each.debits,
                        each.withdrawals_in_flight,
                        each.deposits_in_flight,
                    )
                    for currency, each in totals
                ),
            )
        case WalletError():
            numbers = answer.values
            if answer.operation is not None:
                numbers = {**numbers, "operation": answer.operation}
            return Refused(answer.code, _numbers(numbers))
        case Exception():
            return Failed(type(answer).__name__, str(answer))
        case Wallet():
            return (
                value_of(answer.snapshot(), name),
                Usage(
                    name_in(answer.currency, answer.identity.user_id),
                    answer.policy.limits.daily if answer.policy else None,
                    answer.spent - answer.counters.spent_before_day,
                ),
                value_of(tuple(answer.history), name),
            )
        case Everything():
            wallets = [value_of(each, name) for each in answer.wallets]
            payments = [value_of(each, name) for each in answer.payments]
            return Rest(
                tuple(sorted(wallets, key=lambda each: each[0].name)),
                tuple(sorted(payments)),
            )
        case tuple() | list():
            return tuple([value_of(each, name) for each in answer])
    return Failed("nothing that is known", repr(answer))


def value_of_json(status: int, body: dict[str, Any], name: Name) -> Result:
    """Return the value of an answer over HTTP; `name` also knows users' ids."""
    match body:
        case _ if status == 204:
            return Done()
        case {"code": str(code)}:
            return Refused(code, _numbers(body)) if status < 500 else Failed(code)
        case {"results": list(parts)} | {"wallets": list(parts)}:
            return tuple(value_of_json(status, each, name) for each in parts)
        case {"webhooks": list(webhooks)}:
            return tuple(value_of_json(status, each, name) for each in webhooks)
        case {"url": str(url), "events": _}:
            return Webhook(url.removeprefix(url_of("")))
        case {"transaction": transaction}:
            return _entry(transaction, name)
        case {"balanceAfter": _}:
            return _entry(body, name)
        case {"from": dict(sent), "to": dict(received)}:
            sides = sent["transaction"], received["transaction"]
            return tuple([_entry(side, name) for side in sides])
        case {"transactions": list(entries), "total": int(total)}:
            return HistoryPage(tuple(_entry(each, name) for each in entries), total)
        case {"transactions": list(entries)}:
            return tuple(_entry(each, name) for each in entries)
        case {"byType": dict(by_type), "byCategory": list(by_category)}:
            types = sorted(by_type.items())
            groups = [*by_category, body["otherCategories"]]
            return Summed(
                body["currency"],
                tuple((t, s["count"], s["amount"]) for t, s in types if s["count"]),
                sum(each["incoming"] for each in groups),
                sum(each["outgoing"] for each in groups),
            )
        case {"currencies": dict(currencies)}:
            return Report(
                tuple(problem["detail"] for problem in body["problems"]),
                body["wallets"],
                body["transactions"],
                tuple(
                    Totals(
                        currency,
                        totals["balances"],
                        totals["credits"],
                        totals["debits"],
                        totals["withdrawalsInFlight"],
                        totals["depositsInFlight"],
                    )
                    for currency, totals in sorted(currencies.items())
                ),
            )
        case {"direction": str(direction), "amount": int(amount)}:
            payment = name(body["walletId"]), direction, amount, body["status"]
            return Payment(*payment)
        case {"approvalId": _, "walletId": id, "amount": int(amount)}:
            return Approval(name(id), amount, body["status"], body["resendsLeft"])
        case {"quoteId": _, "fromAmount": int(amount), "toAmount": int(comes_to)}:
            return Quoted(amount, comes_to)
        case {"walletId": id, "daily": daily, "spentToday": int(spent)}:
            return Usage(name(id), daily, spent)
        case {"userId": user, "currency": currency, "balance": int(balance)}:
            frozen = body.get("frozenReason")
            if body["status"] == ("ACTIVE" if frozen is None else "FROZEN"):
                named = name_in(currency, name(user))
                return Snapshot(named, currency, balance, frozen)
    return Failed("nothing that is known", repr(body))


def name_in(currency: str, user: str) -> str:
    """Return how a user's wallet in a currency is called."""
    user = specification.HOUSE if user == HOUSE else user
    return user if currency == CURRENCY else DOLLARS + user


def _entry(transaction: dict[str, Any], name: Name) -> Entry:
    return Entry(
        name(transaction["walletId"]),
        transaction["type"],
        int(transaction["amount"]),
        int(transaction["balanceAfter"]),
        transaction["description"] or "",
    )


def _numbers(values: dict[str, Any]) -> tuple[tuple[str, int], ...]:
    """Return the amounts among the values of a refusal, and which operation it is."""
    amounts = ("balance", "amount", "maximum", "limit", "used", "remaining")
    names = sorted((*amounts, "operation"))
    return tuple((each, values[each]) for each in names if each in values)
