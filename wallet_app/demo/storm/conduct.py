"""Conducts a storm from the first audit to the last, and reports how far it is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from threading import Event

from wallet_app.demo.storm.client import Client
from wallet_app.demo.storm.losses import losses
from wallet_app.demo.storm.report import (
    Losses,
    Order,
    Report,
    StormAudit,
    StormState,
)
from wallet_app.demo.storm.storm import Storm
from wallet_app.services.json_forms import Json

REPORT_SECONDS = 0.15
ROUNDS_PER_AUDIT = 2

PAGE = 100


class Unanswered(Exception):
    """The service has not answered what a storm needs to know."""


class Conductor:
    """One storm, and the audits meanwhile."""

    def __init__(
        self,
        order: Order,
        url: str,
        *,
        connect: Callable[[], Client],
        emit: Callable[[Report], None],
    ) -> None:
        self._order = order
        self._connect = connect
        self._emit = emit
        self.stopped = Event()
        self.report = Report.begun(order, StormState.RUNNING, url)

    def run(self) -> None:
        """Run the storm, and report until it is over."""
        with closing(self._connect()) as client:
            try:
                self._run(client)
            except Unanswered as failure:
                self.report.state = StormState.FAILED
                self.report.problem = str(failure)
        self._emit(self.report)

    def _run(self, client: Client) -> None:
        order, report = self._order, self.report
        report.sum_before = self._audit(client)
        storm = Storm(
            [wallet.id for wallet in order.wallets],
            clients=order.clients,
            transfers=order.transfers,
            seconds=order.seconds,
            connect=self._connect,
        )
        storm.start()
        rounds = 0
        while not storm.wait(REPORT_SECONDS):
            if self.stopped.is_set():
                storm.stop()
            report.figures = storm.figures()
            rounds += 1
            if rounds % ROUNDS_PER_AUDIT == 0:
                self._audit(client)
            self._emit(report)
        report.figures = storm.figures()
        report.problem = storm.why_stopped
        report.sum_after = self._audit(client)
        if not order.locks:
            report.losses = self._losses(client, storm)
        is_done = report.figures.answered == order.transfers
        report.state = StormState.DONE if is_done else StormState.STOPPED

    def _audit(self, client: Client) -> int:
        """Audit once, and return the sum of all INR wallets."""
        report, audit = self.report, get(client, "/audit")
        report.audits += 1
        report.balanced += audit["balanced"]
        report.audit = StormAudit(
            balanced=audit["balanced"],
            wallets=audit["wallets"],
            transactions=audit["transactions"],
            problems=len(audit["problems"]),
        )
        total: int = audit["currencies"].get("INR", {"balances": 0})["balances"]
        return total

    def _losses(self, client: Client, storm: Storm) -> Losses:
        balances, histories = {}, {}
        for wallet in self._order.wallets:
            balances[wallet.id] = get(client, f"/wallet/{wallet.id}")["balance"]
            histories[wallet.id] = history_of(client, wallet.id)
        return losses(
            self._order.wallets,
            changes=storm.changes,
            balances=balances,
            histories=histories,
        )


def history_of(client: Client, wallet_id: str) -> list[Json]:
    """Return all transactions of a wallet, oldest first."""
    history: list[Json] = []
    page = pages = 1
    while page <= pages:
        path = f"/wallet/{wallet_id}/transactions?limit={PAGE}&page={page}"
        answer = get(client, path)
        history += answer["transactions"]
        page, pages = page + 1, answer["totalPages"]
    return history[::-1]


def get(client: Client, path: str) -> Json:
    """Return what the service answers; raise Unanswered if that is no success."""
    status, answer = client.ask("GET", path)
    if status != 200:
        said = f"answered {status}" if status else "was not answered"
        raise Unanswered(f"GET {path.partition('?')[0]} {said}.")
    return answer
