"""From numbers per photo to words: thresholds chosen on the other half, paired differences."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
from harness import bootstrap
from scipy.stats import kendalltau, rankdata

Photos: TypeAlias = Mapping[str, Mapping[str, float]]  # by photo, by name of the number

ENOUGH = 100  # photos that a claim must be measured on


@dataclass(frozen=True)
class Measured:
    """A number of every photo, and its good direction.

    Args:
        name: as it stands in tables.
        column: the number's name, or where it starts, if a threshold is to be chosen.
        lower: whether less is better.
        choose: whether `column` is a family of thresholds, of which each half of the photos gets
            the one that is best on the other half.
        same_fill: the fill that it hides with; methods that used it have an advantage.
    """

    name: str
    column: str
    lower: bool = True
    choose: bool = False
    same_fill: str = ""

    def of(self, photos: Photos) -> dict[str, float]:
        """One number per photo that has it."""
        if self.choose:
            return across(photos, self.column, self.lower)[0]
        return {name: own[self.column] for name, own in photos.items() if self.column in own}


def across(photos: Photos, family: str, lower: bool) -> tuple[dict[str, float], tuple[str, ...]]:
    """Numbers by thresholds that were chosen on the other half of the photos, and those two.

    The halves are every second photo in the order of names; of equal thresholds the first is taken.
    """
    names = sorted(name for name, own in photos.items() if any(map(family_of(family), own)))
    halves = names[::2], names[1::2]
    found: dict[str, float] = {}
    chosen = []
    for own, other in (halves, halves[::-1]):
        best = chosen_on([photos[name] for name in other], family, lower)
        chosen.append(best)
        found |= {name: photos[name][best] for name in own if best in photos[name]}
    return found, tuple(chosen)


def chosen_on(numbers: Sequence[Mapping[str, float]], family: str, lower: bool) -> str:
    """The threshold of a family with the best mean."""
    columns = sorted({name for own in numbers for name in own if name.startswith(f"{family} ")})
    means = [np.nanmean([own[name] for own in numbers if name in own]) for name in columns]
    if not columns:
        return ""
    return columns[int(np.argmin(means) if lower else np.argmax(means))]


def family_of(family: str) -> Any:
    """Whether a number belongs to a family of thresholds."""
    return lambda name: name.startswith(f"{family} ")


def gain(
    numbers: Mapping[str, Photos], measured: Measured, one: str, other: str
) -> dict[str, float]:
    """By how much `one` is better than `other`; thresholds, too, see only photos that both have."""
    both = set(numbers[one]) & set(numbers[other])
    first, second = (
        measured.of({photo: own for photo, own in numbers[row].items() if photo in both})
        for row in (one, other)
    )
    sign = -1 if measured.lower else 1
    return {name: sign * (first[name] - second[name]) for name in sorted(first) if name in second}


def compared(
    numbers: Mapping[str, Photos], measured: Measured, one: str, other: str, flag: str = ""
) -> dict[str, Any]:
    """A row of a table: is `one` better than `other`, as claimed?"""
    pairs = gain(numbers, measured, one, other)
    mean, low, high = bootstrap(list(pairs.values()))
    count = int(np.isfinite(list(pairs.values())).sum())
    return {
        "measure": measured.name,
        "better?": one,
        "than": other,
        "n": count,
        "by": mean,
        "low": low,
        "high": high,
        "same_fill": flag,
        "verdict": verdict(low, high, count),
    }


def verdict(low: float, high: float, count: int) -> str:
    """Words for the 95 % interval of a claimed gain over so many photos; few decide nothing.

    >>> verdict(0.1, 0.3, 100), verdict(-0.3, -0.1, 100), verdict(-0.1, 0.3, 100)
    ('confirmed', 'not confirmed: the opposite', 'undecided')
    >>> verdict(0.1, 0.3, 7)
    'undecided: fewer than 100 photos, so far for it'
    """
    if np.isnan(low):
        return "not measured"
    side = "for it" if low > 0 else "against it" if high < 0 else ""
    if count < ENOUGH:
        return f"undecided: fewer than {ENOUGH} photos" + (f", so far {side}" if side else "")
    return {"for it": "confirmed", "against it": "not confirmed: the opposite"}.get(
        side, "undecided"
    )


def summary(numbers: Mapping[str, Photos], measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """Mean and 95 % interval of every number of every row, over the photos that all rows share.

    See `shared`; a row of fewer photos shows those that it has of them.
    """
    common = shared(numbers.values())
    rows = []
    for name, photos in numbers.items():
        same = {photo: own for photo, own in photos.items() if photo in common}
        row: dict[str, Any] = {"row": name, "n": len(same)}
        for each in measured:
            mean, low, high = bootstrap(list(each.of(same).values()))
            row[each.name] = f"{mean:.3f} [{low:.3f}, {high:.3f}]" if np.isfinite(mean) else ""
        rows.append(row)
    return rows


def shared(rows: Iterable[Collection[str]]) -> set[str]:
    """The photos that all rows have, but for rows with too few to decide anything, if others do.

    Rows without any photo are left out.

    >>> sorted(shared([["a", "b"], ["b"], []]))
    ['b']
    """
    there = [set(photos) for photos in rows if photos]
    there = [photos for photos in there if len(photos) >= ENOUGH] or there
    return set.intersection(*there) if there else set()


def thresholds(numbers: Mapping[str, Photos], measured: Sequence[Measured]) -> dict[str, Any]:
    """Which thresholds were chosen, on either half, for every row."""
    return {
        each.name: {
            row: across(photos, each.column, each.lower)[1] for row, photos in numbers.items()
        }
        for each in measured
        if each.choose
    }


def mean_ranks(numbers: Mapping[str, Photos], measured: Measured) -> dict[str, float]:
    """Mean place of every row over the photos that all rows share; 1 is best."""
    columns = {row: own for row in numbers if (own := measured.of(numbers[row]))}
    common = sorted(shared(columns.values()))
    columns = {row: own for row, own in columns.items() if own.keys() >= set(common)}
    if not common:
        return {}
    table = np.array([[own[photo] for photo in common] for own in columns.values()])
    table = table[:, np.isfinite(table).all(0)]
    places = rankdata(table if measured.lower else -table, axis=0).mean(1)
    return dict(zip(columns, places.tolist(), strict=True))


def agreement(numbers: Mapping[str, Photos], measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """Do two measures put the rows in one order? Kendall's tau of their mean ranks."""
    ranks = {each.name: mean_ranks(numbers, each) for each in measured}
    found = []
    for one, other in combinations(ranks, 2):
        rows = [row for row in ranks[one] if row in ranks[other]]
        if len(rows) > 1:
            pair = [[ranks[name][row] for row in rows] for name in (one, other)]
            tau = float(np.asarray(kendalltau(*pair))[0])
            found.append({"measure": one, "and": other, "rows": len(rows), "tau": tau})
    return found
