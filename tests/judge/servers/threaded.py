"""A right wallet server with a thread for each connection and a lock for each wallet.

It is made of three parts: the wallets have the money, the service reads requests and
writes answers, the handler has the connection. A bug is a subclass of one of them.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from tests.judge.servers import exercise
from tests.judge.servers.exercise import (
    Answer,
    Entry,
    Json,
    Refused,
    Request,
    Wallet,
    as_json,
    check_funds,
    check_room,
    new_id,
    now,
    object_of,
    page_of,
    text,
)

Connection = socket.socket | tuple[bytes, socket.socket]
"""As socketserver says it."""

BODY_BYTES_MAX = 1 << 20
IDLE_SECONDS = 60.0


@dataclass(slots=True, eq=False)
class LockedWallet(Wallet):
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def both_locked(one: LockedWallet, other: LockedWallet) -> Iterator[None]:
    """Hold two locks, taken in the order of the ids, so that nobody waits in a ring."""
    first, second = sorted((one, other), key=lambda wallet: wallet.id)
    with first.lock, second.lock:
        yield


class Wallets:
    """The money. Each method is one step for all other threads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        """Guards the two dictionaries, not the wallets in them."""
        self.by_id: dict[str, LockedWallet] = {}
        self.by_user: dict[str, LockedWallet] = {}

    def create(self, user_id: str) -> LockedWallet:
        with self.lock:
            if user_id in self.by_user:
                raise Refused(409, "this user has a wallet")
            return self.insert(user_id)

    def insert(self, user_id: str) -> LockedWallet:
        wallet = LockedWallet(self.id_for(user_id), user_id, now(), now())
        self.by_id[wallet.id] = self.by_user[user_id] = wallet
        return wallet

    def id_for(self, user_id: str) -> str:
        return new_id()

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

    def record(
        self,
        wallet: LockedWallet,
        type: str,
        amount: int,
        balance: int,
        reference: str | None = None,
    ) -> Entry:
        return wallet.record(type, amount, balance, reference)

    def add(self, wallet_id: str, amount: int) -> Entry:
        wallet = self.find(wallet_id)
        with wallet.lock:
            check_room(wallet, amount)
            return self.record(wallet, "CREDIT", amount, wallet.balance + amount)

    def deduct(self, wallet_id: str, amount: int) -> Entry:
        wallet = self.find(wallet_id)
        with wallet.lock:
            check_funds(wallet, amount)
            return self.record(wallet, "DEBIT", amount, wallet.balance - amount)

    def transfer(self, from_id: str, to_id: str, amount: int) -> tuple[Entry, Entry]:
        source, target = self.find_two(from_id, to_id)
        with both_locked(source, target):
            check_funds(source, amount)
            check_room(target, amount)
            reference = new_id()
            sent = self.send(source, amount, reference)
            return sent, self.receive(target, amount, reference)

    def send(self, source: LockedWallet, amount: int, reference: str) -> Entry:
        after = source.balance - amount
        return self.record(source, "TRANSFER_OUT", amount, after, reference)

    def receive(self, target: LockedWallet, amount: int, reference: str) -> Entry:
        after = target.balance + amount
        return self.record(target, "TRANSFER_IN", amount, after, reference)

    def get(self, wallet_id: str) -> Json:
        wallet = self.find(wallet_id)
        with wallet.lock:
            return wallet.json()

    def history(self, wallet_id: str) -> list[Entry]:
        wallet = self.find(wallet_id)
        with wallet.lock:
            return list(wallet.entries)


@dataclass(slots=True)
class Kept:
    """What a key was first used for, and what that was answered."""

    request: Request
    answer: Answer | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Service:
    """Reads requests, calls the wallets, writes answers."""

    def __init__(self, wallets: Wallets) -> None:
        self.wallets = wallets
        self.lock = threading.Lock()
        """Guards the dictionary of keys."""
        self.kept: dict[str, Kept] = {}

    def answer(self, request: Request) -> Answer:
        try:
            if request.method != "GET" and request.key is not None:
                return self.once(request.key, request)
            return self.route(request)
        except Refused as refused:
            return self.refuse(refused)

    def refuse(self, refused: Refused) -> Answer:
        return as_json(refused.status, {"error": refused.error})

    def once(self, key: str, request: Request) -> Answer:
        """Run what has a new key; who comes again gets the same answer."""
        with self.lock:
            kept = self.kept.setdefault(key, Kept(request))
        if kept.request != request:
            raise Refused(422, "this key was used for another request")
        with kept.lock:
            if kept.answer is None:
                kept.answer = self.route(request)
            return kept.answer

    def route(self, request: Request) -> Answer:
        match request.method, request.parts:
            case "POST", ["wallet", "create"]:
                return self.create(object_of(request.body))
            case "POST", ["wallet", "add"]:
                return self.add(object_of(request.body))
            case "POST", ["wallet", "deduct"]:
                return self.deduct(object_of(request.body))
            case "POST", ["wallet", "transfer"]:
                return self.transfer(object_of(request.body))
            case "GET", ["wallet", wallet_id]:
                return as_json(200, self.wallets.get(wallet_id))
            case "GET", ["wallet", wallet_id, "transactions"]:
                return self.history(wallet_id, request)
        raise Refused(404, "no such path")

    def create(self, body: Json) -> Answer:
        return as_json(201, self.wallets.create(text(body, "userId")).json())

    def add(self, body: Json) -> Answer:
        entry = self.wallets.add(text(body, "walletId"), self.amount(body))
        return as_json(200, entry.json())

    def deduct(self, body: Json) -> Answer:
        entry = self.wallets.deduct(text(body, "walletId"), self.amount(body))
        return as_json(200, entry.json())

    def transfer(self, body: Json) -> Answer:
        source, target = text(body, "fromWalletId"), text(body, "toWalletId")
        sent, received = self.wallets.transfer(source, target, self.amount(body))
        two = {"from": sent.json(), "to": received.json()}
        return as_json(200, {"referenceId": sent.reference_id, **two})

    def amount(self, body: Json) -> int:
        return exercise.amount(body)

    def history(self, wallet_id: str, request: Request) -> Answer:
        return as_json(200, page_of(self.wallets.history(wallet_id), request.query))


class Handler(BaseHTTPRequestHandler):
    """A connection, which stays open for further requests."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave together

    def do_GET(self) -> None:
        self.send(self.ask("GET", b""))

    def do_POST(self) -> None:
        self.write("POST")

    def do_PATCH(self) -> None:
        self.write("PATCH")

    def write(self, method: str) -> None:
        length = self.length()
        if length is None:
            self.close_connection = True
            self.send(as_json(411, {"error": "Content-Length is needed"}))
        elif length > BODY_BYTES_MAX:
            self.close_connection = True
            self.send(as_json(413, {"error": "the body is too large"}))
        else:
            self.act(method, length)

    def length(self) -> int | None:
        given = self.headers.get("Content-Length", "")
        return int(given) if given.isascii() and given.isdigit() else None

    def act(self, method: str, length: int) -> None:
        """Read the body, do what it asks for, and answer."""
        self.send(self.ask(method, self.rfile.read(length)))

    def ask(self, method: str, body: bytes) -> Answer:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        key = self.headers.get("Idempotency-Key")
        return self.server.service.answer(Request(method, url.path, query, body, key))

    def send(self, answer: Answer) -> None:
        body = answer.body.encode()
        self.send_response(answer.status)
        headers = {"Content-Type": "application/json", **answer.headers}
        headers["Content-Length"] = str(len(body))
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *values: object) -> None:
        """Print nothing: there are thousands of requests."""


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, service: Service, handler: type[Handler]) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self.service = service

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Connection, client_address: object) -> None:
        """Print nothing where a client has gone; a bug of ours is still printed."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)
