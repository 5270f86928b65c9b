"""Extremal perturbations: of every size asked for, the smooth part whose removal takes most away.

Source: Fong, Patrick and Vedaldi, Understanding Deep Networks via Extremal Perturbations and Smooth
Masks, ICCV 2019, arXiv:1910.08485. Differs: the part is removed (published: mostly kept), by any
infiller; a Gaussian of a cell's width, raised to the strongest cell, stands for the smooth maximum
convolution (see `cells.swollen`); the area's weight rises in a straight line, with steps of Adam.
"""

from dataclasses import dataclass

import torch

from rather.classifier import Classifier
from rather.explainers.meaningful_perturbation import MeaningfulPerturbation
from rather.explainers.removal import Output
from rather.infiller import Infiller
from rather.infillers import Blur
from rather.question import Question
from rather.types import Heatmaps, Images
from rather.variants import check_batch, check_choice


@dataclass(frozen=True)
class Extremal:
    """Learns a mask for each size; a pixel's rating is the mean of the masks, so small ones lead.

    Args:
        infiller: what stands where a mask hides.
        areas: sizes of the parts, as shares of the image.
        cells: masks are `cells` by `cells`, smoothed by a Gaussian as wide as one.
        steps: steps of Adam for each size, a forward and a backward pass each.
        rate: step size of Adam.
        output: what is lowered: the "logit", or the "probability".
        batch: images at once; changes no result.
        seed: of the first masks and the infiller.
    """

    infiller: Infiller = Blur(sigma=10.0)
    areas: tuple[float, ...] = (0.05, 0.1, 0.2)
    cells: int = 28
    steps: int = 100
    rate: float = 0.1
    output: Output = "logit"
    batch: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("output", self.output, ("logit", "probability"))
        check_batch(self.batch)
        if not self.areas or not all(0 < area < 1 for area in self.areas):
            raise ValueError(f"areas are {self.areas}, but each must lie between 0 and 1")

    def __call__(self, classifier: Classifier, images: Images, question: Question) -> Heatmaps:
        masks = [self.of(area)(classifier, images, question) for area in self.areas]
        return torch.stack(masks).mean(0)

    def of(self, area: float) -> MeaningfulPerturbation:
        """What learns the mask of one size."""
        return MeaningfulPerturbation(
            infiller=self.infiller,
            cells=self.cells,
            upsample="smooth",
            init="even",
            steps=self.steps,
            rate=self.rate,
            fraction=area,
            smooth=0.0,
            jitter=0,
            binary=False,
            output=self.output,
            batch=self.batch,
            seed=self.seed,
        )
