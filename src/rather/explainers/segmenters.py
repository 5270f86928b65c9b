"""Parts of an image that are hidden together: what segment-wise explainers rate."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor

from rather.data.segments import slic
from rather.types import Images


@runtime_checkable
class Segmenter(Protocol):
    """Numbers the parts of each image from 0; pixels of one number belong together."""

    def __call__(self, images: Images, /) -> Int[Tensor, "n h w"]: ...


@dataclass(frozen=True)
class Slic:
    """Superpixels of similar colour.

    Args:
        segments: about how many; more find smaller evidence and cost more.
        compactness: larger makes them squarer, smaller makes them follow colours.
        sigma: of a Gaussian that smooths the photo before, in pixels; 0 does not.
    """

    segments: int = 50
    compactness: float = 30.0
    sigma: float = 0.0

    def __call__(self, images: Images) -> Int[Tensor, "n h w"]:
        return slic(images, self.segments, self.compactness, self.sigma)


@dataclass(frozen=True)
class Cells:
    """A grid of `cells` by `cells` rectangles, whatever the image shows."""

    cells: int = 7

    def __call__(self, images: Images) -> Int[Tensor, "n h w"]:
        rows, columns = (
            torch.arange(side, device=images.device) * self.cells // side
            for side in images.shape[2:]
        )
        return (rows[:, None] * self.cells + columns).expand(len(images), -1, -1)
