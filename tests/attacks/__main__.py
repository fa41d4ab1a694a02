"""Attack a server and print what held. Exit with 0 if all did, 1 if something did not,
2 if something could not be judged, 3 for a wrong command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from textwrap import fill, shorten
from typing import NoReturn

from tests.attacks.arena import Arena, Attack, own_arena
from tests.attacks.families import ATTACKS
from tests.attacks.judge import Outcome, Row, judged, line
from tests.attacks.target import Target

SEEN_LENGTH = 400
INDENT = "    "


class Parser(argparse.ArgumentParser):
    """One that exits with 3, because 2 is an answer here."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(3, f"{self.prog}: {message}\n")


def address(text: str) -> Target:
    try:
        return Target.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def options() -> argparse.Namespace:
    parser = Parser(prog="python -m tests.attacks", description=__doc__)
    parser.add_argument(
        "address",
        nargs="?",
        type=address,
        help="http://127.0.0.1:PORT; a server of its own if not given",
    )
    parser.add_argument("--only", default="", metavar="NAME[,NAME]")
    parser.add_argument("--list", action="store_true", help="print the names")
    parser.add_argument(
        "--seconds",
        type=float,
        default=10.0,
        help="how long the long ones run; default: %(default)s",
    )
    given = parser.parse_args()
    if not 1 <= given.seconds <= 60:
        parser.error("--seconds is from 1 to 60")
    given.attacks = ATTACKS
    if given.only:
        by_name = {attack.name: attack for attack in ATTACKS}
        names = given.only.split(",")
        unknown = [name for name in names if name not in by_name]
        if unknown:
            parser.error(f"no such attack: {', '.join(unknown)}; see --list")
        given.attacks = tuple(by_name[name] for name in names)
    return given


def rows(
    attacks: Sequence[Attack], address: Target | None, seconds: float
) -> Iterator[Row]:
    """Make the attacks in turn. A server of our own that did not hold is replaced."""
    with ExitStack() as servers:
        arena: Arena | None = None
        for attack in attacks:
            if attack.starts_server:
                target = address or Target("127.0.0.1", 0)
                yield judged(attack, Arena(target, seconds))
                continue
            if arena is None and address is not None:
                arena = Arena(address, seconds)
                arena.prepare()
            elif arena is None:
                arena = servers.enter_context(own_arena(seconds))
            row = judged(attack, arena)
            yield row
            if row.outcome is Outcome.NOT_HELD and address is None:
                servers.close()
                arena = None


def main() -> int:
    given = options()
    if given.list:
        print("\n".join(attack.name for attack in ATTACKS))
        return 0
    print(line(Row.HEADINGS))
    outcomes = set()
    for row in rows(given.attacks, given.address, given.seconds):
        outcomes.add(row.outcome)
        print(line(row.cells()), flush=True)
        # All of it only where one looks for it.
        seen = row.seen if given.only else shorten(row.seen, SEEN_LENGTH)
        print(fill(seen, 110, initial_indent=INDENT, subsequent_indent=INDENT))
    if Outcome.NOT_HELD in outcomes:
        return 1
    return 2 if Outcome.NOT_JUDGED in outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
