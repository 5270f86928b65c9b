"""Concentration: on how few pixels the heat lies.

Source: the Gini index of Gini, 1912, as used for attributions by Chalasani et al.,
arXiv:1810.06583.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rather.classifier import Classifier
from rather.explainer import Explanation
from rather.types import PerImage
from rather.variants import check_choice


@dataclass(frozen=True)
class Concentration:
    """Describes a map, in absolute heat; neither end is better, and NaN for a map of zeros.

    Args:
        by: "gini" is 0 for equal pixels and nearly 1 for a single one; "entropy" of the shares of
            heat, in nats, is 0 for a single one; "half" is the least share of the pixels that holds
            half of the heat.
    """

    by: Literal["gini", "entropy", "half"] = "gini"
    higher_is_better: ClassVar[bool] = True  # descriptive: for "gini", larger is more concentrated

    def __post_init__(self) -> None:
        check_choice("by", self.by, ("gini", "entropy", "half"))

    def __call__(self, classifier: Classifier, explanation: Explanation) -> PerImage:
        heat = explanation.heatmaps.flatten(1).abs()
        share = heat / heat.sum(1, keepdim=True)
        return {"gini": gini, "entropy": entropy, "half": half}[self.by](share)


def gini(share: Float[Tensor, "n pixels"]) -> PerImage:
    """Twice the area between the curve of held heat and that of equal pixels."""
    pixels = share.shape[1]
    weights = (2 * torch.arange(1, pixels + 1, device=share.device) - pixels - 1) / pixels
    return (share.sort(1).values * weights).sum(1)


def entropy(share: Float[Tensor, "n pixels"]) -> PerImage:
    """Of the shares, in nats."""
    return torch.special.entr(share).sum(1)


def half(share: Float[Tensor, "n pixels"]) -> PerImage:
    """Least share of the pixels that holds half of the heat."""
    held = share.sort(1, descending=True).values.cumsum(1)
    count = (held < 0.5 * (1 - 1e-6)).sum(1) + 1
    return torch.where(share.isnan().any(1), torch.nan, count / share.shape[1])
