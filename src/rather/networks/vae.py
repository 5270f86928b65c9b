"""A convolutional variational auto-encoder that answers with a mean and a spread for every pixel.

Source: Chang et al., Explaining Image Classifiers by Counterfactual Generation (FIDO),
arXiv:1807.08024, appendix; Kingma and Welling, arXiv:1312.6114. Differs: group norm instead of
batch norm, so that an image's fill does not depend on its neighbours in training either; sizes are
padded to a multiple of 4 inside; half the width; sees pixels on [-1, 1].
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from rather.networks.starting import started
from rather.types import Images, Keep

Maps = Float[Tensor, "n channels rows columns"]
Noise = Float[Tensor, "draws channels rows columns"]  # one draw serves all images


class Gaussian(NamedTuple):
    """Independent normal variables: mean and logarithm of the variance of each."""

    mean: Maps
    log_var: Maps

    def at(self, noise: Noise) -> Maps:
        """The sample that standard normal `noise` leads to."""
        return self.mean + noise * (0.5 * self.log_var).exp()


class VaeNet(nn.Module):
    """Encodes what is shown, and decodes what could stand in the whole image.

    Args:
        width: channels at full resolution; cost grows with its square.
        clamp: log-variances stay within minus to plus this; None lets them diverge.
    """

    def __init__(self, width: int = 32, clamp: float | None = 8.0) -> None:
        super().__init__()
        self.settings = {"width": width, "clamp": clamp}
        w, self.clamp = width, clamp
        self.latent_channels = 4 * w
        self.encoder = nn.Sequential(
            _unit(4, w, size=5),
            *(_unit(w, 2 * w, stride=2), _unit(2 * w, 2 * w)),
            *(_unit(2 * w, 4 * w, stride=2), _unit(4 * w, 4 * w), _unit(4 * w, 4 * w)),
            *(_unit(4 * w, 4 * w, dilation=rate) for rate in (2, 4, 8, 16)),
            nn.Conv2d(4 * w, 8 * w, 3, padding=1),
        )
        self.decoder = nn.Sequential(
            *(_unit(4 * w, 4 * w), _unit(4 * w, 4 * w)),
            *(_doubling(4 * w, 2 * w), _unit(2 * w, 2 * w)),
            *(_doubling(2 * w, w), _unit(w, w // 2)),
            nn.Conv2d(w // 2, 6, 3, padding=1),
        )
        started(self)

    def forward(
        self, images: Images, keep: Keep, noise: Noise | None = None
    ) -> tuple[Gaussian, Gaussian]:
        """Distributions of the pixels and of the latent code.

        The mean of the pixels is the proposal; it is not clipped to [0, 1].

        Args:
            images: hidden pixels are never read.
            keep: 1 where a pixel is shown.
            noise: decides which latent code is decoded; by default the mean.
        """
        latent = self.encode(images, keep)
        pixels = self.decode(latent.mean if noise is None else latent.at(noise))
        height, width = images.shape[2:]
        return Gaussian(*(part[..., :height, :width] for part in pixels)), latent

    def encode(self, images: Images, keep: Keep) -> Gaussian:
        shown = keep > 0.5
        centred = (2 * images - 1).where(shown, 0)
        x = torch.cat([centred, 1 - shown.to(images.dtype)], 1)
        return self._split(self.encoder(F.pad(x, (0, -x.shape[3] % 4, 0, -x.shape[2] % 4))))

    def decode(self, latent: Maps) -> Gaussian:
        mean, log_var = self._split(self.decoder(latent))
        return Gaussian(0.5 + mean, log_var)

    def _split(self, x: Maps) -> Gaussian:
        mean, log_var = x.chunk(2, 1)
        limit = math.inf if self.clamp is None else self.clamp
        return Gaussian(mean, log_var.clamp(-limit, limit))


def code_noise(channels: int, images: Images, generator: torch.Generator, draws: int = 1) -> Noise:
    """Standard normal noise for the latent code of images; one draw serves all of them."""
    height, width = (math.ceil(side / 4) for side in images.shape[2:])
    shape = (draws, channels, height, width)
    return torch.randn(shape, generator=generator, device=generator.device).to(images)


def _unit(enter: int, leave: int, size: int = 3, stride: int = 1, dilation: int = 1) -> nn.Module:
    pad = dilation * (size // 2)
    conv = nn.Conv2d(enter, leave, size, stride, pad, dilation)
    return nn.Sequential(conv, nn.ReLU(), _norm(leave))


def _doubling(enter: int, leave: int) -> nn.Module:
    conv = nn.ConvTranspose2d(enter, leave, 4, stride=2, padding=1)
    return nn.Sequential(conv, nn.ReLU(), _norm(leave))


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(8, channels), channels)
