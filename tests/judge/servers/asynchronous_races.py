"""The same bugs on one event loop: a lock that is not held across an await."""

from __future__ import annotations

from tests.judge.servers.asynchronous import LockedWallet, Wallets, round_trip
from tests.judge.servers.exercise import Entry, check_funds, check_room, new_id


class ReadAddWrite(Wallets):
    async def add(self, wallet_id: str, amount: int) -> Entry:
        return await self.credit(self.find(wallet_id), "CREDIT", amount)


class CheckOutsideLock(Wallets):
    async def deduct(self, wallet_id: str, amount: int) -> Entry:
        wallet = self.find(wallet_id)
        check_funds(wallet, amount)
        await round_trip()
        return wallet.record("DEBIT", amount, wallet.balance - amount)


class TwoStepTransfer(Wallets):
    async def transfer(
        self, from_id: str, to_id: str, amount: int
    ) -> tuple[Entry, Entry]:
        source, target = self.find_two(from_id, to_id)
        check_room(target, amount)
        reference = new_id()
        async with source.lock:
            sent = await self.debit(source, "TRANSFER_OUT", amount, reference)
        await round_trip()
        async with target.lock:
            return sent, await self.credit(target, "TRANSFER_IN", amount, reference)


class DebitThenCreditBack(Wallets):
    async def transfer(
        self, from_id: str, to_id: str, amount: int
    ) -> tuple[Entry, Entry]:
        source = self.find(from_id)
        async with source.lock:
            check_funds(source, amount)
            source.balance -= amount
        await round_trip()
        async with source.lock:
            source.balance += amount
        return await super().transfer(from_id, to_id, amount)


class ArrivalOrderLocks(Wallets):
    async def transfer(
        self, from_id: str, to_id: str, amount: int
    ) -> tuple[Entry, Entry]:
        source, target = self.find_two(from_id, to_id)
        reference = new_id()
        async with source.lock:
            check_room(target, amount)
            await round_trip()
            async with target.lock:
                sent = await self.debit(source, "TRANSFER_OUT", amount, reference)
                return sent, await self.credit(target, "TRANSFER_IN", amount, reference)


class NoLockOnReceiver(Wallets):
    async def transfer(
        self, from_id: str, to_id: str, amount: int
    ) -> tuple[Entry, Entry]:
        source, target = self.find_two(from_id, to_id)
        reference = new_id()
        async with source.lock:
            check_room(target, amount)
            sent = await self.debit(source, "TRANSFER_OUT", amount, reference)
            return sent, await self.credit(target, "TRANSFER_IN", amount, reference)


class DuplicateCreate(Wallets):
    async def create(self, user_id: str) -> LockedWallet:
        return await self.insert(user_id)


WALLETS = {
    "right": Wallets,
    "read-add-write": ReadAddWrite,
    "check-outside-lock": CheckOutsideLock,
    "two-step-transfer": TwoStepTransfer,
    "debit-then-credit-back": DebitThenCreditBack,
    "arrival-order-locks": ArrivalOrderLocks,
    "no-lock-on-receiver": NoLockOnReceiver,
    "duplicate-create": DuplicateCreate,
}
