"""Attack a server and print what held. Exit with 0 if all did, 1 if something did not,
2 if something could not be judged, 3 for a wrong command."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from textwrap import fill, shorten
from typing import NoReturn

from tests.attacks.arena import Arena, own_arena
from tests.attacks.families import ATTACKS
from tests.attacks.judge import Outcome, Row, judged, line
from tests.attacks.soak import soak
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
    parser.add_argument(
        "--rate",
        type=float,
        default=0.0,
        help="requests of the good clients a second; default: as many as are answered",
    )
    parser.add_argument(
        "--soak", type=float, metavar="MINUTES", help="everything at once, for minutes"
    )
    given = parser.parse_args()
    if not 0 <= given.rate <= 10_000:
        parser.error("--rate is from 0 to 10000")
    if given.soak is not None and not 0.1 <= given.soak <= 24 * 60:
        parser.error("--soak is from 0.1 to 1440")
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


def rows(given: argparse.Namespace) -> Iterator[Row]:
    """Make the attacks in turn. A server of our own that did not hold is replaced."""
    with ExitStack() as servers:
        arena: Arena | None = None
        for attack in given.attacks:
            if attack.starts_server:
                target = given.address or Target("127.0.0.1", 0)
                yield judged(attack, Arena(target, given.seconds))
                continue
            try:
                arena = arena or _new_arena(given, servers)
            except (AssertionError, OSError) as why:
                yield Row(attack.name, Outcome.NOT_JUDGED, f"no server: {why}")
                continue
            row = judged(attack, arena)
            yield row
            if row.outcome is Outcome.NOT_HELD:
                arena = None
                with suppress(subprocess.TimeoutExpired):
                    servers.close()


def _new_arena(given: argparse.Namespace, servers: ExitStack) -> Arena:
    """Prepare the given server, or one of our own that ends with the stack."""
    if given.address is None:
        arena = servers.enter_context(own_arena(given.seconds))
    else:
        arena = Arena(given.address, given.seconds)
        arena.prepare()
    arena.good_rate = given.rate
    return arena


def main() -> int:
    given = options()
    if given.list:
        print("\n".join(attack.name for attack in ATTACKS))
        return 0
    if given.soak is not None:
        return soak(given.address, given.soak, given.attacks)
    print(line(Row.HEADINGS))
    outcomes = set()
    for row in rows(given):
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
