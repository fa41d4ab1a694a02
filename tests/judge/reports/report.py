"""What a run found, as one value: every report is written from it."""

from __future__ import annotations

import json

import msgspec

from tests.judge.arithmetic.verdicts import Result, Verdict


class Report(msgspec.Struct, frozen=True):
    """One run against one server.

    `facts` are sentences about the server and the run. `is_whole` says that the run was
    not interrupted.
    """

    url: str
    adapter: str
    seed: int
    began: str
    seconds: float
    requests: int
    facts: tuple[str, ...]
    results: tuple[Result, ...]
    is_whole: bool = True
    only: tuple[str, ...] = ()
    """What was asked for, if not everything."""

    def exit_status(self, is_strict: bool = False) -> int:
        """Return 0: nothing that is a MUST failed; 1: something did; 2: not judged.

        A strict one also fails what is safe, but not as the exercise says.
        """
        musts = [each for each in self.results if each.is_must]
        wrong = {Verdict.FAIL, Verdict.WEAK} if is_strict else {Verdict.FAIL}
        if any(each.verdict in wrong for each in musts):
            return 1
        undecided = any(each.verdict is Verdict.UNKNOWN for each in musts)
        return 2 if undecided or not self.is_whole else 0


def read_report(text: bytes) -> Report:
    """Return the report that a JSON file has. Raises ValueError."""
    try:
        return msgspec.json.decode(text, type=Report)
    except msgspec.DecodeError as error:
        raise ValueError(f"this is no report of the judge: {error}") from error


def write_report(report: Report) -> bytes:
    """Return a report as JSON, with all that its verdicts need, in ASCII: no terminal
    takes what a server has said for a command."""
    return json.dumps(msgspec.to_builtins(report), indent=2).encode()
