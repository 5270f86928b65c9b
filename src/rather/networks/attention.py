"""Contextual attention: fills hidden places with copies of the shown patches that fit best.

Source: Yu et al., Generative Image Inpainting with Contextual Attention, arXiv:1801.07892.
Differs: hidden patches are left out before the softmax, so that weights sum to 1 (`renormalise`);
every image has its own hole; a cell counts as hidden if any of its pixels is; where no patch is
shown entirely, all may be copied, since the coarse stage has filled them.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

Maps = Float[Tensor, "n c h w"]
Hole = Float[Tensor, "n 1 rows columns"]  # 1 where a cell is hidden
Scores = Float[Tensor, "n background foreground"]


def attend(features: Maps, hidden: Hole, scale: float = 10.0, renormalise: bool = True) -> Maps:
    """Rebuild features from their own shown 4x4 patches, laid two apart.

    Args:
        features: maps with even height and width.
        hidden: 1 where a cell is hidden; half the size of the features.
        scale: sharpness of the choice; larger copies one patch, smaller blends several.
        renormalise: leave hidden patches out before the softmax; published: after it.
    """
    height, width = features.shape[2] // 2, features.shape[3] // 2
    scores = fused(similarity(features[:, :, ::2, ::2]), height, width)
    usable = shown_patches(hidden)[:, :, None]
    if renormalise:
        usable = usable | ~usable.any(1, keepdim=True)
        weights = (scale * scores).masked_fill(~usable, -torch.inf).softmax(1)
    else:
        weights = (scale * scores * usable).softmax(1) * usable
    patches = F.unfold(features, 4, padding=1, stride=2)
    return F.fold(patches @ weights, features.shape[2:], 4, padding=1, stride=2) / 4


def similarity(features: Maps) -> Scores:
    """Correlate every 3x3 patch, as it is, with every patch scaled to unit length."""
    patches = F.unfold(features, 3, padding=1)
    lengths = patches.norm(dim=1, keepdim=True).clamp(min=1e-4)
    return (patches / lengths).transpose(1, 2) @ patches


def fused(scores: Scores, height: int, width: int) -> Scores:
    """Reward neighbours that copy from neighbours: along rows, then along columns."""
    turned = _turned(diagonal(scores), height, width)
    return _turned(diagonal(turned), width, height)


def diagonal(scores: Scores) -> Scores:
    """Add to every score those of the next and the previous pair of patches."""
    padded = F.pad(scores, (1, 1, 1, 1))
    return padded[:, :-2, :-2] + scores + padded[:, 2:, 2:]


def shown_patches(hidden: Hole) -> Bool[Tensor, "n patches"]:
    """Whether a 3x3 patch holds no hidden cell."""
    return F.max_pool2d(hidden, 3, stride=1, padding=1).flatten(1) == 0


def _turned(scores: Scores, height: int, width: int) -> Scores:
    """Number the patches column by column instead of row by row."""
    cells = scores.unflatten(2, (height, width)).unflatten(1, (height, width))
    return cells.permute(0, 2, 1, 4, 3).flatten(3, 4).flatten(1, 2)
