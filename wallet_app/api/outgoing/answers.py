"""What the service returns becomes answers in JSON. `answer_schemas.py` describes the
same shapes for the API description.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flask import Response

from wallet_app.domain.transactions import Transaction, WalletSnapshot
from wallet_app.gateways.sandbox_bank import Statement
from wallet_app.services.audit.audit_report import AuditReport, Problem
from wallet_app.services.background import Health
from wallet_app.services.json_forms import (
    Json,
    json_bytes,
    timestamp,
    transaction_json,
    wallet_json,
)
from wallet_app.services.limits import Usage
from wallet_app.services.quotes import Quote
from wallet_app.services.summary import CategoryTotals, Totals
from wallet_app.services.webhooks.delivery_log import DeliverySnapshot
from wallet_app.services.webhooks.webhook import NewWebhook, WebhookSnapshot


def answer(body: Json, status: int = 200, **headers: str) -> Response:
    """Return a JSON response."""
    return Response(json_bytes(body), status, headers, content_type="application/json")


def wallets_json(wallets: Iterable[WalletSnapshot]) -> Json:
    return {"wallets": [wallet_json(wallet) for wallet in wallets]}


def quote_json(quote: Quote) -> Json:
    return {
        "quoteId": quote.id,
        "fromCurrency": quote.from_currency,
        "toCurrency": quote.to_currency,
        "rate": f"{quote.rate:f}",
        "fromAmount": quote.from_amount,
        "toAmount": quote.to_amount,
        "expiresAt": timestamp(quote.expires_at),
    }


def limits_json(usage: Usage) -> Json:
    limits = usage.limits
    return {
        "walletId": usage.wallet_id,
        "currency": usage.currency,
        "perTransaction": limits.per_transaction,
        "daily": limits.daily,
        "monthly": limits.monthly,
        "approvalThreshold": limits.approval_threshold,
        "spentToday": usage.spent_today,
        "spentThisMonth": usage.spent_this_month,
        "remainingToday": _remaining(limits.daily, usage.spent_today),
        "remainingThisMonth": _remaining(limits.monthly, usage.spent_this_month),
        "dayResetsAt": timestamp(usage.day_ends),
        "monthResetsAt": timestamp(usage.month_ends),
    }


def _remaining(limit: int | None, spent: int) -> int | None:
    return None if limit is None else max(limit - spent, 0)


def movement_json(wallet: WalletSnapshot, transaction: Transaction) -> Json:
    return {
        "wallet": wallet_json(wallet),
        "transaction": transaction_json(transaction),
    }


def transfer_json(source: Json, target: Json) -> Json:
    return {
        "referenceId": source["transaction"]["referenceId"],
        "from": source,
        "to": target,
    }


def summary_json(
    wallet_id: str, since: int | None, until: int | None, totals: Totals
) -> Json:
    others = totals.other_categories
    return {
        "walletId": wallet_id,
        "currency": totals.currency,
        "from": None if since is None else timestamp(since),
        "to": None if until is None else timestamp(until),
        "count": totals.count,
        "byType": {
            type: {"count": each.count, "amount": each.amount}
            for type, each in totals.by_type.items()
        },
        "byCategory": [
            {"category": category} | _directions_json(each)
            for category, each in sorted(totals.by_category.items(), key=_null_last)
        ],
        "otherCategories": {"categories": others.categories} | _directions_json(others),
    }


def _null_last(item: tuple[str | None, CategoryTotals]) -> tuple[bool, str]:
    category, _ = item
    return category is None, category or ""


def _directions_json(totals: CategoryTotals) -> Json:
    return {
        "count": totals.count,
        "incoming": totals.incoming,
        "outgoing": totals.outgoing,
    }


def audit_json(report: AuditReport) -> Json:
    return {
        "balanced": report.balanced,
        "wallets": report.wallets,
        "transactions": report.transactions,
        "currencies": {
            currency: {
                "balances": totals.balances,
                "credits": totals.credits,
                "debits": totals.debits,
                "withdrawalsInFlight": totals.withdrawals_in_flight,
                "depositsInFlight": totals.deposits_in_flight,
            }
            for currency, totals in sorted(report.currencies.items())
        },
        "problems": [_problem_json(problem) for problem in report.problems],
    }


def _problem_json(problem: Problem) -> Json:
    transaction_id = problem.transaction_id
    return {
        "walletId": problem.wallet_id,
        "transactionId": None if transaction_id is None else str(transaction_id),
        "detail": problem.detail,
    }


def webhook_json(webhook: WebhookSnapshot) -> Json:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "events": list(webhook.events),
        "status": webhook.status,
        "createdAt": timestamp(webhook.created_at),
    }


def new_webhook_json(created: NewWebhook) -> Json:
    return webhook_json(created.webhook) | {"secret": created.secret}


def delivery_json(delivery: DeliverySnapshot) -> Json:
    return {
        "id": delivery.id,
        "messageId": delivery.message_id,
        "type": delivery.type,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "answerStatus": delivery.answer,
        "lastError": delivery.last_error,
        "nextAttemptAt": _timestamp_or_null(delivery.next_attempt_at),
        "createdAt": timestamp(delivery.created_at),
        "updatedAt": timestamp(delivery.updated_at),
    }


def health_json(health: Health) -> Json:
    return {
        "status": "ok",
        "background": {
            "running": health.is_running,
            "queueLength": health.queued,
            "inProgress": health.running,
            "oldestDueAt": _timestamp_or_null(health.oldest_due_at),
            "lastError": health.last_error,
            "lastErrorAt": _timestamp_or_null(health.last_error_at),
        },
    }


def statements_json(statements: Mapping[str, Statement]) -> Json:
    return {
        "currencies": {
            currency: {"paidIn": each.paid_in, "paidOut": each.paid_out}
            for currency, each in statements.items()
        }
    }


def _timestamp_or_null(nanoseconds: int | None) -> str | None:
    return None if nanoseconds is None else timestamp(nanoseconds)
