"""Which operations can follow an answer, in the API description (OpenAPI Links).

An operation follows an answer that has what it takes, in its path, query or body, by
the same name. So a new operation is linked to without a word here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import Schema

from wallet_app.api.openapi.operation import Operation
from wallet_app.api.outgoing.answers import (
    Batch,
    Deliveries,
    History,
    Movement,
    NewWebhook,
    Quote,
    Transfer,
    WalletPage,
)
from wallet_app.services.json_forms import Approval, JsonObject, Payment, Wallet

_FIRST, _SECOND = "$response.body#/wallets/0", "$response.body#/wallets/1"

GIVEN: Mapping[type, Mapping[str, Any]] = {
    Wallet: {
        "walletId": "$response.body#/id",
        "fromWalletId": "$response.body#/id",
        "userId": "$response.body#/userId",
        "operations": [
            {"type": "ADD", "walletId": "$response.body#/id", "amount": 15_000}
        ],
    },
    WalletPage: {
        "walletId": f"{_FIRST}/id",
        "fromWalletId": f"{_FIRST}/id",
        "toWalletId": f"{_SECOND}/id",
        "userId": f"{_FIRST}/userId",
        "operations": [{"type": "ADD", "walletId": f"{_FIRST}/id", "amount": 15_000}],
    },
    Movement: {"transactionId": "$response.body#/transaction/id"},
    Transfer: {
        "transactionId": "$response.body#/from/transaction/id",
        "fromWalletId": "$response.body#/from/wallet/id",
        "toWalletId": "$response.body#/to/wallet/id",
    },
    History: {"transactionId": "$response.body#/transactions/0/id"},
    Batch: {"transactionId": "$response.body#/results/0/transaction/id"},
    Quote: {"quoteId": "$response.body#/quoteId"},
    Approval: {"approvalId": "$response.body#/approvalId"},
    Payment: {"paymentId": "$response.body#/id"},
    NewWebhook: {"webhookId": "$response.body#/id"},
    Deliveries: {
        "webhookId": "$request.path.webhookId",
        "deliveryId": "$response.body#/deliveries/0/id",
    },
}
"""What an answer gives, by the names that operations have for it, as OpenAPI's runtime
expressions."""


def links_of(
    source: Operation, answer: JsonObject | str, operations: Iterable[Operation]
) -> dict[str, dict[str, Any]]:
    """Return the links from an answer of an operation to all that can follow it."""
    given = GIVEN.get(type(answer), {})
    links: dict[str, dict[str, Any]] = {}
    for target in operations:
        parameters = _chosen(given, [*target.path_ids, *_names(target.query)])
        body = _chosen(given, _names(target.body))
        if target is source or not parameters.keys() >= set(target.path_ids):
            continue
        if parameters or body:
            links[target.name] = {"operationId": target.name}
        if parameters:
            links[target.name]["parameters"] = parameters
        if body:
            links[target.name]["requestBody"] = body
    return links


def _names(schema: Schema | None) -> Iterable[str]:
    return (
        [str(each.data_key) for each in schema.load_fields.values()] if schema else []
    )


def _chosen(given: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}
