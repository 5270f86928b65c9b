"""The work of the benchmarks of claims, photo by photo: make every map, then measure it."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from claims_ledger import Ledger, Page, made_by
from claims_measures import Measure
from harness import DATA, digest

from rather import Batch, Classifier, Explainer, Explanation, Question, explain
from rather.data.ilsvrc import Ilsvrc
from rather.memory import keep_memory
from rather.models import load
from rather.types import Heatmaps, Images

TOGETHER = 4  # photos whose maps are learned at once: a batch of FIDO's 4 masks each
PHOTOS = DATA / "ilsvrc_val_001-500_256.zip"


@dataclass(frozen=True)
class Row:
    """A method with a fill, and what is measured of its maps.

    Args:
        name: as it stands in tables.
        fill: of the method, as it stands in tables.
        explainer: who makes the maps.
        measures: by name.
        label: what is asked in place of `repr` to know the method again, for plain functions.
    """

    name: str
    fill: str
    explainer: Explainer
    measures: Mapping[str, Measure] = field(default_factory=dict)
    label: str = ""

    def key(self, classifier: str) -> str:
        return made_by(self.label or self.explainer, classifier)


def judge(engine: str = "openvino") -> Classifier:
    """EfficientNet-Lite0, prepared; passes with a gradient stay with torch.

    The process keeps its memory from here on, as the command line's does: a quarter of the time.
    """
    keep_memory()
    return load("efficientnet-lite0").prepare("openvino" if engine == "openvino" else "torch")


@torch.no_grad()
def photos(classifier: Classifier) -> Iterator[Batch]:
    """One by one the photos that are answered with their label, and whose box is seen."""
    for batch in Ilsvrc(PHOTOS, classifier.view, batch=20):
        right = classifier(batch.images).argmax(1) == batch.labels
        seen = torch.tensor([len(boxes) > 0 for boxes in batch.boxes or ()])
        for row in (right & seen).nonzero()[:, 0]:
            yield batch.at(row[None])


def centre(_: Classifier, images: Images, __: Question) -> Heatmaps:
    """Rates pixels by how near they are to the centre; what a map must beat."""
    height, width = images.shape[2:]
    rows = (torch.arange(height) - (height - 1) / 2).square()
    columns = (torch.arange(width) - (width - 1) / 2).square()
    away = rows[:, None] + columns
    return (1 - away / away.max()).expand(len(images), -1, -1).to(images)


def work(
    rows: Sequence[Row],
    classifier: Classifier,
    batches: Sequence[Batch],
    ledger: Ledger,
    together: int = TOGETHER,
) -> None:
    """Fill in all that the ledger lacks, a few photos at a time, and say how far it is.

    Maps that are learned by steps fill a batch of the classifier only if photos are learned
    `together`; each is what it would be alone.
    """
    keys = {row.name: row.key(classifier.name) for row in rows}
    start = time.perf_counter()
    for first in range(0, len(batches), together):
        group = batches[first : first + together]
        pages = [ledger.page(batch.names[0]) for batch in group]
        for row in rows:
            missing = [
                (batch, page)
                for batch, page in zip(group, pages, strict=True)
                if lacking(row, keys[row.name], page)
            ]
            make(row, keys[row.name], classifier, missing)
            for batch, page in missing:
                one(row, keys[row.name], classifier, batch, page)
        spent = time.perf_counter() - start
        print(f"{first + len(group)}/{len(batches)} {group[-1].names[0]} {spent:.0f} s", flush=True)


def lacking(row: Row, key: str, page: Page) -> dict[str, str]:
    """The measures whose numbers are not there, and what makes them."""
    keys = {name: made_by(measure) for name, measure in row.measures.items()}
    return {name: by for name, by in keys.items() if not page.has(row.name, key, name, by)}


def make(row: Row, key: str, classifier: Classifier, missing: Sequence[tuple[Batch, Page]]) -> None:
    """The maps of some photos at once, into the ledger; those that are there stay."""
    missing = [pair for pair in missing if pair[1].map_of(row.name, key) is None]
    if not missing:
        return
    batch = joined([batch for batch, _ in missing])
    result = explain(row.explainer, classifier, batch, Question(batch.labels))
    for (_, page), heat in zip(missing, result.heatmaps.split(1), strict=True):
        page.keep_map(row.name, key, heat, about(row, result))


def joined(batches: Sequence[Batch]) -> Batch:
    """Photos as one batch, without what is known of them besides the label."""
    images, labels = ([getattr(each, what) for each in batches] for what in ("images", "labels"))
    names = tuple(name for batch in batches for name in batch.names)
    return Batch(torch.cat(images), torch.cat(labels), names)


def about(row: Row, result: Explanation) -> dict[str, str | int]:
    """Who made a map, and for how many passes a photo."""
    photos = len(result.heatmaps)
    return {
        "explainer": row.label or repr(row.explainer),
        "forward": result.cost.forward // photos,
        "backward": result.cost.backward // photos,
    }


def one(row: Row, key: str, classifier: Classifier, batch: Batch, page: Page) -> None:
    """One map of one photo, and its numbers."""
    missing = lacking(row, key, page)
    if not missing:
        return
    result = explained(row, key, classifier, batch, page)
    for name, by in missing.items():
        page.keep_numbers(row.name, name, by, row.measures[name](classifier, result))


def explained(row: Row, key: str, classifier: Classifier, batch: Batch, page: Page) -> Explanation:
    """The map from the ledger, or made now; asked is always why the label."""
    asked = Question(batch.labels)
    heat = page.map_of(row.name, key)
    if heat is not None:
        with torch.no_grad():
            logits = classifier(batch.images)
        return Explanation(batch, asked, logits, heat, row.explainer)
    result = explain(row.explainer, classifier, batch, asked)
    page.keep_map(row.name, key, result.heatmaps, about(row, result))
    return result


def data(count: int) -> str:
    """The photos in words."""
    return (
        f"{PHOTOS.name} sha256:{digest(PHOTOS)}, the first {count} that EfficientNet-Lite0 answers "
        "with their label and whose box is seen at 224 px"
    )
