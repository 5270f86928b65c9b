"""From numbers per photo to words: means, paired comparisons, ranks and their agreement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from fills_scenes import KINDS
from harness import bootstrap
from scipy.stats import kendalltau, rankdata

Numbers = Mapping[tuple[str, str, str], np.ndarray]  # fill, kind of hole, measure: one per photo


@dataclass(frozen=True)
class Criterion:
    """What is compared: a measure, its good direction, and the kinds of hole it is known for."""

    name: str
    measure: str
    higher_is_better: bool
    kinds: tuple[str, ...] = KINDS[:-1]


CRITERIA = (
    Criterion("1 feature distance", "features", False),
    Criterion("2 R-OMS", "roms", True),
    Criterion("3 background: change of log-odds", "background", False, KINDS),
)
BESIDE = (
    Criterion("1 penultimate distance", "penultimate", False),
    Criterion("1 PSNR", "psnr", True),
    Criterion("1 SSIM", "ssim", True),
    Criterion("3 background: answer stays", "answer stays", True, KINDS),
    Criterion("4 evidence lost with the box", "evidence", True, KINDS[:1]),
)


def values(numbers: Numbers, criterion: Criterion, fill: str, kind: str, judge: str) -> np.ndarray:
    """One number per photo; PSNR and SSIM know no judge."""
    alone = numbers.get((fill, kind, criterion.measure))
    return numbers[fill, kind, f"{criterion.measure}@{judge}"] if alone is None else alone


def complete(numbers: Numbers, fill: str) -> bool:
    """Whether a fill was judged for every kind of hole."""
    return all(any(key[:2] == (fill, kind) for key in numbers) for kind in KINDS)


def seen(numbers: Numbers, fill: str, kind: str) -> int:
    """On how many photos a fill was judged."""
    own = [values for key, values in numbers.items() if key[:2] == (fill, kind)]
    return int(np.isfinite(own).any(0).sum())


def means(numbers: Numbers, fills: Sequence[str], judge: str) -> list[dict[str, Any]]:
    """A row for each kind of hole and fill: mean and 95 % interval of every measure."""
    rows = []
    for kind in KINDS:
        for fill in fills:
            row: dict[str, Any] = {"hole": kind, "fill": fill}
            for criterion in CRITERIA + BESIDE:
                if kind in criterion.kinds:
                    found = bootstrap(values(numbers, criterion, fill, kind, judge).tolist())
                    row[criterion.name] = _interval(found)
                else:
                    row[criterion.name] = ""
            rows.append(row)
    return rows


def lead(
    numbers: Numbers, criterion: Criterion, kind: str, judge: str, one: str, other: str
) -> tuple[float, float, float]:
    """By how much `one` is better than `other`: paired mean and 95 % interval over photos."""
    pair = [values(numbers, criterion, fill, kind, judge) for fill in (one, other)]
    sign = 1 if criterion.higher_is_better else -1
    return bootstrap((sign * (pair[0] - pair[1])).tolist())


def verdicts(
    numbers: Numbers, default: str, rivals: Sequence[str], judge: str
) -> list[dict[str, Any]]:
    """Is the default best, or tied with the best, by each criterion for each kind of hole?"""
    rows = []
    for criterion in CRITERIA if rivals else ():
        for kind in criterion.kinds:
            leads = {
                rival: lead(numbers, criterion, kind, judge, default, rival) for rival in rivals
            }
            closest = min(leads, key=lambda rival: leads[rival][0])
            pair = [values(numbers, criterion, fill, kind, judge) for fill in (default, closest)]
            both = np.isfinite(pair).all(0)
            own = bootstrap(pair[0][both].tolist())
            rows.append(
                {
                    "criterion": criterion.name,
                    "hole": kind,
                    default: _interval(own),
                    "best rival": closest,
                    "its mean": float(pair[1][both].mean()),
                    "photos": int(both.sum()),
                    "lead over it": _interval(leads[closest]),
                    "verdict": verdict(leads),
                }
            )
    return rows


def verdict(leads: Mapping[str, tuple[float, float, float]]) -> str:
    """Best: every interval is above 0. Tied: none is below 0. Otherwise: behind whom.

    >>> verdict({"a": (1.0, 0.5, 1.5), "b": (0.1, -0.1, 0.3)})
    'tied with b'
    """
    behind = [rival for rival, (_, _, high) in leads.items() if high < 0]
    tied = [rival for rival, (_, low, high) in leads.items() if low <= 0 <= high]
    if behind:
        return f"behind {', '.join(behind)}"
    return f"tied with {', '.join(tied)}" if tied else "best"


def agreement(
    numbers: Numbers, fills: Sequence[str], judges: Sequence[str]
) -> list[dict[str, Any]]:
    """Do both judges put the fills in one order? Kendall's tau of the mean ranks."""
    rows = []
    for criterion in CRITERIA:
        for kind in criterion.kinds:
            ranks = [mean_ranks(numbers, criterion, fills, kind, judge) for judge in judges]
            orders = {
                f"order by {judge}": ", ".join(np.array(fills)[np.argsort(own)])
                for judge, own in zip(judges, ranks, strict=True)
            }
            tau = float(np.asarray(kendalltau(*ranks))[0])
            rows.append({"criterion": criterion.name, "hole": kind, "tau": tau, **orders})
    return rows


def mean_ranks(
    numbers: Numbers, criterion: Criterion, fills: Sequence[str], kind: str, judge: str
) -> np.ndarray:
    """Mean place of every fill over photos; 1 is best."""
    table = np.stack([values(numbers, criterion, fill, kind, judge) for fill in fills])
    table = table[:, np.isfinite(table).all(0)]
    return rankdata(-table if criterion.higher_is_better else table, axis=0).mean(1)


def _interval(found: tuple[float, float, float]) -> str:
    mean, low, high = found
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]"
