"""Says whether a wallet server loses money. Exits with 0 if nothing failed that the
exercise asks for, 1 if something did, 2 if it could not be judged, 3 for a wrong
command."""

from __future__ import annotations

import argparse
import ipaddress
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from rich.console import Console

from tests.judge.arithmetic.verdicts import Result, Verdict
from tests.judge.probes import PROBES, is_probe
from tests.judge.races.offline import replayed
from tests.judge.reports import junit, matrix, page
from tests.judge.reports.report import Report, read_report, write_report
from tests.judge.reports.terminal import in_words, print_report
from tests.judge.session import (
    REQUESTS_MAX,
    NotJudged,
    Options,
    connected,
    fitting,
    judged,
)
from tests.judge.wire.adapter import read_adapter, write_adapter
from tests.judge.wire.client import CONNECTIONS_MAX, Origin, Spent
from tests.judge.wire.setup import NoFit
from tests.judge.wire.subject import Undecided

COMMANDS = """other commands:
  --list                          what each probe shows
  detect URL                      print the adapter that fits
  replay RUN.json PROBE           run the round that failed ten times more
  matrix A.json B.json ...        one table, probes by implementations
  self-test                       which of our broken servers each probe convicts
"""


HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token, as RFC 9110 says in section 5.6.2."""


class Parser(argparse.ArgumentParser):
    """One that exits with 3, because 2 is an answer here."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(3, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        match given[:1]:
            case ["detect"]:
                return _detect(given[1:])
            case ["replay"]:
                return _replay(given[1:])
            case ["matrix"]:
                return _matrix(given[1:])
            case ["self-test"]:
                return _self_test(given[1:])
            case ["--list"]:
                return _list()
        return _judge(given)
    except (NotJudged, NoFit, Spent, Undecided) as error:
        print(f"not judged: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 2
    except Exception:  # noqa: BLE001  # a defect of the judge convicts no server
        traceback.print_exc()
        return 2


# Commands


def _judge(arguments: Sequence[str]) -> int:
    parser = _parser("python -m tests.judge", __doc__ or "")
    parser.epilog = COMMANDS
    parser.add_argument(
        "--only", default="", metavar="PROBE[,…]", help="a probe, or a group: races"
    )
    parser.add_argument("--strict", action="store_true", help="WEAK counts as FAIL")
    for form in ("json", "junit", "html"):
        parser.add_argument(f"--{form}", type=Path, metavar="FILE")
    given = parser.parse_args(arguments)
    options = _options(parser, given)
    wide = Console(stderr=True)
    print(
        f"At most {REQUESTS_MAX:,} requests on at most {CONNECTIONS_MAX} connections "
        f"to {options.url}, in at most {options.seconds:.0f} s.",
        file=sys.stderr,
    )
    status = wide.status("") if wide.is_terminal else nullcontext()
    with status as shown:
        report = judged(
            options, lambda text: shown.update(text) if shown is not None else None
        )
    print_report(Console(), report, str(given.json) if given.json else None)
    _write(parser, given, report)
    return report.exit_status(given.strict)


def _write(parser: Parser, given: argparse.Namespace, report: Report) -> None:
    run_json = str(given.json) if given.json else None
    try:
        if given.json:
            given.json.write_bytes(write_report(report))
        if given.junit:
            given.junit.write_bytes(junit.write(report, run_json))
        if given.html:
            given.html.write_text(page.write(report, run_json), encoding="utf-8")
    except OSError as error:
        parser.error(f"{error.filename}: {error.strerror}")


def _detect(arguments: Sequence[str]) -> int:
    parser = _parser("python -m tests.judge detect", "Print the adapter that fits.")
    parser.set_defaults(only="")
    options = _options(parser, parser.parse_args(arguments))
    subject = connected(options)
    try:
        found = fitting(subject, options.adapter is not None)
    finally:
        subject.client.close()
    for note in found.notes:
        print(f"# {note}")
    adapter = write_adapter(subject.adapter)
    print(adapter or "# as the exercise says: no adapter is needed\n", end="")
    return 0


def _replay(arguments: Sequence[str]) -> int:
    """0: it never failed again; 1: it did."""
    parser = Parser(
        prog="python -m tests.judge replay",
        description="Run the round that failed again, and say how often it fails.",
    )
    parser.add_argument("run", type=_report, metavar="RUN.json")
    parser.add_argument("probe")
    parser.add_argument("--i-own", metavar="HOST", default="")
    _add_header(parser)
    given = parser.parse_args(arguments)
    origin, base = _origin(parser, given.run.url, given.i_own)
    options = Options(
        origin,
        base,
        adapter=read_adapter(given.run.adapter),
        seed=given.run.seed,
        headers=_headers(parser, given.header),
    )
    subject = connected(options)
    try:
        came, tried = replayed(given.run, given.probe, subject)
    except ValueError as error:
        parser.error(str(error))
    if came:
        record, finding = came[-1]
        result = Result(
            given.probe, Verdict.FAIL, finding.sentence, finding=finding, record=record
        )
        print(in_words(given.run, result, None))
    print(f"{given.probe} failed {len(came)} of {tried} times")
    if not tried:
        return 2
    return 1 if came else 0


def _matrix(arguments: Sequence[str]) -> int:
    parser = Parser(
        prog="python -m tests.judge matrix",
        description="Print one table of several runs.",
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN.json")
    paths = parser.parse_args(arguments).runs
    try:
        reports = {str(path): _report(path) for path in paths}
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))
    Console().print(matrix.table(reports))
    return 0


def _self_test(arguments: Sequence[str]) -> int:
    from tests.judge import self_test  # it imports the servers

    parser = Parser(
        prog="python -m tests.judge self-test",
        description="Judge our own broken servers: which probe convicts which.",
    )
    parser.add_argument("--runs", type=_between(1, 200), default=1)
    parser.add_argument("--only", default="", metavar="BUG[,…]")
    given = parser.parse_args(arguments)
    return self_test.run(Console(), given.runs, _names(given.only))


def _list() -> int:
    for probe in PROBES:
        must = "MUST" if probe.is_must else "    "
        print(f"{must}  {probe.name:33} {probe.shows}")
    return 0


# Arguments


def _parser(prog: str, description: str) -> Parser:
    parser = Parser(
        prog=prog,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("url", help="http://127.0.0.1:3000, also with a path")
    parser.add_argument("--adapter", type=Path, metavar="FILE.toml")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument(
        "--time", type=_between(5, 600), default=60, help="seconds; %(default)s"
    )
    parser.add_argument(
        "--timeout", type=_between(1, 60), default=5, help="of one call; %(default)s"
    )
    parser.add_argument(
        "--at-once", type=_between(2, 32), default=16, help="calls; %(default)s"
    )
    _add_header(parser)
    parser.add_argument(
        "--i-own", default="", metavar="HOST", help="needed for any host but loopback"
    )
    return parser


def _add_header(parser: Parser) -> None:
    parser.add_argument(
        "--header", action="append", default=[], metavar="K:V", help="never printed"
    )


def _options(parser: Parser, given: argparse.Namespace) -> Options:
    """Return what the command says; a wrong one exits with 3."""
    origin, base = _origin(parser, given.url, given.i_own)
    adapter = None
    if given.adapter is not None:
        try:
            adapter = read_adapter(given.adapter.read_text(encoding="utf-8"))
        except OSError as error:
            parser.error(f"{given.adapter}: {error.strerror}")
        except ValueError as error:
            parser.error(str(error))
    only = _names(given.only)
    unknown = [name for name in only if not is_probe(name)]
    if unknown:
        parser.error(f"no such probe: {', '.join(unknown)}; see --list")
    return Options(
        origin,
        base,
        only,
        adapter,
        given.seed,
        given.time,
        given.timeout,
        given.at_once,
        _headers(parser, given.header),
    )


def _headers(parser: Parser, texts: Sequence[str]) -> dict[str, str]:
    headers = {}
    for text in texts:
        name, colon, value = text.partition(":")
        is_own = name.lower() in ("host", "content-length", "connection")
        is_text = value.isascii() and value.isprintable()
        if not colon or is_own or not HEADER_NAME.fullmatch(name) or not is_text:
            parser.error("--header is as Authorization: Bearer abc")
        headers[name] = value.strip()
    return headers


def _origin(parser: Parser, url: str, owned: str) -> tuple[Origin, str]:
    """Return where requests go: loopback, or a host that is said to be one's own."""
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError:
        parser.error(f"no address: {url}")
    host = parts.hostname
    if parts.scheme != "http" or not host:
        parser.error("an address is http://127.0.0.1:PORT")
    if not _is_loopback(host) and owned.lower() != host:
        parser.error(
            f"{host} is not this machine. Races can harm a server: if it is yours, "
            f"repeat its name: --i-own {host}"
        )
    return Origin(host, port), parts.path.rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _between(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"is from {least} to {most}")
        return value

    return number


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


def _report(path: str | Path) -> Report:
    try:
        return read_report(Path(path).read_bytes())
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{path}: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
