"""Means of the image itself: of its shown pixels, of all of them, or of those nearby.

Source: `LocalMean` after Chang et al. (FIDO), arXiv:1807.08024, as a window that moves with the
pixel; `ImageMean` is the "fixed" imputation of Rong et al. (ROAD), arXiv:2202.00449. Differs:
where a window shows nothing, the mean colour of ImageNet stands instead of zero.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn import functional as F

from rather.infillers.constant import Colour, MeanColour
from rather.types import Images, Keep


@dataclass(frozen=True)
class KeptMean:
    """Mean colour of the image's shown pixels; middle grey where it shows none."""

    reads_hidden: ClassVar[bool] = False
    uses_keep: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        shown = keep > 0.5
        count = shown.sum((2, 3), keepdim=True)
        mean = images.where(shown, 0).sum((2, 3), keepdim=True) / count.clamp(min=1)
        return mean.where(count > 0, 0.5).clamp(0, 1).expand_as(images).clone()


@dataclass(frozen=True)
class ImageMean:
    """Mean colour of the whole image, hidden pixels included."""

    reads_hidden: ClassVar[bool] = True
    uses_keep: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        return images.mean((2, 3), keepdim=True).clamp(0, 1).expand_as(images).clone()


@dataclass(frozen=True)
class LocalMean:
    """Mean colour of the shown pixels in a window around each pixel.

    Args:
        window: odd side of the window in pixels; larger is smoother and bridges larger holes.
        fallback: colour of pixels whose window shows nothing.
    """

    window: int = 15
    fallback: Colour = MeanColour.rgb

    reads_hidden: ClassVar[bool] = False
    uses_keep: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.window < 1 or self.window % 2 == 0:
            raise ValueError(f"window is {self.window}; it must be odd, to have a middle: try 15")

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        shown = keep > 0.5
        share = self._box(shown.to(images))
        mean = self._box(images.where(shown, 0)) / share.where(share > 0, 1)
        fallback = images.new_tensor(self.fallback).view(-1, 1, 1)
        return mean.where(share > 0, fallback).clamp(0, 1)

    def _box(self, x: torch.Tensor) -> torch.Tensor:
        side, edge = self.window, self.window // 2
        return F.avg_pool2d(F.avg_pool2d(x, (side, 1), 1, (edge, 0)), (1, side), 1, (0, edge))
