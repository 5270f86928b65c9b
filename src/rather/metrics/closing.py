"""Closing by a disc, of all threshold sets of a map at once.

A closed threshold set is a threshold set of the closed map: dilation takes the least level that a
disc around a pixel meets, erosion the largest. Outside of the image nothing is set for the first,
and everything for the second, so that closing can only add, where the disc is symmetric.
"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F

from rather.types import Heatmaps

Row = tuple[int, int, int]  # of a disc: how far below, from how far right to how far right


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
    found, spans = torch.full_like(values, -torch.inf), {}
    for below, first, last in disc(diameter):
        if (first, last) not in spans:  # rows above and below the middle share theirs
            span = padded[:, None, :, reach + first : reach + last + width]
            spans[first, last] = F.max_pool2d(span, (1, last - first + 1), 1)[:, 0]
        top = reach + below
        found = torch.maximum(found, spans[first, last][:, top : top + height])
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
