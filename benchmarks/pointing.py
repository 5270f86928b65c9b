"""The pointing game on ImageNet validation photos: do the maps beat the centre of the image?

    python benchmarks/pointing.py [--photos 100]

Every explainer is asked about the labelled class with its default settings, which were chosen
without a look at these photos; the best-rated pixel hits if it lies on the official boxes or within
15 px. Two rivals look at nothing: the centre of the image, and a random pixel (its exact chance).
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from harness import DATA, ROOT, bootstrap, digest, record
from rich.progress import track
from scipy.ndimage import distance_transform_edt
from sheets import dot, outlined, overlay, sheet
from torch import Tensor

from rather import Batch, Classifier, Explainer, Explanation, Question, explain, measure
from rather.data.ilsvrc import Ilsvrc
from rather.explainers import GradCam, IntegratedGradients, Occlusion
from rather.metrics import Pointing
from rather.metrics.curve import rank
from rather.metrics.pointing import over_classes
from rather.models import load
from rather.types import Heatmaps, Images

PHOTOS = DATA / "ilsvrc_val_001-500_256.zip"
EXPLAINERS: dict[str, Explainer] = {
    "Occlusion": Occlusion(),
    "IntegratedGradients": IntegratedGradients(),
    "GradCam": GradCam(),
}
CENTRE, RANDOM = "centre of the image", "random pixel"


def centre(_: Classifier, images: Images, __: Question) -> Heatmaps:
    """Rates pixels by their distance from the centre alone."""
    height, width = images.shape[2:]
    rows = (torch.arange(height) - (height - 1) / 2).square()
    columns = (torch.arange(width) - (width - 1) / 2).square()
    return -(rows[:, None] + columns).expand(len(images), -1, -1).to(images)


def chance(region: Tensor, metric: Pointing) -> float:
    """How often a random pixel hits."""
    if not region.any():
        return float("nan")
    away = torch.from_numpy(distance_transform_edt(~region.numpy()))
    return float(((away == 0) | (away < metric.reach(region))).float().mean())


def play(
    explainers: Mapping[str, Explainer], classifier: Classifier, batches: Sequence[Batch]
) -> tuple[dict[str, list[float]], dict[str, list[Explanation]]]:
    """Hits of every explainer and both blind rivals on every photo, and the explanations."""
    metric, hits, found = Pointing(), {}, {}
    for name, explainer in {**explainers, CENTRE: centre}.items():
        found[name] = [
            explain(explainer, classifier, batch, Question(batch.labels))
            for batch in track(batches, name, transient=True)
        ]
        hits[name] = [
            hit for each in found[name] for hit in measure(metric, classifier, each).tolist()
        ]
    regions = [region for batch in batches for region in _regions(batch)]
    hits[RANDOM] = [chance(region, metric) for region in regions]
    return hits, found


def table(hits: Mapping[str, Sequence[float]], labels: Tensor) -> list[dict[str, Any]]:
    """Hit rates, and how far each is above the centre, photo by photo."""
    return [
        {
            "method": name,
            "photos": int(torch.tensor(own).isfinite().sum()),
            "hit rate": interval(own),
            "mean over classes": over_classes(torch.tensor(own), labels),
            "less centre": interval(_less(own, hits[CENTRE])),
            "less random": interval(_less(own, hits[RANDOM])),
            "beats the centre": bootstrap(_less(own, hits[CENTRE]))[1] > 0,
        }
        for name, own in hits.items()
    ]


def interval(values: Sequence[float]) -> str:
    """Mean and 95 % interval over resampled photos."""
    mean, low, high = bootstrap(values)
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]"


def draw(path: Path, found: Mapping[str, Sequence[Explanation]], names: Sequence[str]) -> Path:
    """A sheet of photos with their boxes, maps, and the point that each map votes for."""
    columns = ["photo, boxes", *(name for name in found if name != CENTRE)]
    rows = []
    for explanations in zip(*(found[name] for name in columns[1:]), strict=True):
        batch = explanations[0].batch
        for row, region in enumerate(_regions(batch)):
            maps = [each.heatmaps[row] for each in explanations]
            drawn = [_marked(batch.images[row], heat, region) for heat in maps]
            rows.append([outlined(batch.images[row], region), *drawn])
    half = (len(rows) + 1) // 2
    blank = [torch.ones(3, 8, 8)] * len(columns)
    grid = [a + b for a, b in zip(rows[:half], [*rows[half:], blank], strict=False)]
    pairs = [
        f"{one} {other}" for one, other in zip(names[:half], [*names[half:], ""], strict=False)
    ]
    return sheet(path, grid, columns * 2, pairs)


def run(photos: int, shown: int, folder: Path) -> list[dict[str, Any]]:
    """The whole benchmark: table, JSON and contact sheet in a folder."""
    classifier = load("efficientnet-lite0")
    batches = list(Ilsvrc(PHOTOS, classifier.view, batch=min(photos, 20), first=photos))
    hits, found = play(EXPLAINERS, classifier.prepare(), batches)
    labels = torch.cat([batch.labels for batch in batches])
    rows = table(hits, labels)
    settings = {
        "photos": photos,
        "data": f"{PHOTOS.name} sha256:{digest(PHOTOS)}, the first {photos}",
        "classifier": classifier.name,
        "question": "why the labelled class?",
        "metric": repr(Pointing()),
        "explainers": {name: repr(explainer) for name, explainer in EXPLAINERS.items()},
        "seed": 0,
        "random pixel": "its exact chance of a hit",
        "hits": hits,
    }
    record("pointing", f"Pointing game, {photos} photos", rows, settings, folder)
    first = {name: [_first(found[name], shown)] for name in found}
    names = first[CENTRE][0].batch.names
    draw(folder / "pointing.png", first, [name[-3:] for name in names])
    return rows


def _first(explanations: Sequence[Explanation], count: int) -> Explanation:
    """The first rows of the first batch, as an explanation of their own."""
    whole = explanations[0]
    rows = torch.arange(min(count, len(whole.heatmaps)))
    return Explanation(
        whole.batch.at(rows),
        whole.question.at(rows),
        whole.logits[rows],
        whole.heatmaps[rows],
        whole.explainer,
    )


def _marked(photo: Tensor, heat: Tensor, region: Tensor) -> Tensor:
    place = int(rank(heat[None], seed=Pointing().seed).argmin())
    point = (place // heat.shape[1], place % heat.shape[1])
    return dot(outlined(overlay(photo, heat), region), point)


def _less(own: Sequence[float], other: Sequence[float]) -> list[float]:
    return [a - b for a, b in zip(own, other, strict=True)]


def _regions(batch: Batch) -> Tensor:
    if batch.regions is None:
        raise ValueError("the pointing game needs photos with boxes")
    return batch.regions


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--photos", type=int, default=100, help="how many photos (at most 500)")
    parser.add_argument("--shown", type=int, default=20, help="how many stand on the sheet")
    options = parser.parse_args()
    run(options.photos, options.shown, ROOT / "results")
