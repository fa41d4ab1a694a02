"""The dialects that wallet servers were found to speak, each with some of its variants.

The wallets behind them are right, so a judge that convicts one has misunderstood it.
"""

from __future__ import annotations

from tests.judge.servers.dialect import Dialect

ENTRY_TYPES = {
    "CREDIT": "deposit",
    "DEBIT": "withdrawal",
    "TRANSFER_IN": "transfer_in",
    "TRANSFER_OUT": "transfer_out",
}

REST = Dialect(
    {
        "create": "POST /wallets",
        "add": "POST /wallets/{wallet}/deposit",
        "deduct": "POST /wallets/{wallet}/withdraw",
        "transfer": "POST /wallets/transfer",
        "read": "GET /wallets/{wallet}",
        "history": "GET /wallets/{wallet}/transactions",
    },
    opens_with=("currency",),
)

REST_FUND = Dialect(
    {
        "create": "POST /wallets",
        "add": "PATCH /wallets/{wallet}/fund",
        "deduct": "PATCH /wallets/{wallet}/debit",
        "transfer": "POST /wallets/{wallet}/transfer",
        "balance": "GET /wallets/{wallet}/balance",
    },
    opens_with=(),
    moved="balance",
    without_funds=422,
)

REST_CREDIT = Dialect(
    {
        "create": "POST /api/v1/wallets",
        "add": "POST /api/v1/wallets/{wallet}/credit",
        "deduct": "POST /api/v1/wallets/{wallet}/debit",
        "transfer": "POST /api/v1/transfers",
        "read": "GET /api/v1/wallets/{wallet}",
        "history": "GET /api/v1/wallets/{wallet}/transactions",
    },
    {
        "user": "user_id",
        "from": "from_wallet_id",
        "to": "to_wallet_id",
    },
    ids="integer",
    is_snake_case=True,
    without_funds=409,
    is_signed=True,
)

REST_TOPUP = Dialect(
    {
        "create": "POST /api/wallets",
        "add": "POST /api/wallets/{wallet}/topup",
        "deduct": "POST /api/wallets/{wallet}/debit",
        "transfer": "POST /api/wallets/transfer",
        "read": "GET /api/wallets/{wallet}",
        "history": "GET /api/wallets/{wallet}/transactions",
    },
    money="decimal",
    envelope="data",
    without_funds=402,
)

ACCOUNTS = Dialect(
    {
        "create": "POST /accounts",
        "add": "POST /deposit",
        "deduct": "POST /withdraw",
        "transfer": "POST /transfer",
        "read": "GET /accounts/{wallet}",
        "history": "GET /accounts/{wallet}/history",
    },
    {
        "user": "owner",
        "wallet": "account_id",
        "from": "from_account_id",
        "to": "to_account_id",
    },
    is_snake_case=True,
    without_funds=403,
    history="list",
    is_latest_first=False,
    types=ENTRY_TYPES,
)

ACCOUNTS_OPENING = Dialect(
    {
        "create": "POST /accounts",
        "add": "POST /accounts/{wallet}/deposit",
        "deduct": "POST /accounts/{wallet}/withdraw",
        "transfer": "POST /transfer",
        "balance": "GET /accounts/{wallet}/balance",
        "history": "GET /accounts/{wallet}/history",
    },
    {
        "id": "account_id",
        "opening": "initial_amount",
        "from": "from_account_id",
        "to": "to_account_id",
    },
    opens_with=("opening",),
    ids="integer",
    money="text",
    moved="message",
    history="csv",
)

USERNAMES = Dialect(
    {
        "create": "POST /accounts",
        "add": "POST /accounts/{wallet}/deposit",
        "deduct": "POST /accounts/{wallet}/withdraw",
        "transfer": "POST /transfer",
        "read": "GET /accounts/{wallet}",
    },
    {"user": "username", "from": "from", "to": "to"},
    ids="user",
    history="inside",
)

TRANSFERS = Dialect(
    {
        "create": "POST /wallets",
        "transfer": "POST /transfers",
        "read": "GET /wallets/{wallet}",
    },
    {"user": "id"},
    opens_with=("user", "opening"),
    ids="user",
    moved="status",
    without_funds=200,
    key_in="body",
)

OPERATION = Dialect(
    {
        "create": "POST /wallets",
        "operate": "POST /wallet",
        "read": "GET /wallets/{wallet}",
    },
    opens_with=(),
)

SIGNED = Dialect(
    {
        "create": "POST /setup",
        "sign": "POST /transact/{wallet}",
        "read": "GET /wallet/{wallet}",
        "history": "GET /transactions",
    },
    {"user": "name"},
    opens_with=("user", "opening"),
    moved="balance",
    history="list",
    is_signed=True,
)

EXERCISE = {
    "create": "POST /wallet/create",
    "add": "POST /wallet/add",
    "deduct": "POST /wallet/deduct",
    "transfer": "POST /wallet/transfer",
    "read": "GET /wallet/{wallet}",
    "history": "GET /wallet/{wallet}/transactions",
}

KEY_HEADER = Dialect(EXERCISE, key_in="header")

OTHER_FIELDS = Dialect(
    EXERCISE,
    {
        "user": "customer",
        "wallet": "wallet_ref",
        "from": "source_ref",
        "to": "target_ref",
        "amount": "value",
    },
    needs_note=True,
)

OPENAPI = Dialect(
    {
        "create": "POST /v2/purses",
        "add": "POST /v2/purses/{wallet}/in",
        "deduct": "POST /v2/purses/{wallet}/out",
        "transfer": "POST /v2/moves",
        "read": "GET /v2/purses/{wallet}",
        "history": "GET /v2/purses/{wallet}/lines",
    },
    {"user": "holder", "from": "payer", "to": "payee", "amount": "cents"},
    is_described=True,
)

TERSE = Dialect(
    {**REST.routes, "transfer": "POST /wallets/{wallet}/transfer"},
    {"to": "recipientId", "amount": "value"},
    opens_with=(),
    is_terse=True,
    limit_max=10,
)

OTHER_HISTORY = Dialect(EXERCISE, is_signed=True, limit_max=10)

DIALECTS = {
    "dialect-rest": REST,
    "dialect-rest-fund": REST_FUND,
    "dialect-rest-credit": REST_CREDIT,
    "dialect-rest-topup": REST_TOPUP,
    "dialect-accounts": ACCOUNTS,
    "dialect-accounts-opening": ACCOUNTS_OPENING,
    "dialect-usernames": USERNAMES,
    "dialect-transfers": TRANSFERS,
    "dialect-operation": OPERATION,
    "dialect-signed": SIGNED,
    "dialect-key-header": KEY_HEADER,
    "dialect-other-fields": OTHER_FIELDS,
    "dialect-openapi": OPENAPI,
    "dialect-terse": TERSE,
    "dialect-other-history": OTHER_HISTORY,
}
