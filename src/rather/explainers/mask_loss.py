"""What a mask network minimises: the answer that is lost, and the area that is kept.

Source: Barkan et al. (LTX), arXiv:2310.16584. Differs: any infiller behind the mask, and any
question; masks can be drawn from the shares, as FIDO's are, or their sizes; the area costs in
proportion (the published code takes a sigmoid twice, so that its price is a softplus of the mask,
nearly linear).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from rather.classifier import Classifier
from rather.explainers.cells import Grid, upsampled
from rather.explainers.concrete import soft_keep
from rather.explainers.shares import at_share, unusual
from rather.infiller import Infiller, fill
from rather.question import Question
from rather.types import Images, PerImage
from rather.variants import check_choice

Penalty: TypeAlias = Literal["mean", "square", "softplus", "bce", "drawn"]
PENALTIES: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": lambda keep: keep,
    "square": lambda keep: keep,  # of an image's mean, below
    "softplus": F.softplus,
    "bce": lambda keep: -torch.log1p(-keep.clamp(max=1 - 1e-6)),
    "drawn": lambda keep: unusual(keep.logit(eps=1e-6)),
}
SIZES = (0.05, 0.6)  # between which a mask's size is drawn
SHOWN = 0.3  # the size at which a mask of any is shown


@dataclass(frozen=True)
class MaskLoss:
    """How a coarse mask is judged, image by image.

    Args:
        infiller: what stands where the mask lets go.
        area: price of the whole image, against the surprise at the answer, in nats.
        penalty: how a cell is priced: by "mean" its share, or "softplus", "bce" of it; or the image
            by the "square" of its mean, so that the last of it is cheap, and the first dear; or
            "drawn": each mask keeps a share that is drawn anew, and learns what goes first; `area`
            is the price of logits whose mean is not 0, or their deviation not 1.
        inverse: weight of the answer's being lost where the mask's opposite is kept.
        temperature: of near-binary masks that are drawn from the shares, so that to dim all of the
            image gains nothing; 0: the shares are the mask. Of masks of a drawn size, how soft
            their edge is, in standard deviations of the logits.
    """

    infiller: Infiller
    area: float
    penalty: Penalty
    inverse: float = 0.0
    temperature: float = 0.0

    def __post_init__(self) -> None:
        check_choice("area_penalty", self.penalty, tuple(PENALTIES))
        if self.temperature < 0:
            raise ValueError(f"temperature must be at least 0, but is {self.temperature}")
        if self.sized and not self.temperature:
            raise ValueError("masks of a drawn size need a temperature above 0, such as 0.3")

    @property
    def sized(self) -> bool:
        """Whether a mask's size is drawn, in place of being paid for."""
        return self.penalty == "drawn"

    def __call__(
        self,
        classifier: Classifier,
        images: Images,
        question: Question,
        grid: Grid,
        generator: torch.Generator,
    ) -> PerImage:
        """The loss of a grid of shares, before it is upsampled."""
        keep = upsampled(self.drawn(grid, generator), images).clamp(0, 1)
        shown = fill(self.infiller, images, keep, generator)
        loss = F.softplus(-question.log_odds(classifier(shown)))
        if self.inverse:
            rest = fill(self.infiller, images, 1 - keep, generator)
            loss = loss + self.inverse * F.softplus(question.log_odds(classifier(rest)))
        return loss + self.area * self.share(grid)

    def share(self, grid: Grid) -> PerImage:
        """How much of the whole image's price a mask costs."""
        share = PENALTIES[self.penalty](grid).mean((1, 2, 3))
        return share.square() if self.penalty == "square" else share

    def drawn(self, grid: Grid, generator: torch.Generator) -> Grid:
        """One mask for each image, with noise or a size of its own."""
        if self.sized:
            least, most = SIZES
            share = torch.rand(len(grid), generator=generator, device=grid.device)
            return at_share(grid.logit(eps=1e-6), least + (most - least) * share, self.temperature)
        if not self.temperature:
            return grid
        drop = -grid.logit(eps=1e-6).view(1, 1, -1, grid.shape[-1])
        return soft_keep(drop, 1, self.temperature, False, generator).view_as(grid)

    def region(self, keep: Grid) -> Grid:
        """The mask that is shown, of shares of pixels."""
        if self.sized:
            share = torch.full_like(keep[:, 0, 0, 0], SHOWN)
            return at_share(keep.logit(eps=1e-6), share, self.temperature)
        return (keep > 0.5).to(keep) if self.temperature else keep
