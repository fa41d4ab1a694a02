"""Everything at once, for minutes: good clients of every endpoint with books of their
own, and all attacks beside them, one after another, in a process of their own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import cycle

from tests.attacks.arena import Attack, own_server
from tests.attacks.crowd import ask
from tests.attacks.listener import CODE_SECONDS_MAX, EVENTS, Listener, listening
from tests.attacks.mixed import MixedClient
from tests.attacks.target import Target, Vitals
from tests.server import PROJECT

CLIENTS = 8
REQUESTS_EACH_SECOND = 300
GOOD_RATE = 100
"""Requests a second of the good clients beside an attack."""

AUDIT_SECONDS = 5.0
ATTACK_SECONDS = 10.0
ATTACK_SECONDS_MAX = 300.0
HEARD_SECONDS_MAX = 60.0
WARM_SECONDS = 60.0
MARGIN_MIB = 48.0
BYTES_OF_A_TRANSACTION = 600
"""Of history: what one may add to the memory, with its share of the indexes."""

VITALS_SLACK = 16
"""Connections of the good clients and of the receiver, which come and go."""

SETTINGS = {
    "WALLET_OTP_CHANNEL": "webhook",
    "WALLET_FX_RATES": "USD/INR=83.12",
    "WALLET_IDEMPOTENCY_TTL_SECONDS": "60",
}


class Soak:
    """One server, its good clients, and what was seen."""

    def __init__(
        self, target: Target, listener: Listener, attacks: Sequence[Attack]
    ) -> None:
        self.target = target
        self.listener = listener
        self._names = [each.name for each in attacks if not each.starts_server]
        self.audits: Counter[bool] = Counter()
        self.attacks: Counter[str] = Counter()
        self.problems: list[str] = []
        self._is_lost = False
        self._stop = threading.Event()
        self._before: tuple[Vitals, int] | None = None

    def run(self, minutes: float) -> None:
        """Soak for some minutes; print a line each minute, and what was found."""
        body = {"url": self.listener.url, "events": list(EVENTS)}
        made = ask(self.target, "POST", "/webhooks", body)
        is_heard = made.status == 201
        heard = self.listener if is_heard else None
        clients = [MixedClient(self.target, heard, seed) for seed in range(CLIENTS)]
        rate = REQUESTS_EACH_SECOND / CLIENTS
        threads = [
            threading.Thread(target=client.run, args=(self._stop, rate))
            for client in clients
        ]
        threads.append(threading.Thread(target=self._attack))
        for thread in threads:
            thread.start()
        try:
            self._watch(clients, minutes)
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()
        for client in clients:
            if not self._is_lost:
                client.close_books()
            self.problems += client.problems
        if late := sum(client.late_codes for client in clients):
            self.problems.append(f"{late} codes did not come in {CODE_SECONDS_MAX} s")
        if self._is_lost:
            self.problems.append("THE SERVER: its process is gone")
            return
        if is_heard:
            self._compare_heard(sum(client.transactions for client in clients))
            ask(self.target, "DELETE", f"/webhooks/{made.json()['id']}")
        self._compare_vitals(self._audit())

    def _watch(self, clients: list[MixedClient], minutes: float) -> None:
        begun = time.monotonic()
        printed = 0
        while (passed := time.monotonic() - begun) < minutes * 60:
            if self._is_lost:
                return
            transactions = self._audit()
            if self._before is None and passed >= min(WARM_SECONDS, minutes * 20):
                pid = self.target.worker()
                self._before = (Vitals.of(pid), transactions) if pid else None
            if passed // 60 > printed:
                printed += 1
                print(self._line(clients, printed, transactions), flush=True)
            time.sleep(AUDIT_SECONDS)

    def _audit(self) -> int:
        """Run an audit; return how many transactions there are."""
        try:
            answer = ask(self.target, "GET", "/audit")
            assert answer.status == 200, f"{answer.status} {answer.body[:200]!r}"
        except (OSError, AssertionError) as error:
            self.problems.append(f"an audit: {error}")
            self._is_lost = self.target.worker() is None
            return 0
        audit = answer.json()
        self.audits[audit["balanced"]] += 1
        if not audit["balanced"]:
            self.problems.append(f"an audit: {audit['problems'][:3]}")
        return int(audit["transactions"])

    def _line(self, clients: list[MixedClient], minute: int, transactions: int) -> str:
        requests = sum(sum(client.statuses.values()) for client in clients)
        retried = sum(client.retried for client in clients)
        problems = len(self.problems) + sum(len(each.problems) for each in clients)
        pid = self.target.worker()
        held = Vitals.of(pid) if pid else None
        return (
            f"{minute:3} min: {requests:,} requests, {retried} sent again, "
            f"{transactions:,} transactions, {self.listener.transactions:,} heard, "
            f"{self.audits[True]} of {self.audits.total()} audits balanced, "
            f"{sum(client.late_codes for client in clients)} late codes, "
            f"{self.attacks['held']} of {self.attacks.total()} attacks held, "
            f"{problems} problems, {held}"
        )

    def _attack(self) -> None:
        """Make the attacks in rotation until it is stopped."""
        for name in cycle(self._names):
            if self._stop.is_set():
                return
            command = [sys.executable, "-m", "tests.attacks", self.target.url]
            command += ["--only", name, "--seconds", str(ATTACK_SECONDS)]
            command += ["--rate", str(GOOD_RATE)]
            with tempfile.TemporaryFile() as output:
                process = subprocess.Popen(
                    command, cwd=PROJECT, stdout=output, stderr=subprocess.STDOUT
                )
                try:
                    status = process.wait(ATTACK_SECONDS_MAX)
                except subprocess.TimeoutExpired:
                    process.terminate()
                    status = process.wait()
                output.seek(0)
                printed = output.read().decode()
            self.attacks["held" if status == 0 else "not held"] += 1
            if status != 0:
                self.problems.append(f"{name}: exit status {status}")
                print(printed.partition("\n")[2].rstrip(), flush=True)

    def _compare_heard(self, expected: int) -> None:
        """The good clients of the attacks are heard, too, so there may be more."""
        deadline = time.monotonic() + HEARD_SECONDS_MAX
        while self.listener.transactions < expected and time.monotonic() < deadline:
            time.sleep(0.1)
        self.problems += self.listener.problems[:10]
        if self.listener.transactions < expected:
            lost = expected - self.listener.transactions
            self.problems.append(f"{lost:,} events never came")

    def _compare_vitals(self, transactions: int) -> None:
        pid = self.target.worker()
        if pid is None or self._before is None:
            return
        before, transactions_before = self._before
        history = (transactions - transactions_before) * BYTES_OF_A_TRANSACTION / 2**20
        now = Vitals.of(pid)
        print(f"from {before}\nto   {now}\nhistory may be {history:.0f} MiB of it")
        if now.rss_mib > before.rss_mib + history + MARGIN_MIB:
            self.problems.append("memory has grown by more than the history")
        if now.descriptors > before.descriptors + VITALS_SLACK:
            self.problems.append("descriptors are not back")
        if now.threads > before.threads + VITALS_SLACK:
            self.problems.append("threads are not back")


def soak(target: Target | None, minutes: float, attacks: Sequence[Attack]) -> int:
    """Soak a server, or one of our own; return 0 if everything held, else 1."""
    with ExitStack() as held:
        if target is None:
            server = held.enter_context(own_server(environ=SETTINGS))
            target = Target.parse(server.url)
        listener = held.enter_context(listening())
        soaked = Soak(target, listener, attacks)
        soaked.run(minutes)
    total = soaked.audits.total()
    print(f"{soaked.audits[True]} of {total} audits balanced")
    print(f"codes came within {listener.code_seconds_max:.2f} s")
    print("\n".join(soaked.problems[:40]) or "all books exact; nothing was lost")
    return 1 if soaked.problems else 0
