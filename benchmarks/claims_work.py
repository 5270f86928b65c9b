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
from rather.models import load
from rather.types import Heatmaps, Images

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
    """EfficientNet-Lite0, prepared; passes with a gradient stay with torch."""
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
    rows: Sequence[Row], classifier: Classifier, batches: Sequence[Batch], ledger: Ledger
) -> None:
    """Fill in all that the ledger lacks, photo by photo, and say how far it is."""
    keys = {row.name: row.key(classifier.name) for row in rows}
    start = time.perf_counter()
    for number, batch in enumerate(batches, start=1):
        page = ledger.page(batch.names[0])
        for row in rows:
            one(row, keys[row.name], classifier, batch, page)
        spent = time.perf_counter() - start
        print(f"{number}/{len(batches)} {batch.names[0]} {spent:.0f} s", flush=True)


def one(row: Row, key: str, classifier: Classifier, batch: Batch, page: Page) -> None:
    """One map of one photo, and its numbers."""
    keys = {name: made_by(measure) for name, measure in row.measures.items()}
    if all(page.has(row.name, key, name, by) for name, by in keys.items()):
        return
    result = explained(row, key, classifier, batch, page)
    for name, by in keys.items():
        if not page.has(row.name, key, name, by):
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
    about = {
        "explainer": row.label or repr(row.explainer),
        "forward": result.cost.forward,
        "backward": result.cost.backward,
    }
    page.keep_map(row.name, key, result.heatmaps, about)
    return result


def data(count: int) -> str:
    """The photos in words."""
    return (
        f"{PHOTOS.name} sha256:{digest(PHOTOS)}, the first {count} that EfficientNet-Lite0 answers "
        "with their label and whose box is seen at 224 px"
    )
