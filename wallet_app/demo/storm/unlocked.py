"""The program: the wallet service without locks, on a free port of this machine, until
its stdin ends. It prints the port.

It is the real service with two changes. Its locks do nothing. And a thread that has
read a balance lets the others run before it goes on, as the system may at any moment:
CPython 3.11 and 3.12 switch threads so rarely that little would be lost in a minute.
"""

from __future__ import annotations

import sys
import time
from threading import Thread
from types import TracebackType
from typing import Any

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from wallet_app.api import wallet_api
from wallet_app.services.service import WalletService
from wallet_app.store import Wallet


class NoLock:
    """A lock that everybody can take at any time."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None: ...

    def __enter__(self) -> bool:
        return True

    def __exit__(
        self,
        failure: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...


class SlowlyRead:
    """Stands in for the slot of a wallet's balance: who reads it lets others run."""

    def __init__(self, slot: Any) -> None:
        self._slot = slot

    def __get__(self, wallet: Wallet, owner: type[Wallet]) -> int:
        balance: int = self._slot.__get__(wallet, owner)
        time.sleep(0)  # lets another thread run, as the system may at any moment
        return balance

    def __set__(self, wallet: Wallet, balance: int) -> None:
        self._slot.__set__(wallet, balance)


class QuietHandler(WSGIRequestHandler):
    """Logs no requests, of which a storm has thousands."""

    def log_request(self, *args: Any) -> None: ...


def main() -> None:
    slot = vars(Wallet)["balance"]
    setattr(Wallet, "balance", SlowlyRead(slot))  # noqa: B010 (mypy: it is a slot)
    app = Flask(__name__, static_folder=None)
    wallet_api.register(app, WalletService(lock_factory=NoLock))
    server = make_server(
        "127.0.0.1", 0, app, threaded=True, request_handler=QuietHandler
    )
    Thread(target=server.serve_forever, daemon=True).start()
    print(server.port, flush=True)
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
