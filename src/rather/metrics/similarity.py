"""How alike two heatmaps of one image are: in ranks, in structure, in the direction of edges.

Source: the three measures of Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018,
arXiv:1810.03292, which SAM, arXiv:2003.08754, takes over: HOG of Dalal and Triggs, CVPR 2005,
through scikit-image. Differs: cells of HOG grow with the image.
"""

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rather.metrics import likeness
from rather.types import Heatmaps, PerImage

By: TypeAlias = Literal["spearman", "ssim", "hog"]


def similarity(one: Heatmaps, other: Heatmaps, by: By) -> PerImage:
    """1 for equal maps; NaN where a map is constant, for "spearman" and "hog".

    Args:
        one: maps.
        other: other maps of the same images.
        by: "spearman" compares the order of pixels, signs and all; "ssim" the structure around
            each pixel, once both maps are divided by their largest absolute value; "hog" the
            directions in which heat rises, in cells of 16 of 224 pixels.
    """
    return MEASURES[by](one, other)


def spearman(one: Heatmaps, other: Heatmaps) -> PerImage:
    """Correlation of the pixels' ranks; equal pixels share their mean rank."""
    return pearson(*(torch.stack([mean_ranks(heat) for heat in maps]) for maps in (one, other)))


def ssim(one: Heatmaps, other: Heatmaps) -> PerImage:
    """Mean structural similarity in windows of 5 by 5 pixels, over a range of 2."""
    halves = (_even(maps)[:, None].expand(-1, 3, -1, -1) for maps in (one, other))
    return likeness.ssim(*halves, window=5).mean((1, 2, 3))


def hog(one: Heatmaps, other: Heatmaps) -> PerImage:
    """Correlation of the histograms of oriented gradients."""
    return pearson(*(torch.stack([_hog(heat) for heat in _even(maps)]) for maps in (one, other)))


MEASURES: Mapping[By, Callable[[Heatmaps, Heatmaps], PerImage]] = {
    "spearman": spearman,
    "ssim": ssim,
    "hog": hog,
}


def pearson(one: Float[Tensor, "n k"], other: Float[Tensor, "n k"]) -> PerImage:
    """Correlation of each pair of rows; NaN where a row is constant."""
    a, b = (part - part.mean(1, keepdim=True) for part in (one, other))
    return (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))


def mean_ranks(heat: Float[Tensor, "h w"]) -> Float[Tensor, " pixels"]:
    """Rank of each pixel from 1; equal ones share the mean of theirs.

    >>> mean_ranks(torch.tensor([[5.0, 2.0], [5.0, 9.0]])).tolist()
    [2.5, 1.0, 2.5, 4.0]
    """
    _, place, counts = heat.flatten().unique(return_inverse=True, return_counts=True)
    return (counts.cumsum(0) - (counts - 1) / 2)[place].to(torch.float32)


def _even(heatmaps: Heatmaps) -> Heatmaps:
    """Between -1/2 and 1/2, per map: half the range, as `likeness.ssim` knows a range of 1."""
    return heatmaps / heatmaps.abs().amax((1, 2), keepdim=True).clamp(min=1e-12) / 2


def _hog(heat: Float[Tensor, "h w"]) -> Float[Tensor, " k"]:
    from skimage.feature import hog as oriented  # half a second that few callers need

    cell = max(1, round(min(heat.shape) / 14))
    found = oriented(heat.detach().cpu().numpy(), 9, (cell, cell), (3, 3), block_norm="L2-Hys")
    return torch.from_numpy(np.asarray(found, np.float32)).to(heat.device)
