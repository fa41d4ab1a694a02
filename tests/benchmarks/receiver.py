"""A receiver of webhooks that is as fast as Python can be, in a process of its own:
`python -m tests.benchmarks.receiver`. It prints its URL, and answers a GET with what
came: how much, and how often a wallet's balances did not follow from each other."""

from __future__ import annotations

import asyncio
import json
import re

LENGTH = re.compile(rb"(?i)content-length: *([0-9]+)")
INCOMING = {"CREDIT", "TRANSFER_IN"}


class Counted:
    """What came of the transactions."""

    def __init__(self) -> None:
        self.messages = 0
        self.out_of_order = 0
        self._balances: dict[str, int] = {}

    def take(self, body: bytes) -> None:
        data = json.loads(body)["data"]
        self.messages += 1
        change = data["amount"] if data["type"] in INCOMING else -data["amount"]
        before = self._balances.get(data["walletId"])
        if before is not None and before + change != data["balanceAfter"]:
            self.out_of_order += 1
        self._balances[data["walletId"]] = data["balanceAfter"]


class Protocol(asyncio.Protocol):
    """One connection, which is kept open."""

    def __init__(self, counted: Counted) -> None:
        self._counted = counted
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, rest = self._received.partition(b"\r\n\r\n")
            match = LENGTH.search(head)
            length = int(match[1]) if match else 0
            if len(rest) < length:
                return
            self._received = rest[length:]
            self._transport.write(self._answer(head, rest[:length]))

    def _answer(self, head: bytes, body: bytes) -> bytes:
        if head.startswith(b"POST"):
            self._counted.take(body)
            return b"HTTP/1.1 204 No Content\r\n\r\n"
        counted = self._counted
        answer = {"messages": counted.messages, "outOfOrder": counted.out_of_order}
        body = json.dumps(answer).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


async def main() -> None:
    counted = Counted()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Protocol(counted), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(f"Listening at: http://127.0.0.1:{port} (0)", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
