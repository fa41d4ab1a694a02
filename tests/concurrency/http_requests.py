"""How each operation is asked for over HTTP."""

from __future__ import annotations

from tests.concurrency.calls import CODE, Ids, url_of
from tests.concurrency.ledger import currency_of
from tests.concurrency.specification import (
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
    Deposit,
    GetPayment,
    Retry,
    Withdraw,
)
from tests.concurrency.specification_of_reads import (
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

Request = tuple[str, str, dict[str, object] | None]
"""Method, path and body."""


def request(operation: Operation, by: str, ids: Ids) -> Request:
    """Return the request; `by` is the label of the call."""
    match operation:
        case Create(name):
            user, currency = ids.user(name), currency_of(name)
            return "POST", "/wallet/create", {"userId": user, "currency": currency}
        case Add(wallet, amount):
            body = {"walletId": ids.wallet(wallet), "amount": amount}
            return "POST", "/wallet/add", {**body, "description": by}
        case Deduct(wallet, amount):
            body = {"walletId": ids.wallet(wallet), "amount": amount}
            return "POST", "/wallet/deduct", {**body, "description": by}
        case Transfer(source, target, amount):
            return (
                "POST",
                "/wallet/transfer",
                _transfer(source, target, amount, by, ids),
            )
        case Exchange(source, target, amount, label):
            body = _transfer(source, target, amount, by, ids)
            return "POST", "/wallet/transfer", {**body, "quoteId": ids.made(label)}
        case Batch(operations):
            parts = [_part(each, by, ids) for each in operations]
            return "POST", "/wallet/batch", {"operations": parts}
        case Get(wallet):
            return "GET", f"/wallet/{ids.wallet(wallet)}", None
        case ListWallets(user):
            return "GET", f"/users/{ids.user(user)}/wallets", None
        case ListLiquidity():
            return "GET", "/fx/liquidity", None
        case History(wallet):
            query = f"limit={History.limit}"
            return "GET", f"/wallet/{ids.wallet(wallet)}/transactions?{query}", None
        case GetTransaction(wallet, label):
            return "GET", f"/transactions/{ids.transaction(wallet, label)}", None
        case Export(wallet):
            return "GET", f"/wallet/{ids.wallet(wallet)}/transactions.csv", None
        case Summarize(wallet):
            return "GET", f"/wallet/{ids.wallet(wallet)}/summary", None
        case Audit():
            return "GET", "/audit", None
        case Freeze(wallet):
            return "POST", f"/wallet/{ids.wallet(wallet)}/freeze", {"reason": by}
        case Unfreeze(wallet):
            return "POST", f"/wallet/{ids.wallet(wallet)}/unfreeze", {}
        case SetLimits(wallet, daily, threshold):
            limits = {"daily": daily, "approvalThreshold": threshold}
            return "PUT", f"/wallet/{ids.wallet(wallet)}/limits", {**limits}
        case GetLimits(wallet):
            return "GET", f"/wallet/{ids.wallet(wallet)}/limits", None
        case Confirm(label):
            return "POST", f"/approvals/{ids.made(label)}/confirm", {"otp": CODE}
        case GetApproval(label):
            return "GET", f"/approvals/{ids.made(label)}", None
        case Cancel(label):
            return "POST", f"/approvals/{ids.made(label)}/cancel", {}
        case Resend(label):
            return "POST", f"/approvals/{ids.made(label)}/resend", {}
        case Quote(amount):
            pair = {"fromCurrency": "INR", "toCurrency": "USD"}
            return "POST", "/fx/quotes", {**pair, "amount": amount}
        case Withdraw(wallet, amount, account):
            return "POST", "/wallet/withdraw", _payment(wallet, amount, account, ids)
        case Deposit(wallet, amount, account):
            return "POST", "/wallet/deposit", _payment(wallet, amount, account, ids)
        case CreateWebhook():
            body = {"url": url_of(by), "events": ["wallet.created"]}
            return "POST", "/webhooks", body
        case GetWebhook(label):
            return "GET", f"/webhooks/{ids.made(label)}", None
        case DeleteWebhook(label):
            return "DELETE", f"/webhooks/{ids.made(label)}", None
        case ListWebhooks():
            return "GET", "/webhooks", None
        case GetPayment(label):
            return "GET", f"/payments/{ids.made(label)}", None
        case Retry(label):
            return "POST", f"/payments/{ids.made(label)}/retry", {}
    raise TypeError(f"no request for {operation!r}")


def _part(operation: Operation, by: str, ids: Ids) -> dict[str, object]:
    """Return an operation of a batch: what it would be alone, and its type."""
    _, path, body = request(operation, by, ids)
    assert body is not None
    return {"type": path.removeprefix("/wallet/").upper(), **body}


def _transfer(
    source: str, target: str, amount: int, by: str, ids: Ids
) -> dict[str, object]:
    return {
        "fromWalletId": ids.wallet(source),
        "toWalletId": ids.wallet(target),
        "amount": amount,
        "description": by,
    }


def _payment(wallet: str, amount: int, account: str, ids: Ids) -> dict[str, object]:
    return {"walletId": ids.wallet(wallet), "amount": amount, "bankAccount": account}
