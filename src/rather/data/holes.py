"""`HoleMixture`: the holes that explainers make, for training in-painters and for judging fills.

Explainers hide far more, and in other shapes, than photo editors do: half of the superpixels, half
of the pixels, everything but a box. All of these are covered, each with 5 to 95 % hidden.

Source: free-form strokes after Yu et al., arXiv:1806.03589; rate maps after Chang et al. (FIDO),
arXiv:1807.08024. Differs: the mixture, and superpixels by a few rounds of k-means instead of SLIC.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional as F

from rather.types import Images, Keep

Hole = Bool[Tensor, "h w"]
Photo = Float[Tensor, "3 h w"]
Draw = Callable[[Photo, torch.Generator], Hole]


@dataclass(frozen=True)
class HoleMixture:
    """Binary keep masks of all the shapes in which explainers hide pixels.

    Args:
        boxes: share of images with one to four rectangles.
        strokes: share with free-form brush strokes.
        segments: share with a random part of a tile grid or of superpixels.
        pixels: share with independent pixels, half of them from a smooth map of rates.
        complements: share with everything hidden but one of the above.
        nothing: share with every pixel hidden.
        least: least hidden part of an image.
        most: largest hidden part, but for `nothing`.
    """

    boxes: float = 0.25
    strokes: float = 0.25
    segments: float = 0.20
    pixels: float = 0.15
    complements: float = 0.10
    nothing: float = 0.05
    least: float = 0.05
    most: float = 0.95

    def __post_init__(self) -> None:
        if min(self.shares()) < 0 or not math.isclose(sum(self.shares()), 1, abs_tol=1e-6):
            raise ValueError(f"the shares must be positive and sum to 1, but are {self.shares()}")

    def __call__(self, images: Images, generator: torch.Generator) -> Keep:
        """Draw one mask an image; superpixels follow its colours, the rest only its size."""
        seeds = torch.randint(2**62, (len(images),), generator=generator, device=generator.device)
        photos = images.detach().float().cpu()
        drawn = [self._one(*pair) for pair in zip(photos, seeds.tolist(), strict=True)]
        hidden = torch.stack(drawn)[:, None]
        return 1 - hidden.to(images)

    def shares(self) -> tuple[float, ...]:
        known = (self.boxes, self.strokes, self.segments, self.pixels)
        return (*known, self.complements, self.nothing)

    def _one(self, photo: Photo, seed: int) -> Hole:
        generator = torch.Generator().manual_seed(seed)
        kind = torch.multinomial(torch.tensor(self.shares()), 1, generator=generator).item()
        draw = (boxes, strokes, segments, pixels, complement, everything)[int(kind)]
        return bounded(draw, photo, generator, self.least, self.most)


def bounded(
    draw: Draw, photo: Photo, generator: torch.Generator, least: float, most: float
) -> Hole:
    """Draw until the hidden part lies within the bounds; after 20 vain draws take the last."""
    hole = draw(photo, generator)
    for _ in range(0 if draw is everything else 20):
        if least <= hole.float().mean() <= most:
            break
        hole = draw(photo, generator)
    return hole


def boxes(photo: Photo, generator: torch.Generator) -> Hole:
    height, width = photo.shape[-2:]
    hole = torch.zeros(height, width, dtype=torch.bool)
    for _ in range(_whole(1, 4, generator)):
        high, wide = (math.ceil(s * _uniform(1 / 8, 1 / 2, generator)) for s in (height, width))
        top, left = _whole(0, height - high, generator), _whole(0, width - wide, generator)
        hole[top : top + high, left : left + wide] = True
    return hole


def strokes(photo: Photo, generator: torch.Generator) -> Hole:
    height, width = photo.shape[-2:]
    canvas = Image.new("1", (width, height))
    pen = ImageDraw.Draw(canvas)
    for _ in range(_whole(1, 3, generator)):
        _stroke(pen, height, width, generator)
    hole = torch.frombuffer(bytearray(canvas.convert("L").tobytes()), dtype=torch.uint8)
    return hole.view(height, width) > 0


def _stroke(pen: ImageDraw.ImageDraw, height: int, width: int, generator: torch.Generator) -> None:
    reach = math.hypot(height, width) / 8
    thick = max(1, round(height * _uniform(0.05, 0.16, generator)))
    x, y = (_uniform(0.0, float(side), generator) for side in (width, height))
    heading = _uniform(0.0, 2 * math.pi, generator)
    for corner in range(_whole(4, 12, generator)):
        turn = 2 * math.pi / 5 + _uniform(-1.0, 1.0, generator) * 2 * math.pi / 15
        heading += turn if corner % 2 else -turn
        long = min(max(reach + reach / 2 * _normal(generator), 0), 2 * reach)
        end_x = min(max(x + long * math.cos(heading), 0), width)
        end_y = min(max(y + long * math.sin(heading), 0), height)
        pen.line((x, y, end_x, end_y), fill=1, width=thick)
        x, y, r = end_x, end_y, thick / 2
        pen.ellipse((x - r, y - r, x + r, y + r), fill=1)


def segments(photo: Photo, generator: torch.Generator) -> Hole:
    """A random part of a grid of tiles or of superpixels."""
    draw = tiles if _uniform(0.0, 1.0, generator) < 0.5 else superpixels
    labels = draw(photo, generator)
    hidden = _uniform(0.1, 0.9, generator)
    chosen = torch.rand(int(labels.max()) + 1, generator=generator) < hidden
    return chosen[labels]


def tiles(photo: Photo, generator: torch.Generator) -> Tensor:
    """Number the tiles of a grid with a random side, 4 px to a quarter of the image, and shift."""
    height, width = photo.shape[-2:]
    longest = max(4, min(height, width) // 4)
    side = round(4 * (longest / 4) ** _uniform(0.0, 1.0, generator))
    rows = (torch.arange(height) + _whole(0, side - 1, generator)) // side
    columns = (torch.arange(width) + _whole(0, side - 1, generator)) // side
    return rows[:, None] * (int(columns.max()) + 1) + columns


def superpixels(photo: Photo, generator: torch.Generator) -> Tensor:
    """Number 16 to 100 compact regions of like colour: three rounds of k-means."""
    height, width = photo.shape[-2:]
    count = min(_whole(16, 100, generator), height * width)
    place = torch.stack(torch.meshgrid(*map(torch.arange, (height, width)), indexing="ij"))
    scale = (count / (height * width)) ** 0.5 * _uniform(0.15, 0.6, generator)
    smooth = F.avg_pool2d(photo[None], 3, stride=1, padding=1, count_include_pad=False)[0]
    points = torch.cat([place * scale, smooth]).flatten(1).T
    centres = points[torch.randperm(len(points), generator=generator)[:count]]
    for _ in range(2):
        centres = _means(points, _nearest(points, centres), centres)
    return _nearest(points, centres).view(height, width)


def _nearest(points: Tensor, centres: Tensor) -> Tensor:
    return torch.addmm((centres**2).sum(1), points, centres.T, alpha=-2).argmin(1)


def _means(points: Tensor, owner: Tensor, old: Tensor) -> Tensor:
    size = torch.bincount(owner, minlength=len(old))[:, None]
    total = torch.zeros_like(old).index_add_(0, owner, points)
    return torch.where(size > 0, total / size.clamp(min=1), old)


def pixels(photo: Photo, generator: torch.Generator) -> Hole:
    """Every pixel on its own; half of the time the rate varies smoothly over the image."""
    shape = photo.shape[-2:]
    rate = torch.full(shape, _uniform(0.1, 0.9, generator))
    if _uniform(0.0, 1.0, generator) < 0.5:
        rough = torch.randn(1, 1, *[_whole(2, 8, generator)] * 2, generator=generator)
        smooth = F.interpolate(rough, shape, mode="bicubic", align_corners=False)[0, 0]
        rate = (rate.logit() + 2 * smooth).sigmoid()
    return torch.rand(shape, generator=generator) < rate


def complement(photo: Photo, generator: torch.Generator) -> Hole:
    """Everything but what one of the other shapes would hide."""
    draw = (boxes, strokes, segments, pixels)[_whole(0, 3, generator)]
    return ~draw(photo, generator)


def everything(photo: Photo, generator: torch.Generator) -> Hole:
    return torch.ones(photo.shape[-2:], dtype=torch.bool)


def _uniform(low: float, high: float, generator: torch.Generator) -> float:
    return low + (high - low) * torch.rand((), generator=generator).item()


def _normal(generator: torch.Generator) -> float:
    return torch.randn((), generator=generator).item()


def _whole(low: int, high: int, generator: torch.Generator) -> int:
    return int(torch.randint(low, high + 1, (), generator=generator).item())
