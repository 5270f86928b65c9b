"""BBMP as FIDO's authors compare with it: one deterministic mask under FIDO's score and fills.

Source: section 4 of Chang et al., ICLR 2019, arXiv:1807.08024, after Fong and Vedaldi,
arXiv:1704.03296. Has no blur, jitter or smoothness of the original. Differs: a pixel that the
infiller sees is blended with what it makes of a wholly hidden image (published: with itself, so
that nothing says what its removal would change, and "sdr" never leaves its start).
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import torch

from rather.classifier import Classifier
from rather.explainers.cells import Grid, bounded, by_images, grid_size, roughness, upsampled
from rather.infiller import Infiller, proposer, uses_keep
from rather.infillers.learned import Inpainter
from rather.progress import track
from rather.question import Question
from rather.types import Heatmaps, Images
from rather.variants import check_batch, check_choice

Objective: TypeAlias = Literal["ssr", "sdr"]


@dataclass(frozen=True)
class Bbmp:
    """Learns how much of each cell is kept.

    Args:
        infiller: what stands behind the mask.
        objective: "ssr" keeps as little as suffices, "sdr" removes as little as destroys.
        cell: side of a cell in pixels.
        steps: steps of Adam, a forward and a backward pass each.
        rate: first step size of Adam; it falls to 0.
        area: price of the whole image, in units of the log-odds.
        smooth: price of squared differences between neighbouring pixels.
        seen_at: the infiller sees pixels that are kept by at least so much; published: 1.
        explore: blend pixels that the infiller sees with its fill of a wholly hidden image.
        batch: images at once; changes no result.
        seed: for infillers that draw at random.
    """

    nothing: ClassVar[float] = -0.5  # the rating of what has no part in the region

    infiller: Infiller = Inpainter()
    objective: Objective = "ssr"
    cell: int = 4
    steps: int = 300
    rate: float = 0.05
    area: float = 250.88
    smooth: float = 0.0
    seen_at: float = 0.5
    explore: bool = True
    batch: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("objective", self.objective, ("ssr", "sdr"))
        check_batch(self.batch)
        if self.steps < 1 or self.cell < 1:
            raise ValueError(f"steps={self.steps} and cell={self.cell} must be at least 1")

    @classmethod
    def as_published(cls, infiller: Infiller | None = None, objective: Objective = "ssr") -> "Bbmp":
        """Every value as published: a pixel that is kept by less than 1 counts as hidden."""
        return cls(infiller or Inpainter(), objective, seen_at=1.0, explore=False)

    @property
    def blends(self) -> bool:
        """Whether pixels that the infiller sees are blended with what hiding all would show."""
        return self.explore and uses_keep(self.infiller)

    def __call__(self, classifier: Classifier, images: Images, question: Question) -> Heatmaps:
        def part(method: "Bbmp", images: Images, question: Question) -> Heatmaps:
            keep = upsampled(method.learned(classifier, images, question), images)[:, 0]
            return keep - 0.5 if method.objective == "ssr" else 0.5 - keep

        return by_images(self, part, images, question, self.batch)

    @torch.enable_grad()
    def learned(self, classifier: Classifier, images: Images, question: Question) -> Grid:
        """How much of each cell is kept."""
        grid = images.new_ones(len(images), 1, *grid_size(images, self.cell)).requires_grad_()
        adam = torch.optim.Adam([grid], lr=self.rate)
        sign = 1 if self.objective == "ssr" else -1
        proposed = proposer(self.infiller, images, self.seed)
        # What would stand there if all were hidden.
        hidden = proposed(torch.zeros_like(images[:, :1]), 0) if self.blends else None
        for step in track(range(self.steps), f"BBMP, {self.objective}"):
            keep = bounded(upsampled(grid, images))
            seen = (keep >= self.seen_at).to(images)
            hybrids = torch.lerp(proposed(seen, step), images, keep)
            if hidden is not None:
                hybrids = torch.where(seen > 0, torch.lerp(hidden, images, keep), hybrids)
            score = question.log_odds(classifier(hybrids))
            price = self.area * (keep if sign > 0 else 1 - keep).mean((1, 2, 3))
            price = price + self.smooth * roughness(keep, 2.0)
            (grid.grad,) = torch.autograd.grad((price - sign * score).sum(), grid)
            adam.param_groups[0]["lr"] = self.rate * (1 - step / self.steps)
            adam.step()
            with torch.no_grad():
                grid.clamp_(0, 1)
        return grid.detach()
