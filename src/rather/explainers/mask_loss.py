"""What a mask network minimises: the answer that is lost, and the area that is kept.

Source: Barkan et al. (LTX), arXiv:2310.16584. Differs: any infiller behind the mask, and any
question; the area costs in proportion (the published code takes a sigmoid twice, so that its price
is a softplus of the mask, nearly linear).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from rather.classifier import Classifier
from rather.explainers.cells import Grid, upsampled
from rather.infiller import Infiller, fill
from rather.question import Question
from rather.types import Images, PerImage
from rather.variants import check_choice

Penalty: TypeAlias = Literal["mean", "softplus", "bce"]
PENALTIES: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": lambda keep: keep,
    "softplus": F.softplus,
    "bce": lambda keep: -torch.log1p(-keep.clamp(max=1 - 1e-6)),
}


@dataclass(frozen=True)
class MaskLoss:
    """How a coarse mask is judged, image by image.

    Args:
        infiller: what stands where the mask lets go.
        area: price of the whole image, against the surprise at the answer, in nats.
        penalty: how a cell is priced: by "mean" its share, or "softplus", "bce" of it.
        inverse: weight of the answer's being lost where the mask's opposite is kept.
    """

    infiller: Infiller
    area: float
    penalty: Penalty
    inverse: float = 0.0

    def __post_init__(self) -> None:
        check_choice("area_penalty", self.penalty, tuple(PENALTIES))

    def __call__(
        self,
        classifier: Classifier,
        images: Images,
        question: Question,
        grid: Grid,
        generator: torch.Generator,
    ) -> PerImage:
        """The loss of a grid of shares, before it is upsampled."""
        keep = upsampled(grid, images).clamp(0, 1)
        shown = fill(self.infiller, images, keep, generator)
        loss = F.softplus(-question.log_odds(classifier(shown)))
        if self.inverse:
            rest = fill(self.infiller, images, 1 - keep, generator)
            loss = loss + self.inverse * F.softplus(question.log_odds(classifier(rest)))
        return loss + self.area * PENALTIES[self.penalty](grid).mean((1, 2, 3))
