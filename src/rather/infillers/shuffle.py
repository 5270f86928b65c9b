"""`Shuffle`: patches of the image itself, pasted at random."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from rather.infillers.noise import uniform
from rather.types import Images, Keep

Photo = Float[Tensor, "3 h w"]


@dataclass(frozen=True)
class Shuffle:
    """Covers the image with tiles, each copied from a random place that is wholly shown.

    It keeps colours and fine texture, and no layout. If no window of this size is wholly shown, the
    side is halved until one is; an image that shows nothing becomes middle grey.

    Args:
        patch: side of the tiles in pixels; larger keeps larger structures.
    """

    patch: int = 16

    reads_hidden: ClassVar[bool] = False
    uses_keep: ClassVar[bool] = True
    stochastic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.patch < 1:
            raise ValueError(f"patch is {self.patch}; tiles need a side of at least 1 pixel")

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        chance = uniform(tuple(images.shape[2:]), images, generator)
        return torch.stack([self._one(*pair, chance) for pair in zip(images, keep, strict=True)])

    def _one(self, image: Photo, keep: Tensor, chance: Tensor) -> Photo:
        side = min(self.patch, *image.shape[1:])
        while side:
            places = windows(keep, side)
            if len(places):
                return tiled(image, places, chance[::side, ::side], side)
            side //= 2
        return torch.full_like(image, 0.5)


def windows(keep: Tensor, side: int) -> Int[Tensor, "count 2"]:
    """Upper left corners of all squares that are wholly shown."""
    hidden = (keep <= 0.5).float()
    return (F.max_pool2d(hidden, side, 1)[0] == 0).nonzero()


def tiled(image: Photo, places: Int[Tensor, "count 2"], chance: Tensor, side: int) -> Photo:
    height, width = image.shape[1:]
    picked = places[(chance * len(places)).long().clamp(max=len(places) - 1)]
    corners = picked.repeat_interleave(side, 0).repeat_interleave(side, 1)[:height, :width]
    rows = corners[..., 0] + (torch.arange(height, device=image.device) % side)[:, None]
    columns = corners[..., 1] + torch.arange(width, device=image.device) % side
    return image[:, rows, columns]
