"""The numbers of the benchmark of DAC, method by method, on disk as soon as they are there."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from claims_ledger import made_by
from dac_beds import Bed
from dac_methods import Method, blurred, methods
from torch import Tensor

from rather import Batch, Classifier, Counterfactual, Explanation, Question, measure
from rather.metrics import Dac, Hybrids, InverseLocalisation, Pointing
from rather.metrics.curve import rank
from rather.metrics.hybrids import WEAK, HybridCurves

RAW = Hybrids(closing=1, blur=0.0)
SETTINGS: dict[str, Hybrids] = {
    "restore": Hybrids(),
    "edit": Hybrids(direction="edit"),
    "restore, raw": RAW,
    "edit, raw": replace(RAW, direction="edit"),
    "published": replace(Hybrids.as_published(), batch=None),  # one by one is slow, and the same
}
SMOOTH = 1 / 32  # of the height: deviation of the blur of the control
VERSION = 1  # of what is measured


@dataclass
class Numbers:
    """Numbers per image by network, method and measure, and what made them."""

    path: Path
    made: dict[str, str] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def at(cls, path: Path) -> "Numbers":
        """Those on disk, or none."""
        if not path.exists():
            return cls(path)
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return cls(path, json.loads(str(arrays.pop("made by"))), arrays)

    def keep(self, row: str, key: str, values: Mapping[str, Tensor]) -> None:
        """Put the numbers of a row in the place of others, and write all."""
        kept = {name: a for name, a in self.arrays.items() if not name.startswith(f"{row}/")}
        new = {f"{row}/{name}": rounded(value) for name, value in values.items()}
        self.arrays, self.made = {**kept, **new}, {**self.made, row: key}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".tmp.npz")
        stored: dict[str, Any] = {"made by": np.array(json.dumps(self.made)), **self.arrays}
        np.savez_compressed(partial, **stored)
        partial.replace(self.path)

    def of(self, network: str) -> dict[str, dict[str, dict[str, float]]]:
        """By method, image and measure, as verdicts want them.

        What is NaN is left out, and so is all of a map that ranks nothing.
        """
        found: dict[str, dict[str, dict[str, float]]] = {}
        for name, array in self.arrays.items():
            own, method, number = name.split("/")
            if own != network:
                continue
            photos = found.setdefault(method, {})
            for place, value in enumerate(array.tolist()):
                ranks = self.arrays.get(f"{own}/{method}/restore", array)
                if np.isfinite(value) and np.isfinite(ranks[place]):
                    photos.setdefault(f"{place:04}", {})[number] = value
        return found


def rounded(values: Tensor) -> np.ndarray:
    """Four decimals, which pack small."""
    return values.float().numpy().round(4)


def work(bed: Bed, numbers: Numbers, only: str = "") -> None:
    """Measure what is not known yet, and say how far it is.

    Args:
        bed: images, counterfactuals, networks.
        numbers: what is known.
        only: a part of the names of the methods to measure; empty: all.
    """
    started = time.monotonic()
    for network, classifier in bed.networks.items():
        pair, asked = bed.judged(network)
        keep_about(bed, network, pair, asked, numbers)
        for name, method in methods(bed.across, bed.cells).items():
            row, key = (
                f"{network}/{name}",
                made_by(bed.key, bed.across, name, repr(SETTINGS), VERSION),
            )
            if numbers.made.get(row) == key or only not in name:
                continue
            numbers.keep(row, key, measured(bed, classifier, method, pair, asked))
            print(f"{row} {time.monotonic() - started:.0f} s", flush=True)


def keep_about(
    bed: Bed, network: str, pair: Counterfactual, asked: Question, numbers: Numbers
) -> None:
    """What the pairs themselves are like."""
    row = f"{network}/pair"
    if numbers.made.get(row) == bed.key:
        return
    about = {
        "right": pair.before.argmax(1) == asked.target,
        "flipped": pair.flipped,
        "sure": sure(pair, asked),
        "target": asked.target,
        "foil": pair.target,
        "change": pair.change.mean((1, 2)),
    }
    numbers.keep(row, bed.key, about)


def sure(pair: Counterfactual, asked: Question) -> Tensor:
    """Whether image and counterfactual have their classes by more than 0.8, as DAPI wants them."""
    one, other = Question(asked.target), Question(pair.target)
    return (one.probability(pair.before) > 0.8) & (other.probability(pair.after) > 0.8)


def measured(
    bed: Bed, classifier: Classifier, method: Method, pair: Counterfactual, asked: Question
) -> dict[str, Tensor]:
    """All numbers of a method's maps; NaN for images that it leaves out."""
    count = len(bed.batch) if method.first is None else min(method.first, len(bed.batch))
    rows = torch.arange(count)
    part = bed.batch.at(rows), at(pair, rows), asked.at(rows)
    explanation = method.explained(classifier, *part)
    found = scores(classifier, explanation, part[1]) | located_in(classifier, explanation)
    empty = torch.full((len(bed.batch) - count,), torch.nan)
    return {name: torch.cat([values, empty]) for name, values in found.items()}


def at(pair: Counterfactual, rows: Tensor) -> Counterfactual:
    """Some of the pairs."""
    parts = {
        name: getattr(pair, name)[rows]
        for name in ("images", "edited", "target", "before", "after")
    }
    return replace(pair, **parts)


def scores(
    classifier: Classifier, explanation: Explanation, pair: Counterfactual
) -> dict[str, Tensor]:
    """DAC in all settings, and the hybrids that stand out."""
    found = {}
    for name, settings in SETTINGS.items():
        curves = settings(classifier, explanation, pair)
        found[name] = curves.score
        if name in ("restore", "edit"):
            found |= {f"{name}, {word}": value for word, value in standing_out(curves).items()}
    found["restore, sure"] = found["restore"].where(sure(pair, explanation.question), torch.nan)
    smooth = blurred(explanation, SMOOTH * pair.images.shape[2])
    found["restore, blurred map"] = measure(Dac(pair=pair), classifier, smooth)
    return found


def standing_out(curves: HybridCurves) -> dict[str, Tensor]:
    """Shares of the image, and what the score is of the whole gain."""
    return {
        "normalised": (curves.score / curves.full).where(curves.full >= WEAK, torch.nan),
        "full": curves.full,
        "flip size": curves.flip.size,
        "best size": curves.best.size,
        "best gain": curves.best.gain,
    }


def located_in(classifier: Classifier, explanation: Explanation) -> dict[str, Tensor]:
    """How well what differs is found, where that is known."""
    if explanation.batch.regions is None:
        return {}
    return {
        "density": measure(InverseLocalisation(), classifier, explanation),
        "pointing": measure(Pointing(), classifier, explanation),
        "hit": hit(explanation.batch, explanation),
    }


def hit(batch: Batch, explanation: Explanation) -> Tensor:
    """The share of the best-rated pixels, as many as the region has, that lie in the region."""
    if batch.regions is None:
        raise ValueError("what differs is not known")
    size = batch.regions.sum((1, 2))
    first = rank(explanation.heatmaps) < size[:, None, None]
    return (first & batch.regions).sum((1, 2)) / size
