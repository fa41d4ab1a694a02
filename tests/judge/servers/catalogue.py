"""Every server that there is: its bug or its manners, and which probe convicts it."""

from __future__ import annotations

from dataclasses import dataclass

THREADED = "threaded"
ASYNCIO = "asyncio"
EXPRESS = "express"


@dataclass(frozen=True, slots=True)
class Bug:
    name: str
    sentence: str
    convicted_by: tuple[str, ...]
    """The first must convict it, the others can. Without any, none may convict it.
    A group, as contract, stands for each of its probes."""
    servers: tuple[str, ...] = (THREADED,)


RACES = (
    Bug(
        "read-add-write",
        "two adds read one balance, and the second write undoes the first",
        ("races/lost-update", "races/equal-twins", "races/linearizable"),
        (THREADED, ASYNCIO, EXPRESS),
    ),
    Bug(
        "check-outside-lock",
        "two deducts are checked against one balance, and both are made",
        ("races/double-spend", "races/many-from-ten", "races/linearizable"),
        (THREADED, ASYNCIO),
    ),
    Bug(
        "two-step-transfer",
        "between the debit and the credit, the money is in neither wallet",
        ("races/torn-transfer", "races/linearizable"),
        (THREADED, ASYNCIO),
    ),
    Bug(
        "debit-then-credit-back",
        "a transfer takes the money before it checks the receiver, and gives it back",
        ("races/dirty-read", "races/torn-transfer"),
        (THREADED, ASYNCIO),
    ),
    Bug(
        "arrival-order-locks",
        "two transfers that cross wait for each other, for ever",
        ("races/opposing", "races/ring"),
        (THREADED, ASYNCIO),
    ),
    Bug(
        "no-lock-on-receiver",
        "two transfers to one wallet read one balance of it",
        ("races/hot-receiver", "races/opposing"),
        (THREADED, ASYNCIO),
    ),
    Bug(
        "lost-entries",
        "the balance is right, but of two entries written at once, one stays",
        ("races/history",),
    ),
    Bug(
        "duplicate-create",
        "two creates look for the user's wallet before either has made it",
        ("races/create-twice",),
        (THREADED, ASYNCIO),
    ),
    Bug(
        "refused-but-applied",
        "a conflict is found after the write and answered with 409; the write stays",
        ("races/refused-but-applied", "races/lost-update"),
    ),
    Bug(
        "database-is-locked",
        "a transfer does not wait for its locks: it fails, and nothing moves",
        ("races/opposing", "races/ring"),
    ),
    Bug(
        "cached-reads",
        "who did not write last reads from a replica that is 20 ms behind",
        ("races/stale-read", "races/dirty-read"),
    ),
    Bug(
        "key-run-twice",
        "two requests with one key look for it before either has kept its answer",
        ("races/same-key",),
    ),
    Bug(
        "error-but-applied",
        "the receipt is sent after the commit; where that fails, the answer is 500",
        ("races/opposing", "races/lost-update"),
    ),
)

FAULTS = (
    Bug(
        "entries-after-answer",
        "the history is written 50 ms after the answer",
        ("races/history",),
    ),
    Bug(
        "swallowed-twin",
        "of two equal adds within a second, the second is taken for a repetition",
        ("races/equal-twins",),
    ),
    Bug(
        "half-transfer",
        "what nobody can receive, the sender has paid all the same",
        ("contract/transfer", "races/refused-but-applied"),
    ),
    Bug(
        "fee",
        "one is missing from what a transfer brings",
        ("contract/transfer", "races/partial-transfer"),
    ),
    Bug(
        "int32",
        "above 2,147,483,647 a balance goes on at the other end",
        ("contract/precision",),
    ),
    Bug(
        "float",
        "0.1 + 0.2 is not 0.3, and 2**53 + 1 is 2**53",
        ("contract/precision",),
    ),
    Bug(
        "string-concatenation",
        "an amount in quotes is put behind the balance: 5 and '7' are 57",
        ("contract/bad-input",),
    ),
    Bug(
        "lock-leaked-on-bad-input",
        "after a bad amount, every call on that wallet hangs",
        ("contract", "races/alive"),
    ),
    Bug(
        "dies-on-malformed-id",
        "an id that is no UUID ends the process",
        ("contract/bad-input", "races/alive"),
    ),
    Bug(
        "two-memories",
        "two workers, each with its own wallets, behind one address",
        ("setup/one-memory",),
    ),
)

MANNERS = (
    Bug("slow", "50 ms a request", ()),
    Bug("one-at-a-time", "one lock around everything", ()),
    Bug("one-connection", "without threads: an incomplete request stops it", ()),
    Bug("connection-close", "closes each connection after its answer", ()),
    Bug("ok-with-failing-status", '200 {"status": "FAILED"} for what it refuses', ()),
    Bug("accepted-later", "202, and done 50 ms later by a worker", ()),
    Bug("rate-limit", "429 after 100 requests in a second", ()),
    Bug("early-answer", "acts and answers before the body is complete", ()),
    Bug("redirect", "302 and 307 to another address, which ends the process", ()),
    Bug("hangs", "accepts connections and never answers", ()),
    Bug("dies-under-load", "the process ends at the 301st request", ("races/alive",)),
    Bug("garbage", "answers with what is no HTTP", ()),
    Bug("endless-body", "what is read never ends", ()),
    Bug("huge-balance", "every balance has 5,001 digits", ()),
    Bug("deeply-nested", "what is read is 100,000 brackets", ()),
    Bug("escape-sequences", "errors with terminal escapes and <script>", ()),
)

SPOKEN = (
    Bug("dialect-rest", "POST /wallets/:id/deposit, /withdraw", ()),
    Bug("dialect-rest-fund", "PATCH /wallets/:id/fund, no history, 422", ()),
    Bug("dialect-rest-credit", "/api/v1, snake case, ids are integers, 409", ()),
    Bug("dialect-rest-topup", "/api, {success, data}, amounts with decimals, 402", ()),
    Bug("dialect-accounts", "POST /deposit {account_id}, oldest entry first, 403", ()),
    Bug("dialect-accounts-opening", "an initial amount, decimals as texts, CSV", ()),
    Bug("dialect-usernames", "ids are user names, the history is in the wallet", ()),
    Bug("dialect-transfers", "transfers only, with a key; 200 and FAILED", ()),
    Bug("dialect-operation", "POST /wallet {walletId, operationType, amount}", ()),
    Bug("dialect-signed", "POST /transact/:id, deducts are negative", ()),
    Bug("dialect-key-header", "the exercise, and every POST needs a key", ()),
    Bug("dialect-other-fields", "the exercise, with fields that a 422 names", ()),
    Bug("dialect-openapi", "paths that only its /openapi.json has", ()),
    Bug("dialect-terse", "REST whose errors name no field, with 404 for all", ()),
    Bug("dialect-other-history", "the exercise, with amounts signed", ()),
)

RIGHT = (Bug("right", "a right server", (), (THREADED, ASYNCIO, EXPRESS)),)

ALL = {bug.name: bug for bug in (*RIGHT, *RACES, *FAULTS, *MANNERS, *SPOKEN)}
