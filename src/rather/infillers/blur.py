"""Gaussian blur of the whole image.

Source: Fong and Vedaldi, Meaningful Perturbation, arXiv:1704.03296, and Chang et al. (FIDO),
arXiv:1807.08024, with sigma 10; Petsiuk et al. (RISE), arXiv:1806.07421, with 5. It leaks: what is
hidden is still there, only smooth.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from rather.types import Images, Keep


@dataclass(frozen=True)
class Blur:
    """The image, blurred; it reads hidden pixels.

    Args:
        sigma: deviation of the kernel in pixels; larger hides more, 0 is the image itself.
    """

    sigma: float = 10.0

    reads_hidden: ClassVar[bool] = True
    uses_keep: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not self.sigma >= 0:
            raise ValueError(f"sigma is {self.sigma}; a blur needs 0 pixels or more")

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        rows, columns = (smoother(side, self.sigma).to(images) for side in images.shape[2:])
        return (rows @ images @ columns.T).clamp(0, 1)


@lru_cache(16)
def smoother(side: int, sigma: float) -> Float[Tensor, "side side"]:
    """The blur of one axis as a matrix: radius 4 sigma, mirrored around border pixels.

    >>> smoother(3, 0.5).sum(1).allclose(torch.ones(3))
    True
    """
    reach = int(4 * sigma + 0.5)
    offsets = torch.arange(-reach, reach + 1)
    weights = torch.exp(-0.5 * (offsets / max(sigma, 1e-6)) ** 2)
    period = max(2 * (side - 1), 1)
    sources = (torch.arange(side)[:, None] + offsets) % period
    sources = torch.minimum(sources, period - sources) if side > 1 else torch.zeros_like(sources)
    shares = (weights / weights.sum()).expand(side, -1)
    return torch.zeros(side, side).scatter_add_(1, sources, shares)
