"""Servers that answer in their own way, or not at all; the money is right in each."""

from __future__ import annotations

import itertools
import json
import os
import queue
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from tests.judge.servers.exercise import (
    Answer,
    Json,
    Refused,
    Request,
    as_json,
    object_of,
    text,
)
from tests.judge.servers.threaded import Handler, Service, Wallets

SLOW_SECONDS = 0.05
LATE_SECONDS = 0.05
REQUESTS_A_SECOND = 100
REQUESTS_OF_A_LIFE = 300
HANG_SECONDS = 600.0
ENDLESS_SECONDS = 60.0
DIGITS = "1" + "0" * 5_000
NESTED = "[" * 100_000 + "]" * 100_000
GARBAGE = b"\x16\x03\x01\x00\xa5\x00\xff\xfe\x1b[2Jnot HTTP\r\n\r\n\x00\x00"
SCRIPT = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\r\n<script>alert(1)</script>"


class Slow(Service):
    def answer(self, request: Request) -> Answer:
        time.sleep(SLOW_SECONDS)
        return super().answer(request)


class OneAtATime(Service):
    def __init__(self, wallets: Wallets) -> None:
        super().__init__(wallets)
        self.turn = threading.Lock()

    def answer(self, request: Request) -> Answer:
        with self.turn:
            return super().answer(request)


class OneConnection(Handler):
    """Like a server without threads: it waits for a request that is not complete, and
    the other connections wait for it."""

    protocol_version = "HTTP/1.0"
    turn = threading.Lock()

    def handle(self) -> None:
        with self.turn:
            super().handle()


class ConnectionClose(Service):
    def answer(self, request: Request) -> Answer:
        return replace(super().answer(request), headers={"Connection": "close"})


class OkWithFailingStatus(Service):
    """The body says what the status does not."""

    def answer(self, request: Request) -> Answer:
        answer = super().answer(request)
        said = "FAILED" if answer.status >= 400 else "SUCCESS"
        return as_json(200, {"status": said, **json.loads(answer.body)})


class AcceptedLater(Service):
    """A movement is accepted, and made by a worker, one after the other."""

    def __init__(self, wallets: Wallets) -> None:
        super().__init__(wallets)
        self.work: queue.Queue[tuple[float, Callable[[], Answer]]] = queue.Queue()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        while True:
            due, act = self.work.get()
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                act()
            except Refused:
                continue  # as funds that were there when it was accepted

    def accept(self, act: Callable[[], Answer]) -> Answer:
        self.work.put((time.monotonic() + LATE_SECONDS, act))
        return as_json(202, {"status": "PENDING"})

    def add(self, body: Json) -> Answer:
        self.wallets.find(text(body, "walletId"))
        self.amount(body)
        return self.accept(partial(super().add, body))

    def deduct(self, body: Json) -> Answer:
        self.wallets.find(text(body, "walletId"))
        self.amount(body)
        return self.accept(partial(super().deduct, body))

    def transfer(self, body: Json) -> Answer:
        source, target = text(body, "fromWalletId"), text(body, "toWalletId")
        self.wallets.find_two(source, target)
        self.amount(body)
        return self.accept(partial(super().transfer, body))


class RateLimit(Service):
    def __init__(self, wallets: Wallets) -> None:
        super().__init__(wallets)
        self.counting = threading.Lock()
        self.last: deque[float] = deque(maxlen=REQUESTS_A_SECOND)

    def answer(self, request: Request) -> Answer:
        now = time.monotonic()
        with self.counting:
            if len(self.last) == REQUESTS_A_SECOND and now - self.last[0] < 1:
                body = json.dumps({"error": "too many requests"})
                return Answer(429, body, {"Retry-After": "1"})
            self.last.append(now)
        return super().answer(request)


class DiesUnderLoad(Service):
    def __init__(self, wallets: Wallets) -> None:
        super().__init__(wallets)
        self.requests = itertools.count(1)

    def answer(self, request: Request) -> Answer:
        if next(self.requests) > REQUESTS_OF_A_LIFE:
            os._exit(1)
        return super().answer(request)


class Redirect(Service):
    """Sends its clients to another address; who follows ends the process, status 3."""

    def __init__(self, wallets: Wallets) -> None:
        super().__init__(wallets)
        self.elsewhere = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self) -> None:
        self.elsewhere.accept()
        os._exit(3)

    def answer(self, request: Request) -> Answer:
        port = self.elsewhere.getsockname()[1]
        status = 302 if request.method == "GET" else 307
        where = {"Location": f"http://127.0.0.1:{port}{request.path}"}
        return Answer(status, "{}", where)


class EscapeSequences(Service):
    """What it says of a bad request is meant for the terminal and the page."""

    def refuse(self, refused: Refused) -> Answer:
        body = SCRIPT if refused.status == 404 else json.dumps({"error": SCRIPT})
        return Answer(refused.status, body, {"X-Error": "\x1b[2J\x9b31m<script>"})


class HugeBalance(Service):
    def answer(self, request: Request) -> Answer:
        answer = super().answer(request)
        return replace(
            answer, body=re.sub(r'"balance": \d+', f'"balance": {DIGITS}', answer.body)
        )


class DeeplyNested(Service):
    """A wallet is in its brackets somewhere."""

    def answer(self, request: Request) -> Answer:
        answer = super().answer(request)
        return replace(answer, body=NESTED) if request.method == "GET" else answer


class Hangs(Handler):
    def handle(self) -> None:
        threading.Event().wait(HANG_SECONDS)


class Garbage(Handler):
    def handle(self) -> None:
        self.rfile.readline(1 << 16)
        self.wfile.write(GARBAGE)


class EndlessBody(Handler):
    """What is read never ends; what is written is answered rightly."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        end = time.monotonic() + ENDLESS_SECONDS
        while time.monotonic() < end:
            self.wfile.write(b"1000\r\n" + b" " * 0x1000 + b"\r\n")
            time.sleep(0.001)
        self.close_connection = True


class EarlyAnswer(Handler):
    """Acts and answers when only the last brace is missing, as a parser can that reads
    along; then reads the brace."""

    def act(self, method: str, length: int) -> None:
        body = self.rfile.read(max(0, length - 1))
        try:
            object_of(body + b"}")
        except Refused:
            self.send(self.ask(method, body + self.rfile.read(min(length, 1))))
        else:
            self.send(self.ask(method, body + b"}"))
            self.wfile.flush()
            self.rfile.read(1)
