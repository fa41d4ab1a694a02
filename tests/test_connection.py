"""Connections over real sockets: who waits for whom, what is bounded, what is left."""

from __future__ import annotations

import errno
import gc
import json
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from tests.serving_loop import TIMEOUT_SECONDS, ServingLoop, read_all, serving
from wallet_app.server.connection import (
    FIRST_SECONDS,
    HEAD_SECONDS,
    KEEPALIVE_SECONDS,
    LINGER_BYTES_MAX,
    LINGER_SECONDS,
    REQUEST_SECONDS,
)
from wallet_app.server.connections import (
    HELD_BYTES_MAX,
    STREAMS_MAX,
    STREAMS_MAX_OF_CLIENT,
)
from wallet_app.server.exchange import SEND_SECONDS, STREAM_SECONDS
from wallet_app.server.reader import RequestReader
from wallet_app.server.threads import QUEUE_MAX_OF_CLIENT, THREADS_MAX_OF_CLIENT

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

needs_second_address = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8 by itself"
)

Environ = dict[str, Any]
Start = Callable[..., object]


class EchoApp:
    """Answers with what it was asked, and counts."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        self.asked.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        answer = f"{self.asked[-1]} ".encode() + body
        start("200 OK", [("Content-Length", str(len(answer)))])
        return [answer]


class HeldApp(EchoApp):
    """Answers GET only when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Semaphore(0)
        self.go = threading.Event()

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "GET":
            self.entered.release()
            assert self.go.wait(TIMEOUT_SECONDS)
        return super().__call__(environ, start)


def statuses(received: bytes) -> list[int]:
    """Return the statuses of all answers."""
    return [int(each[:3]) for each in received.split(b"HTTP/1.1 ")[1:]]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.002)


def read_answer(connection: socket.socket) -> bytes:
    """Read one answer, whose length is said, and no more."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(1)
    length = int(received.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
    return (
        received + connection.recv(length, socket.MSG_WAITALL) if length else received
    )


@pytest.fixture
def echo() -> Iterator[ServingLoop]:
    with serving(EchoApp()) as server:
        yield server


def test_requests_are_answered_in_order_on_one_connection(echo: ServingLoop) -> None:
    many = 3_000  # more than the server reads at once
    with echo.connect() as connection, ThreadPoolExecutor(1) as sender:
        sender.submit(connection.sendall, POST * many + GET + LAST)
        received = read_all(connection)
    assert statuses(received) == [200] * (many + 2)
    assert received.count(b"POST / a") == many


def test_a_request_may_come_byte_by_byte(echo: ServingLoop) -> None:
    sent = [bytes([each]) for each in POST[:-1]] + [b"b" + LAST]
    assert b"POST / b" in echo.exchange(*sent)


def test_a_client_that_has_hung_up_its_half_is_answered(echo: ServingLoop) -> None:
    with echo.connect() as connection:
        connection.sendall(POST)
        connection.shutdown(socket.SHUT_WR)
        assert statuses(read_all(connection)) == [200]


def test_a_client_that_expects_a_continue_gets_it(echo: ServingLoop) -> None:
    head, body = POST[:-3] + b"Expect: 100-continue\r\n\r\n", b"a"
    with echo.connect() as connection:
        connection.sendall(head)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert b"POST / a" in read_answer(connection)


@pytest.mark.parametrize(
    "broken",
    [
        b"DELETE / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_a_broken_request_is_answered_once_and_never_run(broken: bytes) -> None:
    app = EchoApp()
    with serving(app) as server:
        assert statuses(server.exchange(broken + LAST)) == [400]
    assert app.asked == []


def test_a_refusal_can_be_read_by_a_client_that_goes_on_sending(
    echo: ServingLoop,
) -> None:
    large = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n"
    received = echo.exchange(large, *[b"a" * 100_000] * 20)
    assert statuses(received) == [413]
    assert json.loads(received.partition(b"\r\n\r\n")[2])["status"] == 413


def test_what_comes_after_a_refusal_is_bounded(echo: ServingLoop) -> None:
    with echo.connect() as connection, pytest.raises(OSError):
        connection.sendall(b"GARBAGE\r\n\r\n")
        for _ in range(LINGER_BYTES_MAX // 100_000 + 100):
            connection.sendall(b"a" * 100_000)
    wait_for(lambda: echo.count() == 0)


def test_an_app_that_breaks_in_any_way_ends_one_request_only() -> None:
    class Panic(BaseException):
        """What a library in Rust raises."""

    def app(environ: Environ, start: Start) -> Iterable[bytes]:
        raise {"a": Panic, "b": SystemExit, "c": MemoryError}[environ["QUERY_STRING"]]

    with serving(app) as server, server.connect() as connection:
        for kind in (b"a", b"b", b"c"):
            for request in (GET, POST):
                connection.sendall(request.replace(b"/ ", b"/?%s " % kind))
                answer = read_answer(connection)
                assert statuses(answer) == [500]
                assert b"Panic" not in answer
    assert server.failures == []


# Who waits for whom


def test_what_only_reads_keeps_nobody_waiting_who_moves_money() -> None:
    app = HeldApp()
    with serving(app) as server, ExitStack() as held:
        readers = [
            held.enter_context(server.connect())
            for _ in range(THREADS_MAX_OF_CLIENT + 3)
        ]
        for reader in readers:
            reader.sendall(GET)
        for _ in range(THREADS_MAX_OF_CLIENT):
            assert app.entered.acquire(timeout=TIMEOUT_SECONDS)
        with server.connect() as writer:
            writer.sendall(POST)
            assert statuses(read_answer(writer)) == [200]
        app.go.set()
        assert [statuses(read_answer(each)) for each in readers] == [[200]] * len(
            readers
        )


def test_silent_and_trickling_clients_hold_no_thread() -> None:
    with serving(EchoApp()) as server, ExitStack() as held:
        for begun in (b"", GET[:9], POST[:-1]) * 20:
            held.enter_context(server.connect()).sendall(begun)
        with server.connect() as connection:
            connection.sendall(GET + POST)
            assert statuses(read_answer(connection)) == [200]
            assert statuses(read_answer(connection)) == [200]


@needs_second_address
def test_one_client_that_asks_for_much_keeps_no_other_client_waiting() -> None:
    app = HeldApp()
    count = THREADS_MAX_OF_CLIENT + QUEUE_MAX_OF_CLIENT
    with serving(app, connections_max=count + 10) as server, ExitStack() as held:
        clients = [held.enter_context(server.connect()) for _ in range(count)]
        for client in clients:
            client.sendall(GET)
        wait_for(lambda: server.on_loop(lambda: queued(server)) == QUEUE_MAX_OF_CLIENT)
        refused = server.exchange(LAST)
        assert statuses(refused) == [503] and b"Retry-After: 1\r\n" in refused
        for _ in range(THREADS_MAX_OF_CLIENT):
            assert app.entered.acquire(timeout=TIMEOUT_SECONDS)
        other = held.enter_context(server.connect("127.0.0.2"))
        other.sendall(GET)
        assert app.entered.acquire(timeout=TIMEOUT_SECONDS), "it has the last thread"
        app.go.set()
        for client in (other, *clients):
            assert statuses(read_answer(client)) == [200]
        assert statuses(server.exchange(LAST)) == [200]


def queued(server: ServingLoop) -> int:
    return server.connections.threads.queued_count


def test_a_refusal_of_a_head_request_has_no_body() -> None:
    head = b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"

    def app(environ: Environ, start: Start) -> Iterable[bytes]:
        raise MemoryError

    with serving(app) as server:
        received = server.exchange(head + LAST)
        assert statuses(received) == [500, 500]
        assert received.count(b"about:blank") == 1


# Too many connections


def test_the_connection_that_has_waited_longest_is_evicted_for_a_new_one() -> None:
    with serving(EchoApp(), connections_max=3) as server, ExitStack() as held:
        first, second, third = (held.enter_context(server.connect()) for _ in range(3))
        wait_for(lambda: server.count() == 3)
        first.sendall(GET)  # so the second is the one that has waited longest
        read_answer(first)
        fourth = held.enter_context(server.connect())
        assert second.recv(1) == b""
        for alive in (first, third, fourth):
            alive.sendall(POST)
            assert statuses(read_answer(alive)) == [200]
        assert server.count() == 3
        assert len(server.reports) == 1


def test_a_connection_with_a_request_that_runs_is_never_evicted() -> None:
    app = HeldApp()
    with serving(app, connections_max=2) as server, ExitStack() as held:
        running = [held.enter_context(server.connect()) for _ in range(2)]
        for each in running:
            each.sendall(GET)
            assert app.entered.acquire(timeout=TIMEOUT_SECONDS)
        for _ in range(3):  # one that was turned away and stays counts, too
            newcomer = held.enter_context(server.connect())
            assert statuses(read_all(newcomer)) == [503]
        app.go.set()
        assert all(statuses(read_answer(each)) == [200] for each in running)


def test_what_is_kept_of_unfinished_requests_is_bounded_in_all() -> None:
    begun = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000001\r\n\r\n"
    begun += b"a" * 1_000_000
    reader = RequestReader()
    reader.feed(begun)
    fit = HELD_BYTES_MAX // reader.held_bytes
    with serving(EchoApp()) as server, ExitStack() as held:
        polite = held.enter_context(server.connect())
        polite.sendall(GET)
        read_answer(polite)
        clients: list[socket.socket] = []
        for n in range(fit + 3):
            clients.append(held.enter_context(server.connect()))
            clients[-1].sendall(begun)
            if n >= fit:
                assert clients[n - fit].recv(1) == b"", "the oldest of the largest"
            wait_for_held_bytes(server, min(n + 1, fit) * reader.held_bytes)
        for client, missing in ((clients[-1], b"a"), (polite, GET)):
            client.sendall(missing)
            assert statuses(read_answer(client)) == [200]


def wait_for_held_bytes(server: ServingLoop, count: int) -> None:
    wait_for(lambda: server.connections.held_bytes == count)


def test_answers_that_a_client_does_not_read_are_made_one_at_a_time() -> None:
    app = StreamApp()
    many = b"GET /?whole HTTP/1.1\r\nHost: x\r\n\r\n" * 1_000
    with serving(app) as server, server.connect() as connection:
        connection.sendall(many)
        wait_for(lambda: app.made > 0 and not_growing(lambda: app.made))
        assert app.made < 100  # what the kernel's buffers take
        received = 0
        while received < app.made * WHOLE_BYTES:
            received += len(connection.recv(1_000_000))


class Listener(socket.socket):
    """A listening socket that can accept nothing while it is out of descriptors."""

    is_out = False

    def accept(self) -> tuple[socket.socket, Any]:
        if self.is_out:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return super().accept()


def test_a_server_out_of_descriptors_closes_who_waited_longest_and_goes_on() -> None:
    listener = Listener()
    with serving(EchoApp(), listener=listener) as server, ExitStack() as held:
        oldest, latest = (held.enter_context(server.connect()) for _ in range(2))
        wait_for(lambda: server.count() == 2)
        listener.is_out = True
        newcomer = held.enter_context(server.connect())
        assert oldest.recv(1) == b"" and latest.recv(1) == b""
        listener.is_out = False
        newcomer.sendall(POST)
        assert statuses(read_answer(newcomer)) == [200]
        assert "Too many open files" in server.reports[0]


def test_connections_without_a_request_are_evicted_before_those_with_one() -> None:
    with serving(EchoApp(), connections_max=8) as server, ExitStack() as held:
        asking = held.enter_context(server.connect())
        asking.sendall(GET)
        read_answer(asking)
        silent = [held.enter_context(server.connect()) for _ in range(20)]
        assert all(each.recv(1) == b"" for each in silent[:-7])
        asking.sendall(GET)
        assert statuses(read_answer(asking)) == [200]


def test_clients_that_ask_once_and_stay_do_not_keep_new_ones_out() -> None:
    with serving(EchoApp(), connections_max=8) as server, ExitStack() as held:
        for _ in range(20):
            kept = held.enter_context(server.connect())
            kept.sendall(GET)
            assert statuses(read_answer(kept)) == [200]


# Deadlines


@pytest.mark.parametrize(
    ("sent", "seconds", "answered"),
    [
        (b"", FIRST_SECONDS, []),
        (GET[:9], HEAD_SECONDS, [408]),
        (POST[:-1], REQUEST_SECONDS, [408]),
        (POST, KEEPALIVE_SECONDS, [200]),
        (LAST, LINGER_SECONDS, [200]),
        (b"GARBAGE\r\n\r\n", LINGER_SECONDS, [400]),
    ],
    ids=["silent", "in the head", "in the body", "kept alive", "closed", "refused"],
)
def test_a_client_that_stalls_expires_at_its_deadline_and_not_before(
    echo: ServingLoop, sent: bytes, seconds: int, answered: list[int]
) -> None:
    with echo.connect() as connection:
        wait_for(lambda: echo.count() == 1)
        connection.sendall(sent)
        if answered and answered != [408]:
            assert statuses(read_answer(connection)) == answered
        elif sent:
            # That it has arrived shows in nothing else.
            wait_for(lambda: echo.on_loop(lambda: has_begun(echo)))
        echo.pass_time(seconds - 0.1)
        assert echo.count() == 1
        echo.pass_time(0.2)
        if answered == [408]:
            assert statuses(read_all(connection)) == [408]
        connection.close()
        wait_for(lambda: echo.count() == 0)


def has_begun(server: ServingLoop) -> bool:
    return any(connection.has_begun for connection in server.connections)


def test_a_request_that_runs_keeps_its_time_when_what_was_sent_before_is_read() -> None:
    app = HeldApp()
    with serving(app) as server, server.connect() as connection:
        connection.sendall(GET)
        assert app.entered.acquire(timeout=TIMEOUT_SECONDS)
        (running,) = server.connections
        server.on_loop(running.all_sent)
        server.pass_time(SEND_SECONDS + 1)
        app.go.set()
        assert statuses(read_answer(connection)) == [200]


def test_trickling_does_not_put_a_deadline_off(echo: ServingLoop) -> None:
    with echo.connect() as connection:
        for byte in GET[:11]:
            connection.sendall(bytes([byte]))
            wait_for(lambda: echo.on_loop(lambda: has_begun(echo)))
            echo.pass_time(HEAD_SECONDS / 10)
        assert statuses(read_all(connection)) == [408]


# Streams


WHOLE_BYTES = 1_000_000


class StreamApp:
    """Answers pieces without end, or as many as are asked for, and notes its end."""

    def __init__(self) -> None:
        self.made = 0
        self.closed = threading.Semaphore(0)

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "POST":
            start("200 OK", [("Content-Length", "0")])
            return []
        if environ["QUERY_STRING"] == "whole":
            self.made += 1
            start("200 OK", [("Content-Length", str(WHOLE_BYTES))])
            return [b"x" * WHOLE_BYTES]
        start("200 OK", [])
        return self._pieces(int(environ["QUERY_STRING"] or 1_000_000))

    def _pieces(self, count: int) -> Iterator[bytes]:
        try:
            for _ in range(count):
                self.made += 1
                yield b"x" * 100_000
        finally:
            self.closed.release()


def ask_for(pieces: str) -> bytes:
    return GET.replace(b"/ ", b"/?%s " % pieces.encode())


def test_a_stream_is_sent_in_chunks_and_the_connection_goes_on() -> None:
    with serving(StreamApp()) as server, server.connect() as connection:
        for _ in range(2):
            connection.sendall(ask_for("3"))
            received = b""
            while not received.endswith(b"0\r\n\r\n"):
                received += connection.recv(65536)
            assert b"Transfer-Encoding: chunked\r\n" in received
            assert received.count(b"x") == 300_000


def test_a_stream_to_an_old_client_ends_with_its_connection() -> None:
    with serving(StreamApp()) as server:
        received = server.exchange(b"GET /?3 HTTP/1.0\r\n\r\n")
    assert b"chunked" not in received
    assert received.partition(b"\r\n\r\n")[2] == b"x" * 300_000


def test_a_slow_reader_of_a_stream_holds_no_thread_and_little_memory() -> None:
    app = StreamApp()
    with serving(app) as server, ExitStack() as held:
        for _ in range(STREAMS_MAX_OF_CLIENT):
            held.enter_context(server.connect()).sendall(ask_for(""))
        wait_for(lambda: not_growing(lambda: app.made))
        assert app.made < STREAMS_MAX_OF_CLIENT * 200  # what the kernel's buffers take
        with server.connect() as connection:
            connection.sendall(POST)
            assert b"200 OK" in connection.recv(100)


def not_growing(number: Callable[[], int]) -> bool:
    before = number()
    time.sleep(0.05)
    return number() == before


@needs_second_address
def test_streams_are_bounded_in_number_and_end_with_their_clients() -> None:
    app = StreamApp()
    with serving(app) as server, ExitStack() as held:
        clients = []
        for address in ("127.0.0.1", "127.0.0.2"):
            for _ in range(STREAMS_MAX_OF_CLIENT):
                client = held.enter_context(server.connect(address))
                client.sendall(ask_for(""))
                assert client.recv(12) == b"HTTP/1.1 200"
                clients.append(client)
            assert statuses(server.exchange(LAST)) == [503]
        assert len(clients) == STREAMS_MAX
        for client in clients:
            client.close()
        for _ in clients:
            assert app.closed.acquire(timeout=TIMEOUT_SECONDS)
        wait_for(lambda: server.count() == 0)
        assert statuses(server.exchange(LAST.replace(b"/ ", b"/?1 "))) == [200]


@pytest.mark.parametrize("seconds", [SEND_SECONDS, STREAM_SECONDS])
def test_a_stream_that_nobody_reads_is_ended(seconds: int) -> None:
    app = StreamApp()
    with serving(app) as server, server.connect() as connection:
        connection.sendall(ask_for(""))
        wait_for(lambda: app.made > 0 and not_growing(lambda: app.made))
        server.pass_time(seconds + 1)
        assert app.closed.acquire(timeout=TIMEOUT_SECONDS)
        wait_for(lambda: server.count() == 0)


def test_a_stream_that_expires_while_a_piece_is_made_no_longer_counts() -> None:
    made, go, ended = (threading.Semaphore(0) for _ in range(3))

    def app(environ: Environ, start: Start) -> Iterable[bytes]:
        start("200 OK", [])

        def pieces() -> Iterator[bytes]:
            made.release()
            assert go.acquire(timeout=TIMEOUT_SECONDS)
            try:
                yield b"piece"
            finally:
                ended.release()

        return pieces()

    with serving(app) as server:
        for _ in range(STREAMS_MAX_OF_CLIENT):
            with server.connect() as connection:
                connection.sendall(GET)
                assert made.acquire(timeout=TIMEOUT_SECONDS)
                server.pass_time(SEND_SECONDS + 1)
                assert server.count() == 0
                go.release()
                assert ended.acquire(timeout=TIMEOUT_SECONDS)
        go.release()
        assert statuses(server.exchange(LAST)) == [200]


def test_a_stream_that_breaks_closes_its_connection() -> None:
    def app(environ: Environ, start: Start) -> Iterable[bytes]:
        start("200 OK", [])

        def pieces() -> Iterator[bytes]:
            yield b"begun"
            raise MemoryError

        return pieces()

    with serving(app) as server:
        try:
            received = server.exchange(GET)
        except ConnectionResetError:
            return
        assert not received.endswith(b"0\r\n\r\n")


# Stopping


def test_a_stop_closes_what_is_idle_and_lets_the_rest_end() -> None:
    app = HeldApp()
    with serving(app) as server, ExitStack() as held:
        idle, kept, begun, runs = (
            held.enter_context(server.connect()) for _ in range(4)
        )
        kept.sendall(POST)
        read_answer(kept)
        begun.sendall(POST[:-1])
        runs.sendall(GET)
        assert app.entered.acquire(timeout=TIMEOUT_SECONDS)
        wait_for(lambda: server.count() == 4)
        server.on_loop(lambda: server.connections.stop(3))
        assert idle.recv(1) == b"" and kept.recv(1) == b""
        begun.sendall(b"a")
        assert b"Connection: close" in read_all(begun)
        server.pass_time(4)
        app.go.set()
        assert b"Connection: close" in read_all(runs)


def test_a_stop_does_not_wait_for_a_client_that_trickles() -> None:
    with serving(EchoApp()) as server, server.connect() as connection:
        connection.sendall(POST[:-1])
        wait_for(lambda: server.on_loop(lambda: has_begun(server)))
        server.on_loop(lambda: server.connections.stop(3))
        server.pass_time(3)
        assert statuses(read_all(connection)) == [408]


# Nothing is left


def test_no_connection_leaves_anything_for_the_garbage_collector() -> None:
    """The server never collects the oldest objects: a circle would stay for ever."""
    reset = struct.pack("ii", 1, 0)
    with serving(StreamApp()) as streams, serving(EchoApp()) as server:
        gc.collect()
        gc.disable()
        try:
            for _ in range(3):
                server.exchange(POST + LAST)
                server.exchange(b"GARBAGE\r\n\r\n")
                for target, sent in (
                    (server, b""),
                    (server, GET[:9]),
                    (server, POST[:-1]),
                    (server, CHUNKED + b"1\r\na"),
                    (server, GET),
                    (streams, ask_for("")),
                ):
                    with target.connect() as connection:
                        connection.sendall(sent)
                        connection.setsockopt(
                            socket.SOL_SOCKET, socket.SO_LINGER, reset
                        )
            wait_for(lambda: server.count() == 0 and streams.count() == 0)
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            left = [each for each in gc.garbage if type(each).__module__ != "types"]
            assert left == []
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
