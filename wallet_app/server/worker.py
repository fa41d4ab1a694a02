"""gunicorn's worker for a process whose memory is the ledger: an event loop that no
client, no signal and no failure ends.

Heads and bodies are read and answers are written by the loop, so a slow client costs a
connection and never a thread. Short requests are run by the loop itself, one at a
time; what may take long is run by a few threads.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import sys
import sysconfig
import threading
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from gunicorn.workers.base import Worker

from wallet_app.server.admission import admit_worker
from wallet_app.server.connections import Connections
from wallet_app.server.gateway import Answer, environ_of
from wallet_app.server.reader import Request

IGNORED_SIGNALS = tuple("HUP USR2 ALRM TTIN TTOU WINCH ABRT VTALRM PROF XCPU".split())
"""They would end or stop the process. A terminal that closes, for one, sends SIGHUP to
all processes that were started from it."""

TICK_SECONDS = 1
STOP_READ_SECONDS = 3
"""How long a stop waits for requests that are still being read, and for answers that
are."""

STOP_RUN_SECONDS = 20
"""How long it waits for requests that run. gunicorn kills the worker after 30 seconds
(`graceful_timeout`), of which the background may take 5."""

REPORT_SECONDS = 60
"""The same trouble is reported once in this time, with how often it was met."""

SPARE_DESCRIPTORS = 150
"""For the background's connections to receivers, files and logs."""

OLDEST_THRESHOLD = 1_000_000
"""The garbage collector's third threshold: it never collects the oldest objects."""

SWITCH_SECONDS = 0.0005
"""How long a thread keeps the interpreter from others that wait for it: a tenth of
Python's own, so that an audit does not make every request wait for 5 ms."""

_YEARS_AHEAD_SECONDS = 1e9


class LedgerWorker(Worker):
    """A worker that serves from an event loop, and that nothing replaces."""

    alive: bool
    is_admitted = False
    """Whether this process has a worker that may hold the ledger."""

    def notify(self) -> None:
        """Report to the arbiter that all is well for decades, so that no time-out of
        its own can end a busy process and the wallets with it."""
        later = time.monotonic() + _YEARS_AHEAD_SECONDS
        os.utime(self.tmp.fileno(), (later, later))

    def init_process(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._trouble: dict[str, tuple[float, int]] = {}
        self._stops_at: float | None = None
        super().init_process()

    def init_signals(self) -> None:
        for name in IGNORED_SIGNALS:
            signal.signal(getattr(signal, f"SIG{name}"), signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        add = self._loop.add_signal_handler
        add(signal.SIGTERM, self._stop, STOP_READ_SECONDS, STOP_RUN_SECONDS)
        add(signal.SIGINT, self._stop, 0, 0)
        add(signal.SIGQUIT, self._stop, 0, 0)
        add(signal.SIGUSR1, self.log.reopen_files)

    def load_wsgi(self) -> None:
        admit_worker(self)
        LedgerWorker.is_admitted = True
        super().load_wsgi()

    def run(self) -> None:
        self.notify()
        settle_memory()
        settle_processor()
        sys.setswitchinterval(SWITCH_SECONDS)
        self._connections = Connections(
            self.wsgi,
            self._loop,
            _connections_max(self.cfg.worker_connections),
            self._report,
            self._log_access,
        )
        self._loop.set_exception_handler(self._report_failure)
        for listener in self.sockets:
            listener.setblocking(False)
            self._connections.start_accepting(listener.sock)
        self._tick()
        self._run_loop()
        self._connections.close()

    def _run_loop(self) -> None:
        """Run the event loop until it is stopped. Callbacks that fail are reported and
        the loop goes on; so it must when it fails itself, for want of memory."""
        while True:
            try:
                self._loop.run_forever()
                return
            except SystemExit:
                raise
            except BaseException as error:  # noqa: BLE001 - the ledger goes on
                self._report("the event loop failed", error)

    def _tick(self) -> None:
        """See once a second to what has no event of its own."""
        try:
            self._connections.expire()
            if self.alive and self.ppid != os.getppid():
                self._report("the server's first process has ended, so this one ends")
                self._stop(STOP_READ_SECONDS, STOP_RUN_SECONDS)
            if self._stops_at is not None:
                if not self._connections or time.monotonic() >= self._stops_at:
                    self._loop.stop()
        finally:
            seconds = TICK_SECONDS if self._stops_at is None else TICK_SECONDS / 20
            self._loop.call_later(seconds, self._tick)

    def _stop(self, read_seconds: float, run_seconds: float) -> None:
        """Accept nothing more, and end when all that is under way has ended. A second
        call can only hurry."""
        if self.alive:
            self.alive = False
            for listener in self.sockets:
                self._loop.remove_reader(listener.sock)
                listener.close()
        self._connections.stop(read_seconds)
        ends_at = time.monotonic() + run_seconds
        self._stops_at = min(self._stops_at or ends_at, ends_at)
        if not self._connections or not run_seconds:
            self._loop.stop()

    def _report_failure(
        self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]
    ) -> None:
        error = context.get("exception")
        # The message names the callback with its arguments, each time others.
        self._report(f"a callback of the event loop failed: {type(error)}", error)

    def _report(self, trouble: str, error: BaseException | None = None) -> None:
        """Log some trouble, once a minute however often it is met."""
        reported_at, count = self._trouble.get(trouble, (-REPORT_SECONDS, 0))
        now = time.monotonic()
        if now - reported_at < REPORT_SECONDS:
            self._trouble[trouble] = reported_at, count + 1
            return
        self._trouble[trouble] = now, 0
        again = f" (and {count} times since it was last reported)" if count else ""
        self.log.error("%s%s", trouble, again, exc_info=error)

    def _log_access(
        self, request: Request, client: str, answer: Answer, seconds: float
    ) -> None:
        """Write a line of gunicorn's access log, if there is one."""
        if self.log.access_log_enabled:
            response = SimpleNamespace(
                status=answer.status, headers=answer.headers, sent=len(answer.body)
            )
            environ = environ_of(request, ("", 0), client)
            self.log.access(response, request, environ, timedelta(seconds=seconds))


def _connections_max(configured: int) -> int:
    """Return how many connections there may be: as many as are configured and as the
    limit of descriptors allows, which is raised as far as that needs."""
    in_use = len(os.listdir("/dev/fd"))
    needed = in_use + configured + SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(configured, max(soft - in_use - SPARE_DESCRIPTORS, soft // 4))


def settle_memory() -> None:
    """Keep the garbage collector's pauses short, however long the histories grow.

    What was loaded stays, so it is never looked at again. Full collections are left
    out: they would visit every history. The tests show that nothing leaves circles
    which only these would free.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*gc.get_threshold()[:2], OLDEST_THRESHOLD)


def settle_processor() -> None:
    """Stay on one processor: only one thread runs Python at a time, and moving the
    interpreter's lock between processors costs half again as much. Threads that are
    started later stay there, too. A Python without that lock uses all processors."""
    if sys.platform == "linux" and not sysconfig.get_config_var("Py_GIL_DISABLED"):
        processors = sorted(os.sched_getaffinity(0))
        own = {processors[os.getpid() % len(processors)]}
        os.sched_setaffinity(0, own)
        for thread in threading.enumerate():
            # This thread still has the id that it had before gunicorn forked.
            if thread is not threading.current_thread() and thread.native_id:
                os.sched_setaffinity(thread.native_id, own)
