"""Total variation: how ragged a map is, or the region that it rates best.

Source: our operational definition of the "artefacts" that Chang et al. (FIDO), ICLR 2019,
arXiv:1807.08024, say generative fills avoid; the total variation is of Rudin, Osher and Fatemi,
Physica D 1992, without its square root.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from rather.classifier import Classifier
from rather.explainer import Explanation
from rather.metrics.kept_area import KeptArea, kept
from rather.types import Heatmaps, PerImage


@dataclass(frozen=True)
class TotalVariation:
    """Mean absolute difference of neighbouring pixels, across and down; 0 for a flat map.

    Args:
        at: where to cut the map: the variation is then that of the region that `KeptArea` finds,
            the length of its border over the number of pixels, so that maps are compared at equal
            log-odds. None takes the map itself, from its least heat as 0 to its most as 1.
    """

    at: KeptArea | None = None
    higher_is_better: ClassVar[bool] = False

    def __call__(self, classifier: Classifier, explanation: Explanation) -> PerImage:
        if self.at is None:
            return variation(unit(explanation.heatmaps))
        ranks = self.at.ranks(explanation)
        share = self.at.share(classifier, explanation, ranks)
        return variation(kept(ranks, share, self.at.kind)[:, 0]).where(~share.isnan(), torch.nan)


def variation(values: Float[Tensor, "n h w"]) -> PerImage:
    """Sum of the absolute differences of neighbours, over the number of pixels.

    >>> variation(torch.tensor([[[0.0, 1.0], [0.0, 1.0]]])).tolist()
    [0.5]
    """
    down, right = (values.diff(dim=axis).abs().sum((1, 2)) for axis in (1, 2))
    return (down + right) / values[0].numel()


def unit(heatmaps: Heatmaps) -> Heatmaps:
    """Each map from 0 to 1; a flat one becomes 0."""
    low, high = (heatmaps.amin((1, 2), keepdim=True), heatmaps.amax((1, 2), keepdim=True))
    return (heatmaps - low) / torch.where(high > low, high - low, 1)
