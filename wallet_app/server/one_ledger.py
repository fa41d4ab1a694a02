"""One process holds the ledger: whatever starts a second one over the same address, it
does not serve, and says why.

It asks the system who started a process, and where it listens. Locked files, which the
system unlocks when a process ends, are the proof.
"""

from __future__ import annotations

import fcntl
import logging
import multiprocessing
import os
import signal
import socket
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from werkzeug.exceptions import ServiceUnavailable

WHY = "The wallets live in the memory of one process"

LOOK_SECONDS = 0.5
"""How often a waiting worker tries to take the ledger."""

END_SECONDS = 2
"""How long its server has to end by itself when the first has ended, before the second
worker makes it end."""

logger = logging.getLogger("wallet_app.server")


class SecondLedger(RuntimeError):
    """This process must not serve. The text says why, and what to do."""


class SecondWorker(SecondLedger):
    """Another worker of the same server holds the ledger."""


class Guard:
    """What one process holds until it ends: its server, and where it listens."""

    def __init__(self) -> None:
        self._descriptors: dict[str, int] = {}
        self._pid = self._admitted_pid = 0
        self._refused = ""
        self._lock = threading.Lock()  # no other lock is taken under it

    def hold(
        self, log: Callable[[object], None], notify: Callable[[], None] = lambda: None
    ) -> None:
        """Hold the ledger in this process, or raise SecondLedger, or exit with 0 when
        the server of a waiting worker has ended.

        A second worker logs why it does not serve, and waits as long as another one
        holds the ledger: if it ended at once, its server would end, or would start
        another without end. Meanwhile it calls `notify` again and again.
        """
        try:
            self._hold()
        except SecondWorker as why:
            if threading.current_thread() is threading.main_thread():
                for number in (signal.SIGTERM, signal.SIGINT):
                    signal.signal(number, signal.SIG_DFL)  # a fork has its parent's
            log(why)
            self._wait(notify)

    def _wait(self, notify: Callable[[], None]) -> None:
        parent = os.getppid()
        while parent == os.getppid():
            notify()
            time.sleep(LOOK_SECONDS)  # this process has nothing else to do
            try:
                return self._hold()
            except SecondWorker:
                pass
            except SecondLedger:
                time.sleep(END_SECONDS)  # so that the server ends first, by itself
                raise
        sys.exit(0)

    def _hold(self) -> None:
        """Lock the server's file, if a server started this process, then a file for
        each address.

        Raise SecondWorker if another worker holds the server's, SecondLedger if that
        worker has ended or another process serves an address.
        """
        self._pid = os.getpid()
        if listening_addresses() or multiprocessing.parent_process() is not None:
            self._hold_server()
        self._hold_addresses()

    def admit_request(self) -> None:
        """Refuse a request in a process that must not serve.

        Checked at each request, because some servers open their sockets, or fork,
        after they load the app.
        """
        pid = os.getpid()
        if pid == self._admitted_pid:
            return
        if pid != self._pid:
            raise ServiceUnavailable(
                f"{WHY}, the one that loaded the app, and this is its copy. Let one "
                "worker load the app by itself (uwsgi --lazy-apps --processes 1)."
            )
        with self._lock:
            if self._refused:  # by now it may listen nowhere, and still be asked
                raise ServiceUnavailable(self._refused)
            try:
                self._hold_addresses()
            except SecondLedger as refused:
                self._refused = str(refused)
                logger.error(refused)
                os.kill(pid, signal.SIGTERM)  # else it would get requests again
                raise ServiceUnavailable(self._refused) from None
        self._admitted_pid = pid

    def _hold_server(self) -> None:
        name = f"server-{parent_name()}"
        if name in self._descriptors:
            return
        try:
            descriptor = self._locked_file(name)
        except BlockingIOError:
            raise SecondWorker(
                f"{WHY}: this second worker does not serve. Start one "
                "(--workers 1): any number of clients can connect to it."
            ) from None
        if os.fstat(descriptor).st_size:
            os.close(descriptor)
            raise SecondLedger(
                f"{WHY}, which has ended. Start the server again to begin a new ledger."
            )
        os.write(descriptor, b"A ledger began here.\n")
        self._descriptors[name] = descriptor

    def _hold_addresses(self) -> None:
        for address in listening_addresses():
            name = f"address-{quote(address, safe=':')}"
            if name in self._descriptors:
                continue
            try:
                self._descriptors[name] = self._locked_file(name)
            except BlockingIOError:
                raise SecondLedger(
                    f"{WHY}, and another one serves at {address}. Stop that one, or "
                    "start this one at another address."
                ) from None

    def _locked_file(self, name: str) -> int:
        """Return a descriptor of a file that is locked until this process ends. Raises
        BlockingIOError where another process has locked it."""
        path = Path(tempfile.gettempdir(), f"wallet-ledger-{os.getuid()}-{name}")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


GUARD = Guard()
"""The guard of this process."""


def parent_name() -> str:
    """Return a name of the process that started this one. On Linux no other has it:
    process ids are used again, but with another time of start."""
    pid = os.getppid()
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return str(pid)
    return f"{pid}-{fields[19]}"  # `starttime` in proc(5)


def listening_addresses() -> list[str]:
    """Return where this process listens, or can by the sockets that it was given."""
    addresses = []
    for name in os.listdir("/dev/fd"):
        with suppress(OSError):  # it was closed meanwhile
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                with socket.socket(fileno=os.dup(int(name))) as found:
                    if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                        addresses.append(_text(found.getsockname()))
    return addresses


def _text(address: object) -> str:
    """Return an address of the internet, or the path of a Unix socket, as text."""
    return "{}:{}".format(*address) if isinstance(address, tuple) else str(address)


def admit() -> None:
    """Let this process hold the ledger, or raise what makes its server say why not.

    Called where the ledger is created.
    """
    software = os.environ.get("SERVER_SOFTWARE", "")  # gunicorn's children inherit it
    if software.startswith("gunicorn/") and "gunicorn.arbiter" in sys.modules:
        from wallet_app.server.bare_worker import admit_process

        admit_process()
    GUARD.hold(logger.error)
