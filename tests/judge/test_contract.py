"""Each case passes with a right server, and convicts one with its bug."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.judge.arithmetic.verdicts import Result, Verdict
from tests.judge.broken import BROKEN, STOPS
from tests.judge.contract import contract
from tests.judge.contract.bench import Bench
from tests.judge.wire.adapter import Adapter
from tests.judge.wire.client import Client, Limits, Origin
from tests.judge.wire.subject import Subject

LIMIT_SECONDS = 20.0
TIMEOUT_SECONDS = 10.0
HANGING = {"lock-leaked-on-bad-input": 0.5, "hangs-in-history": 0.5}
"""The time-outs of those that never answer something."""

FAIL, WEAK, INFO, PASS = Verdict.FAIL, Verdict.WEAK, Verdict.INFO, Verdict.PASS
UNKNOWN = Verdict.UNKNOWN


@contextmanager
def subject_of(name: str) -> Iterator[Subject]:
    with BROKEN[name].listening() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        ends_ns = time.monotonic_ns() + int(LIMIT_SECONDS * 1e9)
        origin = Origin("127.0.0.1", server.server_port)
        timeout = HANGING.get(name, TIMEOUT_SECONDS)
        client = Client(origin, Limits(5_000, ends_ns), (), timeout)
        try:
            yield Subject(client, Adapter())
        finally:
            client.close()
            server.shutdown()
            thread.join(LIMIT_SECONDS)


def found(name: str, *wanted: str) -> dict[str, Result]:
    """Return what the cases come to that begin with one of these."""
    names = tuple(f"contract/{each}" for each in wanted)
    with subject_of(name) as subject:
        bench = Bench(subject, looks=(), back_seconds=0)
        ran = contract.judged(
            bench, lambda each: each.startswith(names), lambda _: None
        )
        return {each.probe.removeprefix("contract/"): each for each in ran}


def test_a_right_server_passes_every_case() -> None:
    ran = found("right", "")
    assert len(ran) == len(contract.CASES) > 90
    assert {each.verdict for each in ran.values()} == {PASS}


AMOUNTS = ("text", "true", "null", "list", "nan")
RULES = (
    "add/zero add/negative deduct/zero deduct/negative deduct/beyond-balance "
    "transfer/zero transfer/negative transfer/beyond-balance transfer/to-itself"
)
NOBODY = (
    "add/unknown-wallet deduct/unknown-wallet transfer/to-nobody transfer/from-nobody "
    "read/unknown-wallet history/unknown-wallet bad-input/read-no-uuid "
    "bad-input/read-quotes bad-input/read-nul bad-input/read-long-id "
    "bad-input/add-no-uuid bad-input/add-quotes bad-input/transfer-no-uuid"
)
QUERIES = (
    "history/limit-0 history/limit-negative history/limit-text history/limit-huge "
    "history/page-0 history/page-huge history/type-unknown"
)
USERS = "create/no-user create/null-user create/empty-user create/object-user"
NAMED = "add/unknown-wallet deduct/beyond-balance transfer/to-nobody create/again"
BODIES = "bad-input/no-json bad-input/no-body bad-input/list-body bad-input/null-body"
OTHERS = " ".join(
    f"bad-input/{kind}-{each}" for kind in ("deduct", "transfer") for each in AMOUNTS
)
NUMBERS = " ".join(f"bad-input/add-{each}" for each in AMOUNTS)
PRECISE = "precision/int53 precision/int64 precision/thirty-digits"
TENTHS = "precision/tenths precision/tenths-left"
FIELDS = "bad-input/key-twice bad-input/unknown-field bad-input/prototype"

CONVICTED = [
    ("any-amount", FAIL, RULES),
    ("made-when-looked-for", FAIL, NOBODY),
    ("errors-are-500", FAIL, NAMED),
    ("errors-are-500", WEAK, f"add/zero {NUMBERS} bad-input/add-brackets"),
    ("errors-are-500", WEAK, "bad-input/read-dots bad-input/read-path"),
    ("refusals-are-422", WEAK, NAMED),
    ("get-or-create", WEAK, "create/again"),
    ("creates-again", FAIL, "create/again"),
    ("resets-on-create", FAIL, "create/again"),
    ("starts-with-bonus", FAIL, "create/new"),
    ("one-for-all", FAIL, "create/two-users"),
    ("any-user", WEAK, USERS),
    ("no-fields", WEAK, "create/fields"),
    ("nothing-happens", FAIL, "add/raises deduct/lowers"),
    ("never-empty", FAIL, "deduct/to-zero transfer/everything"),
    ("fee", FAIL, "transfer/moves"),
    ("half-transfer", FAIL, "transfer/to-nobody bad-input/transfer-no-uuid"),
    ("javascript", FAIL, f"{NUMBERS} bad-input/add-object bad-input/add-1e400"),
    ("javascript", FAIL, f"{OTHERS} bad-input/add-negative-text"),
    ("string-concatenation", FAIL, "bad-input/add-text"),
    ("lenient", FAIL, f"{BODIES} bad-input/deep-body bad-input/add-no-amount"),
    ("lenient", FAIL, "bad-input/no-unicode"),
    ("twice", FAIL, "bad-input/method bad-input/content-type"),
    ("takes-fields", FAIL, f"{FIELDS} bad-input/megabyte"),
    ("rounds", WEAK, "bad-input/add-fraction"),
    ("rounds", INFO, "bad-input/add-1.0 bad-input/add-1e3"),
    ("float", FAIL, f"precision/int53 precision/int64 {TENTHS}"),
    ("any-money", FAIL, PRECISE),
    ("int32", FAIL, "precision/int32 precision/int32-received"),
    ("oldest-first", FAIL, "history/latest-first"),
    ("no-query", FAIL, "history/pages history/type-filter"),
    ("never-the-last", FAIL, "history/pages"),
    ("queries-are-500", WEAK, QUERIES),
    ("unlinked", FAIL, "history/linked"),
    ("other-types", WEAK, "history/types"),
    ("wrong-after", FAIL, "history/balance-after"),
    ("no-debits", FAIL, "history/complete"),
    ("entries-after-answer", FAIL, "history/complete"),
]


NOT_CONVICTED = {"add/key-twice"}
"""Keys are not in the exercise: who has none skips it."""


def test_each_case_is_seen_to_convict() -> None:
    names = {case.name.removeprefix("contract/") for case in contract.CASES}
    seen = {each for _, _, cases in CONVICTED for each in cases.split()}
    assert names - NOT_CONVICTED == seen


@pytest.mark.parametrize(
    ("name", "verdict", "cases"),
    CONVICTED,
    ids=[f"{name}-{verdict}" for name, verdict, _ in CONVICTED],
)
def test_a_bug_is_convicted_by_its_cases(
    name: str, verdict: Verdict, cases: str
) -> None:
    wanted = cases.split()
    ran = found(name, *wanted)
    said = {each: (ran[each].verdict, ran[each].sentence) for each in wanted}
    assert dict.fromkeys(wanted, verdict) == {each: said[each][0] for each in wanted}, (
        said
    )
    if verdict is FAIL:
        assert all(ran[each].is_must and ran[each].curl for each in wanted)


def test_exact_amounts_of_any_size_are_right() -> None:
    ran = found("no-bounds", "precision")
    assert {ran[each].verdict for each in PRECISE.split()} == {PASS}


def test_a_key_that_means_nothing_is_not_judged() -> None:
    assert found("key-run-twice", "add/key-twice")["add/key-twice"].verdict is PASS
    ran = found("no-keys", "add/key-twice")
    assert ran["add/key-twice"].verdict is Verdict.SKIPPED


@pytest.mark.slow
def test_a_leaked_lock_is_convicted_once_and_not_risked_again() -> None:
    began = time.monotonic()
    ran = found("lock-leaked-on-bad-input", "add/zero", "bad-input/add", "read")
    assert ran["add/zero"].verdict is FAIL
    assert "not answered, twice" in ran["add/zero"].sentence
    assert len(ran["add/zero"].curl) == 2
    assert ran["read/unknown-wallet"].verdict is PASS
    risked = [each for each in ran if each.startswith("bad-input/add")]
    assert {ran[each].verdict for each in risked} == {UNKNOWN}
    assert time.monotonic() - began < LIMIT_SECONDS


def test_a_server_that_died_is_convicted_and_the_rest_is_unknown() -> None:
    ran = found("stops-listening", "read/", "bad-input/read", "bad-input/add-no")
    assert ran["read/unknown-wallet"].verdict is PASS
    first, *others = (each for each in ran if each.startswith("bad-input/read"))
    assert ran[first].verdict is FAIL and "no more connections" in ran[first].sentence
    assert {ran[each].verdict for each in others} == {UNKNOWN}


def test_a_server_that_somebody_starts_anew_is_not_convicted() -> None:
    ran = found("restarted-once", "read/", "bad-input/read")
    first, *others = (each for each in ran if each.startswith("bad-input/read"))
    assert (ran[first].verdict, ran[first].sentence) == (
        UNKNOWN,
        "the server was restarted while it was tried",
    )
    assert {ran[each].verdict for each in others} == {PASS}
    ran = found("restarted-always", "bad-input/read-no-uuid")
    assert ran["bad-input/read-no-uuid"].verdict is FAIL


@pytest.mark.parametrize("requests", STOPS)
def test_wherever_a_server_dies_nothing_else_is_said_of_it(requests: int) -> None:
    ran = found(f"stops-after-{requests}", "")
    failed = [each.sentence for each in ran.values() if each.verdict is FAIL]
    assert failed and all(each.startswith("after it ") for each in failed)
    assert {each.verdict for each in ran.values()} == {PASS, FAIL, UNKNOWN}


def test_a_limit_of_requests_is_one_sentence_and_soon_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(contract, "BUSY_SECONDS", 0.0)
    with subject_of("limited") as subject:
        bench = Bench(subject, looks=(), back_seconds=0)
        ran = list(contract.judged(bench, lambda _: True, lambda _: None))
        assert subject.client.limited < 40
    said = {each.sentence for each in ran if each.verdict is UNKNOWN}
    assert said == {"the server limits requests (429): switch that off"}
    assert not [each for each in ran if each.verdict in (FAIL, WEAK)]


def test_what_is_said_is_what_came() -> None:
    ran = found("evasive", "bad-input/add-true", "bad-input/read-dots")
    assert [(each.verdict, each.sentence) for each in ran.values()] == [
        (WEAK, 'acknowledged, and nothing moved: 200: {"note": "ignored"}'),
        (INFO, "answered 307; nothing moved"),
    ]
    (lost,) = found("loses-one-answer", "add/zero").values()
    assert lost.verdict is UNKNOWN
    assert "a valid add of 1 after it had no answer (the connection" in lost.sentence


@pytest.mark.slow
def test_a_history_that_is_never_answered_does_not_take_all_the_time() -> None:
    began = time.monotonic()
    ran = found("hangs-in-history", "history", "add", "deduct")
    others = [ran[each] for each in ran if not each.startswith("history")]
    assert {each.verdict for each in others} == {PASS}
    assert {each.verdict for each in ran.values()} <= {PASS, WEAK, UNKNOWN}
    assert time.monotonic() - began < LIMIT_SECONDS


def test_a_success_that_says_it_failed_is_one_line() -> None:
    ran = found("ok-with-failing-status", "add", "deduct", "create")
    weak = [name for name, each in ran.items() if each.verdict is not PASS]
    assert weak == ["statuses"]
    assert ran["statuses"].verdict is WEAK and not ran["statuses"].is_must


@pytest.mark.slow
def test_who_counts_requests_is_given_a_moment() -> None:
    ran = found("rate-limit", "add", "deduct", "transfer", "history", "precision")
    verdicts = [each.verdict for each in ran.values()]
    assert set(verdicts) <= {PASS, UNKNOWN}
    assert verdicts.count(PASS) > verdicts.count(UNKNOWN)


def test_work_that_is_done_later_is_waited_for() -> None:
    with subject_of("accepted-with-funds") as subject:
        wanted = ("contract/add/raises", "contract/history/")
        ran = list(contract.run(subject, lambda name: name.startswith(wanted), print))
    assert {each.verdict for each in ran} == {PASS}


def test_nothing_that_a_server_says_is_a_command_to_the_terminal() -> None:
    ran = found("escapes-in-errors", "deduct/beyond-balance", "create/again")
    for each in ran.values():
        assert each.verdict is FAIL and each.finding is not None
        assert "\\x1b" in each.finding.sums and each.finding.sums.isprintable()
        assert "x1b" not in each.sentence  # what they say is beside what it means
