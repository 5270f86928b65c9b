"""Searching for the smallest share of a ranking that does something."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rather.types import Images, PerImage

Areas: TypeAlias = Float[Tensor, "n areas"]
Tried: TypeAlias = Callable[[Areas], Bool[Tensor, "n areas"]]


def smallest_share(tried: Tried, images: Images, areas: int) -> PerImage:
    """The smallest tried share that works, or 1 where none does.

    First `areas` log-spaced shares from 0.2 % to all of the pixels are tried, then as many between
    the smallest that worked and the next smaller one. What works may stop working as the share
    grows; the smallest that was tried and worked counts.

    Args:
        tried: says of each share of each image whether it works.
        images: what there are shares of.
        areas: per round; more find smaller shares.

    Raises:
        ValueError: fewer than 2 areas.
    """
    if areas < 2:
        raise ValueError(f"areas must be at least 2, but is {areas}")
    shares = torch.logspace(-2.7, 0, areas, device=images.device).expand(len(images), -1)
    high, low = smallest_that(shares, tried(shares))
    between = torch.linspace(0, 1, areas + 1, device=images.device)[1:]
    finer = low[:, None] + (high - low)[:, None] * between
    return smallest_that(finer, tried(finer))[0]


def smallest_that(shares: Areas, works: Bool[Tensor, "n areas"]) -> tuple[PerImage, PerImage]:
    """The first share that works, or else the last, and the one before it, or 0."""
    last = works.any(1).logical_not() * (works.shape[1] - 1)
    first = works.to(torch.uint8).argmax(1) + last
    padded = torch.nn.functional.pad(shares, (1, 0))
    return shares.gather(1, first[:, None])[:, 0], padded.gather(1, first[:, None])[:, 0]
