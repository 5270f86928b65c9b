"""How near FIDO's fast schedule comes to the published one's optimum, in an eighth of its passes.

    python benchmarks/schedules.py [--photos 50] [--fill in-painter] [--report]

Photos of ILSVRC's validation set that EfficientNet-Lite0 answers with their label; mean colour
fills or the in-painter's, SSR. What is compared is the objective itself, under 64 masks that no
schedule has seen, at the full price of area; lower is better. Those masks are noise per pixel, as
published, and under an in-painter that guesses an image from a sprinkle of its pixels a low
objective need not be a region: so beside it stands that of the region itself, which keeps what is
likelier kept than not. Resumes where it was stopped.
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
from claims_measures import Measure
from claims_work import Row, data, judge, photos, work
from harness import ROOT, record

from rather import Classifier, Explanation, Infiller
from rather.explainers import Fido
from rather.explainers.fido_loss import fido_loss
from rather.infiller import uses_keep
from rather.infillers import MeanColour, default

FILLS: dict[str, Infiller] = {"mean colour": MeanColour(), "in-painter": default()}
PUBLISHED, FAST, FLAT = "published", "fast", "fast, one grid"
WORDS = {
    "loss": "objective",
    "kept": "kept",
    "rounded": "objective of the region",
    "rounded area": "its area",
}
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


@dataclass(frozen=True)
class Rounded:
    """The objective of the region that is shown: what is likelier kept than not, and no noise."""

    infiller: Infiller

    def __call__(self, classifier: Classifier, result: Explanation) -> Values:
        keep = (result.heatmaps > 0).to(result.heatmaps)
        asked = (Fido(self.infiller), classifier, result.batch.images, result.question)
        loss = fido_loss(*asked, keep - 0.5, samples=1)
        return {"rounded": float(loss), "rounded area": float(keep.mean())}


def schedules(fill: Infiller) -> dict[str, Fido]:
    """The published one, the default, and the default on one grid.

    The published map upsamples logits; the mask that was trained, and is judged here, upsamples
    probabilities.
    """
    plain: dict[str, Any] = {} if uses_keep(fill) else {"warmup": 8, "noise": "pixel"}
    fast = Fido(fill, **plain)  # what it comes to, under the name that older maps have
    published = replace(Fido.as_published(fill), map_from="probability")
    return {PUBLISHED: published, FAST: fast, FLAT: replace(fast, levels=1)}


def main(arguments: list[str] | None = None, folder: Path = ROOT / "results") -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=int, default=50)
    parser.add_argument("--fill", choices=tuple(FILLS), default="mean colour")
    parser.add_argument("--report", action="store_true", help="compute nothing")
    options = parser.parse_args(arguments)
    classifier = judge("torch")
    name = "schedules" if options.fill == "mean colour" else "schedules_inpainter"
    ledger = Ledger(folder / "ledger" / name, folder / f"{name}.numbers.gz")
    fill = FILLS[options.fill]
    every = schedules(fill)
    measures: dict[str, Measure] = {"objective": Objective(fill), "rounded": Rounded(fill)}
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
    passes = schedule.steps * schedule.samples
    row: dict[str, Any] = {"schedule": name, "FB": passes, "photos": len(common)}
    for value in ("loss", "kept", "rounded", "rounded area"):
        row[f"{WORDS[value]}, median"] = median(of(found, value) or [float("nan")])
    for value in ("loss", "rounded"):
        pairs = [(found[photo], published[photo]) for photo in common]
        worse = [short(*pair, value) for pair in pairs if all(value in one for one in pair)]
        if not worse:
            continue
        low, high = interval(worse)
        row[f"{WORDS[value]}: worse by, median"] = median(worse)
        row[f"{WORDS[value]}: 95 %"] = f"[{low:.3f}, {high:.3f}]"
        row[f"{WORDS[value]}: no worse"] = f"{sum(one <= SHARE for one in worse)} of {len(worse)}"
        row[f"{WORDS[value]}: verdict"] = "passes" if high <= SHARE and passes <= 300 else ""
    return row


def of(found: dict[str, Values], value: str) -> list[float]:
    """A value of all photos that have it."""
    return [values[value] for values in found.values() if value in values]


def short(one: Values, published: Values, value: str) -> float:
    """By what share of the published objective this one is worse; below 0 it is better."""
    return (one[value] - published[value]) / abs(published[value])


def interval(values: list[float], seed: int = 0, resamples: int = 2000) -> tuple[float, float]:
    """The ends of the median's 95 % interval over resampled photos."""
    rows = np.random.default_rng(seed).integers(0, len(values), (resamples, len(values)))
    low, high = np.quantile(np.median(np.asarray(values)[rows], axis=1), (0.025, 0.975))
    return float(low), float(high)


if __name__ == "__main__":
    raise SystemExit(main())
