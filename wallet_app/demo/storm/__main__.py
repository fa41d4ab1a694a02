"""The program that a demo server starts: it reads an order from stdin, runs the storm,
and prints a report on each line. It ends by itself; the end of its stdin stops it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from threading import Thread, Timer
from uuid import uuid4

from msgspec import json, structs

from wallet_app.demo.storm.client import HttpClient
from wallet_app.demo.storm.conduct import Conductor
from wallet_app.demo.storm.report import Order, Report, StormWallet
from wallet_app.services.json_forms import Json, json_line

STOP_SECONDS = 20
"""How long a storm has to end when its time is over, or its stdin is."""

UNLOCKED = (sys.executable, "-m", "wallet_app.demo.storm.unlocked")


def main() -> None:
    order = json.decode(sys.stdin.buffer.readline(), type=Order)
    _end_within(order.seconds + STOP_SECONDS)
    if order.locks:
        _conduct(order)
    else:
        with unlocked_service() as address:
            _conduct(with_wallets_at(address, order))


def _conduct(order: Order) -> None:
    host, port = order.address
    connect = partial(HttpClient, order.address, order.host)
    url = f"http://{host}:{port}"
    conductor = Conductor(order, url, connect=connect, emit=emit)
    Thread(target=_stop_at_end_of_stdin, args=(conductor,), daemon=True).start()
    conductor.run()


def emit(report: Report) -> None:
    """Print a report; end this program if nobody reads it any more."""
    try:
        sys.stdout.buffer.write(json_line(report))
        sys.stdout.buffer.flush()
    except OSError:
        os._exit(0)


def _stop_at_end_of_stdin(conductor: Conductor) -> None:
    while os.read(sys.stdin.fileno(), 1):  # past its buffer, whose lock the exit takes
        pass
    _end_within(STOP_SECONDS)
    conductor.stopped.set()


def _end_within(seconds: int) -> None:
    """Have this program end by then, whatever it waits for."""
    timer = Timer(seconds, os._exit, (1,))
    timer.daemon = True
    timer.start()


@contextmanager
def unlocked_service() -> Iterator[tuple[str, int]]:
    """Run a service without locks in a process that ends with this one."""
    pipe = subprocess.PIPE
    with subprocess.Popen(UNLOCKED, stdin=pipe, stdout=pipe) as process:
        assert process.stdin and process.stdout
        try:
            yield "127.0.0.1", int(process.stdout.readline())
        finally:
            process.kill()


def with_wallets_at(address: tuple[str, int], order: Order) -> Order:
    """Open wallets with the same balances at another service; return the order for
    those."""
    host = f"{address[0]}:{address[1]}"
    client = HttpClient(address, host)
    wallets = [_open(client, wallet) for wallet in order.wallets]
    client.close()
    return structs.replace(order, address=address, host=host, wallets=wallets)


def _open(client: HttpClient, wallet: StormWallet) -> StormWallet:
    body: Json = {"userId": str(uuid4()), "currency": "INR"}
    status, opened = client.ask("POST", "/wallet/create", body)
    if status == 201 and wallet.balance:
        body = {"walletId": opened["id"], "amount": wallet.balance}
        status, _ = client.ask("POST", "/wallet/add", body)
    assert status in (200, 201), status
    return structs.replace(wallet, id=opened["id"])


if __name__ == "__main__":
    main()
