"""Segmentation: does the map, cut at its mean, cover the object and nothing else?

Source: as LTX measures it, Barkan et al., ICDM 2023, arXiv:2310.16584, after Chefer, Gur and Wolf,
arXiv:2012.09838. Differs: a number per image; `over_images` gives the figures that are published of
accuracy and IoU, which count the pixels of all images together. F1 is that of an image (published:
the mean over its rows), and the map that is cut is signed.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from rather.classifier import Classifier
from rather.explainer import Explanation
from rather.metrics.box import true_regions
from rather.types import Heatmaps, PerImage
from rather.variants import check_choice

Counts = Int[Tensor, "n 2 2"]  # images by true (background, object) by found


@dataclass(frozen=True)
class Segmentation:
    """How well the part that is rated above the mean agrees with the region; 1 is best.

    NaN for an image whose region is empty.

    Args:
        by: "accuracy", the share of pixels that are right; "iou", the mean of intersection over
            union of the object and of the rest; "f1" of the object's pixels; or "ap", the average
            precision of the ranking itself, equal ratings counting as one step.
    """

    by: Literal["accuracy", "iou", "f1", "ap"] = "iou"
    higher_is_better: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_choice("by", self.by, ("accuracy", "iou", "f1", "ap"))

    def __call__(self, classifier: Classifier, explanation: Explanation) -> PerImage:
        regions, heat = true_regions(explanation.batch, self), explanation.heatmaps
        if self.by == "ap":
            found = torch.stack(
                [average_precision(*pair) for pair in zip(heat, regions, strict=True)]
            )
        else:
            found = rate(counts(heat, regions), self.by)
        return found.where(regions.flatten(1).any(1), torch.nan)


def counts(heatmaps: Heatmaps, regions: Bool[Tensor, "n h w"]) -> Counts:
    """Pixels of each image by what they are and what the map, cut at its mean, says they are."""
    raised = heatmaps - heatmaps.amin((1, 2), keepdim=True)
    above = raised >= raised.mean((1, 2), keepdim=True)
    cells = [
        [(is_object & found).sum((1, 2)) for found in (~above, above)]
        for is_object in (~regions, regions)
    ]
    return torch.stack([torch.stack(row, 1) for row in cells], 1)


def rate(counted: Int[Tensor, "*n 2 2"], by: str) -> Tensor:
    """One of the figures from counts."""
    right = counted.diagonal(dim1=-2, dim2=-1)
    true, found = counted.sum(-1), counted.sum(-2)
    if by == "accuracy":
        return right.sum(-1) / true.sum(-1)
    if by == "f1":
        return 2 * right[..., 1] / (true + found)[..., 1]
    return (right / (true + found - right).clamp(min=1)).mean(-1)


def over_images(heatmaps: Heatmaps, regions: Bool[Tensor, "n h w"], by: str) -> float:
    """Accuracy or IoU with the pixels of all images counted together, as published."""
    return float(rate(counts(heatmaps, regions).sum(0), by))


def average_precision(heat: Tensor, region: Bool[Tensor, "h w"]) -> Tensor:
    """Area under precision over recall, as the pixels come in the order of their rating."""
    heat, order = heat.flatten().sort(descending=True)
    hits = region.flatten()[order].cumsum(0)
    last = torch.cat([heat[1:] != heat[:-1], heat.new_ones(1, dtype=torch.bool)])
    hits, seen = hits[last], last.nonzero()[:, 0] + 1
    gained = hits.diff(prepend=hits.new_zeros(1)) / hits[-1].clamp(min=1)
    return (gained * hits / seen).sum()
