"""Figures, their targets and the arithmetic between them. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil
from statistics import median


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` (0 to 1) of all do not exceed (nearest rank). Raises ValueError for none."""
    if not values:
        raise ValueError("no values have no percentile")
    return sorted(values)[max(ceil(share * len(values)), 1) - 1]


def in_turns(rounds: int, *measures: Callable[[], float]) -> list[list[float]]:
    """Measure A B A B …: what each of `measures` returned, `rounds` times."""
    series: list[list[float]] = [[] for _ in measures]
    for _ in range(rounds):
        for measure, values in zip(measures, series, strict=True):
            values.append(measure())
    return series


def ratio(values: Sequence[float], against: Sequence[float]) -> float:
    """The median of value / other, pair by pair: the two of a turn have met the same neighbours on the machine."""
    return median([value / other for value, other in zip(values, against, strict=True)])


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure. With `at_most` it is held against that; `note` says how it came about."""

    what: str
    value: float
    unit: str
    at_most: float | None = None
    note: str = ""

    @property
    def missed(self) -> bool:
        return self.at_most is not None and self.value > self.at_most

    @property
    def verdict(self) -> str:
        return "" if self.at_most is None else "MISSED" if self.missed else "holds"

    @property
    def shown(self) -> str:
        return with_unit(self.value, self.unit)

    @property
    def target(self) -> str:
        return "" if self.at_most is None else f"≤ {with_unit(self.at_most, self.unit)}"


def with_unit(value: float, unit: str) -> str:
    """As many digits as mean something: ratios to a hundredth, counts whole, times to three figures."""
    if unit == "×":
        return f"{value:.2f} ×"
    whole = float(value).is_integer() or abs(value) >= 100
    return (
        f"{value:,.0f} {unit}".rstrip() if whole else f"{value:.2f} {unit}" if value < 10 else f"{value:.1f} {unit}"
    )


@dataclass(frozen=True, slots=True)
class Listing:
    """A table without targets: an import tree, keys by their size."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(slots=True)
class Section:
    """What one section found; `skipped` says by name what could not be measured, `failed` what ended it."""

    name: str
    title: str
    about: str = ""
    figures: list[Figure] = field(default_factory=list)
    listings: list[Listing] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: str = ""

    @property
    def missed(self) -> list[Figure]:
        return [figure for figure in self.figures if figure.missed]
