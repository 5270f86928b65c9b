"""The Disc sets: grey shapes on black, with a known answer to what tells the classes apart.

`disc_parity`: an even number of triangles (class 0) or an odd one (class 1). `disc_missing`: one
each of two kinds of shape; the class is the kind that is missing (0 disc, 1 square, 2 triangle).

Source: Eckstein, Bates, Jefferis and Funke, Discriminative Attribution from Counterfactuals,
arXiv:2109.13412. Differs: `balanced` scales the sizes such that the expected foreground is the same
in all classes, which the published sets leak; sizes are drawn once, and only places again until the
shapes hardly overlap; the side is free, and sizes go with it (published: 128); an image is a pure
function of the seed and its number.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from rather.batch import Batch
from rather.data.folder import stepped
from rather.progress import track
from rather.types import Labels, Regions

DISC, SQUARE, TRIANGLE = range(3)
AREAS = (math.pi / 4, 1.0, math.sqrt(3) / 4)  # of a kind of size 1
COUNTS = ((2, 4, 6), (1, 3, 5))  # triangles of an even and an odd image
PUBLISHED_SIDE, SIZES = 128, (25, 50)
TRIES = 1000

Plane = Float[Tensor, "side side"]
Shape = tuple[int, float]  # kind and size in pixels
Layers = Float[Tensor, "shapes side side"]
Inside = Bool[Tensor, "shapes side side"]


@dataclass(frozen=True, eq=False)
class Scenes:
    """Images with the place of each kind of shape in them.

    The batch's regions hold all shapes: whatever tells classes apart is among them.
    """

    batch: Batch
    shapes: Bool[Tensor, "n 3 side side"]

    def differing(self, foil: Labels) -> Regions:
        """Where an image of `disc_missing` shows what images of class `foil` lack."""
        return self.shapes[torch.arange(len(foil)), foil]


def disc_parity(count: int, side: int = 128, seed: int = 0, balanced: bool = True) -> Scenes:
    """Draw images of triangles; class 1 where their number is odd. The classes take turns.

    Args:
        count: number of images.
        side: of the images, in pixels.
        seed: other seeds draw other images.
        balanced: the foreground is as large in both classes, on average.
    """
    numbers = [sum(counts) / len(counts) for counts in COUNTS]
    scales = _scales([each * AREAS[TRIANGLE] for each in numbers], balanced)
    drawn = []
    for place in track(range(count), "disc_parity"):
        generator, label = stepped(seed, place), place % 2
        number = COUNTS[label][_integer(0, len(COUNTS[label]), generator)]
        drawn.append(
            _scene(_sized([TRIANGLE] * number, side, scales[label], generator), side, generator)
        )
    return _gathered(drawn, 2)


def disc_missing(count: int, side: int = 128, seed: int = 0, balanced: bool = True) -> Scenes:
    """Draw images of one each of two kinds; the class is the kind that is missing.

    Args:
        count: number of images.
        side: of the images, in pixels.
        seed: other seeds draw other images.
        balanced: the foreground is as large in all classes, on average.
    """
    scales = _scales([sum(AREAS) - area for area in AREAS], balanced)
    drawn = []
    for place in track(range(count), "disc_missing"):
        generator, label = stepped(seed, place), place % 3
        kinds = [kind for kind in (DISC, SQUARE, TRIANGLE) if kind != label]
        drawn.append(_scene(_sized(kinds, side, scales[label], generator), side, generator))
    return _gathered(drawn, 3)


def parity_pairs(count: int, side: int = 128, seed: int = 0) -> tuple[Batch, Batch]:
    """Draw images of 2 to 6 triangles, and the same without one; regions: that triangle."""
    whole, less, labels, regions = [], [], [], []
    for place in track(range(count), "pairs"):
        generator, number = stepped(seed, place), 2 + place % 5
        drawn = _scene(_sized([TRIANGLE] * number, side, 1.0, generator), side, generator)
        whole.append(drawn.image())
        less.append(drawn.image(slice(-1)) * drawn.brightest(slice(-1)) / drawn.brightest())
        labels.append(number % 2)
        regions.append(drawn.inside[-1])
    names, region, label = tuple(map(str, range(count))), torch.stack(regions), torch.tensor(labels)
    one, other = (torch.stack(images) for images in (whole, less))
    return Batch(one, label, names, region), Batch(other, 1 - label, names, region)


def missing_pairs(count: int, side: int = 128, seed: int = 0) -> tuple[Batch, Batch]:
    """Draw images of `disc_missing`, and the same as members of another class.

    One shape is gone and one of the kind that was missing has come; the third stays as it is.
    Classes take turns, and so do the two ways out of each; regions: the two shapes.
    """
    one, other, labels, foils, regions = [], [], [], [], []
    scales = _scales([sum(AREAS) - area for area in AREAS], True)
    for place in track(range(count), "pairs"):
        generator, label = stepped(seed, place), place % 3
        foil = (label + 1 + place // 3 % 2) % 3
        kinds = [foil, 3 - label - foil, label]
        drawn = _scene(_sized(kinds, side, scales[label], generator), side, generator)
        for images, part in ((one, slice(2)), (other, slice(1, 3))):
            images.append(drawn.image(part) * drawn.brightest(part) / drawn.brightest())
        labels.append(label)
        foils.append(foil)
        regions.append(drawn.inside[0] | drawn.inside[2])
    names, region = tuple(map(str, range(count))), torch.stack(regions)
    before, after = (
        Batch(torch.stack(images), torch.tensor(classes), names, region)
        for images, classes in ((one, labels), (other, foils))
    )
    return before, after


@dataclass(frozen=True, eq=False)
class Drawn:
    """One scene before its shapes are added up."""

    kinds: list[int]
    inside: Inside
    layers: Layers

    def brightest(self, part: slice = slice(None)) -> float:
        return float(self.layers[part].sum(0).clamp(0, 255).max())

    def image(self, part: slice = slice(None)) -> Float[Tensor, "3 side side"]:
        """The sum of the shapes, its brightest pixel 1."""
        total = self.layers[part].sum(0).clamp(0, 255) / self.brightest(part)
        return total.expand(3, -1, -1)

    def by_kind(self) -> Bool[Tensor, "3 side side"]:
        """Where each kind of shape is."""
        kinds = torch.tensor(self.kinds)
        return torch.stack([self.inside[kinds == kind].any(0) for kind in range(3)])


def _gathered(drawn: Sequence[Drawn], classes: int) -> Scenes:
    images = torch.stack([each.image() for each in drawn])
    shapes = torch.stack([each.by_kind() for each in drawn])
    labels = torch.arange(len(drawn)) % classes
    return Scenes(Batch(images, labels, tuple(map(str, range(len(drawn)))), shapes.any(1)), shapes)


def _scene(shapes: list[Shape], side: int, generator: torch.Generator) -> Drawn:
    """Places shapes until they hardly overlap or leave the image, then paints them."""
    wanted = 0.9 * sum(AREAS[kind] * size**2 for kind, size in shapes)
    for _ in range(TRIES):
        inside = torch.stack([_placed(kind, size, side, generator) for kind, size in shapes])
        if inside.any(0).sum() > wanted:
            layers = torch.stack([_painted(one, side, generator) for one in inside])
            return Drawn([kind for kind, _ in shapes], inside, layers)
    raise ValueError(f"{len(shapes)} shapes found no place on {side} pixels; take a larger side")


def _sized(kinds: list[int], side: int, scale: float, generator: torch.Generator) -> list[Shape]:
    low, high = SIZES
    sizes = (_integer(low, high + 1, generator) for _ in kinds)
    return [
        (kind, size * scale * side / PUBLISHED_SIDE)
        for kind, size in zip(kinds, sizes, strict=True)
    ]


def _placed(kind: int, size: float, side: int, generator: torch.Generator) -> Bool[Tensor, "h w"]:
    """The pixels inside a shape, somewhere and turned somehow."""
    row, column, turn = torch.rand(3, generator=generator).tolist()
    line = torch.arange(side) + 0.5
    y, x = (line - row * side)[:, None], (line - column * side)[None]
    if kind == DISC:
        return x**2 + y**2 < (size / 2) ** 2
    angle = math.radians(int(turn * 359))
    corners = 4 if kind == SQUARE else 3
    reach = size / 2 if kind == SQUARE else size / (2 * math.sqrt(3))
    ways = [angle + 2 * math.pi * corner / corners for corner in range(corners)]
    return torch.stack([x * math.cos(way) + y * math.sin(way) < reach for way in ways]).all(0)


def _painted(inside: Bool[Tensor, "h w"], side: int, generator: torch.Generator) -> Plane:
    """A grey tone and noise, smoothed, inside of a shape only."""
    tone, spread = _integer(120, 200, generator), _integer(20, 120, generator)
    noise = spread * torch.randn(side, side, generator=generator)
    return _smoothed((tone + noise) * inside, 2 * side / PUBLISHED_SIDE) * inside


def _smoothed(plane: Plane, sigma: float) -> Plane:
    reach = math.ceil(3 * sigma)
    line = (-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2).exp()
    line = line / line.sum()
    down = F.conv2d(plane[None, None], line[None, None, :, None], padding=(reach, 0))
    return F.conv2d(down, line[None, None, None], padding=(0, reach))[0, 0]


def _integer(low: int, end: int, generator: torch.Generator) -> int:
    return int(torch.randint(low, end, (1,), generator=generator))


def _scales(areas: Sequence[float], balanced: bool) -> list[float]:
    """Factors of the sizes of each class."""
    mean = sum(areas) / len(areas)
    return [math.sqrt(mean / area) if balanced else 1.0 for area in areas]
