"""DeepFill v1: a coarse guess, then a refinement that copies shown patches by attention.

Source: Yu et al., Generative Image Inpainting with Contextual Attention, arXiv:1801.07892. Differs:
sizes are padded to a multiple of 8 inside; what the attention differs in stands in its own file.
"""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from rather.networks.attention import attend
from rather.networks.starting import started
from rather.types import Images, Keep

Maps = Float[Tensor, "n c h w"]


class ContextualNet(nn.Module):
    """Proposes pixels for whole images in two stages; works on [-1, 1] inside.

    Args:
        width: channels at full resolution; cost grows with its square.
        scale: sharpness of the attention.
        renormalise: whether the attention weights of the shown patches sum to 1.
    """

    def __init__(self, width: int = 24, scale: float = 10.0, renormalise: bool = True) -> None:
        super().__init__()
        self.settings = {"width": width, "scale": scale, "renormalise": renormalise}
        c, self.scale, self.renormalise = width, scale, renormalise
        self.coarse = nn.Sequential(*_down(c), *_conv(4 * c, 4 * c), *_conv(4 * c, 4 * c), *_up(c))
        self.dilated = nn.Sequential(*_slim(c), *_rates(4 * c))
        self.queries = nn.Sequential(*_slim(c, 4 * c)[:-1], nn.ReLU())
        self.copied = nn.Sequential(*_conv(4 * c, 4 * c), *_conv(4 * c, 4 * c))
        self.merge = nn.Sequential(*_conv(8 * c, 4 * c), *_conv(4 * c, 4 * c), *_up(c))
        started(self)

    def forward(self, images: Images, keep: Keep) -> tuple[Images, Images]:
        """Coarse and refined proposals; hidden pixels are never read."""
        height, width = images.shape[2:]
        pad = (0, -width % 8, 0, -height % 8)
        shown = keep > 0.5
        hole = F.pad(1 - shown.to(images.dtype), pad, value=1.0)
        x = F.pad((2 * images - 1).where(shown, 0), pad)
        coarse = self.coarse(self._input(x, hole)).clamp(-1, 1)
        refined = self.refine(torch.lerp(x, coarse, hole), hole).clamp(-1, 1)
        first, second = ((y[..., :height, :width] + 1) / 2 for y in (coarse, refined))
        return first, second

    def refine(self, pasted: Images, hole: Keep) -> Maps:
        x = self._input(pasted, hole)
        cells = F.max_pool2d(hole, 8)
        copied = attend(self.queries(x), cells, self.scale, self.renormalise)
        return self.merge(torch.cat([self.dilated(x), self.copied(copied)], 1))

    def _input(self, x: Images, hole: Keep) -> Maps:
        return torch.cat([x, torch.ones_like(hole), hole], 1)


class BoxCritic(nn.Module):
    """Two scores: of the square around the hole, half of the image wide, and of the whole image.

    The critics of the published training, which hides one box.

    Args:
        side: side of the images in pixels, a multiple of 32.
        widths: channels of the local critic; the global one has the last but one again.
    """

    def __init__(self, side: int, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.side = side
        self.near = _scorer(side // 2, widths)
        self.far = _scorer(side, (*widths[:3], widths[2]))

    def forward(self, images: Images, keep: Keep) -> Float[Tensor, "n 2"]:
        near = around(2 * images - 1, keep, self.side // 2)
        return torch.cat([self.near(near), self.far(2 * images - 1)], 1)


def around(images: Images, keep: Keep, side: int) -> Float[Tensor, "n 3 side side"]:
    """Cut the square out of every image whose centre is nearest to the middle of its hole."""
    starts = [_start(keep.amin(place)[:, 0], side) for place in (3, 2)]
    pairs = zip(images, *starts, strict=True)
    return torch.stack([x[:, top : top + side, left : left + side] for x, top, left in pairs])


def _start(keep: Float[Tensor, "n length"], side: int) -> list[int]:
    places = torch.arange(keep.shape[1], device=keep.device)
    hidden = (keep < 0.5).to(keep)
    middle = (hidden * places).sum(1) / hidden.sum(1).clamp(min=1)
    return (middle - (side - 1) / 2).round().clamp(0, keep.shape[1] - side).int().tolist()


def _scorer(side: int, widths: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for enter, leave in pairwise((3, *widths)):
        layers += [nn.Conv2d(enter, leave, 5, 2, 2), nn.LeakyReLU(0.2)]
    flat = widths[-1] * (side // 2 ** len(widths)) ** 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(flat, 1))


def _down(c: int) -> list[nn.Module]:
    """Quarter resolution at four times the channels, then a wide view of it."""
    narrow = [*_conv(5, c, size=5), *_conv(c, 2 * c, stride=2), *_conv(2 * c, 2 * c)]
    wide = [*_conv(2 * c, 4 * c, stride=2), *_conv(4 * c, 4 * c), *_conv(4 * c, 4 * c)]
    return [*narrow, *wide, *_rates(4 * c)]


def _slim(c: int, second: int | None = None) -> list[nn.Module]:
    """The slimmer way down of the refinement; `second`: channels of its second halving."""
    half = 2 * c if second is None else second
    narrow = [*_conv(5, c, size=5), *_conv(c, c, stride=2), *_conv(c, 2 * c)]
    return [*narrow, *_conv(2 * c, half, stride=2), *_conv(half, 4 * c), *_conv(4 * c, 4 * c)]


def _rates(channels: int) -> list[nn.Module]:
    dilated = (_conv(channels, channels, dilation=rate) for rate in (2, 4, 8, 16))
    return [layer for pair in dilated for layer in pair]


def _up(c: int) -> list[nn.Module]:
    double = nn.Upsample(scale_factor=2, mode="nearest")
    middle = [double, *_conv(4 * c, 2 * c), *_conv(2 * c, 2 * c)]
    fine = [double, *_conv(2 * c, c), *_conv(c, c // 2)]
    return [*middle, *fine, nn.Conv2d(c // 2, 3, 3, padding=1)]


def _conv(
    enter: int, leave: int, size: int = 3, stride: int = 1, dilation: int = 1
) -> list[nn.Module]:
    pad = dilation * (size // 2)
    return [nn.Conv2d(enter, leave, size, stride, pad, dilation), nn.ELU()]
