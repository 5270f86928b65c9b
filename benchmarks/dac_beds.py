"""Pairs of images and counterfactuals, and the classifiers that are asked about them.

Images, classifiers and generators are those of `beds.py`; every image becomes one other class, in
turn. `disc_pairs` needs no generator: its counterfactuals are drawn, with one shape for another.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import beds
import torch
from claims_ledger import made_by
from harness import digest

from rather import Batch, Classifier, Counterfactual, Editor, Question, edit
from rather.data.synthetic import disc_missing, missing_pairs
from rather.models import load
from rather.networks.weights import located
from rather.types import Images, Labels


@dataclass(frozen=True, eq=False)
class Bed:
    """What is judged by whom.

    Args:
        networks: by name; all see the same counterfactuals.
        batch: images, with what differs as their regions where it is known.
        foil: what each was to become.
        edited: what it became.
        across: squares along a side, of greedy maps.
        cells: images that cells are swapped of.
        by: who made the counterfactuals.
        key: digest of what the pairs and the networks come from.
    """

    networks: Mapping[str, Classifier]
    batch: Batch
    foil: Labels
    edited: Images
    across: int
    cells: int
    by: str
    key: str

    def judged(self, network: str) -> tuple[Counterfactual, Question]:
        """The pairs as a network sees them, and the question about them."""
        pair = edit(lambda *_: self.edited, self.networks[network], self.batch.images, self.foil)
        return pair, Question(self.batch.labels, self.foil)


def turned(labels: Labels, classes: int) -> Labels:
    """Another class for each image; all others in turn among the images of a class."""
    foil = labels.clone()
    for label in labels.unique().tolist():
        rows = (labels == label).nonzero()[:, 0]
        foil[rows] = (label + 1 + torch.arange(len(rows)) % (classes - 1)) % classes
    return foil


def ganmex(name: str, each: int, across: int, cells: int, judge: bool = True) -> Bed:
    """A bed of `beds.py` with the generator that was trained for it."""
    bed = beds.BEDS[name](each)
    foil = turned(bed.images.labels, bed.classes)
    editor = bed.editors["GANMEX"]
    pair = edit(editor, bed.classifier, bed.images.images, foil)
    networks = {bed.classifier.name: bed.classifier}
    networks |= {bed.judge.name: bed.judge} if judge else {}
    key = known(editor, each, (f"ganmex-{name}", name, f"{name}-judge"))
    return Bed(networks, bed.images, foil, pair.edited, across, cells, repr(editor), key)


def mnist(each: int) -> Bed:
    return ganmex("mnist", each, 7, 10 * each)


def disc(each: int) -> Bed:
    """Regions are the shapes that the foil lacks."""
    bed = ganmex("disc", each, 8, 3 * each)
    scenes = disc_missing(3 * each, 48, seed=1)  # as beds.py draws them
    assert torch.equal(scenes.batch.images, bed.batch.images)
    return replace(bed, batch=replace(bed.batch, regions=scenes.differing(bed.foil)))


def disc_pairs(each: int) -> Bed:
    """Pairs that are drawn; regions are the shape that goes and the one that comes."""
    before, after = missing_pairs(3 * each, 48, seed=1)
    networks = {name: load(name) for name in ("disc", "disc-judge")}
    key = known("missing_pairs", each, tuple(networks))
    return Bed(networks, before, after.labels, after.images, 8, 3 * each, "data/synthetic.py", key)


def dogs(each: int) -> Bed:
    """Lite0 alone: a pass takes long, and cells are many."""
    return ganmex("dogs", each, 7, 0, judge=False)


def fruits(each: int) -> Bed:
    return ganmex("fruits", each, 7, 0, judge=False)


BEDS: dict[str, Callable[[int], Bed]] = {
    "mnist": mnist,
    "disc": disc,
    "disc_pairs": disc_pairs,
    "dogs": dogs,
    "fruits": fruits,
}
EACH = {"mnist": 12, "disc": 40, "disc_pairs": 40, "dogs": 12, "fruits": 12}


def known(editor: Editor | str, each: int, weights: tuple[str, ...]) -> str:
    """A digest of the editor, and of the weights that stand behind it and the networks."""
    files = []
    for name in weights:
        try:
            files.append(digest(located(name)))
        except ValueError:  # not shipped: another package's network, or none
            files.append("")
    return made_by(repr(editor).replace("weights=", ""), each, files)  # their bytes are above
