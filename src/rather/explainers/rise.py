"""RISE: the mean of random smooth masks, each weighted by the answer that it leaves.

Source: Petsiuk, Das and Saenko, RISE: Randomized Input Sampling for Explanation, BMVC 2018,
arXiv:1806.07421.

Differs: scores and masks are centred, so that a pixel which the classifier ignores gets 0 on
average (published: every pixel gets the mean answer); any infiller stands for the published 0 of
normalised pixels.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from rather.classifier import Classifier
from rather.explainers.removal import Output, check_remover, removed, value
from rather.infiller import Infiller, seeded
from rather.infillers import MeanColour
from rather.question import Question
from rather.types import Heatmaps, Images, Keep, Labels


@dataclass(frozen=True)
class Rise:
    """Hides random smooth parts, and rates a pixel by how the answer goes with its being shown.

    Args:
        infiller: what stands where the masks hide.
        samples: masks; noise falls with their square root.
        cells: random cells along a side; more find smaller evidence, with more noise.
        share: probability that a cell is shown.
        centred: whether to subtract what a pixel gets by chance.
        output: "logit" explains the question's score; "probability" hides drops near 1.
        draws: fills per mask, averaged, where the infiller is random.
        seed: of masks and infillers.
        batch: variants at once; None: what the classifier is fastest with. Changes no result.
    """

    infiller: Infiller = MeanColour()
    samples: int = 4000
    cells: int = 7
    share: float = 0.5
    centred: bool = True
    output: Output = "logit"
    draws: int = 1
    seed: int = 0
    batch: int | None = None

    def __post_init__(self) -> None:
        if self.samples < 2 or self.cells < 1:
            raise ValueError(
                f"samples={self.samples} must be at least 2 and cells={self.cells} at least 1"
            )
        if not 0 < self.share < 1:
            raise ValueError(f"share is {self.share}, but must lie between 0 and 1")
        check_remover(self)

    @classmethod
    def as_published(cls) -> "Rise":
        """Every value as published: the probability, no centring, and 0 as the network sees it.

        Images are normalised before they are masked there, so that black is the mean colour.
        """
        return cls(infiller=MeanColour(), centred=False, output="probability")

    @torch.no_grad()
    def __call__(self, classifier: Classifier, images: Images, question: Question) -> Heatmaps:
        height, width = images.shape[2:]
        generator = seeded(self.seed, images)
        shape = (self.samples, self.cells, self.cells)
        grids = torch.rand(shape, generator=generator, device=images.device) < self.share
        shifts = torch.rand(2, self.samples, generator=generator, device=images.device)
        above, beside = (self.weights(side, images) for side in (height, width))

        def keeps(_: Labels, number: Labels) -> Keep:
            top, left = (
                (shift[number] * len(table)).long()
                for shift, table in zip(shifts, (above, beside), strict=True)
            )
            return (above[top] @ grids[number].to(images) @ beside[left].mT).clamp(0, 1)[:, None]

        whole = value(self.output, question, classifier(images)) * float(self.centred)
        heat, chance = torch.zeros_like(images[:, 0]), torch.zeros_like(images[:, 0])
        total = torch.zeros_like(whole)
        asked = (self, classifier, images, question)
        for part in removed(*asked, keeps, self.samples, "rise"):
            for image in part.row.unique().tolist():
                mine = part.row == image
                left, keep = part.value[mine] - whole[image], part.keep[mine, 0].flatten(1)
                heat[image] += (left @ keep).view(height, width)
                chance[image] += keep.sum(0).view(height, width)
                total[image] += left.sum()
        if not self.centred:
            return heat / (self.samples * self.share)
        expected = (total / self.samples)[:, None, None] * chance
        return (heat - expected) / (self.samples * self.share * (1 - self.share))

    def weights(self, side: int, like: Tensor) -> Float[Tensor, "shifts side cells"]:
        """For every shift within a cell, the bilinear weights of cells along one side."""
        cell = -(-side // self.cells)
        ones = torch.eye(self.cells, device=like.device)[None]
        size = (self.cells + 1) * cell
        table = F.interpolate(ones, size, mode="linear", align_corners=False)[0].T
        return torch.stack([table[first : first + side] for first in range(cell)])
