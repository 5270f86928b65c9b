"""How alike two images are, pixel by pixel, and how alike two heatmaps are.

Source: Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity,
IEEE TIP 2004, with a uniform window, K = 0.01 and 0.03.
"""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from rather.types import Heatmaps, Images, Keep, PerImage


def inside(values: Float[Tensor, "n c h w"], keep: Keep) -> PerImage:
    """Mean over the hidden pixels of each image; NaN where nothing is hidden."""
    hidden = (keep < 0.5).to(values)
    return (values.mean(1, keepdim=True) * hidden).sum((1, 2, 3)) / hidden.sum((1, 2, 3))


def psnr(images: Images, truth: Images, keep: Keep) -> PerImage:
    """Peak signal to noise ratio on hidden pixels, in decibels; at most 100."""
    return -10 * inside((images - truth).square(), keep).clamp(min=1e-10).log10()


def spearman(one: Heatmaps, other: Heatmaps) -> PerImage:
    """Rank correlation of each pair of maps, ties sharing their mean rank; NaN for a flat one.

    >>> heat = torch.tensor([[[1.0, 2.0, 3.0]]])
    >>> [round(float(spearman(heat, other)), 4) for other in (heat.exp(), -heat)]
    [1.0, -1.0]
    """
    ranks = [torch.stack([_mean_ranks(heat.flatten()) for heat in heats]) for heats in (one, other)]
    return correlation(*ranks)


def correlation(one: Float[Tensor, "n k"], other: Float[Tensor, "n k"]) -> PerImage:
    """Pearson's, row by row; NaN where a row does not vary."""
    one, other = (part - part.mean(1, keepdim=True) for part in (one, other))
    return (one * other).sum(1) / (one.norm(dim=1) * other.norm(dim=1))


def map_ssim(one: Heatmaps, other: Heatmaps) -> PerImage:
    """Mean structural similarity of maps divided by their largest absolute value, window 5."""
    halves = [(heat / heat.abs().amax((1, 2), keepdim=True) / 2)[:, None] for heat in (one, other)]
    return ssim(*halves, window=5).mean((1, 2, 3))


def hog_correlation(one: Heatmaps, other: Heatmaps) -> PerImage:
    """Correlation of histograms of oriented gradients: 9 directions in cells of 16 pixels."""
    return correlation(*(_hogs(heat).to(one) for heat in (one, other)))


def ssim(
    images: Float[Tensor, "n c h w"], truth: Float[Tensor, "n c h w"], window: int = 7
) -> Float[Tensor, "n c h w"]:
    """Structural similarity around each pixel, in [-1, 1]; 1 for equal images.

    Args:
        images: what is judged.
        truth: what it is held against.
        window: side of the square of pixels that is compared, odd; larger looks at coarser things.
    """
    mean_a, mean_b = _box(images, window), _box(truth, window)
    var_a = _box(images * images, window) - mean_a**2
    var_b = _box(truth * truth, window) - mean_b**2
    both = _box(images * truth, window) - mean_a * mean_b
    light = (2 * mean_a * mean_b + 1e-4) / (mean_a**2 + mean_b**2 + 1e-4)
    return light * (2 * both + 9e-4) / (var_a + var_b + 9e-4)


def _box(values: Tensor, window: int) -> Tensor:
    return F.avg_pool2d(values, window, 1, window // 2, count_include_pad=False)


def _mean_ranks(values: Float[Tensor, " k"]) -> Float[Tensor, " k"]:
    _, place, counts = values.unique(return_inverse=True, return_counts=True)
    return (counts.cumsum(0) - (counts - 1) / 2)[place]


def _hogs(heats: Heatmaps) -> Float[Tensor, "n k"]:
    from skimage.feature import hog  # late, as it takes a second

    side = max(1, min(16, min(heats.shape[1:]) // 3))
    cells = {"orientations": 9, "pixels_per_cell": (side, side), "cells_per_block": (3, 3)}
    found = [hog(heat.cpu().numpy(), block_norm="L2-Hys", **cells) for heat in heats]
    return torch.from_numpy(np.stack(found))
