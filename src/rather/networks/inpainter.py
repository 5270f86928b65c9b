"""A small U-Net of gated convolutions and fast Fourier convolutions that repairs a smooth guess.

It sees the pull-push guess, what was shown, and what `copied` would copy there, and adds a residual
whose last layer starts at zero: untrained it is the guess, trained it adds structure. A gate, too
coarse to draw anything by itself, exchanges the fine detail for that of the copy. Hidden pixels
never enter.

Source: Suvorov et al., Resolution-robust Large Mask Inpainting with Fourier Convolutions,
arXiv:2109.07161; Chi et al., Fast Fourier Convolution, NeurIPS 2020; gates of Yu et al.,
arXiv:1806.03589. Differs: starts from a guess instead of a hole; gates and the ways between the
local and the global half are 1x1; no norm, so no statistics of batch or image; works on 2x2 pixel
blocks, so that there is little work at full resolution; texture is copied instead of drawn.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from rather.networks.copying import CELL, copied, detail
from rather.networks.pyramid import pull_push
from rather.types import Images, Keep

Maps = Float[Tensor, "n _ _ _"]


class Spectral(nn.Module):
    """Every output sees every input: a 1x1 convolution among the Fourier coefficients."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.enter = nn.Conv2d(channels, half, 1)
        self.mix = nn.Conv2d(2 * half, 2 * half, 1)
        self.leave = nn.Conv2d(half, channels, 1)

    def forward(self, x: Maps) -> Maps:
        y = F.silu(self.enter(x))
        return self.leave(y + self.transformed(y))

    def transformed(self, y: Maps) -> Maps:
        waves = torch.fft.rfft2(y.float().contiguous(), norm="ortho")
        parts = F.silu(self.mix(torch.cat([waves.real, waves.imag], 1)))
        real, imag = parts.float().contiguous().chunk(2, 1)
        return torch.fft.irfft2(torch.complex(real, imag), y.shape[-2:], norm="ortho")


class FourierBlock(nn.Module):
    """Residual block whose second half of the channels sees the whole image."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.local = nn.Conv2d(channels, half, 3, padding=1)
        self.across = nn.Conv2d(half, half, 1)
        self.spectral = Spectral(half)
        self.gate = nn.Conv2d(channels, channels, 1)
        self.leave = _silent(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Maps) -> Maps:
        y = F.silu(x)
        near, far = y.chunk(2, 1)
        mixed = torch.cat([self.local(y), self.across(near) + self.spectral(far)], 1)
        return x + self.leave(F.silu(mixed) * self.gate(y).sigmoid())


class GatedBlock(nn.Module):
    """Residual 3x3 convolution, each channel of which a 1x1 gate can close."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.look = nn.Conv2d(channels, channels, 3, padding=1)
        self.gate = nn.Conv2d(channels, channels, 1)
        self.leave = _silent(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Maps) -> Maps:
        y = F.silu(x)
        return x + self.leave(self.look(y) * self.gate(y).sigmoid())


class Made(NamedTuple):
    """A proposal in two parts: what is drawn, and by what detail that is copied differs from it."""

    drawn: Images
    texture: Images

    @property
    def whole(self) -> Images:
        return self.drawn + self.texture


class FourierUNet(nn.Module):
    """Proposes pixels for whole images of any size; clip the result to [0, 1].

    Args:
        widths: channels at a half, a quarter and an eighth of the image size.
        blocks: Fourier blocks at the lowest resolution; cost and reach grow with it.
        copies: whether shown texture is copied into holes; without, large holes come out smooth.
    """

    def __init__(
        self, widths: Sequence[int] = (24, 48, 128), blocks: int = 5, copies: bool = False
    ) -> None:
        super().__init__()
        self.settings = {"widths": list(widths), "blocks": blocks, "copies": copies}
        fine, middle, coarse = widths
        pixels = 32 if copies else 16
        self.stem = nn.Conv2d(pixels, fine, 3, padding=1)
        self.down1 = nn.Conv2d(fine, middle, 3, stride=2, padding=1)
        self.encode = GatedBlock(middle)
        self.down2 = nn.Conv2d(middle, coarse, 3, stride=2, padding=1)
        self.body = nn.Sequential(*(FourierBlock(coarse) for _ in range(blocks)))
        self.up2 = nn.Conv2d(coarse, middle, 1)
        self.decode = GatedBlock(middle)
        self.gate = _open(nn.Conv2d(middle, 1, 1)) if copies else None
        self.up1 = nn.Conv2d(middle, fine, 1)
        self.sharpen = nn.Conv2d(fine + pixels, fine, 3, padding=1)
        self.head = _silent(nn.Conv2d(fine, 12, 3, padding=1))

    def forward(self, images: Images, keep: Keep, copying: float = 0.0) -> Made:
        """Propose pixels; `copying` is added to the log-odds of copying instead of drawing."""
        height, width = images.shape[-2:]
        pad = (0, -width % 8, 0, -height % 8)
        seen = F.pad((keep > 0.5).to(images.dtype), pad)
        guess = pull_push(F.pad(images, pad), seen)
        stack, copy, where = [guess - 0.5, seen - 0.5], guess, torch.zeros_like(seen)
        if self.gate is not None:
            with torch.no_grad():
                copy, where = copied(guess, seen)
            stack += [copy - guess, where]
        residual, gate = self.drawn(torch.cat(stack, 1), copying)
        drawn = guess + F.pixel_shuffle(residual, 2)
        both = drawn, gate * where * detail(copy - torch.lerp(drawn, guess, seen).detach())
        return Made(*(part[..., :height, :width] for part in both))

    def drawn(self, stack: Maps, copying: float) -> tuple[Maps, Maps]:
        """The residual in 2x2 pixel blocks, and how much of the copied detail is wanted."""
        pixels = F.pixel_unshuffle(stack, 2).contiguous(memory_format=torch.channels_last)
        fine = self.stem(pixels)
        middle = self.encode(self.down1(F.silu(fine)))
        coarse = self.body(self.down2(F.silu(middle)))
        middle = F.silu(self.decode(middle + _larger(self.up2(F.silu(coarse)))))
        gate = middle[:, :1] if self.gate is None else (self.gate(middle) + copying).sigmoid()
        fine = fine + _larger(self.up1(middle))
        sharp = F.silu(self.sharpen(torch.cat([F.silu(fine), pixels], 1)))
        return self.head(sharp), _larger(gate, CELL)


def _larger(x: Maps, factor: int = 2) -> Maps:
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def _silent(conv: nn.Conv2d) -> nn.Conv2d:
    """Start a residual branch at zero, so that depth costs nothing at the beginning."""
    nn.init.zeros_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def _open(conv: nn.Conv2d) -> nn.Conv2d:
    """Start a gate three quarters open everywhere."""
    _silent(conv)
    if conv.bias is not None:
        nn.init.ones_(conv.bias)
    return conv
