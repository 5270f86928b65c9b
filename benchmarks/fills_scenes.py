"""Holes for the benchmark of fills: four kinds, drawn from a photo's own content and a seed."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rather import Batch
from rather.data.segments import slic
from rather.metrics.curve import Counts, Ranks, rank
from rather.types import Keep
from rather.variants import image_seeds

COUNTS = 10  # points of an R-OMS curve
SEGMENTS, NESTED_SEGMENTS = 50, 200  # superpixels of a hole, and of an R-OMS curve
LEAST = 0.05  # a photo whose object leaves less background than this has none


@dataclass(frozen=True, eq=False)
class Scene:
    """Photos, and what is to be hidden of them.

    `hole` is what criteria 1 and 4 hide, `background` a hole of the same kind outside of the
    object, and the first `counts` of `ranks` are the nested sets of an R-OMS curve. The whole
    background is a kind of hole that has neither the first nor the last.
    """

    batch: Batch
    background: Keep
    hole: Keep | None = None
    ranks: Ranks | None = None
    counts: Counts | None = None


def scene(kind: str, batch: Batch, seed: int) -> Scene:
    """The holes of one kind for a batch of photos with regions."""
    if batch.regions is None or not batch.regions.flatten(1).any(1).all():
        raise ValueError("every photo needs an official box that its view shows")
    outside = ~batch.regions[:, None]
    if kind == "background":
        return Scene(batch, (~outside).to(batch.images))
    draws = [torch.Generator().manual_seed(own) for own in image_seeds(batch.images, seed)]
    units = [UNITS[kind](*one) for one in zip(batch.images, batch.regions, draws, strict=True)]
    hidden = torch.stack([unit.hole for unit in units])[:, None]
    elsewhere = torch.stack([unit.elsewhere for unit in units])[:, None] & outside
    return Scene(
        batch,
        (~elsewhere).to(batch.images),
        (~hidden).to(batch.images),
        torch.stack([unit.ranks for unit in units]),
        torch.stack([unit.counts for unit in units]),
    )


@dataclass(frozen=True, eq=False)
class Units:
    """What one photo's holes are made of; all (h, w) but `counts`."""

    hole: Tensor
    elsewhere: Tensor
    ranks: Tensor
    counts: Tensor


def box(photo: Tensor, region: Tensor, draw: torch.Generator) -> Units:
    """The official box; elsewhere one of half the side; nested, boxes around a random point."""
    high, wide = photo.shape[1:]
    top, left = (_whole(0, side - side // 2, draw) for side in (high, wide))
    elsewhere = torch.zeros_like(region)
    elsewhere[top : top + high // 2, left : left + wide // 2] = True
    point = [_whole(0, side - 1, draw) for side in (high, wide)]
    rows, columns = (
        (torch.arange(side) - at).abs() for side, at in zip((high, wide), point, strict=True)
    )
    rings = torch.maximum(rows[:, None].expand(high, wide), columns.expand(high, wide))
    areas = torch.bincount(rings.flatten()).cumsum(0) / rings.numel()
    counts = torch.searchsorted(areas, torch.linspace(1 / COUNTS, 1, COUNTS) - 1e-6) + 1
    return Units(region, elsewhere, rings, counts)


def superpixel(photo: Tensor, region: Tensor, draw: torch.Generator) -> Units:
    """Half of 50 superpixels; nested sets of 200."""
    ranks = _mixed(slic(photo[None], SEGMENTS)[0], draw)
    half = ranks <= ranks.max() // 2
    nested = _mixed(slic(photo[None], NESTED_SEGMENTS)[0], draw)
    return Units(half, half, nested, _linear(nested))


def tile(photo: Tensor, region: Tensor, draw: torch.Generator) -> Units:
    """Half of the tiles of a grid with sides from 16 to 32 px, shifted at random."""
    side = min(_whole(16, 32, draw), *(length // 4 for length in photo.shape[1:]))
    rows, columns = (
        (torch.arange(length) + _whole(0, side - 1, draw)) // side for length in photo.shape[1:]
    )
    labels = rows[:, None] * (columns.max() + 1) + columns
    ranks = _mixed(labels.unique(return_inverse=True)[1], draw)
    half = ranks <= ranks.max() // 2
    return Units(half, half, ranks, _linear(ranks))


def noise(photo: Tensor, region: Tensor, draw: torch.Generator) -> Units:
    """Half of the pixels, each on its own."""
    ranks = _mixed(torch.arange(region.numel()).view_as(region), draw)
    half = ranks <= ranks.max() // 2
    return Units(half, half, ranks, _linear(ranks))


UNITS: dict[str, Callable[[Tensor, Tensor, torch.Generator], Units]] = {
    "box": box,
    "superpixel": superpixel,
    "tile": tile,
    "noise": noise,
}
KINDS = (*UNITS, "background")


def enough(scene: Scene) -> Tensor:
    """Which photos have a background that is worth the name."""
    if scene.batch.regions is None:
        raise ValueError("a scene has regions")
    return (~scene.batch.regions).float().mean((1, 2)) >= LEAST


def _mixed(labels: Tensor, draw: torch.Generator) -> Tensor:
    seed = _whole(0, 2**31, draw)
    return rank(torch.zeros(1, *labels.shape), "random", seed, labels[None])[0]


def _linear(ranks: Tensor) -> Tensor:
    return torch.linspace(1, int(ranks.max()) + 1, COUNTS).round().long()


def _whole(low: int, high: int, draw: torch.Generator) -> int:
    return int(torch.randint(low, high + 1, (), generator=draw))
