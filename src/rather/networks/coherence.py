"""Coherence: neighbouring cells are talked into copying from neighbouring places.

Alone, every cell of a smooth guess asks for the same place, whose few pixels then stand there again
and again. So cells offer their shift, from themselves to their place, to cells at a distance of 4,
2 and 1 in the four directions; it is taken over where the place that it leads to fits about as
well, the more readily the more of the eight neighbours have it already.

Source: Ashikhmin, Synthesizing Natural Textures, 2001; Barnes et al., PatchMatch, 2009; flooding by
jumps, Rong and Tan, 2006 (none has an arXiv id). Differs: all cells at once, so the order of cells
plays no part.
"""

from dataclasses import dataclass
from itertools import accumulate, product

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

JUMPS = (4, 2, 1, 1)
SIDES = ((0, 1), (1, 0), (0, -1), (-1, 0))
AROUND = tuple(side for side in product((-1, 0, 1), repeat=2) if any(side))
AGREEING = 0.02  # squared colour difference that a cell bears for each neighbour it agrees with
NONE = 2**30  # the shift of cells that copy nothing

Grid = Int[Tensor, "n rows columns"]  # a cell is called by its place in the flattened grid
Chosen = Int[Tensor, " _"]
Costs = Float[Tensor, " _"]


@dataclass(frozen=True)
class Bounds:
    """How much is compared, all with all.

    Args:
        places: at most so many of an image, evenly spread; neighbours may offer the others.
        pairs: comparisons held in memory at once.
    """

    places: int
    pairs: int


@dataclass(frozen=True, eq=False)
class Fits:
    """How badly places fit cells: products of what cells ask for with what places have.

    Args:
        asked: a row for every hidden cell, image by image.
        offered: a row for every place, likewise.
        counts: hidden cells and places of each image.
    """

    asked: Float[Tensor, "_ values"]
    offered: Float[Tensor, "_ values"]
    counts: tuple[list[int], list[int]]

    def best(self, bounds: Bounds) -> tuple[Costs, Chosen]:
        """Cost and row of the best place of every cell, of some that are evenly spread."""
        asked, offered = (
            x.split(n) for x, n in zip((self.asked, self.offered), self.counts, strict=True)
        )
        found = [_best(*one, bounds) for one in zip(asked, offered, strict=True)]
        starts = accumulate(self.counts[1], initial=0)
        rows = [row + start for (_, row), start in zip(found, starts, strict=False)]
        return torch.cat([cost for cost, _ in found]), torch.cat(rows)

    def of(self, cells: Chosen, rows: Chosen) -> Costs:
        """Cost of one place for each of some cells."""
        return self.asked.index_select(0, cells).mul_(self.offered.index_select(0, rows)).sum(1)


def _best(asked: Tensor, offered: Tensor, bounds: Bounds) -> tuple[Costs, Chosen]:
    if len(asked) == 0:
        return asked.new_zeros(0), asked.new_zeros(0, dtype=torch.long)
    step = -(-len(offered) // bounds.places)
    some = offered[::step].T
    found = [(part @ some).min(1) for part in asked.split(max(1, bounds.pairs // some.shape[1]))]
    return torch.cat([one.values for one in found]), torch.cat(
        [one.indices for one in found]
    ) * step


def coherent(fits: Fits, hidden: Chosen, shown: Chosen, like: Grid, bounds: Bounds) -> Grid:
    """Which place every hidden cell copies from; -1 for the other cells.

    Args:
        fits: of all hidden cells and all places.
        hidden: the cells that copy.
        shown: the places.
        like: a grid of the size of the images.
        bounds: of the first comparison, of everything with everything.
    """
    cost, rows = fits.best(bounds)
    order = torch.arange(len(shown)).to(shown)
    row = torch.full_like(like, -1).flatten().index_copy(0, shown, order)
    home = hidden // like[0].numel()  # the image it lies in
    shift = torch.full_like(like, NONE, dtype=torch.int32).flatten()
    shift[hidden] = (shown[rows] - hidden).int()
    for jump, (down, right) in product(JUMPS, SIDES):
        grid = shift.view(like.shape)
        offer = _moved(grid, jump * down, jump * right)
        gain = AGREEING * _agreement(grid, offer)
        told = offer.flatten()[hidden].long()
        rows = row[(hidden + told).clamp(0, len(row) - 1)]
        same = (hidden + told) // like[0].numel() == home
        asked = (same & (rows >= 0) & (told != shift[hidden])).nonzero()[:, 0]
        price, at = fits.of(asked, rows[asked]), hidden[asked]
        better = price - gain.flatten()[at] < cost[asked]
        cost = cost.index_copy(0, asked[better], price[better])
        shift = shift.index_copy(0, at[better], told[asked[better]].int())
    owner = torch.full_like(like, -1).flatten().index_copy(0, hidden, hidden + shift[hidden])
    return owner.view(like.shape)


def _moved(grid: Grid, down: int, right: int) -> Grid:
    """The grids moved by so many cells; `NONE` comes in from beyond the border."""
    reach = max(abs(down), abs(right))
    wide = F.pad(grid, (reach,) * 4, value=NONE)
    rows, columns = grid.shape[1:]
    return wide[:, reach - down :, reach - right :][:, :rows, :columns]


def _agreement(grid: Grid, offer: Grid) -> Int[Tensor, "n rows columns"]:
    """With how many more of its eight neighbours a cell would agree if it took the offer."""
    wide, (rows, columns) = F.pad(grid, (1, 1, 1, 1), value=NONE), grid.shape[1:]
    more = torch.zeros_like(grid, dtype=torch.int8)
    for down, right in AROUND:
        near = wide[:, 1 - down :, 1 - right :][:, :rows, :columns]
        more += (near == offer).view(torch.int8)
        more -= (near == grid).view(torch.int8)
    return more
