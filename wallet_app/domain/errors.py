"""Everything the service can refuse, as one tree of exceptions.

An error names what happened and carries the values a client needs to act.
It knows its HTTP status and its stable code, and nothing of how it is sent. All stand
in one file, so that every code can be seen beside the others.
"""

from __future__ import annotations

from typing import ClassVar, Self


class WalletError(Exception):
    """A request that is refused. No money was moved."""

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]
    kept: ClassVar[bool] = True
    """Whether an idempotency key keeps it as the outcome of its request."""

    def __init__(self, detail: str, **values: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.values = values

    def again(self) -> Self:
        """Return an equal error without the traceback of its first raising."""
        twin = type(self).__new__(type(self))
        WalletError.__init__(twin, self.detail, **self.values)
        return twin


class WalletNotFound(WalletError):
    """No wallet has this id."""

    status, code, title = 404, "wallet_not_found", "Wallet not found"

    def __init__(self, wallet_id: str) -> None:
        super().__init__(f"There is no wallet {wallet_id}.", wallet_id=wallet_id)


class TransactionNotFound(WalletError):
    """The wallet has no transaction with this id."""

    status, code, title = 404, "transaction_not_found", "Transaction not found"

    def __init__(self, wallet_id: str, transaction_id: str) -> None:
        super().__init__(
            f"Wallet {wallet_id} has no transaction {transaction_id}.",
            wallet_id=wallet_id,
            transaction_id=transaction_id,
        )


class WalletExists(WalletError):
    """The user already has a wallet in this currency."""

    status, code, title = 409, "wallet_exists", "Wallet already exists"
    kept = False

    def __init__(self, wallet_id: str, currency: str) -> None:
        super().__init__(
            f"The user already has a wallet in {currency}.", wallet_id=wallet_id
        )


class SameWallet(WalletError):
    """A transfer from a wallet to itself."""

    status, code, title = 400, "same_wallet", "Same wallet"

    def __init__(self, wallet_id: str) -> None:
        super().__init__("A transfer needs two different wallets.", wallet_id=wallet_id)


class CurrencyMismatch(WalletError):
    """A transfer between wallets of different currencies."""

    status, code, title = 400, "currency_mismatch", "Currencies differ"

    def __init__(self, source: str, target: str) -> None:
        super().__init__(
            f"The wallets hold different currencies: {source} and {target}.",
            from_currency=source,
            to_currency=target,
        )


class WalletFrozen(WalletError):
    """A frozen wallet neither sends nor receives."""

    status, code, title = 423, "wallet_frozen", "Wallet frozen"

    def __init__(self, wallet_id: str) -> None:
        super().__init__(
            f"Wallet {wallet_id} is frozen: it neither sends nor receives.",
            wallet_id=wallet_id,
        )


class LimitExceeded(WalletError):
    """More would leave the wallet than one of its limits allows, in minor units."""

    status, code, title = 422, "limit_exceeded", "Limit exceeded"

    def __init__(
        self,
        name: str,
        amount: int,
        limit: int,
        used: int = 0,
        resets_at: int | None = None,
    ) -> None:
        remaining = max(limit - used, 0)
        super().__init__(
            f"The {LIMIT_NAMES[name]} is {limit}, of which {remaining} is left: less "
            f"than the {amount} asked for.",
            limit_name=name,
            amount=amount,
            limit=limit,
            used=used,
            remaining=remaining,
            resets_at=resets_at,
        )


LIMIT_NAMES = {
    "perTransaction": "limit for one transaction",
    "daily": "daily limit",
    "monthly": "monthly limit",
}


class SameCurrency(WalletError):
    """An exchange of a currency for itself."""

    status, code, title = 400, "same_currency", "Same currency"

    def __init__(self, currency: str) -> None:
        super().__init__(
            "An exchange needs two different currencies.", currency=currency
        )


class RateUnavailable(WalletError):
    """There is no rate between two currencies, nor one the other way round."""

    status, code, title = 422, "fx_rate_unavailable", "Rate unavailable"

    def __init__(self, from_currency: str, to_currency: str) -> None:
        super().__init__(
            f"There is no rate from {from_currency} to {to_currency}.",
            from_currency=from_currency,
            to_currency=to_currency,
        )


class AmountNotExchangeable(WalletError):
    """The amount comes to less than one minor unit, or to more than a wallet holds."""

    status, code, title = 422, "amount_not_exchangeable", "Amount not exchangeable"

    def __init__(self, from_currency: str, to_currency: str, amount: int) -> None:
        super().__init__(
            f"{amount} minor units of {from_currency} come to no amount of "
            f"{to_currency} that a wallet can hold.",
            from_currency=from_currency,
            to_currency=to_currency,
            amount=amount,
        )


class QuoteNotFound(WalletError):
    """No quote has this id, or it is no longer kept."""

    status, code, title = 404, "quote_not_found", "Quote not found"

    def __init__(self, quote_id: str) -> None:
        super().__init__(f"There is no quote {quote_id}.", quote_id=quote_id)


class QuoteMismatch(WalletError):
    """The transfer is not the one that the quote promises."""

    status, code, title = 400, "quote_mismatch", "Quote does not match"

    def __init__(
        self, quote_id: str, from_currency: str, to_currency: str, from_amount: int
    ) -> None:
        super().__init__(
            f"The quote is for {from_amount} minor units of {from_currency}, to a "
            f"wallet in {to_currency}.",
            quote_id=quote_id,
            from_currency=from_currency,
            to_currency=to_currency,
            from_amount=from_amount,
        )


class QuoteUsed(WalletError):
    """The quote was used before."""

    status, code, title = 409, "quote_used", "Quote used"
    kept = False

    def __init__(self, quote_id: str) -> None:
        super().__init__(f"Quote {quote_id} was used before.", quote_id=quote_id)


class QuoteExpired(WalletError):
    """The quote was not used in time."""

    status, code, title = 410, "quote_expired", "Quote expired"

    def __init__(self, quote_id: str, expired_at: int) -> None:
        super().__init__(
            f"Quote {quote_id} was not used in time.",
            quote_id=quote_id,
            expired_at=expired_at,
        )


class QuotesExhausted(WalletError):
    """As many quotes can be used as the service keeps at one time, for all or for one
    caller."""

    status, code, title = 503, "quotes_exhausted", "Too many quotes"
    kept = False

    def __init__(self, maximum: int, retry_after_seconds: int) -> None:
        super().__init__(
            f"{maximum} quotes wait to be used: no more are kept in all, or from one "
            "address. Nothing was done.",
            maximum=maximum,
            retry_after_seconds=retry_after_seconds,
        )


class InsufficientFunds(WalletError):
    """The wallet holds less than the amount, both in minor units."""

    status, code, title = 400, "insufficient_funds", "Insufficient funds"

    def __init__(self, balance: int, amount: int) -> None:
        super().__init__(
            f"The balance is {balance}, less than the {amount} asked for.",
            balance=balance,
            amount=amount,
        )


class BalanceOverflow(WalletError):
    """The movement would take a balance past the largest one allowed."""

    status, code, title = 400, "balance_overflow", "Balance too large"

    def __init__(self, wallet_id: str, amount: int, maximum: int) -> None:
        super().__init__(
            f"Adding {amount} would take the wallet's balance past {maximum}.",
            wallet_id=wallet_id,
            amount=amount,
            maximum=maximum,
        )


class LiquidityExhausted(WalletError):
    """The exchange would take a liquidity wallet past what it may hold or owe."""

    status, code = 422, "fx_liquidity_exhausted"
    title = "Liquidity exhausted"

    def __init__(self, currency: str) -> None:
        super().__init__(
            f"The house cannot exchange so much {currency} now.", currency=currency
        )


class FraudBlocked(WalletError):
    """A fraud rule does not let the movement pass, whoever confirms it."""

    status, code, title = 403, "fraud_blocked", "Blocked as suspicious"

    def __init__(
        self,
        rule: str,
        wallet_id: str,
        amount: int,
        currency: str,
        target_id: str | None,
    ) -> None:
        super().__init__(
            f"The fraud rule {rule} does not let this movement pass.",
            rule=rule,
            wallet_id=wallet_id,
            amount=amount,
        )
        self.reason = rule
        self.wallet_id = wallet_id
        self.amount = amount
        self.currency = currency
        self.target_id = target_id


class ApprovalNotFound(WalletError):
    """No approval has this id, or it is no longer kept."""

    status, code, title = 404, "approval_not_found", "Approval not found"

    def __init__(self, approval_id: str) -> None:
        super().__init__(
            f"There is no approval {approval_id}.", approval_id=approval_id
        )


class CodeInvalid(WalletError):
    """The code is not the approval's, or one that was sent before its latest."""

    status, code, title = 400, "otp_invalid", "Wrong code"

    def __init__(self, attempts_left: int) -> None:
        left = f"Attempts left: {attempts_left}" if attempts_left else "It is rejected"
        super().__init__(
            f"This is not the code of the approval. {left}.",
            attempts_left=attempts_left,
        )


class ApprovalExpired(WalletError):
    """Nobody confirmed the approval in time."""

    status, code, title = 410, "approval_expired", "Approval expired"

    def __init__(self, approval_id: str, expired_at: int) -> None:
        super().__init__(
            f"Approval {approval_id} was not confirmed in time.",
            approval_id=approval_id,
            expired_at=expired_at,
        )


class ApprovalClosed(WalletError):
    """The approval was confirmed, rejected or cancelled before."""

    status, code, title = 409, "approval_closed", "Approval closed"
    kept = False

    def __init__(self, approval_id: str, status: str) -> None:
        super().__init__(
            f"Approval {approval_id} is {status}.",
            approval_id=approval_id,
            approval_status=status,
        )


class TooManyApprovals(WalletError):
    """As many approvals wait for one wallet as may, or as one caller may ask for."""

    status, code, title = 429, "too_many_approvals", "Too many approvals"
    kept = False

    def __init__(self, wallet_id: str, maximum: int, of_caller: bool = False) -> None:
        asked_for = " that were asked for from your address" if of_caller else ""
        super().__init__(
            f"{maximum} approvals{asked_for} wait for this wallet already. Confirm or "
            "cancel one of them first.",
            wallet_id=wallet_id,
            maximum=maximum,
        )


class TooManyWrongCodes(WalletError):
    """So many wrong codes came for one wallet, or from one caller for it, that somebody
    may be guessing."""

    status, code, title = 429, "too_many_wrong_codes", "Too many wrong codes"
    kept = False

    def __init__(
        self,
        wallet_id: str,
        maximum: int,
        retry_after_seconds: int,
        of_caller: bool = False,
    ) -> None:
        source, effect = "", "it can ask for no approval"
        if of_caller:
            source = " from your address"
            effect = "no code from there is tried, and no approval asked for"
        super().__init__(
            f"{maximum} wrong codes came for this wallet{source} in a day. Until that "
            f"is over, {effect}.",
            wallet_id=wallet_id,
            maximum=maximum,
            retry_after_seconds=retry_after_seconds,
        )


class ApprovalsExhausted(WalletError):
    """As many approvals wait as the service keeps at one time, for all or for one
    caller."""

    status, code, title = 503, "approvals_exhausted", "Too many approvals"
    kept = False

    def __init__(self, maximum: int, retry_after_seconds: int) -> None:
        super().__init__(
            f"{maximum} approvals wait: no more are kept in all, or from one address. "
            "Nothing was done.",
            maximum=maximum,
            retry_after_seconds=retry_after_seconds,
        )


class ResendsExhausted(WalletError):
    """The code was sent anew as often as it is."""

    status, code, title = 429, "too_many_resends", "Too many codes"

    def __init__(self, maximum: int) -> None:
        super().__init__(
            f"A code is sent again {maximum} times at most.", maximum=maximum
        )


class PaymentNotFound(WalletError):
    """No payment has this id."""

    status, code, title = 404, "payment_not_found", "Payment not found"

    def __init__(self, payment_id: str) -> None:
        super().__init__(f"There is no payment {payment_id}.", payment_id=payment_id)


class PaymentNotParked(WalletError):
    """Only a parked payment is taken up again by hand."""

    status, code, title = 409, "payment_not_parked", "Payment not parked"
    kept = False

    def __init__(self, payment_id: str, status: str) -> None:
        super().__init__(
            f"Payment {payment_id} is {status}: it needs no retry by hand.",
            payment_id=payment_id,
            payment_status=status,
        )


class PaymentsExhausted(WalletError):
    """As many payments are under way as the service will carry at one time."""

    status, code, title = 503, "payments_exhausted", "Too many payments"
    kept = False

    def __init__(self, maximum: int, retry_after_seconds: int) -> None:
        super().__init__(
            f"{maximum} payments are under way, and no more are taken. Nothing was "
            "done.",
            maximum=maximum,
            retry_after_seconds=retry_after_seconds,
        )


class WebhookNotFound(WalletError):
    """No webhook has this id."""

    status, code, title = 404, "webhook_not_found", "Webhook not found"

    def __init__(self, webhook_id: str) -> None:
        super().__init__(f"There is no webhook {webhook_id}.", webhook_id=webhook_id)


class WebhooksExhausted(WalletError):
    """There are as many webhooks as there may be."""

    status, code, title = 409, "too_many_webhooks", "Too many webhooks"
    kept = False

    def __init__(self, maximum: int) -> None:
        super().__init__(
            f"There are {maximum} webhooks already. Delete one of them first.",
            maximum=maximum,
        )


class TooManyWebhooks(WalletError):
    """One caller has as many webhooks as one may have."""

    status, code, title = 409, "too_many_webhooks_of_caller", "Too many webhooks"
    kept = False

    def __init__(self, maximum: int) -> None:
        super().__init__(
            f"You have {maximum} webhooks already. Delete one of them first.",
            maximum=maximum,
        )


class ThreadsExhausted(WalletError):
    """The system has no thread for a new receiver of webhooks now."""

    status, code, title = 503, "threads_exhausted", "Too many threads"
    kept = False

    def __init__(self) -> None:
        super().__init__(
            "There is no thread for another webhook now. Nothing was done.",
            retry_after_seconds=10,
        )


class DeliveryNotFound(WalletError):
    """The webhook has no delivery with this id, or it is no longer kept."""

    status, code, title = 404, "delivery_not_found", "Delivery not found"

    def __init__(self, webhook_id: str, delivery_id: str) -> None:
        super().__init__(
            f"Webhook {webhook_id} has no delivery {delivery_id}.",
            webhook_id=webhook_id,
            delivery_id=delivery_id,
        )


class NotRedeliverable(WalletError):
    """The delivery cannot be made again by hand, or not now."""

    status, code, title = 409, "not_redeliverable", "Not redeliverable"
    kept = False

    def __init__(self, delivery_id: str, why: str) -> None:
        super().__init__(f"It is not delivered again: {why}.", delivery_id=delivery_id)


class RedeliveriesExhausted(WalletError):
    """The delivery was made again by hand as often as it is."""

    status, code, title = 429, "too_many_redeliveries", "Too many redeliveries"
    kept = False

    def __init__(self, delivery_id: str, maximum: int) -> None:
        super().__init__(
            f"A delivery is made again {maximum} times at most.",
            delivery_id=delivery_id,
            maximum=maximum,
        )


class UrlNotAllowed(WalletError):
    """Webhooks cannot be sent to this URL, or must not be: its address is private."""

    status, code, title = 400, "url_not_allowed", "URL not allowed"

    def __init__(self, why: str) -> None:
        super().__init__(f"Webhooks are not sent there: {why}.")


class IdempotencyKeyReused(WalletError):
    """The key came before with a different request."""

    status, code = 422, "idempotency_key_reused"
    title = "Idempotency key reused"
    kept = False

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was first sent with a different request. "
            "Use a new key for a new request."
        )


class IdempotencyInProgress(WalletError):
    """The first request with this key has not ended yet."""

    status, code = 409, "idempotency_in_progress"
    title = "Request in progress"
    kept = False

    def __init__(self) -> None:
        super().__init__(
            "The first request with this Idempotency-Key is still running. "
            "Send it again in a moment."
        )


class IdempotencyKeysExhausted(WalletError):
    """As many keys are kept as the service keeps at one time, for all or for one
    caller."""

    status, code = 503, "idempotency_keys_exhausted"
    title = "Too many idempotency keys"
    kept = False

    def __init__(self, maximum: int, retry_after_seconds: int) -> None:
        super().__init__(
            f"{maximum} idempotency keys are in use: no more are kept in all, or from "
            "one address, and none of them may be forgotten yet. Nothing was done.",
            maximum=maximum,
            retry_after_seconds=retry_after_seconds,
        )


class InvalidRequest(WalletError):
    """The request has not the shape that the operation takes.

    `errors` maps each field that is wrong to what is wrong with it.
    """

    status, code, title = 400, "invalid_request", "Invalid request"
    kept = False

    def __init__(self, detail: str, errors: dict[str, list[str]] | None = None) -> None:
        super().__init__(detail, **({"errors": errors} if errors else {}))


class InvalidIdempotencyKey(WalletError):
    """The Idempotency-Key header is none."""

    status, code = 400, "invalid_idempotency_key"
    title = "Invalid idempotency key"
    kept = False

    def __init__(self) -> None:
        super().__init__(
            "An Idempotency-Key is 1 to 255 visible ASCII characters, bare or in "
            "double quotes."
        )
