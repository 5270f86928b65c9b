"""`CellSwap`: cells of a real image of the class wanted, pasted one by one where they help most.

Source: Goyal et al., Counterfactual Visual Explanations, arXiv:1904.07451; Vandenhende et al.,
Making Heads or Tails, arXiv:2203.12892 (similarity of the cells that are swapped). Written from
their formulas. Differs: the distractor is the nearest bank image of the class (published: random);
the similarity of cells is that of the classifier's own features; what comes back is an image, with
the pixels behind the swapped cells; whole passes are made, not the head's alone.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from rather.classifier import Classifier
from rather.editors.layer import answer_of, logits_with
from rather.editors.nearest_sample import NearestSample
from rather.infillers.bank import Bank, Donors, banked
from rather.types import Images, Labels

Cells = Tensor  # (channels, cells): features of one image
Grid = tuple[int, int]
TEMPERATURE = 0.1


@dataclass(frozen=True)
class CellSwap:
    """Swaps cells of a layer's answer until the class wanted leads, and pastes their pixels.

    The features decide; the pasted image may not flip although the features did, for cells look at
    more than their own pixels.

    Args:
        bank: where distractors come from: path of a folder or zip file, `DonorFolder`, or images.
        layer: dotted name of the layer, whose answer is (n, channels, rows, columns).
        labels: classes of the bank's images, in order; None asks the classifier.
        alike: weight of the similarity of the two cells; 0 looks at the answer alone.
        swaps: at most so many; None: as many as there are cells.
        count: at most so many photos are read from a path.
        batch: variants at once; it changes no result.
    """

    bank: Donors
    layer: str
    labels: Labels | None = field(default=None, compare=False)
    alike: float = 0.4
    swaps: int | None = None
    count: int = 1000
    batch: int = 256

    def __post_init__(self) -> None:
        object.__setattr__(self, "bank", banked(self.bank))

    @classmethod
    def as_published(cls, bank: Donors, layer: str, labels: Labels) -> "CellSwap":
        """The first paper's objective: the answer alone."""
        return cls(bank, layer, labels, alike=0.0)

    @torch.no_grad()
    def __call__(self, classifier: Classifier, images: Images, target: Labels) -> Images:
        nearest = NearestSample(self.bank, self.labels, count=self.count)
        others = nearest(classifier, images, target)
        made = [
            self._pasted(image, other, *self.swapped(classifier, image, other, int(label)))
            for image, other, label in zip(images, others, target, strict=True)
        ]
        return torch.stack(made) if made else images

    def swapped(
        self, classifier: Classifier, image: Tensor, other: Tensor, label: int
    ) -> tuple[list[Grid], Grid]:
        """The swaps (cell, distractor's cell) in order, and the grid's size."""
        own, theirs = answer_of(classifier, self.layer, torch.stack([image, other]))
        grid, swaps = (own.shape[1], own.shape[2]), []
        now, source = own.flatten(1), theirs.flatten(1)
        closeness = F.normalize(now, dim=0).T @ F.normalize(source, dim=0) / TEMPERATURE
        bonus = self.alike * closeness.log_softmax(1)
        free = torch.ones_like(bonus, dtype=torch.bool)
        most = len(bonus) if self.swaps is None else min(self.swaps, len(bonus))
        while len(swaps) < most and self._answer(classifier, image, now, grid) != label:
            pairs = free.nonzero()
            gains = self._gains(classifier, image, now, source, pairs, grid, label)
            best = pairs[int((gains + bonus[free]).argmax())]
            cell, their = (int(place) for place in best)
            now[:, cell] = source[:, their]
            free[cell], free[:, their] = False, False
            swaps.append((cell, their))
        return swaps, grid

    def _answer(self, classifier: Classifier, image: Tensor, now: Cells, grid: Grid) -> int:
        answer = now.unflatten(1, grid)[None]
        return int(logits_with(classifier, self.layer, image[None], answer).argmax(1))

    def _gains(
        self,
        classifier: Classifier,
        image: Tensor,
        now: Cells,
        source: Cells,
        pairs: Tensor,
        grid: Grid,
        label: int,
    ) -> Tensor:
        """Log-probability of the class wanted after each swap."""
        gains = []
        for part in pairs.split(self.batch):
            tried = now.expand(len(part), -1, -1).clone()
            rows = torch.arange(len(part), device=now.device)
            tried[rows, :, part[:, 0]] = source[:, part[:, 1]].T
            many = image.expand(len(part), -1, -1, -1)
            logits = logits_with(classifier, self.layer, many, tried.unflatten(2, grid))
            gains.append(logits.log_softmax(1)[:, label])
        return torch.cat(gains)

    def _pasted(self, image: Tensor, other: Tensor, swaps: list[Grid], grid: Grid) -> Tensor:
        """The image with the blocks of pixels behind the swapped cells."""
        made = image.clone()
        for cell, their in swaps:
            to, of = (block(place, grid, image.shape[1:]) for place in (cell, their))
            piece = other[:, *of][None]
            size = [side.stop - side.start for side in to]
            made[:, *to] = F.interpolate(piece, size, mode="bilinear")[0]
        return made

    def arrays(self) -> dict[str, Tensor]:
        """What a record must keep beside the `repr`, by field."""
        bank = banked(self.bank)
        held = {"bank": bank.images} if isinstance(bank, Bank) else {}
        return held if self.labels is None else held | {"labels": self.labels}


def block(cell: int, grid: Grid, size: torch.Size) -> tuple[slice, slice]:
    """Rows and columns of pixels that belong to a cell."""
    row, column = divmod(cell, grid[1])
    return _span(row, grid[0], size[0]), _span(column, grid[1], size[1])


def _span(place: int, cells: int, side: int) -> slice:
    return slice(place * side // cells, (place + 1) * side // cells)
