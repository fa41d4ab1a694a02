"""Which operations can follow an answer, in the API description (OpenAPI Links).

An operation follows an answer that has what it takes, in its path or its body, by the
same name. So a new operation is linked to without a word here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wallet_app.api.openapi.operation import Operation
from wallet_app.api.outgoing.answers import (
    Batch,
    Deliveries,
    Movement,
    NewWebhook,
    Quote,
    Transfer,
)
from wallet_app.services.json_forms import Approval, JsonObject, Payment, Wallet

GIVEN: Mapping[type, Mapping[str, Any]] = {
    Wallet: {
        "walletId": "$response.body#/id",
        "fromWalletId": "$response.body#/id",
        "userId": "$response.body#/userId",
        "operations": [
            {"type": "ADD", "walletId": "$response.body#/id", "amount": 15_000}
        ],
    },
    Movement: {"transactionId": "$response.body#/transaction/id"},
    Transfer: {
        "transactionId": "$response.body#/from/transaction/id",
        "fromWalletId": "$response.body#/from/wallet/id",
        "toWalletId": "$response.body#/to/wallet/id",
    },
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
        body_fields = target.body.load_fields.values() if target.body else ()
        in_body = {str(each.data_key) for each in body_fields} & given.keys()
        takes = in_body.union(target.path_ids)
        if target is source or not takes or not takes <= given.keys():
            continue
        links[target.name] = {"operationId": target.name}
        if target.path_ids:
            parameters = {each: given[each] for each in target.path_ids}
            links[target.name]["parameters"] = parameters
        if in_body:
            body = {each: given[each] for each in sorted(in_body)}
            links[target.name]["requestBody"] = body
    return links
