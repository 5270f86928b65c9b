"""A U-Net that estimates the clean image behind Gaussian noise of a known level.

Source: Karras et al., Elucidating the Design Space of Diffusion-Based Generative Models,
arXiv:2206.00364 (preconditioning, table 1); Ho et al., arXiv:2006.11239 (the U-Net). Differs: reads
and answers in [0, 1], so `sigma` is half of theirs; dropout draws from a generator that is handed
in, never from the global one; sizes are padded inside.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from rather.types import Images, PerImage

Maps = Float[Tensor, "n _ h w"]
SPREAD = 0.5  # of the data on [-1, 1]


class DenoiserNet(nn.Module):
    """Estimates clean images; the `Denoiser` that `Diffusion` samples from.

    Args:
        base: channels at full resolution; cost grows with its square.
        multipliers: channels of each level, as multiples of `base`; each halves the resolution.
        blocks: residual blocks a level.
        attention: levels at which every place looks at every other, counted from 0.
        dropout: share of features dropped in training.
    """

    def __init__(
        self,
        base: int = 64,
        multipliers: Sequence[int] = (1, 2, 2, 4),
        blocks: int = 2,
        attention: Sequence[int] = (2, 3),
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.settings = {"base": base, "multipliers": list(multipliers), "blocks": blocks}
        self.settings |= {"attention": list(attention), "dropout": dropout}
        widths = [base * factor for factor in multipliers]
        self.base, self.multiple = base, 2 ** (len(widths) - 1)
        self.embed = nn.Sequential(
            nn.Linear(base, 4 * base), nn.SiLU(), nn.Linear(4 * base, 4 * base)
        )
        self.enter = nn.Conv2d(3, base, 3, padding=1)
        made = _Maker(4 * base, blocks, dropout)
        self.downs = nn.ModuleList(
            made.level(enter, leave, place in attention)
            for place, (enter, leave) in enumerate(zip([base, *widths], widths, strict=False))
        )
        self.middle = made.level(widths[-1], widths[-1], True)
        ups = reversed(list(enumerate(zip(widths, [base, *widths], strict=False))))
        self.ups = nn.ModuleList(
            made.level(2 * wide, leave, place in attention) for place, (wide, leave) in ups
        )
        self.leave = nn.Sequential(
            _norm(base), nn.SiLU(), _silent(nn.Conv2d(base, 3, 3, padding=1))
        )

    def forward(
        self, noisy: Images, sigma: PerImage, generator: torch.Generator | None = None
    ) -> Images:
        """Estimate the clean images; with a generator, features are dropped as in training."""
        level = 2 * sigma.view(-1, 1, 1, 1)
        total = (level**2 + SPREAD**2).sqrt()
        v = 2 * noisy - 1
        raw = self.raw(v / total, level[:, 0, 0, 0].log() / 4, generator)
        clean = v * (SPREAD / total) ** 2 + raw * level * SPREAD / total
        return (clean + 1) / 2

    def raw(self, x: Images, time: PerImage, generator: torch.Generator | None) -> Images:
        height, width = x.shape[2:]
        pad = (0, -width % self.multiple, 0, -height % self.multiple)
        x = self.enter(F.pad(x, pad, mode="replicate"))
        code = self.embed(waves(time, self.base))
        skips: list[Maps] = []
        for place, level in enumerate(self.downs):
            x = level(F.avg_pool2d(x, 2) if place else x, code, generator)
            skips.append(x)
        x = self.middle(x, code, generator)
        for place, level in enumerate(self.ups):
            x = F.interpolate(x, scale_factor=2, mode="nearest") if place else x
            x = level(torch.cat([x, skips.pop()], 1), code, generator)
        return self.leave(x)[..., :height, :width]


class Level(nn.Module):
    """Residual blocks, each followed by attention if asked for."""

    def __init__(self, blocks: list[nn.Module], attentions: list[nn.Module]) -> None:
        super().__init__()
        self.blocks, self.attentions = nn.ModuleList(blocks), nn.ModuleList(attentions)

    def forward(
        self, x: Maps, code: Float[Tensor, "n e"], generator: torch.Generator | None
    ) -> Maps:
        for block, look in zip(self.blocks, self.attentions, strict=True):
            x = look(block(x, code, generator))
        return x


class Block(nn.Module):
    """Two convolutions; the noise level scales and shifts what lies between them."""

    def __init__(self, enter: int, leave: int, code: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.first = nn.Sequential(_norm(enter), nn.SiLU(), nn.Conv2d(enter, leave, 3, padding=1))
        self.code = nn.Linear(code, 2 * leave)
        self.norm = _norm(leave)
        self.second = _silent(nn.Conv2d(leave, leave, 3, padding=1))
        self.skip = nn.Conv2d(enter, leave, 1) if enter != leave else nn.Identity()

    def forward(
        self, x: Maps, code: Float[Tensor, "n e"], generator: torch.Generator | None
    ) -> Maps:
        scale, shift = self.code(F.silu(code))[:, :, None, None].chunk(2, 1)
        y = F.silu(self.norm(self.first(x)) * (1 + scale) + shift)
        return self.skip(x) + self.second(_dropped(y, self.dropout, generator))


class Attention(nn.Module):
    """Every place looks at every other."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = _norm(channels)
        self.ask = nn.Conv2d(channels, 3 * channels, 1)
        self.answer = _silent(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Maps) -> Maps:
        asked = self.ask(self.norm(x)).flatten(2).transpose(1, 2)[:, None]
        found = F.scaled_dot_product_attention(*asked.chunk(3, 3))
        return x + self.answer(found[:, 0].transpose(1, 2).reshape(x.shape))


class _Maker:
    def __init__(self, code: int, blocks: int, dropout: float) -> None:
        self.code, self.blocks, self.dropout = code, blocks, dropout

    def level(self, enter: int, leave: int, attention: bool) -> Level:
        enters = [enter] + [leave] * (self.blocks - 1)
        blocks: list[nn.Module] = [Block(c, leave, self.code, self.dropout) for c in enters]
        return Level(blocks, [Attention(leave) if attention else nn.Identity() for _ in enters])


def waves(time: PerImage, count: int) -> Float[Tensor, "n c"]:
    """Sines and cosines of the noise level, slow to fast."""
    rates = torch.logspace(0, 2, count // 2, device=time.device)
    angles = time[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)


def _dropped(x: Maps, share: float, generator: torch.Generator | None) -> Maps:
    if generator is None or share == 0:
        return x
    kept = torch.rand(x.shape, generator=generator, device=generator.device).to(x) >= share
    return x * kept / (1 - share)


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(8, channels), channels)


def _silent(conv: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv
