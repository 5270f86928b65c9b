"""Localisation error as in SAM: the box of a map against all boxes of the image at once.

Source: Bansal, Agarwal and Nguyen, SAM: The Sensitivity of Attribution Methods to Hyperparameters,
CVPR 2020, arXiv:2003.08754. Differs: half-open boxes; the published code drops the first row and
column of the image.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from rather.classifier import Classifier
from rather.explainer import Explanation
from rather.metrics.box import overlap, painted, tightest, true_regions
from rather.types import PerImage

ALPHAS = tuple(step / 20 for step in range(2, 11))  # 0.10 to 0.50, as published


@dataclass(frozen=True)
class SamLocalisation:
    """1 if the map's box overlaps the union of the true boxes by half or less; NaN without one.

    Args:
        alpha: share of the map's maximum from which a pixel counts; choose it on images that are
            not reported, and report all of `ALPHAS`. Negative heat counts as 0.
    """

    alpha: float = 0.3
    higher_is_better: ClassVar[bool] = False

    def __call__(self, classifier: Classifier, explanation: Explanation) -> PerImage:
        share = self.shares(explanation)
        return (share <= 0.5).to(share).where(~share.isnan(), torch.nan)

    def shares(self, explanation: Explanation) -> PerImage:
        """Overlap of the map's box with the union of the true boxes; NaN without one."""
        regions = true_regions(explanation.batch, self)
        positive = explanation.heatmaps.clamp(min=0)
        above = positive >= self.alpha * positive.amax((1, 2), keepdim=True)
        # A map without positive heat passes everywhere, and gets the whole image as its box.
        found = [
            overlap(painted(tightest(part), region), region)
            for part, region in zip(above, regions, strict=True)
        ]
        return torch.stack(found).where(regions.flatten(1).any(1), torch.nan)
