"""One address uses up what all share; others come from 127.0.0.2 and 127.0.0.3."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from uuid import uuid4

from tests.attacks.arena import Arena, Attack, own_arena
from tests.attacks.crowd import Client, Crowd, ask
from tests.attacks.wire import request
from tests.server import TIMEOUT_SECONDS

OTHERS = ("127.0.0.2", "127.0.0.3")
CONNECTIONS = 4
PIPELINED = 25
FLOOD_SECONDS_MAX = 400.0
KEYS = 201_000
QUOTES = 101_000
APPROVALS = 101_000
WEBHOOKS = 100
WRONG_CODES = 40
TOO_MANY = {429, 503}


def flood(arena: Arena, messages: Callable[[int], bytes], count: int) -> Counter[int]:
    """Send so many requests over a few connections, until nothing but refusals come;
    return how often each status was answered."""
    statuses: Counter[int] = Counter()
    sent = 0
    deadline = time.monotonic() + FLOOD_SECONDS_MAX
    with Crowd(arena.target) as crowd:
        clients = crowd.open(CONNECTIONS)
        while sent < count:
            assert time.monotonic() < deadline, f"slow: {sent} in {FLOOD_SECONDS_MAX} s"
            for client in clients:
                crowd.say(
                    client, b"".join(map(messages, range(sent, sent + PIPELINED)))
                )
                sent += PIPELINED
            latest = _round(crowd, clients)
            statuses += latest
            if set(latest) <= TOO_MANY:
                break
    return statuses


def _round(crowd: Crowd, clients: list[Client]) -> Counter[int]:
    """Wait for the answers of all connections, and forget them."""

    def is_answered(client: Client) -> bool:
        return client.is_closed or client.received.count(b"HTTP/1.1 ") >= PIPELINED

    crowd.tend(TIMEOUT_SECONDS, lambda: all(map(is_answered, clients)))
    crowd.tend(0.001)
    statuses: Counter[int] = Counter()
    for client in clients:
        if client.is_closed:
            raise ConnectionError("closed while it asked")
        statuses.update(answer.status for answer in client.answers)
        client.received.clear()
    return statuses


def _others(arena: Arena, path: str, body: dict[str, object], status: int) -> None:
    """Assert that other addresses are served, each with a key."""
    for source in OTHERS:
        headers = {"Idempotency-Key": str(uuid4())}
        answer = ask(arena.target, "POST", path, body, headers=headers, source=source)
        assert answer.status == status, f"{source}: {answer.status} {answer.body!r}"


def keys(arena: Arena) -> str:
    with own_arena(arena.seconds) as own:
        body = {"walletId": str(uuid4()), "amount": 1}

        def message(number: int) -> bytes:
            headers = {"Idempotency-Key": f"hog-{number}"}
            host = own.target.authority
            return request("POST", "/wallet/add", body, host=host, headers=headers)

        statuses = flood(own, message, KEYS)
        mine = {"walletId": own.new_wallet(), "amount": 1}
        _others(own, "/wallet/add", mine, 200)
        return f"answered {dict(statuses)}; others are served"


def quotes(arena: Arena) -> str:
    rates = {"WALLET_FX_RATES": "USD/INR=83.12", "WALLET_FX_QUOTE_TTL_SECONDS": "900"}
    with own_arena(arena.seconds, environ=rates) as own:
        body: dict[str, object] = {
            "fromCurrency": "USD",
            "toCurrency": "INR",
            "amount": 9,
        }
        data = request("POST", "/fx/quotes", body, host=own.target.authority)
        statuses = flood(own, lambda _: data, QUOTES)
        _others(own, "/fx/quotes", body, 201)
        return f"answered {dict(statuses)}; others are served"


def _deducts(arena: Arena) -> Callable[[int], bytes]:
    """Return deducts from ten new wallets in turn."""
    bodies = [{"walletId": arena.new_wallet(1), "amount": 1} for _ in range(10)]
    host = arena.target.authority
    deducts = [request("POST", "/wallet/deduct", each, host=host) for each in bodies]
    return lambda number: deducts[number % len(deducts)]


def approvals(arena: Arena) -> str:
    threshold = {"WALLET_APPROVAL_THRESHOLD": "0", "WALLET_OTP_TTL_SECONDS": "3600"}
    with own_arena(arena.seconds, environ=threshold) as own:
        statuses: Counter[int] = Counter()
        while statuses[202] < APPROVALS and not set(statuses) & TOO_MANY:
            statuses += flood(own, _deducts(own), 100)
        mine = own.new_wallet(1)
        _others(own, "/wallet/deduct", {"walletId": mine, "amount": 1}, 202)
        return f"answered {dict(statuses)}; others are served"


def webhooks(arena: Arena) -> str:
    with own_arena(arena.seconds) as own:
        body: dict[str, object] = {
            "url": "http://127.0.0.1:9/",
            "events": ["fraud.flagged"],
        }
        made = 0
        while made < WEBHOOKS:
            if ask(own.target, "POST", "/webhooks", body).status != 201:
                break
            made += 1
        _others(own, "/webhooks", body, 201)
        return f"{made} made by one address; others are served"


def wrong_codes(arena: Arena) -> str:
    """Guess at a wallet's approvals from one address; its owner uses another."""
    with own_arena(arena.seconds) as own:
        victim = own.new_wallet(100)
        limits = {"approvalThreshold": 0}
        ask(own.target, "PUT", f"/wallet/{victim}/limits", limits)
        deduct = {"walletId": victim, "amount": 1}
        statuses: Counter[int] = Counter()
        for _ in range(WRONG_CODES):
            asked = ask(own.target, "POST", "/wallet/deduct", deduct)
            statuses[asked.status] += 1
            if asked.status != 202:
                break
            path = f"/approvals/{asked.json()['approvalId']}/confirm"
            for _ in range(5):
                guess = ask(own.target, "POST", path, {"otp": "000000"})
                statuses[guess.status] += 1
        asked = ask(own.target, "POST", "/wallet/deduct", deduct, source=OTHERS[0])
        assert asked.status == 202, f"the owner is locked out: {asked.body!r}"
        approval_id = asked.json()["approvalId"]
        code = code_of(own, str(approval_id))
        path = f"/approvals/{approval_id}/confirm"
        confirmed = ask(own.target, "POST", path, {"otp": code}, source=OTHERS[0])
        assert confirmed.status == 200, f"the owner is locked out: {confirmed.body!r}"
        assert own.balance(victim) == 99
        return f"guesses answered {dict(statuses)}; the owner confirms"


def code_of(arena: Arena, approval_id: str) -> str:
    """Wait for the code of an approval in the server's log."""
    assert arena.server is not None
    said = f"code of approval {approval_id} is "
    arena.server.wait_for(said)
    match = re.search(said + r"(\d{6})", arena.server.printed)
    assert match
    return match.group(1)


ATTACKS = (
    Attack("keys used up by one address", keys, starts_server=True),
    Attack("quotes used up by one address", quotes, starts_server=True),
    Attack("approvals used up by one address", approvals, starts_server=True),
    Attack("webhooks used up by one address", webhooks, starts_server=True),
    Attack("wrong codes by one address", wrong_codes, starts_server=True),
)
