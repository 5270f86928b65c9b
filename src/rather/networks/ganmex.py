"""The generator and the critic of GANMEX: StarGAN's, with the classifier as the class head.

Source: Shih, Tien and Karnin, GANMEX, arXiv:2011.06015; Choi et al., StarGAN, arXiv:1711.09020.
Differs: the third down-sampling block keeps its norm; instance norm has no running statistics;
sides are padded to a multiple of 4 inside; with `side`, what is drawn is a change of a small image,
so that photos keep their detail, and large ones cost no more than small ones.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from rather.types import Images, Labels, PerImage


class StarGenerator(nn.Module):
    """Turns images into the same images as they might look in another class.

    Args:
        labels: the classifier's number of each class that can be asked for.
        width: channels at full resolution; cost grows with its square.
        blocks: residual blocks at a quarter of the resolution.
        channels: 1 makes grey images, 3 colour.
        side: at which images of any size are looked at; what is drawn is then their change,
            smoothed, enlarged and added: so no fine pattern can be drawn that deceives a
            classifier. None draws the image itself, at its own size.
        revised: tells each residual block the class behind its norm, and enlarges by nearest
            neighbours. False, as published, the class is a constant plane of the input, most of
            which the first norm takes away, and transposed convolutions may leave a grid.
    """

    def __init__(
        self,
        labels: Sequence[int],
        width: int = 64,
        blocks: int = 6,
        channels: int = 3,
        side: int | None = None,
        revised: bool = False,
    ) -> None:
        super().__init__()
        self.settings = {"labels": list(labels), "width": width, "blocks": blocks}
        self.settings |= {"channels": channels} | ({} if side is None else {"side": side})
        self.settings |= {"revised": True} if revised else {}
        w, self.labels, self.channels, self.side = width, tuple(labels), channels, side
        self.layers = nn.Sequential(
            *_unit(nn.Conv2d(channels + len(labels), w, 7, padding=3, bias=False)),
            *_unit(nn.Conv2d(w, 2 * w, 4, 2, 1, bias=False)),
            *_unit(nn.Conv2d(2 * w, 4 * w, 4, 2, 1, bias=False)),
            *(Residual(4 * w, len(labels) if revised else 0) for _ in range(blocks)),
            *_enlarging(4 * w, 2 * w, revised),
            *_enlarging(2 * w, w, revised),
            last := nn.Conv2d(w, channels, 7, padding=3, bias=False),
        )
        if side is not None:
            nn.init.zeros_(last.weight)  # starts with no change

    def forward(self, images: Images, wanted: Labels) -> Images:
        """Images of the classes at the places `wanted` of `labels`."""
        if self.side is None:
            return ((self.drawn(images, wanted) + 1) / 2).expand(-1, 3, -1, -1)
        change = self.drawn(resized(images, (self.side, self.side)), wanted)
        if self.side < max(images.shape[2:]):
            change = smoothed(change)
        return (images + resized(change, images.shape[2:])).clamp(0, 1)

    def drawn(self, images: Images, wanted: Labels) -> Float[Tensor, "n c h w"]:
        """What the layers draw, from -1 to 1."""
        height, width = images.shape[2:]
        shown = images.mean(1, keepdim=True) if self.channels == 1 else images
        padded = F.pad(2 * shown - 1, (0, -width % 4, 0, -height % 4), mode="replicate")
        one_hot = F.one_hot(wanted, len(self.labels)).to(padded)[:, :, None, None]
        asked = one_hot.expand(-1, -1, *padded.shape[2:])
        x = torch.cat([padded, asked], 1)
        for layer in self.layers:
            x = layer(x, wanted) if isinstance(layer, Residual) else layer(x)
        return torch.tanh(x)[..., :height, :width]


class Residual(nn.Module):
    """Two convolutions beside a shortcut.

    Args:
        channels: in and out.
        classes: each scales and shifts what is between the convolutions its own way; 0: none does.
    """

    def __init__(self, channels: int, classes: int = 0) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_unit(nn.Conv2d(channels, channels, 3, padding=1, bias=False)),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.InstanceNorm2d(channels, affine=True),
        )
        self.told = nn.Embedding(classes, 2 * channels) if classes else None
        if self.told is not None:
            nn.init.normal_(self.told.weight, std=0.3)

    def forward(self, x: Float[Tensor, "n c h w"], wanted: Labels) -> Float[Tensor, "n c h w"]:
        if self.told is None:
            return x + self.layers(x)
        scale, shift = self.told(wanted)[:, :, None, None].chunk(2, 1)
        return x + self.layers[2:](self.layers[:2](x) * (1 + scale) + shift)


class StarCritic(nn.Module):
    """Scores images: the higher, the more they look real.

    Args:
        side: at which images are looked at; it decides how many layers there are.
        width: channels of the first layer; each has twice as many as the one before.
        channels: 1 looks at grey, 3 at colour.
    """

    def __init__(self, side: int, width: int = 64, channels: int = 3) -> None:
        super().__init__()
        self.channels, self.side = channels, side
        widths = [channels]
        while side >= 3 and len(widths) <= 6:
            widths.append(width * 2 ** (len(widths) - 1))
            side //= 2
        layers = [(nn.Conv2d(a, b, 4, 2, 1), nn.LeakyReLU(0.01)) for a, b in pairwise(widths)]
        self.layers = nn.Sequential(*(part for pair in layers for part in pair))
        self.score = nn.Conv2d(widths[-1], 1, 3, padding=1, bias=False)

    def forward(self, images: Images) -> PerImage:
        shown = images[:, :1] if self.channels == 1 else images
        shown = resized(shown, (self.side, self.side))
        return self.score(self.layers(2 * shown - 1)).mean((1, 2, 3))


def resized(images: Float[Tensor, "n c _ _"], sides: Sequence[int]) -> Float[Tensor, "n c _ _"]:
    """The images at another size, smoothed where they shrink."""
    if images.shape[2:] == tuple(sides):
        return images
    return F.interpolate(images, tuple(sides), mode="bilinear", align_corners=False, antialias=True)


def smoothed(maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Means of 2x2 neighbours, taken twice: what alternates from pixel to pixel is gone."""
    wide = F.pad(maps, (1, 1, 1, 1), mode="replicate")
    return F.avg_pool2d(F.avg_pool2d(wide, 2, stride=1), 2, stride=1)


def _unit(layer: nn.Module) -> tuple[nn.Module, nn.Module, nn.Module]:
    channels = int(str(getattr(layer, "out_channels", 0)))
    return layer, nn.InstanceNorm2d(channels, affine=True), nn.ReLU()


def _enlarging(inputs: int, outputs: int, revised: bool) -> tuple[nn.Module, ...]:
    if not revised:
        return _unit(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False))
    return nn.Upsample(scale_factor=2), *_unit(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False))
