"""What a measurement says: rows with a target, plain tables, medians of pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured; in a round, the sides that are compared take turns."""

    transactions: int
    rounds: int
    slice_seconds: float
    storm_seconds: float


FULL = Scale(transactions=1_000_000, rounds=11, slice_seconds=0.5, storm_seconds=6.0)
QUICK = Scale(transactions=100_000, rounds=3, slice_seconds=0.25, storm_seconds=2.0)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; `ratio` is of `this` to `reference`."""

    HEADINGS: ClassVar = ("what", "this", "reference", "ratio", "target", "reached")

    what: str
    this: str
    reference: str
    ratio: str
    target: str
    reached: bool

    def cells(self) -> tuple[str, ...]:
        reached = "yes" if self.reached else "no"
        return self.what, self.this, self.reference, self.ratio, self.target, reached


@dataclass(frozen=True, slots=True)
class Table:
    """Cells in columns; the first is aligned left, the rest right."""

    headings: Sequence[str]
    lines: Sequence[Sequence[str]]

    def __str__(self) -> str:
        lines = [self.headings, *self.lines]
        first, *rest = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                [line[0].ljust(first)]
                + [cell.rjust(n) for cell, n in zip(line[1:], rest, strict=True)]
            )
            for line in lines
        )


def at_least(
    what: str, unit: str, this: list[float], reference: list[float], least: float
) -> Row:
    """Judge rates, where more is better, by the median of the pairs' ratios."""
    ratio = median_ratio(this, reference)
    return Row(
        what,
        f"{median(this):,.0f} {unit}",
        f"{median(reference):,.0f} {unit}",
        f"{ratio:.3f}",
        f">= {least:.2f}",
        ratio >= least,
    )


def at_most(
    what: str, unit: str, this: list[float], reference: list[float], most: float
) -> Row:
    """Judge times, where less is better, by the median of the pairs' ratios."""
    ratio = median_ratio(this, reference)
    return Row(
        what,
        f"{median(this):.2f} {unit}",
        f"{median(reference):.2f} {unit}",
        f"{ratio:.3f}",
        f"<= {most:.2f}",
        ratio <= most,
    )


def median_ratio(this: Sequence[float], reference: Sequence[float]) -> float:
    return median(mine / its for mine, its in zip(this, reference, strict=True))


def percentile(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100)[percent - 1]
