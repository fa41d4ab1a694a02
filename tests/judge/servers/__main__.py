"""python -m tests.judge.servers NAME: serve on loopback until standard input closes.

The process that starts it holds the other end, so that no server outlives its starter.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
from functools import partial

from tests.judge.servers import asynchronous, express
from tests.judge.servers.asynchronous_races import WALLETS
from tests.judge.servers.catalogue import ALL, ASYNCIO, EXPRESS, THREADED
from tests.judge.servers.parts import PARTS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.judge.servers")
    parser.add_argument("name", nargs="?", choices=ALL, metavar="NAME")
    parser.add_argument("--on", default=THREADED, help="threaded, asyncio or express")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--list", action="store_true", help="say what there is")
    given = parser.parse_args()
    if given.list:
        for bug in ALL.values():
            print(f"{bug.name:24} {', '.join(bug.servers):28} {bug.sentence}")
    elif given.name is None:
        parser.error("which one? --list says what there is")
    elif given.on not in ALL[given.name].servers:
        parser.error(f"{given.name} runs on {' and '.join(ALL[given.name].servers)}")
    elif given.on == ASYNCIO:
        serve_asynchronously(given.name, given.port)
    elif given.on == EXPRESS:
        express.become(given.name, given.port)
    else:
        serve_threaded(given.name, given.port)


def serve_threaded(name: str, port: int) -> None:
    server = PARTS[name].listening(port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.url, flush=True)
    sys.stdin.read()


def serve_asynchronously(name: str, port: int) -> None:
    wallets = WALLETS[name]()
    say = partial(print, flush=True)
    asyncio.run(asynchronous.serve(wallets, port, say, sys.stdin.read))


main()
