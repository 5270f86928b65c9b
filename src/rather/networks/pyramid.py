"""Pull-push: a smooth guess at hidden pixels from the shown ones alone, in one cheap pass.

Shown pixels are averaged downwards until every cell has a value; going up again, a cell without
shown pixels takes the bilinear value from below and a few rounds of neighbour averaging. The
result is close to the harmonic fill at a hundredth of its cost.

Source: Gortler et al., The Lumigraph, SIGGRAPH 1996, section 3.5 (no arXiv id). Differs: weights
are not saturated, and the averaging rounds are ours.
"""

import torch
from torch.nn import functional as F

from rather.types import Images, Keep


def pull_push(images: Images, seen: Keep, rounds: int = 2) -> Images:
    """Fill hidden pixels smoothly; shown ones stay, and hidden ones are never read.

    Args:
        images: hidden pixels may hold anything, even NaN.
        seen: pixels above 0.5 are shown.
        rounds: neighbour averaging a level; more is smoother.
    """
    shown = seen > 0.5
    cells = torch.where(shown, images, 0), shown.to(images.dtype)
    return _finer(*cells, rounds)


def _finer(total: Images, share: Keep, rounds: int) -> Images:
    known = share > 0
    mean = total / share.where(known, 1)
    height, width = total.shape[-2:]
    if height == width == 1:
        return mean.where(known, 0.5)
    below = _finer(_halved(total), _halved(share), rounds)
    up = F.interpolate(below, (height, width), mode="bilinear", align_corners=False)
    filled = mean.where(known, up)
    for _ in range(rounds):
        filled = mean.where(known, _smoothed(filled))
    return filled


def _halved(x: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)


def _smoothed(x: Images) -> Images:
    """Mean of 3x3 pixels, as sums of shifted views: three times as fast as pooling on a CPU."""
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    rows = x[..., :-2, :] + x[..., 1:-1, :] + x[..., 2:, :]
    return (rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]) / 9
