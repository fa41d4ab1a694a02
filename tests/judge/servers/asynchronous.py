"""The wallets on one event loop: one thread, and still the bugs of many.

What stands between two awaits is one step. Money that is read before an await and
written after it needs a lock as much as between threads; here the await is the round
trip to a database.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from tests.judge.servers.exercise import (
    Answer,
    Entry,
    Json,
    Refused,
    Request,
    Wallet,
    amount,
    as_json,
    check_funds,
    check_room,
    new_id,
    now,
    object_of,
    page_of,
    text,
)

ROUND_TRIP_SECONDS = 0.0005
HEAD_BYTES_MAX = 1 << 16
BODY_BYTES_MAX = 1 << 20
IDLE_SECONDS = 60.0


async def round_trip() -> None:
    await asyncio.sleep(ROUND_TRIP_SECONDS)


@dataclass(slots=True, eq=False)
class LockedWallet(Wallet):
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@asynccontextmanager
async def both_locked(one: LockedWallet, other: LockedWallet) -> AsyncIterator[None]:
    first, second = sorted((one, other), key=lambda wallet: wallet.id)
    async with first.lock, second.lock:
        yield


class Wallets:
    def __init__(self) -> None:
        self.creating = asyncio.Lock()
        self.by_id: dict[str, LockedWallet] = {}
        self.users: set[str] = set()

    async def create(self, user_id: str) -> LockedWallet:
        async with self.creating:
            return await self.insert(user_id)

    async def insert(self, user_id: str) -> LockedWallet:
        if user_id in self.users:
            raise Refused(409, "this user has a wallet")
        await round_trip()
        wallet = LockedWallet(new_id(), user_id, now(), now())
        self.users.add(user_id)
        self.by_id[wallet.id] = wallet
        return wallet

    def find(self, wallet_id: str) -> LockedWallet:
        try:
            return self.by_id[wallet_id]
        except KeyError:
            raise Refused(404, "no such wallet") from None

    def find_two(self, source: str, target: str) -> tuple[LockedWallet, LockedWallet]:
        two = self.find(source), self.find(target)
        if source == target:
            raise Refused(400, "both are the same wallet")
        return two

    async def add(self, wallet_id: str, amount: int) -> Entry:
        wallet = self.find(wallet_id)
        async with wallet.lock:
            return await self.credit(wallet, "CREDIT", amount)

    async def deduct(self, wallet_id: str, amount: int) -> Entry:
        wallet = self.find(wallet_id)
        async with wallet.lock:
            return await self.debit(wallet, "DEBIT", amount)

    async def transfer(
        self, from_id: str, to_id: str, amount: int
    ) -> tuple[Entry, Entry]:
        source, target = self.find_two(from_id, to_id)
        async with both_locked(source, target):
            check_room(target, amount)
            reference = new_id()
            sent = await self.debit(source, "TRANSFER_OUT", amount, reference)
            return sent, await self.credit(target, "TRANSFER_IN", amount, reference)

    async def credit(
        self, wallet: LockedWallet, type: str, amount: int, reference: str | None = None
    ) -> Entry:
        """Read, add, write. The caller has the lock."""
        check_room(wallet, amount)
        after = wallet.balance + amount
        await round_trip()
        return wallet.record(type, amount, after, reference)

    async def debit(
        self, wallet: LockedWallet, type: str, amount: int, reference: str | None = None
    ) -> Entry:
        """Read, check, subtract, write. The caller has the lock."""
        check_funds(wallet, amount)
        after = wallet.balance - amount
        await round_trip()
        return wallet.record(type, amount, after, reference)

    async def get(self, wallet_id: str) -> Json:
        wallet = self.find(wallet_id)
        async with wallet.lock:
            return wallet.json()

    async def history(self, wallet_id: str) -> list[Entry]:
        wallet = self.find(wallet_id)
        async with wallet.lock:
            return list(wallet.entries)


class Service:
    """Reads requests, awaits the wallets, writes answers."""

    def __init__(self, wallets: Wallets) -> None:
        self.wallets = wallets
        self.kept: dict[str, tuple[Request, asyncio.Task[Answer]]] = {}

    async def answer(self, request: Request) -> Answer:
        try:
            if request.method == "POST" and request.key is not None:
                return await self.once(request.key, request)
            return await self.route(request)
        except Refused as refused:
            return as_json(refused.status, {"error": refused.error})

    async def once(self, key: str, request: Request) -> Answer:
        """Run what has a new key; who comes again waits for the same answer."""
        if key not in self.kept:
            self.kept[key] = request, asyncio.create_task(self.route(request))
        first, answer = self.kept[key]
        if first != request:
            raise Refused(422, "this key was used for another request")
        return await asyncio.shield(answer)

    async def route(self, request: Request) -> Answer:
        match request.method, request.parts:
            case "POST", ["wallet", operation]:
                return await self.post(operation, object_of(request.body))
            case "GET", ["wallet", wallet_id]:
                return as_json(200, await self.wallets.get(wallet_id))
            case "GET", ["wallet", wallet_id, "transactions"]:
                entries = await self.wallets.history(wallet_id)
                return as_json(200, page_of(entries, request.query))
        raise Refused(404, "no such path")

    async def post(self, operation: str, body: Json) -> Answer:
        wallets = self.wallets
        match operation:
            case "create":
                return as_json(201, (await wallets.create(text(body, "userId"))).json())
            case "add":
                entry = await wallets.add(text(body, "walletId"), amount(body))
                return as_json(200, entry.json())
            case "deduct":
                entry = await wallets.deduct(text(body, "walletId"), amount(body))
                return as_json(200, entry.json())
            case "transfer":
                source, target = text(body, "fromWalletId"), text(body, "toWalletId")
                sent, received = await wallets.transfer(source, target, amount(body))
                two = {"from": sent.json(), "to": received.json()}
                return as_json(200, {"referenceId": sent.reference_id, **two})
        raise Refused(404, "no such path")

    async def converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer one request after the other until the client has gone."""
        try:
            while True:
                async with asyncio.timeout(IDLE_SECONDS):
                    request = await read_request(reader)
                writer.write(as_bytes(await self.answer(request)))
                await writer.drain()
        except (EOFError, OSError, ValueError, asyncio.LimitOverrunError):
            writer.close()
        except asyncio.CancelledError:  # at the end; Python 3.11 would print each
            writer.close()


async def read_request(reader: asyncio.StreamReader) -> Request:
    """Raise EOFError at the end of the connection, ValueError for what is no HTTP."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    fields = [line.partition(":") for line in lines]
    headers = {name.lower(): value.strip() for name, _, value in fields}
    length = int(headers.get("content-length", "0"))
    if not 0 <= length <= BODY_BYTES_MAX or "transfer-encoding" in headers:
        raise ValueError("a body is at most 1 MiB and has a length")
    body = await reader.readexactly(length)
    url = urlsplit(target)
    query = dict(parse_qsl(url.query))
    return Request(method, url.path, query, body, headers.get("idempotency-key"))


def as_bytes(answer: Answer) -> bytes:
    body = answer.body.encode()
    head = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def serve(
    wallets: Wallets,
    port: int,
    listening: Callable[[str], None],
    wait: Callable[[], object],
) -> None:
    """Say the address to `listening`, and serve until `wait` returns in a thread."""
    service = Service(wallets)
    listener = socket.create_server(("127.0.0.1", port), backlog=128)
    server = await asyncio.start_server(
        service.converse, sock=listener, limit=HEAD_BYTES_MAX
    )
    listening(f"http://127.0.0.1:{listener.getsockname()[1]}")
    try:
        await asyncio.to_thread(wait)
    finally:
        server.close()
