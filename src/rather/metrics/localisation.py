"""Inverse localisation: heat on what two images share speaks against a map.

Source: after Shih, Tien and Karnin, GANMEX, ICML 2021, arXiv:2011.06015, on scenes of Yang and Kim,
Benchmarking Attribution Methods (BAM), 2019, arXiv:1907.09701; its details are not known, and this
is our definition.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from rather.classifier import Classifier
from rather.explainer import Explanation
from rather.types import PerImage


@dataclass(frozen=True)
class InverseLocalisation:
    """How densely the object is covered: its share of absolute heat over its share of the area.

    1 for a map without preference. Where target and foil are scenes and share the object, lower is
    better; where they are objects and share the scene, higher is: the gap between the two tells.
    NaN for images without a region, and for maps of nothing.
    """

    higher_is_better: ClassVar[bool] = False

    def __call__(self, classifier: Classifier, explanation: Explanation) -> PerImage:
        regions = explanation.batch.regions
        if regions is None:
            raise ValueError(
                "InverseLocalisation needs the object's region, but this dataset has none; "
                "give Batch(..., regions=...) one (h, w) mask of the object per image"
            )
        heat = explanation.heatmaps.abs()
        inside = (heat * regions).sum((1, 2)) / heat.sum((1, 2))
        share = regions.float().mean((1, 2))
        return torch.where(share > 0, inside / share, torch.nan)
