"""What is printed: verdicts, and the smallest evidence of each failure."""

from __future__ import annotations

import io
import re

import msgspec
import pytest
from rich.console import Console

from tests.judge import samples
from tests.judge.arithmetic.calls import NOBODY, Entry, Op, Outcome
from tests.judge.arithmetic.verdicts import Result, Verdict
from tests.judge.reports.evidence import UNSEEN
from tests.judge.reports.report import Report
from tests.judge.reports.shown_calls import answered, asked
from tests.judge.reports.terminal import print_report
from tests.judge.wire.adapter import Adapter, Call, write_adapter

REST = Adapter(
    scale=2,
    add=Call("POST /wallets/{wallet}/deposit", '{"amount": "{amount}"}'),
    transfer=Call(
        "POST /transfers?dry=no", '{"from": "{from}", "to": "{to}", "op": "move"}'
    ),
)


def printed(
    report: Report, run_json: str | None = "run.json", columns: int = 80
) -> list[str]:
    file = io.StringIO()
    console = Console(file=file, width=columns, force_terminal=True, color_system=None)
    print_report(console, report, run_json)
    return file.getvalue().splitlines()


def is_copied(line: str) -> bool:
    """Tell whether a line is a command, which is never broken."""
    return line.lstrip().startswith(("curl ", "python -m "))


SHOWN = f"""\
FAIL    races/lost-update  two adds acknowledged, one is in the balance
                           in round 2, 100 % of 16 calls overlapped

     wallet 3f2a90c1 began at 0; acknowledged 1 + 2 = 3; at rest it holds 2: the
     add of 1 is lost
              connection 1                     connection 2
     0.00 ms  POST /wallet/add {{amount: 1}} ->
     0.04 ms                                   POST /wallet/add {{amount: 2}} ->
     1.90 ms  <- 200 balanceAfter 1
     1.95 ms                                   <- 200 balanceAfter 2
     likely: both read 0 before either wrote
     curl http://127.0.0.1:3000/wallet/add -d '{{"walletId": "{samples.IDS[0]}"}}'
     came back 7 of 10 times; see it again:
     python -m tests.judge replay run.json races/lost-update

Fix first
  1. money can be lost or made: two adds acknowledged, one is in the balance.
     races/lost-update
"""


def test_a_lost_update_is_shown_by_two_lanes_over_time() -> None:
    assert SHOWN in "\n".join(printed(samples.report(samples.LOST_UPDATE)))


def test_requests_and_answers_are_in_the_order_of_time() -> None:
    lines = printed(samples.report(samples.STALE_READ))
    assert [line.split("ms")[1].strip() for line in lines if " ms  " in line] == [
        "POST /wallet/add {amount: 4} ->",
        "<- 200 balanceAfter 4",
        "GET /wallet/3f2a90c1 ->",
        "<- 200 balance 0",
    ]


def test_a_call_that_takes_more_lines_has_its_time_once() -> None:
    lines = printed(samples.report(samples.HANG))
    at = next(i for i, line in enumerate(lines) if "0.00 ms" in line)
    assert lines[at : at + 2] == [
        "        0.00 ms  POST /wallet/transfer {from:",
        "                   3f2a90c1, to: 77b1d2e4,",
    ]


@pytest.mark.parametrize("columns", [20, 60, 80, 200])
@pytest.mark.parametrize("report", [samples.report(), samples.hostile()])
def test_no_line_is_wider_than_the_terminal(report: Report, columns: int) -> None:
    lines = [line for line in printed(report, columns=columns) if not is_copied(line)]
    assert max(map(len, lines)) <= max(60, min(columns, 100))


def test_nothing_from_a_server_controls_the_terminal() -> None:
    for line in printed(samples.hostile()):
        assert line.isprintable(), repr(line)
    text = "\n".join(printed(samples.hostile()))
    assert "[red]x[/red]" in text and "\\x1b[31m" in text and "\\u202e" in text


def test_each_verdict_is_counted_and_the_score_is_last() -> None:
    *_, counted, score, more = printed(samples.report())
    assert counted == "3 PASS, 4 FAIL, 1 WEAK, 1 INFO, 1 SKIPPED."
    assert score.startswith("Score: 0 of 100: money can be lost or made, it hangs or")
    assert more == "an answer is not as the exercise says"


def test_what_passes_of_one_group_of_the_contract_is_one_line() -> None:
    lines = printed(samples.report())
    assert [line for line in lines if "contract/" in line][:2] == [
        "PASS    contract/add           2 of 3 passed",
        "FAIL    contract/add/negative  an add of -1 was acknowledged",
    ]


def test_the_three_worst_are_to_be_fixed_first() -> None:
    lines = printed(samples.report())
    at = lines.index("Fix first")
    text = " ".join(line.strip() for line in lines[at : lines.index("", at)])
    found = re.findall(r"\d\. ([^:]+):", text)
    assert found == ["money can be lost or made", "it hangs or dies", "reads are wrong"]
    assert text.endswith("and 1 more")


def test_what_a_black_box_cannot_see_is_said() -> None:
    text = " ".join(line.strip() for line in printed(samples.report()))
    assert all(each in text for each in UNSEEN)
    assert "the history begins with the oldest entry" in text


def test_without_a_file_there_is_no_command_to_replay_it() -> None:
    text = "\n".join(printed(samples.report(samples.LOST_UPDATE), run_json=None))
    assert "came back 7 of 10 times" in text and "replay" not in text
    quoted = printed(samples.report(samples.LOST_UPDATE), run_json="a b;ls.json")
    assert any("replay 'a b;ls.json' races/lost-update" in line for line in quoted)


def test_a_wrong_history_is_shown_by_its_entries() -> None:
    many = tuple(samples.done(Op("add", 0, 1), lane) for lane in range(20))
    record = msgspec.structs.replace(
        samples.record((5,), many, (25,)),
        entries=((Entry(1, 6), Entry(1), *[Entry(1, 7)] * 17),),
    )
    text = "\n".join(printed(samples.report(samples.failed("races/history", record))))
    assert "history of 3f2a90c1, which began at 5: +1 = 6, +1, +1 = 7" in text
    assert text.count("+1") == 16 and "3 more" in text
    assert "connection" not in text


def test_an_interrupted_run_says_so() -> None:
    *_, counted, score = printed(samples.report(samples.HANG, is_whole=False))
    assert counted.endswith("The run was interrupted.")
    assert score == "Score: it hangs or dies; no score: interrupted"


def test_a_long_name_moves_its_sentence_only() -> None:
    name = "contract/bad-input/transfer-no-uuid"
    result = Result(name, Verdict.FAIL, "the sentence is long enough for two lines")
    lines = printed(samples.report(result, samples.HANG), columns=60)
    at = next(i for i, line in enumerate(lines) if name in line)
    assert lines[at : at + 2] == [
        f"FAIL    {name}  the sentence is",
        "                                   long enough for two lines",
    ]


def test_a_failure_that_is_no_must_says_so() -> None:
    result = Result("races/torn-transfer", Verdict.FAIL, "half", is_must=False)
    assert any(line.strip() == "no MUST" for line in printed(samples.report(result)))


@pytest.mark.parametrize(
    ("op", "count", "adapter", "words"),
    [
        (Op("add", 0, 1), 1, Adapter(), "POST /wallet/add {amount: 1}"),
        (Op("read"), 1, Adapter(), "GET /wallet/3f2a90c1"),
        (Op("history"), 1, Adapter(), "GET /wallet/3f2a90c1/transactions"),
        (Op("create"), 0, Adapter(), "POST /wallet/create {userId: user 1}"),
        (
            Op("deduct", 1, 7, key="one"),
            2,
            Adapter(),
            "POST /wallet/deduct {wallet: 77b1d2e4, amount: 7, key: one}",
        ),
        (
            Op("transfer", 0, 7, to=NOBODY),
            2,
            Adapter(),
            "POST /wallet/transfer {from: 3f2a90c1, to: nobody, amount: 7}",
        ),
        (Op("add", 0, 150), 1, REST, "POST /wallets/3f2a90c1/deposit {amount: 150}"),
        (
            Op("transfer", 0, 7, to=1),
            2,
            REST,
            "POST /transfers {from: 3f2a90c1, to: 77b1d2e4, op: move}",
        ),
    ],
)
def test_a_call_reads_as_its_adapter_makes_it(
    op: Op, count: int, adapter: Adapter, words: str
) -> None:
    assert asked(op, samples.IDS[:count], adapter) == words


def test_amounts_are_said_to_be_in_minor_units() -> None:
    report = samples.report(samples.LOST_UPDATE, adapter=write_adapter(REST))
    assert "     amounts are in minor units, 100 to the whole" in printed(report)


def test_an_answer_is_shown_by_what_it_says() -> None:
    read = samples.done(Op("read"), 0, 5)
    assert answered(read) == "200 balance 5"
    refused = samples.done(
        Op("deduct", 0, 7),
        0,
        status=409,
        outcome=Outcome.REFUSED,
        said='{"code": 409, "message": "not enough"}',
    )
    assert answered(refused) == "409 not enough"
    assert samples.HANG.record is not None
    assert answered(samples.HANG.record.done[0]) == "no answer: timed out after 5 s"
    created = samples.done(Op("create"), 0, id=samples.IDS[1])
    assert answered(created) == "200 id 77b1d2e4"
    history = samples.done(Op("history"), 0, entries=())
    assert answered(history) == "200 0 entries"
