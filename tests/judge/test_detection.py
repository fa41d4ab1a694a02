"""Each dialect is found out without an adapter, and confirmed by the balances."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from tests.judge.__main__ import main
from tests.judge.arithmetic.calls import Entry, Op
from tests.judge.arithmetic.verdicts import Verdict
from tests.judge.servers.dialects import DIALECTS
from tests.judge.servers.running import running
from tests.judge.wire.adapter import (
    Adapter,
    Call,
    History,
    Key,
    read_adapter,
    write_adapter,
)
from tests.judge.wire.client import Client, Limits, Origin
from tests.judge.wire.detection import detect
from tests.judge.wire.setup import NoFit, walk
from tests.judge.wire.subject import Subject

pytestmark = pytest.mark.server

SECONDS = 30
WITHOUT_HISTORY = {"dialect-rest-fund", "dialect-transfers", "dialect-operation"}
WITHOUT_TRANSFERS = {"dialect-operation", "dialect-signed"}
WITHOUT_ADDS = {"dialect-transfers"}
IN_TENS = {"dialect-terse", "dialect-other-history"}
"""Their pages have at most ten entries."""
IN_CENTS = {"dialect-rest-topup", "dialect-accounts-opening"}


@contextmanager
def served(name: str) -> Iterator[Subject]:
    with running(name) as url:
        port = urlsplit(url).port
        assert port is not None
        limits = Limits(5_000, time.monotonic_ns() + SECONDS * 10**9)
        client = Client(Origin("127.0.0.1", port), limits)
        try:
            yield Subject(client, Adapter())
        finally:
            client.close()


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_is_found_out(name: str) -> None:
    with served(name) as subject:
        detect(subject)
        adapter = subject.adapter
        assert subject.offers("transfer") is (name not in WITHOUT_TRANSFERS)
        assert subject.offers("add", "deduct") is (name not in WITHOUT_ADDS)
        assert subject.offers("history") is (name not in WITHOUT_HISTORY)
        assert adapter.scale == (2 if name in IN_CENTS else 0)
        assert adapter.history.limit == (10 if name in IN_TENS else 20)
        assert set(subject.unknown) == {
            kind
            for kind in ("add", "deduct", "transfer", "history")
            if not subject.offers(kind)
        }
        assert read_adapter(write_adapter(adapter)) == adapter
        id = subject.open(20)
        before = len(subject.history(id) or ())
        if subject.offers("add", "deduct"):
            subject.one(Op("add", 0, 700), [id])
            subject.one(Op("deduct", 0, 50), [id])
            assert subject.read(id) == 670
        if subject.offers("history"):
            history = subject.history(id)
            assert history is not None
            changes = [entry.change for entry in history[before:]]
            assert changes == [700, -50]
            assert history[-1].after in (670, None)


def test_the_exercise_needs_no_adapter(capsys: pytest.CaptureFixture[str]) -> None:
    with running("right") as url:
        assert main(["detect", url]) == 0
    said = capsys.readouterr().out
    assert said == "# as the exercise says: no adapter is needed\n"
    assert read_adapter(said) == Adapter()


def test_what_is_no_wallet_server_has_no_adapter() -> None:
    with served("redirect") as subject, pytest.raises(NoFit, match="no request was"):
        detect(subject)


def test_an_entry_is_a_change_and_what_it_left() -> None:
    with served("dialect-accounts-opening") as subject:  # its history is CSV
        detect(subject)
        id = subject.open(500)
        subject.one(Op("deduct", 0, 150), [id])
        history = subject.history(id)
        assert history is not None
        assert history[-1] == Entry(-150, 350)


def test_what_was_not_found_is_unknown_and_not_clean() -> None:
    with served("dialect-signed") as subject:
        found = detect(subject)
        said = "no transfer request was found: give --adapter"
        assert subject.left_out(["add", "transfer"]) == (Verdict.UNKNOWN, said)
        assert found.notes[0].startswith(said)


def test_detect_says_what_it_did_not_find(capsys: pytest.CaptureFixture[str]) -> None:
    with running("dialect-operation") as url:
        assert main(["detect", url]) == 0
    said = capsys.readouterr().out
    assert said.startswith("# no transfer and no history request was found")
    assert not read_adapter(said).transfer.request


def test_what_an_adapter_does_not_offer_is_skipped() -> None:
    with served("right") as subject:
        subject.adapter = Adapter(transfer=Call())
        assert subject.left_out(["transfer"]) == (
            Verdict.SKIPPED,
            "not offered: transfer",
        )
        assert subject.left_out(["add"]) is None


def test_a_history_that_cannot_be_read_is_unknown() -> None:
    with served("right") as subject:
        subject.adapter = Adapter(history=History(request="GET /nowhere/{wallet}"))
        assert "the history cannot be read" in walk(subject).notes
        assert subject.left_out(["history"]) == (
            Verdict.UNKNOWN,
            "the history cannot be read",
        )


def test_a_key_is_a_uuid_with_dashes() -> None:
    with served("right") as subject:
        subject.adapter = Adapter(key=Key(is_required=True))
        request = subject.asked(Op("add", 0, 5), ["none"])
        key = dict(request.headers)["Idempotency-Key"]
        assert key == str(UUID(key))
