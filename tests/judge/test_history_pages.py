"""A history is read to its end, however it is cut, and where its end cannot be seen
nothing is said of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tests.judge.arithmetic.calls import Lane, Op, Plan
from tests.judge.arithmetic.histories import wrong_history
from tests.judge.servers.exercise import Answer, Json, Refused, Request, as_json, new_id
from tests.judge.servers.parts import Parts
from tests.judge.servers.threaded import Service
from tests.judge.test_client import client_of
from tests.judge.wire.adapter import Adapter
from tests.judge.wire.subject import Subject

LIMIT_SECONDS = 10.0


class Cut(Service):
    """Pages as a server may make them."""

    size = 100
    is_ignored = False
    is_clamped = False
    is_refused = False

    def history(self, wallet_id: str, request: Request) -> Answer:
        given = self.given(request.query)
        page, limit = int(given["page"]), min(int(given["limit"]), self.size)
        count = len(self.wallets.history(wallet_id))
        last = max(1, -(-count // limit))
        if self.is_refused and page > last:
            raise Refused(404, "no such page")
        page = min(page, last) if self.is_clamped else page
        query = {"limit": str(limit), "page": str(page)}
        return super().history(wallet_id, replace(request, query=query))

    def given(self, query: Mapping[str, str]) -> dict[str, str]:
        given = {"limit": "20", "page": "1", **query}
        return {"limit": str(self.size), "page": "1"} if self.is_ignored else given


class TenAtMost(Cut):
    size = 10


class ClampedToTheLast(TenAtMost):
    is_clamped = True


class RefusesAfterTheLast(TenAtMost):
    is_refused = True


class AlwaysAll(Cut):
    is_ignored = True


class AlwaysTen(TenAtMost):
    is_ignored = True


class AlwaysTwenty(Cut):
    size = 20
    is_ignored = True


class KeepsRefused(Service):
    """What was refused is in the history, as failed."""

    def history(self, wallet_id: str, request: Request) -> Answer:
        answer = super().history(wallet_id, request)
        page = json.loads(answer.body)
        row = {"id": new_id(), "type": "DEBIT", "amount": 9, "balanceAfter": 1}
        if page["page"] == 1:
            page["transactions"].insert(1, {**row, "status": "FAILED"})
        return as_json(answer.status, page)


@contextmanager
def subject_of(service: type[Service]) -> Iterator[Subject]:
    with Parts(service=service).listening() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        client = client_of(server.server_port)
        try:
            yield Subject(client, Adapter())
        finally:
            client.close()
            server.shutdown()
            thread.join(LIMIT_SECONDS)


def read(subject: Subject, count: int) -> Any:
    """Return the changes in the history of a wallet that had so many."""
    id = subject.open()
    for amount in range(1, count + 1):
        subject.one(Op("add", 0, amount), [id])
    entries = subject.history(id)
    return None if entries is None else [each.change for each in entries]


@pytest.mark.parametrize(
    "service", [Service, TenAtMost, RefusesAfterTheLast, KeepsRefused]
)
@pytest.mark.parametrize("count", [3, 10, 20, 28, 40])
def test_every_page_is_read(service: type[Service], count: int) -> None:
    with subject_of(service) as subject:
        for _ in range(2):
            assert read(subject, count) == list(range(1, count + 1))


@pytest.mark.parametrize(
    ("service", "count", "whole"),
    [
        (AlwaysAll, 7, True),
        (AlwaysAll, 28, True),
        (AlwaysAll, 20, False),
        (AlwaysTen, 12, False),
        (AlwaysTwenty, 24, False),
        (AlwaysTwenty, 18, True),
        (ClampedToTheLast, 10, False),
        (ClampedToTheLast, 20, True),
        (ClampedToTheLast, 28, True),
    ],
)
def test_a_page_that_does_not_change_is_whole_unless_it_may_be_cut(
    service: type[Service], count: int, whole: bool
) -> None:
    with subject_of(service) as subject:
        expected = list(range(1, count + 1)) if whole else None
        assert read(subject, count) == expected


def test_one_page_with_no_room_for_more_is_not_taken_for_a_history() -> None:
    with subject_of(TenAtMost) as subject:
        id = subject.open()
        for amount in range(1, 13):
            subject.one(Op("add", 0, amount), [id])
        assert subject.one(Op("history"), [id]).entries is None


class Accepts(Service):
    """An add is accepted, and done when it is time."""

    waiting: list[Callable[[], Answer]]
    is_done_by_history = False

    def add(self, body: Json) -> Answer:
        self.waiting.append(partial(super().add, body))
        return as_json(202, {})

    def history(self, wallet_id: str, request: Request) -> Answer:
        if self.is_done_by_history:
            self.work()
        return super().history(wallet_id, request)

    @classmethod
    def work(cls) -> None:
        while cls.waiting:
            cls.waiting.pop()()


class DoneByHistory(Accepts):
    is_done_by_history = True


ADDS = Plan((0,), (tuple(Lane((Op("add", 0, amount),)) for amount in (1, 2, 4)),))


def test_what_is_done_between_balance_and_history_is_no_contradiction() -> None:
    DoneByHistory.waiting = []
    with subject_of(DoneByHistory) as subject:
        record = subject.play(ADDS)
    assert record.rest == (7,)
    assert wrong_history(record) is None


def test_what_is_done_later_is_in_the_histories_that_are_read_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Accepts.waiting = []
    with subject_of(Accepts) as subject:
        before = subject.play(ADDS)
        monkeypatch.setattr(subject, "pause", Accepts.work)
        record = subject.later(before)
    assert (before.rest, before.entries) == ((0,), ((),))
    assert record.rest == (7,) and len(record.entries[0] or ()) == 3
    assert wrong_history(record) is None
