"""How near FIDO's fast schedule comes to the published one's optimum, in an eighth of its passes.

Photos of ILSVRC's validation set that EfficientNet-Lite0 answers with their label; mean colour
fills, SSR. What is compared is the objective itself, under 64 masks that no schedule has seen, at
the full price of area; lower is better. Resumes where it was stopped, photo by photo.
"""

import argparse
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from claims_ledger import Ledger, Values
from claims_work import Row, data, judge, photos, work
from harness import ROOT, record

from rather import Classifier, Explanation
from rather.explainers import Fido
from rather.explainers.fido_loss import fido_loss
from rather.infillers import MeanColour

FILL = MeanColour()
PUBLISHED, FAST, FLAT = "published", "fast", "fast, one grid"
SHARE = 0.02  # of the objective by which a fast schedule may be worse


@dataclass(frozen=True)
class Objective:
    """What FIDO minimises, with masks of its own, and what an undecided mask would have."""

    samples: int = 64

    def __call__(self, classifier: Classifier, result: Explanation) -> Values:
        asked = (Fido(FILL), classifier, result.batch.images, result.question)
        loss = fido_loss(*asked, result.heatmaps, self.samples)
        start = fido_loss(*asked, torch.zeros_like(result.heatmaps), self.samples)
        kept = float((result.heatmaps + 0.5).mean())
        return {"loss": float(loss), "undecided": float(start), "kept": kept}


SCHEDULES = {
    PUBLISHED: Fido.as_published(FILL),
    FAST: Fido(FILL, warmup=8, noise="pixel"),
    FLAT: Fido(FILL, warmup=8, noise="pixel", levels=1),
}
ROWS = [Row(name, "mean", by, {"objective": Objective()}) for name, by in SCHEDULES.items()]


def main(arguments: list[str] | None = None, folder: Path = ROOT / "results") -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=int, default=50)
    parser.add_argument("--report", action="store_true", help="compute nothing")
    options = parser.parse_args(arguments)
    classifier = judge("torch")
    ledger = Ledger(folder / "ledger" / "schedules", folder / "schedules.numbers.gz")
    if not options.report:
        work(ROWS, classifier, list(islice(photos(classifier), options.photos)), ledger)
    numbers = ledger.numbers({row.name: row.key(classifier.name) for row in ROWS})
    settings = {
        "photos": len(numbers[PUBLISHED]),
        "data": data(options.photos),
        "schedules": {name: repr(by) for name, by in SCHEDULES.items()},
        "numbers per photo": ledger.pack().name,
    }
    rows = [told(name, numbers[name], numbers[PUBLISHED]) for name in SCHEDULES]
    record("schedules", "FIDO's objective by schedule; lower is better", rows, settings, folder)
    return 0


def told(name: str, found: dict[str, Values], published: dict[str, Values]) -> dict[str, Any]:
    """A row of the table: the objective, and how much of it a schedule falls short by."""
    common = sorted(found.keys() & published.keys())
    worse = [short(found[photo], published[photo]) for photo in common]
    passes = SCHEDULES[name].steps * SCHEDULES[name].samples
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
