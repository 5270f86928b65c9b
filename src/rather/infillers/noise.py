"""Noise and random colours: fills without structure. Every draw is shared by the whole batch.

Source: `ColourNoise` is the "random" fill of Chang et al. (FIDO), arXiv:1807.08024;
`ColourHistogram` the baseline of Bluecher et al., Decoupling Pixel Flipping and Occlusion Strategy
(R-OMS), arXiv:2401.06654. Differs: the histogram is that of the shown pixels, where its authors
use all; the colour is the mean of the image's pixels in the bin, so that it does occur there.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from rather.types import Images, Keep


@dataclass(frozen=True)
class Noise:
    """Independent uniform noise in every pixel and channel."""

    reads_hidden: ClassVar[bool] = False
    uses_keep: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        return uniform((1, *images.shape[1:]), images, generator).expand_as(images).clone()


@dataclass(frozen=True)
class ColourNoise:
    """One random colour a draw, with Gaussian noise on it.

    Args:
        sigma: deviation of the noise; 0 leaves the plain colour.
    """

    sigma: float = 0.2

    reads_hidden: ClassVar[bool] = False
    uses_keep: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.sigma >= 0:
            raise ValueError(f"sigma is {self.sigma}; a deviation is 0 or more")

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        colour = uniform((1, 3, 1, 1), images, generator)
        noise = normal((1, *images.shape[1:]), images, generator)
        return (colour + self.sigma * noise).clamp(0, 1).expand_as(images).clone()


@dataclass(frozen=True)
class ColourHistogram:
    """One colour a draw for the whole hole, as frequent as it is in the image.

    Args:
        bins: bins of the histogram a channel; more is closer to the colour of a single pixel.
        all_pixels: count hidden pixels too, as published; then it reads them.
    """

    bins: int = 8
    all_pixels: bool = False

    stochastic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 1 <= self.bins <= 256:
            raise ValueError(f"bins is {self.bins}; choose 1 to 256 a channel")

    @classmethod
    def as_published(cls) -> "ColourHistogram":
        """The histogram of all pixels."""
        return cls(all_pixels=True)

    @property
    def reads_hidden(self) -> bool:
        return self.all_pixels

    @property
    def uses_keep(self) -> bool:
        return not self.all_pixels

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        shown = (torch.ones_like(keep) if self.all_pixels else keep).flatten(1) > 0.5
        place = nth(shown, uniform((1,), images, generator))
        pixels = images.permute(0, 2, 3, 1).flatten(1, 2)
        bins = (pixels * self.bins).clamp(0, self.bins - 1).floor()
        chosen = bins[torch.arange(len(bins), device=bins.device), place]
        alike = shown & (bins == chosen[:, None]).all(2)
        count = alike.sum(1)[:, None]
        colour = pixels.where(alike[..., None], 0).sum(1) / count.clamp(min=1)
        return colour.where(count > 0, 0.5)[..., None, None].clamp(0, 1).expand_as(images).clone()


def nth(flags: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Place of the true flag that lies at a share in [0, 1) of all true ones in its row.

    >>> nth(torch.tensor([[False, True, False, True]]), torch.tensor([0.6]))
    tensor([3])
    """
    order = flags.cumsum(1)
    rank = (share * order[:, -1]).floor().clamp(max=order[:, -1] - 1)
    return (order <= rank[:, None]).sum(1).clamp(max=flags.shape[1] - 1)


def uniform(shape: tuple[int, ...], like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(shape, generator=generator, device=generator.device).to(like)


def normal(shape: tuple[int, ...], like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(shape, generator=generator, device=generator.device).to(like)
