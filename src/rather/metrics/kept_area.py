"""Kept area at equal log-odds: how little of a map's ranking says as much.

Source: our operational definition of the claim of Chang et al. (FIDO), ICLR 2019, arXiv:1807.08024,
that generative fills give more compact maps. Maps of different fills end at different log-odds, so
their own sizes cannot be compared; the shares at which they reach one level can.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import torch
from jaxtyping import Bool
from torch import Tensor

from rather.classifier import Classifier
from rather.explainer import Explanation
from rather.infiller import Infiller, filler
from rather.infillers import MeanColour
from rather.metrics.curve import Ranks, rank
from rather.metrics.search import Areas, smallest_share
from rather.types import Keep, PerImage
from rather.variants import check_batch, check_choice, variants

Kind: TypeAlias = Literal["kept", "removed"]


@dataclass(frozen=True)
class KeptArea:
    """Smallest share of the best-rated pixels that brings the log-odds to a level; 1 if none does.

    NaN for an image whose own log-odds are not above the level: nothing is there to keep or lose.

    Args:
        infiller: what stands where the image is hidden; that of the explainer asks whether it
            found what it looked for, any other whether the region is more than its fill's.
        kind: "kept" shows the region and hides the rest, and the log-odds must rise to the level;
            "removed" hides the region, and they must fall to it.
        log_odds: the level; 0 is a probability of one half.
        areas: shares tried in each of two rounds; more find smaller ones.
        seed: breaks ties, and feeds infillers that draw at random.
        batch: images classified at once; None leaves it to the classifier. Changes no result.
    """

    infiller: Infiller = MeanColour()
    kind: Kind = "kept"
    log_odds: float = 0.0
    areas: int = 24
    seed: int = 0
    batch: int | None = None
    higher_is_better: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ("kept", "removed"))
        check_batch(self.batch)

    def __call__(self, classifier: Classifier, explanation: Explanation) -> PerImage:
        return self.share(classifier, explanation, self.ranks(explanation))

    def ranks(self, explanation: Explanation) -> Ranks:
        """When each pixel's turn comes."""
        return rank(explanation.heatmaps, "morf", self.seed)

    def share(self, classifier: Classifier, explanation: Explanation, ranks: Ranks) -> PerImage:
        """The smallest share of the ranking that does it."""
        images, asked = explanation.batch.images, explanation.question
        fills = filler(self.infiller, images, self.seed)
        size = self.batch or classifier.batch

        def tried(shares: Areas) -> Bool[Tensor, "n areas"]:
            works = torch.zeros_like(shares, dtype=torch.bool)
            for row, number in variants(images, self.areas, size, f"area {self.kind}"):
                keep = kept(ranks[row], shares[row, number], self.kind).to(images)
                odds = asked.at(row).log_odds(classifier(fills(row, keep)))
                works[row, number] = (
                    odds >= self.log_odds if self.kind == "kept" else odds <= self.log_odds
                )
            return works

        above = asked.log_odds(explanation.logits) > self.log_odds
        pixels = ranks[0].numel()
        count = counted(smallest_share(tried, images, self.areas), pixels)
        return (count / pixels).where(above, torch.nan)


def counted(share: PerImage, size: int) -> PerImage:
    """How many of so many pixels a share comes to; but for 0 at least one."""
    return (share * size).round().clamp(min=1) * (share > 0)


def kept(ranks: Ranks, share: PerImage, kind: Kind) -> Keep:
    """Masks that show, or hide, the first share of the ranking; but for 0 at least one pixel."""
    inside = ranks[:, None] < counted(share, ranks[0].numel())[:, None, None, None]
    return (inside if kind == "kept" else ~inside).to(torch.float32)
