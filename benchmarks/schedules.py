"""How near FIDO's fast schedule comes to the published one's optimum, in an eighth of its passes.

    python benchmarks/schedules.py [--photos 50] [--fill in-painter] [--report]

Photos of ILSVRC's validation set that EfficientNet-Lite0 answers with their label; mean colour
fills or the in-painter's, SSR. What is compared is the objective itself, under 64 masks that no
schedule has seen, at the full price of area; lower is better. Resumes where it was stopped.
"""

import argparse
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from claims_ledger import Ledger, Values
from claims_work import Row, data, judge, photos, work
from harness import ROOT, record

from rather import Classifier, Explanation, Infiller
from rather.explainers import Fido
from rather.explainers.fido_loss import fido_loss
from rather.infiller import uses_keep
from rather.infillers import MeanColour, default

FILLS: dict[str, Infiller] = {"mean colour": MeanColour(), "in-painter": default()}
PUBLISHED, FAST, FLAT = "published", "fast", "fast, one grid"
SHARE = 0.02  # of the objective by which a fast schedule may be worse


@dataclass(frozen=True)
class Objective:
    """What FIDO minimises, with masks of its own, and what an undecided mask would have."""

    infiller: Infiller
    samples: int = 64

    def __call__(self, classifier: Classifier, result: Explanation) -> Values:
        asked = (Fido(self.infiller), classifier, result.batch.images, result.question)
        loss = fido_loss(*asked, result.heatmaps, self.samples)
        start = fido_loss(*asked, torch.zeros_like(result.heatmaps), self.samples)
        kept = float((result.heatmaps + 0.5).mean())
        return {"loss": float(loss), "undecided": float(start), "kept": kept}


def schedules(fill: Infiller) -> dict[str, Fido]:
    """The published one, the default, and the default on one grid."""
    plain: dict[str, Any] = {} if uses_keep(fill) else {"warmup": 8, "noise": "pixel"}
    fast = Fido(fill, **plain)  # what it comes to, under the name that older maps have
    return {PUBLISHED: Fido.as_published(fill), FAST: fast, FLAT: replace(fast, levels=1)}


def main(arguments: list[str] | None = None, folder: Path = ROOT / "results") -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=int, default=50)
    parser.add_argument("--fill", choices=tuple(FILLS), default="mean colour")
    parser.add_argument("--report", action="store_true", help="compute nothing")
    options = parser.parse_args(arguments)
    classifier = judge("torch")
    name = "schedules" if options.fill == "mean colour" else "schedules_inpainter"
    ledger = Ledger(folder / "ledger" / name, folder / f"{name}.numbers.gz")
    every = schedules(FILLS[options.fill])
    measures = {"objective": Objective(FILLS[options.fill])}
    rows = [Row(one, options.fill, by, measures) for one, by in every.items()]
    if not options.report:
        work(rows, classifier, list(islice(photos(classifier), options.photos)), ledger)
    numbers = ledger.numbers({row.name: row.key(classifier.name) for row in rows})
    settings = {
        "photos": len(numbers[PUBLISHED]),
        "fill": options.fill,
        "data": data(len(numbers[PUBLISHED])),
        "schedules": {one: repr(by) for one, by in every.items()},
        "numbers per photo": ledger.pack().name,
    }
    table = [told(one, by, numbers[one], numbers[PUBLISHED]) for one, by in every.items()]
    record(name, "FIDO's objective by schedule; lower is better", table, settings, folder)
    return 0


def told(
    name: str, schedule: Fido, found: dict[str, Values], published: dict[str, Values]
) -> dict[str, Any]:
    """A row of the table: the objective, and how much of it a schedule falls short by."""
    common = sorted(found.keys() & published.keys())
    worse = [short(found[photo], published[photo]) for photo in common]
    passes = schedule.steps * schedule.samples
    row = {
        "schedule": name,
        "FB": passes,
        "photos": len(common),
        "objective, median": median([found[photo]["loss"] for photo in common] or [float("nan")]),
        "kept, median": median([found[photo]["kept"] for photo in common] or [float("nan")]),
    }
    if not worse:
        return row
    low, high = interval(worse)
    return row | {
        "worse by, median": median(worse),
        "95 %": f"[{low:.3f}, {high:.3f}]",
        "no worse": f"{sum(one <= SHARE for one in worse)} of {len(worse)}",
        "verdict": "passes" if high <= SHARE and passes <= 300 else "",
    }


def short(one: Values, published: Values) -> float:
    """By what share of the published objective this one is worse; below 0 it is better."""
    return (one["loss"] - published["loss"]) / abs(published["loss"])


def interval(values: list[float], seed: int = 0, resamples: int = 2000) -> tuple[float, float]:
    """The ends of the median's 95 % interval over resampled photos."""
    rows = np.random.default_rng(seed).integers(0, len(values), (resamples, len(values)))
    low, high = np.quantile(np.median(np.asarray(values)[rows], axis=1), (0.025, 0.975))
    return float(low), float(high)


if __name__ == "__main__":
    raise SystemExit(main())
