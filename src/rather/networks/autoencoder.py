"""A small autoencoder, whose code editors move about in: almost without a prior.

Source: Rombach et al., High-Resolution Image Synthesis with Latent Diffusion Models,
arXiv:2112.10752, in the spirit; Kingma and Welling, arXiv:1312.6114. Differs: far smaller.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from rather.types import Images

Code = Float[Tensor, "n channels rows columns"]


class Autoencoder(nn.Module):
    """Encodes images to an eighth of their size, and decodes them.

    Args:
        widths: channels at a half, a quarter and an eighth of the size.
        code: channels of the code; more keep more.
    """

    def __init__(self, widths: Sequence[int] = (64, 128, 256), code: int = 8) -> None:
        super().__init__()
        self.settings = {"widths": list(widths), "code": code}
        a, b, c = widths
        self.encoder = nn.Sequential(
            *(nn.Conv2d(3, a, 3, 2, 1), nn.SiLU(), Block(a)),
            *(nn.Conv2d(a, b, 3, 2, 1), nn.SiLU(), Block(b)),
            *(nn.Conv2d(b, c, 3, 2, 1), nn.SiLU(), Block(c)),
            nn.Conv2d(c, 2 * code, 1),
        )
        self.decoder = nn.Sequential(
            *(nn.Conv2d(code, c, 1), Block(c), _doubling(c, b)),
            *(Block(b), _doubling(b, a)),
            *(Block(a), _doubling(a, a), nn.Conv2d(a, 3, 3, padding=1)),
        )

    def forward(self, images: Images, noise: Tensor | None = None) -> tuple[Images, Tensor, Tensor]:
        """The decoded images, and mean and log-variance of the code."""
        mean, spread = self.encoder(_padded(images)).chunk(2, 1)
        spread = spread.clamp(-12, 4)
        code = mean if noise is None else mean + (spread / 2).exp() * noise
        return self.decode(code, images), mean, spread

    def encode(self, images: Images) -> Code:
        return self.encoder(_padded(images)).chunk(2, 1)[0]

    def decode(self, code: Code, like: Images) -> Images:
        """Images of the size of others."""
        height, width = like.shape[2:]
        return torch.sigmoid(self.decoder(code))[..., :height, :width]


class Block(nn.Module):
    """A convolution beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def _doubling(enter: int, leave: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Upsample(scale_factor=2), nn.Conv2d(enter, leave, 3, padding=1), nn.SiLU()
    )


def _padded(images: Images) -> Tensor:
    height, width = images.shape[2:]
    return F.pad(2 * images - 1, (0, -width % 8, 0, -height % 8), mode="replicate")
