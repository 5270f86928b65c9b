"""The smallest blurred disc in the middle whose removal takes almost all of the answer away.

Source: the first mask of Fong and Vedaldi, arXiv:1704.03296, as Agarwal and Nguyen use it,
arXiv:1910.04256.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from rather.infillers.blur import smoother
from rather.types import Images, Keep, PerImage

RADII = tuple(5.0 * step for step in range(35))


def circle(images: Images, left: Callable[[Keep], PerImage], sigma: float = 10.0) -> Keep:
    """A keep mask per image; `left` says what a mask leaves of the answer.

    Radii are in pixels of a 224-pixel image, and grow and shrink with it.
    """
    masks = [disc(images, radius, sigma) for radius in RADII]
    scores = torch.stack([left(mask.expand(len(images), -1, -1, -1)) for mask in masks])
    last = scores[-1]
    share = (scores - last) / (scores[:1] - last).where(scores[0] != last, 1)
    first = (share < 0.01).to(torch.uint8).argmax(0)  # the last always qualifies
    return torch.stack(masks)[first, 0]


def disc(images: Images, radius: float, sigma: float) -> Float[Tensor, "1 1 h w"]:
    """1 less a blurred disc in the middle."""
    height, width = images.shape[2:]
    scale = min(height, width) / 224
    rows = torch.arange(height, device=images.device) - (height - 1) / 2
    columns = torch.arange(width, device=images.device) - (width - 1) / 2
    inside = (rows[:, None] ** 2 + columns**2).sqrt() < radius * scale
    above, beside = (smoother(side, sigma * scale).to(images) for side in (height, width))
    soft = above @ inside.to(images)[None, None] @ beside.T
    return (1 - soft).clamp(0, 1)
