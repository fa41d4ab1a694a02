"""The code of the walkthrough is wrong as long as a stage says so, and then right."""

from __future__ import annotations

import doctest
import random
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.concurrency.one_file import OneFile
from tests.server import TIMEOUT_SECONDS
from tests.walkthrough import code_after, main, stages

ADDED, LOST, LOCKED, CROSSING, SORTED, CRASHED, RESTORED, KEYED, HTTP, LAST = (
    *(2, 3, 4, 5, 6, 7, 8, 9, 11, 12),
)

Load = Callable[[int], Any]


def written(tmp_path: Path, stage: int) -> Path:
    """Return the file that the command writes for a stage."""
    path = tmp_path / "wallet.py"
    assert main([str(stage), str(path), "--force"]) == 0
    return path


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Return what runs the file as it is after a stage, as `python -i` does."""

    def run(stage: int) -> Any:
        module = ModuleType("__main__")
        exec(
            compile(written(tmp_path, stage).read_text(), "wallet", "exec"),
            vars(module),
        )
        return module

    return run


# The command


def test_the_command_lists_the_stages(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in [], ["--list"]:
        assert main(arguments) == 0
        title, *rows = capsys.readouterr().out.splitlines()
        assert title.split() == ["stage", "minutes", "lines", "to", "type"]
        assert [row.split()[0] for row in rows] == [
            str(stage.number) for stage in stages()[1:]
        ]


def test_the_command_writes_a_stage_and_overwrites_nothing_unasked(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "wallet.py"
    assert main(["4"]) == 0
    assert capsys.readouterr().out == "wallet.py is as after stage 4, The lock.\n"
    assert path.read_text() == code_after(LOCKED)
    path.write_text("mine")
    assert main(["4"]) == 1
    assert (
        capsys.readouterr().err == "wallet.py exists already; --force overwrites it.\n"
    )
    assert path.read_text() == "mine"
    assert main(["5", "--force"]) == 0
    assert path.read_text() == code_after(CROSSING)


@pytest.mark.parametrize("stage", ["0", "99", "x"])
def test_the_command_refuses_what_is_no_stage(
    stage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([stage])
    assert "invalid" in capsys.readouterr().err


# The sessions


@pytest.mark.parametrize(
    "number", [stage.number for stage in stages() if stage.fences("pycon")]
)
def test_a_session_answers_what_is_shown(number: int, load: Load) -> None:
    for _, session in stages()[number].fences("pycon"):
        example = doctest.DocTestParser().get_doctest(
            session, {}, f"stage {number}", "WALKTHROUGH.md", 0
        )
        example.globs = load(number).__dict__  # no copy: a session may replace a name
        printed: list[str] = []
        result = doctest.DocTestRunner().run(example, out=printed.append)
        assert result.attempted and not result.failed, "".join(printed)


# What is wrong, and from which stage on it is right

ADD, DEDUCT = "add('asha', 60)", "deduct('asha', 60)"
THERE, BACK = "transfer('asha', 'ravi', 60)", "transfer('ravi', 'asha', 60)"
KEPT = "once('k', lambda keep: add('asha', 60, keep))"


@pytest.mark.parametrize(
    ("calls", "stage", "wrong"),
    [
        ([ADD, ADD], ADDED, "60 is lost: asha should have 220 and has 160"),
        ([ADD, ADD], LOST, "60 is lost: asha should have 220 and has 160"),
        ([ADD, ADD], LOCKED, None),
        ([ADD, ADD], LAST, None),
        ([DEDUCT, DEDUCT], LOST, "20 is spent that was not there: asha"),
        ([DEDUCT, DEDUCT], LOCKED, None),
        ([DEDUCT, DEDUCT], LAST, None),
        ([THERE, BACK], CROSSING, "Deadlock: every thread waits for ever"),
        ([THERE, BACK], SORTED, None),
        ([THERE, BACK], LAST, None),
        ([KEPT, KEPT], KEYED, None),
        ([KEPT, KEPT], LAST, None),
    ],
)
def test_a_bug_is_found_until_the_stage_that_mends_it(
    tmp_path: Path, calls: list[str], stage: int, wrong: str | None
) -> None:
    failure = OneFile(written(tmp_path, stage), calls).failure(preemptions=1)
    if wrong is None:
        assert failure is None
    else:
        assert failure is not None and failure.wrong is not None
        assert re.search(wrong, failure.wrong)


@pytest.mark.parametrize(
    ("line", "instead", "calls"),
    [
        ("held.enter_context(wallet)", "pass", [DEDUCT, DEDUCT]),
        ("key=lambda w: w.id", "key=lambda w: 0", [THERE, BACK, "audit()"]),
        ("with keys_lock:", "if True:", [KEPT, KEPT]),
    ],
)
def test_a_line_that_somebody_spoils_is_missed(
    tmp_path: Path, line: str, instead: str, calls: list[str]
) -> None:
    said = " ".join(stages()[LAST].text.split())
    assert f'"{instead}" in place of `{line}`' in said
    path = written(tmp_path, LAST)
    code = path.read_text()
    assert line in code
    path.write_text(code.replace(line, instead))
    assert OneFile(path, calls).failure(preemptions=1) is not None


@pytest.mark.parametrize(
    ("stage", "left"), [(CRASHED, 40), (RESTORED, 100), (LAST, 100)]
)
def test_a_crash_half_way_loses_money_until_there_is_a_mark(
    load: Load, stage: int, left: int
) -> None:
    wallet = load(stage)
    asha, ravi = wallet.create("asha"), wallet.create("ravi")
    wallet.add("asha", 100)
    new_id = wallet.uuid4
    for _ in range(2):  # the second time shows that no lock was leaked
        wallet.uuid4 = iter(["the reference", "the debit"]).__next__
        with pytest.raises(StopIteration):
            wallet.transfer("asha", "ravi", 60)
        assert (asha.balance, ravi.balance) == (left, 0)
        assert len(asha.history) == (1 if left == 100 else 2)
        assert ravi.history == []
        asha.balance, asha.history[1:] = 100, []
    wallet.uuid4 = new_id
    wallet.transfer("asha", "ravi", 60)
    assert (asha.balance, ravi.balance) == (40, 60)


@pytest.mark.parametrize("stage", range(CROSSING, LAST + 1))
def test_a_transfer_moves_money_from_its_stage_on(load: Load, stage: int) -> None:
    wallet = load(stage)
    asha, ravi = wallet.create("asha"), wallet.create("ravi")
    wallet.add("asha", 100)
    for source, target, amount in (("asha", "ravi", 60), ("ravi", "asha", 10)):
        sent, received = wallet.transfer(source, target, amount)
        assert (sent.wallet_id, received.wallet_id) == (source, target)
        assert sent.reference_id == received.reference_id is not None
    assert (asha.balance, ravi.balance) == (50, 50)
    assert [each.balance_after for each in asha.history] == [100, 40, 50]
    assert [each.balance_after for each in ravi.history] == [60, 50]


# The finished file


def test_the_finished_file_refuses_what_the_exercise_refuses(load: Load) -> None:
    wallet = load(LAST)
    asha, ravi = wallet.create("asha"), wallet.create("ravi")
    wallet.add("asha", 100)
    refused: list[Callable[[], object]] = [
        lambda: wallet.create("asha"),
        lambda: wallet.add("asha", 0),
        lambda: wallet.add("asha", 1.0),
        lambda: wallet.add("nobody", 1),
        lambda: wallet.deduct("asha", -1),
        lambda: wallet.deduct("asha", 101),
        lambda: wallet.transfer("asha", "ravi", 101),
        lambda: wallet.transfer("asha", "ravi", 0),
        lambda: wallet.transfer("asha", "asha", 1),
        lambda: wallet.add("asha", 2**53 - 100),
    ]
    for call in refused:
        with pytest.raises(wallet.Refused):
            call()
        assert (asha.balance, ravi.balance) == (100, 0)
        assert (len(asha.history), len(ravi.history)) == (1, 0)
    wallet.add("asha", 2**53 - 101)
    assert asha.balance == 2**53 - 1


def test_a_key_of_the_finished_file_runs_once_and_is_free_after_a_crash(
    load: Load,
) -> None:
    wallet = load(LAST)
    asha, ravi = wallet.create("asha"), wallet.create("ravi")
    wallet.add("asha", 100)

    def send(keep: Any) -> object:
        return wallet.transfer("asha", "ravi", 60, keep)

    new_id, wallet.uuid4 = wallet.uuid4, iter(["the reference"]).__next__
    with pytest.raises(StopIteration):
        wallet.once("rent", send)
    assert (asha.balance, len(asha.history)) == (100, 1)
    wallet.uuid4 = new_id
    first = wallet.once("rent", send)
    assert wallet.once("rent", send) == first
    assert (asha.balance, ravi.balance) == (40, 60)


def test_the_finished_file_answers_the_requests_of_the_exercise(load: Load) -> None:
    client = load(LAST).app.test_client()

    def post(path: str, **body: object) -> tuple[int, Any]:
        answer = client.post(f"/wallet/{path}", json=body)
        return answer.status_code, answer.json

    for user in ("asha", "ravi"):
        assert post("create", userId=user) == (201, {"id": user})
    assert post("create", userId="asha")[0] == 409
    assert post("add", walletId="asha", amount=100)[0] == 200
    assert post("add", walletId="asha", amount=0)[0] == 400
    assert post("add", walletId="nobody", amount=1)[0] == 404
    assert post("deduct", walletId="asha", amount=101)[0] == 400
    assert post("deduct", walletId="asha", amount=10)[0] == 200
    there = {"fromWalletId": "asha", "toWalletId": "ravi", "amount": 60}
    status, (sent, received) = post("transfer", **there)
    assert status == 200
    assert sent["reference_id"] == received["reference_id"]
    assert post("transfer", **{**there, "toWalletId": "asha"})[0] == 400
    assert client.get("/wallet/asha").json == {"id": "asha", "balance": 30}
    path = "/wallet/asha/transactions"
    types = [each["type"] for each in client.get(path).json]
    assert types == ["TRANSFER_OUT", "DEBIT", "CREDIT"]
    assert [each["amount"] for each in client.get(f"{path}?type=DEBIT").json] == [10]
    (oldest,) = client.get(f"{path}?limit=2&page=2").json
    assert oldest["type"] == "CREDIT"


@pytest.mark.slow
def test_the_finished_file_outlives_a_storm_of_threads(load: Load) -> None:
    wallet = load(LAST)
    names = ["asha", "mei", "omar", "ravi"]
    for name in names:
        wallet.create(name)
        wallet.add(name, 100)
    came, problems, unexpected = [100 * len(names)], [], list[Exception]()

    def work(seed: int) -> None:
        chance = random.Random(seed)
        try:
            for _ in range(200):
                source, target = chance.sample(names, 2)
                amount = chance.randint(1, 120)
                try:
                    match chance.randrange(8):
                        case 0:
                            wallet.add(source, amount)
                            came.append(amount)
                        case 1:
                            wallet.deduct(source, amount)
                            came.append(-amount)
                        case 2:
                            problems.extend(wallet.audit())
                        case _:
                            wallet.transfer(source, target, amount)
                except wallet.Refused:
                    pass
        except Exception as error:  # noqa: BLE001 - the test compares it
            unexpected.append(error)

    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(8)]
    with switching_often():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT_SECONDS)
            assert not thread.is_alive(), "waits forever"
    assert not unexpected and not problems
    assert wallet.audit() == []
    assert sum(wallet.wallets[name].balance for name in names) == sum(came)
    for name in names:
        history = wallet.wallets[name].history
        assert len(history) > 50
        assert min(each.balance_after for each in history) >= 0


@contextmanager
def switching_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def test_the_audit_of_the_finished_file_finds_each_kind_of_corruption(
    load: Load,
) -> None:
    def lose_a_side(wallet: Any) -> None:
        del wallet.wallets["ravi"].history[:]
        wallet.wallets["ravi"].balance = 0

    def lose_a_transaction(wallet: Any) -> None:
        del wallet.wallets["asha"].history[0]

    def lose_money(wallet: Any) -> None:
        wallet.wallets["ravi"].balance -= 1

    for corrupt, found in (
        (lose_a_side, "has one side"),
        (lose_a_transaction, "asha has 40, its history says -60"),
        (lose_money, "ravi has 59, its history says 60"),
    ):
        wallet = load(LAST)
        for name in ("asha", "ravi"):
            wallet.create(name)
        wallet.add("asha", 100)
        wallet.transfer("asha", "ravi", 60)
        assert wallet.audit() == []
        corrupt(wallet)
        assert any(found in problem for problem in wallet.audit())
