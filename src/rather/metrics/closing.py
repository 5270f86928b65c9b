"""Closing by a disc, of all threshold sets of a map at once.

A closed threshold set is a threshold set of the closed map: dilation takes the least level that a
disc around a pixel meets, erosion the largest. Outside of the image nothing is set for the first,
and everything for the second, so that closing can only add, where the disc is symmetric.
"""

import math
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from rather.types import Heatmaps

Spans: TypeAlias = Float[Tensor, "n h _"]
Row: TypeAlias = tuple[int, int, int]  # of a disc: how far below, and from where to where


def closed(levels: Heatmaps, diameter: int) -> Heatmaps:
    """Levels such that {closed < cut} is the closing of {levels < cut}, for every cut.

    Args:
        levels: what masks are cut from.
        diameter: of the disc in pixels; an odd one only adds to masks, an even one is off-centre
            as in published code, and shifts them; 1 changes nothing.
    """
    if diameter == 1:
        return levels
    return most(-most(-levels, diameter), diameter)


def most(values: Heatmaps, diameter: int) -> Heatmaps:
    """The largest value under a disc around each pixel; outside of the map there is none."""
    reach = diameter // 2
    height, width = values.shape[1:]
    padded = F.pad(values, (reach, reach, reach, reach), value=-torch.inf)
    rows = list(disc(diameter))
    spans = running(padded, sorted({last - first + 1 for _, first, last in rows}))
    found = torch.full_like(values, -torch.inf)
    for below, first, last in rows:
        top, left = reach + below, reach + first
        span = spans[last - first + 1][:, top : top + height, left : left + width]
        found = torch.maximum(found, span)
    return found


def running(values: Spans, widths: Sequence[int]) -> dict[int, Spans]:
    """By rising width, the largest of each value and of so many in all that follow it in its row.

    A wide span is that of two narrower ones, so that few are needed.

    >>> running(torch.tensor([[[1.0, 3.0, 2.0, 0.0]]]), [2, 3])[3]
    tensor([[[3., 3.]]])
    """
    found, now, wide = {}, values, 1
    for width in widths:
        while wide < width:
            step = min(wide, width - wide)
            now, wide = torch.maximum(now[..., :-step], now[..., step:]), wide + step
        found[width] = now
    return found


def disc(diameter: int) -> Iterator[Row]:
    """The rows of a disc: pixels whose centres are no further than the outermost of its diameter.

    One of even diameter has its centre below and right of the middle, and rounds its rows.

    >>> list(disc(3))
    [(-1, 0, 0), (0, -1, 1), (1, 0, 0)]
    >>> list(disc(4))
    [(-2, 0, 0), (-1, -2, 1), (0, -2, 1), (1, -2, 1)]
    """
    odd, radius = diameter % 2, diameter // 2
    for below in range(-(diameter // 2), diameter // 2 + odd):
        half = math.sqrt(max(0.0, radius**2 - below**2))
        wide = math.floor(half) if odd else round(half)
        yield below, -wide, min(wide, diameter // 2 - 1 + odd)
