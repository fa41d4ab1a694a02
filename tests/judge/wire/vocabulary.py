"""What fields of wallet servers are called, and what is written into them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

Role = Literal[
    "user",
    "opening",
    "currency",
    "wallet",
    "from",
    "to",
    "amount",
    "key",
    "operation",
    "description",
    "reference",
    "category",
    "note",
    "reason",
]
TEXTS: tuple[Role, ...] = ("description", "reference", "category", "note", "reason")
"""Any text stands in them."""

NAMES: Mapping[Role, frozenset[str]] = {
    "user": frozenset(
        "userid user username owner ownerid ownername customer customerid holder "
        "accountholder name id walletid".split()
    ),
    "opening": frozenset(
        "balance initialbalance openingbalance startingbalance initialamount "
        "initialdeposit openingamount opening amount deposit".split()
    ),
    "currency": frozenset(["currency"]),
    "wallet": frozenset(
        "walletid wallet walletref accountid account accountref id".split()
    ),
    "from": frozenset(
        "fromwalletid fromwallet fromaccountid fromaccount fromid fromref from "
        "source sourceid sourceref sourcewalletid sourceaccountid sender senderid "
        "senderwalletid senderaccountid payer payerid debtor".split()
    ),
    "to": frozenset(
        "towalletid towallet toaccountid toaccount toid toref to target targetid "
        "targetref targetwalletid destination destinationid destinationwalletid "
        "receiver receiverid receiverwalletid receiveraccountid recipient recipientid "
        "recipientwalletid recipientaccountid payee payeeid "
        "creditor".split()
    ),
    "amount": frozenset("amount value cents sum minor amountminor money".split()),
    "key": frozenset("idempotencykey key requestid".split()),
    "operation": frozenset("operationtype operation type kind action".split()),
    "description": frozenset(["description", "narration"]),
    "reference": frozenset("reference referenceid referencenumber ref".split()),
    "category": frozenset(["category"]),
    "note": frozenset("note notes memo remark remarks comment".split()),
    "reason": frozenset(["reason"]),
}

PLAIN = frozenset(
    "id from to key type value name user amount sum kind action source target money "
    "account wallet holder balance minor deposit operation description reference ref "
    "category note notes memo remark remarks comment reason".split()
)
"""Words that also stand in sentences: a field only if nothing better is there."""

ROLES: Mapping[str, tuple[Role, ...]] = {
    "create": ("user", "opening", "currency"),
    "add": ("wallet", "amount", "operation", "key", *TEXTS),
    "deduct": ("wallet", "amount", "operation", "key", *TEXTS),
    "transfer": ("from", "to", "amount", "key", *TEXTS),
}

BALANCES = "balance newbalance balanceafter availablebalance available".split()
IDS = "walletid accountid id uuid walletref accountref number username name".split()
FIELD = re.compile(r"[A-Za-z0-9_-]{1,60}")
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def plain(name: str) -> str:
    """Return a name without what styles differ in: wallet_id is walletId."""
    return re.sub(r"[_-]", "", name).lower()


def fields_in(names: Iterable[str], kind: str) -> dict[Role, str]:
    """Return which of these names has which role in the body of a call."""
    found: dict[Role, str] = {}
    words = list(dict.fromkeys(names))
    for is_plain in (False, True):
        for role in ROLES[kind]:
            for word in words:
                is_free = role not in found and word not in found.values()
                fits = plain(word) in NAMES[role] and (plain(word) in PLAIN) is is_plain
                if is_free and fits:
                    found[role] = word
    return found


def body_of(
    fields: Mapping[Role, str],
    *,
    is_id_number: bool = False,
    is_amount_text: bool = False,
    amount: str = "{amount}",
    operation: str = "",
) -> str:
    """Return the template of a JSON body with these fields."""
    identity = "{%s}" if is_id_number else '"{%s}"'
    values = dict.fromkeys(TEXTS, '"judge"') | {
        "user": '"{user}"',
        "opening": f'"{amount}"' if is_amount_text else amount,
        "currency": '"USD"',
        "wallet": identity % "wallet",
        "from": identity % "from",
        "to": identity % "to",
        "amount": f'"{amount}"' if is_amount_text else amount,
        "key": '"{key}"',
        "operation": f'"{operation}"',
    }
    inner = ", ".join(f'"{name}": {values[role]}' for role, name in fields.items())
    return f"{{{inner}}}"


def leaves(value: Any, path: str = "", depth: int = 0) -> Iterable[tuple[str, Any]]:
    """Yield the dotted path and the value of all that is in a document, except what
    is in lists."""
    if not isinstance(value, dict) or depth > 6:
        return
    for name, part in value.items():
        if not FIELD.fullmatch(name):  # it may stand in an adapter that is printed
            continue
        at = f"{path}.{name}" if path else name
        yield at, part
        yield from leaves(part, at, depth + 1)


def last(path: str) -> str:
    return plain(path.rpartition(".")[2])
