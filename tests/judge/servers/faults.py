"""Bugs that also show when one call comes after the other."""

from __future__ import annotations

import itertools
import math
import os
import threading
import time
from typing import cast
from uuid import UUID

from tests.judge.servers.exercise import (
    Answer,
    Entry,
    Json,
    Refused,
    Request,
    as_json,
    check_funds,
    check_room,
    new_id,
    text,
)
from tests.judge.servers.threaded import LockedWallet, Service, Wallets

LATE_SECONDS = 0.05
TWINS_SECONDS = 1.0


class EntriesAfterAnswer(Wallets):
    """The history is written when the caller has its answer long since."""

    def record(
        self,
        wallet: LockedWallet,
        type: str,
        amount: int,
        balance: int,
        reference: str | None = None,
    ) -> Entry:
        entry = wallet.entry(type, amount, balance, reference)
        wallet.balance, wallet.updated_at = balance, entry.created_at
        later = threading.Timer(LATE_SECONDS, wallet.entries.append, [entry])
        later.daemon = True
        later.start()
        return entry


class SwallowedTwin(Wallets):
    """Of two equal adds within a second, the second is taken for a repetition."""

    def __init__(self) -> None:
        super().__init__()
        self.adding = threading.Lock()
        self.seen: dict[tuple[str, int], tuple[float, Entry]] = {}

    def add(self, wallet_id: str, amount: int) -> Entry:
        with self.adding:
            at, entry = self.seen.get((wallet_id, amount), (-math.inf, None))
            if entry is None or time.monotonic() - at > TWINS_SECONDS:
                entry = super().add(wallet_id, amount)
                self.seen[wallet_id, amount] = time.monotonic(), entry
            return entry


class HalfTransfer(Wallets):
    """What nobody can receive, the sender has paid all the same."""

    def transfer(self, from_id: str, to_id: str, amount: int) -> tuple[Entry, Entry]:
        if from_id == to_id:
            raise Refused(400, "both are the same wallet")
        source = self.find(from_id)
        reference = new_id()
        with source.lock:
            check_funds(source, amount)
            sent = self.send(source, amount, reference)
        target = self.find(to_id)  # raises Refused, and nobody gives back
        with target.lock:
            check_room(target, amount)
            return sent, self.receive(target, amount, reference)


class Fee(Wallets):
    """One is missing from what a transfer brings."""

    def receive(self, target: LockedWallet, amount: int, reference: str) -> Entry:
        return super().receive(target, amount - 1, reference)


class Int32(Wallets):
    """Above 2,147,483,647 a balance goes on at the other end."""

    def record(
        self,
        wallet: LockedWallet,
        type: str,
        amount: int,
        balance: int,
        reference: str | None = None,
    ) -> Entry:
        wrapped = (balance + 2**31) % 2**32 - 2**31
        return super().record(wallet, type, amount, wrapped, reference)


class FloatWallets(Wallets):
    """0.1 + 0.2 is not 0.3, and 2**53 + 1 is 2**53."""

    def add(self, wallet_id: str, amount: int) -> Entry:
        wallet = self.find(wallet_id)
        with wallet.lock:
            balance = float(wallet.balance) + float(amount)
            whole = int(balance) if balance.is_integer() else cast(int, balance)
            return self.record(wallet, "CREDIT", amount, whole)


class FloatService(Service):
    def amount(self, body: Json) -> int:
        value = body.get("amount")
        if type(value) in (int, float) and 0 < cast(float, value) < 1e21:
            return cast(int, value)
        return super().amount(body)


class StringConcatenation(Service):
    """An amount in quotes is put behind the balance, as JavaScript's + does."""

    def add(self, body: Json) -> Answer:
        amount = body.get("amount")
        if not isinstance(amount, str) or not amount.isdecimal() or len(amount) > 9:
            return super().add(body)
        wallet = self.wallets.find(text(body, "walletId"))
        with wallet.lock:
            joined = int(f"{wallet.balance}{amount}")
            entry = self.wallets.record(wallet, "CREDIT", int(amount), joined)
        return as_json(200, entry.json())


class LockLeakedOnBadInput(Service):
    """After one bad amount, nobody gets this wallet's lock any more."""

    def add(self, body: Json) -> Answer:
        wallet = self.wallets.find(text(body, "walletId"))
        wallet.lock.acquire()
        amount = self.amount(body)  # raises Refused, and the next line does not run
        wallet.lock.release()
        return as_json(200, self.wallets.add(wallet.id, amount).json())


class DiesOnMalformedId(Wallets):
    """An id that is no UUID is an error that nobody catches."""

    def find(self, wallet_id: str) -> LockedWallet:
        try:
            UUID(wallet_id)
        except ValueError:
            os._exit(1)
        return super().find(wallet_id)


class TwoMemories(Service):
    """Two workers behind one address: a connection is the one's or the other's."""

    def __init__(self, wallets: Wallets) -> None:
        super().__init__(wallets)
        self.workers = itertools.cycle([Service(wallets), Service(type(wallets)())])
        self.mine = threading.local()

    def answer(self, request: Request) -> Answer:
        if not hasattr(self.mine, "worker"):  # a thread has one connection
            self.mine.worker = next(self.workers)
        return cast(Service, self.mine.worker).answer(request)
