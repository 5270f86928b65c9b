"""Copying: every hidden cell takes the pixels of the shown place that fits its surroundings best.

Cells are blocks of 4x4 pixels. A hidden cell is compared, with its 5x5 neighbours of which every
other one counts, to all wholly shown places by one matrix product: where a neighbour is shown,
colour against colour; where it is hidden, the guess against the smoothed place, so that a smooth
guess does not ask for a smooth place. Then neighbours settle on places that lie together (see
`coherence`), and windows of 3x3 cells are copied and blended.

Source: Criminisi et al., Region Filling and Object Removal by Exemplar-Based Image Inpainting, IEEE
TIP 2004 (no arXiv id); one matrix product for all places after the attention of Yu et al.,
arXiv:1801.07892. Differs: all cells at once instead of from the rim inwards; the best place only,
since a mean of several is blurred; no learned features.
"""

from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from rather.networks.coherence import Bounds, Chosen, Fits, Grid, coherent
from rather.types import Images, Keep

CELL = 4
GUESSED = 0.3  # weight of a neighbour that is only guessed
PLACES = 512  # at most so many places are compared to every cell, evenly spread; bounds cost
PAIRS = 2**22  # comparisons held in memory at once
AROUND = tuple(product((-1, 0, 1), repeat=2))

Cells = Float[Tensor, "_ values"]  # a row holds the pixels of a cell, colour by colour
Known = Float[Tensor, "n 1 rows columns"]


def copied(guess: Images, seen: Keep) -> tuple[Images, Keep]:
    """Copy shown cells to hidden ones; also say where: 0 in wholly shown cells, or if none fits.

    Args:
        guess: shown pixels, and a smooth fill of hidden ones; sides are multiples of `CELL`.
        seen: 1 where pixels are shown, 0 where not.
    """
    known = (F.avg_pool2d(seen, CELL) == 1).to(seen.dtype)
    source = places(known)
    where = (1 - known) * source.amax((2, 3), keepdim=True)
    hidden, to = _chosen(where)
    shown, fro = _chosen(source * where.amax((2, 3), keepdim=True))
    if len(hidden) == 0:
        return guess, torch.zeros_like(seen)
    fits = _fits(guess, known, hidden, shown, (to, fro))
    owner = coherent(
        fits, hidden, shown, torch.zeros_like(known[:, 0], dtype=torch.long), Bounds(PLACES, PAIRS)
    )
    cells = F.pixel_unshuffle(guess, CELL).permute(0, 2, 3, 1)
    pixels = cells.reshape(-1, cells.shape[3])
    made = pixels.index_copy(0, hidden, _blended(pixels, owner, hidden)).view(cells.shape)
    whole = F.pixel_shuffle(made.permute(0, 3, 1, 2), CELL)
    return whole, F.interpolate(where, scale_factor=CELL)


def detail(images: Images) -> Images:
    """What is finer than a few cells; sides are multiples of `CELL`."""
    coarse = F.avg_pool2d(images, CELL)
    coarse = F.avg_pool2d(coarse, 3, stride=1, padding=1, count_include_pad=False)
    smooth = F.interpolate(coarse, scale_factor=CELL, mode="bilinear", align_corners=False)
    return images - smooth


def places(known: Known) -> Known:
    """Cells that are shown with all their eight neighbours, none of them beyond the border."""
    return -F.max_pool2d(F.pad(-known, (1, 1, 1, 1)), 3, stride=1)


def _chosen(which: Known) -> tuple[Chosen, list[int]]:
    """The cells above 0 as indices of the flattened grid, and how many there are in each image."""
    images = which.flatten(1) > 0
    return images.flatten().nonzero()[:, 0], images.sum(1).tolist()


def _fits(
    guess: Images, known: Known, hidden: Chosen, shown: Chosen, counts: tuple[list[int], list[int]]
) -> Fits:
    """Squared differences of surroundings, but for what does not depend on the place."""
    coarse = F.avg_pool2d(guess, CELL)
    smooth = F.avg_pool2d(coarse, 5, stride=1, padding=2, count_include_pad=False)
    here, fuzzy, told = (_surroundings(x) for x in (coarse, smooth, known))
    sharp = told[hidden]
    weights = torch.cat([sharp, GUESSED * (1 - sharp)], 2)
    asked = torch.cat([weights * here[hidden].repeat(1, 1, 2), weights], 1)
    there = torch.cat([here[shown], fuzzy[shown]], 2)
    keys = torch.cat([-2 * there, (there**2).sum(1, keepdim=True)], 1)
    return Fits(asked.flatten(1), keys.flatten(1), counts)


def _surroundings(x: Float[Tensor, "n channels _ _"]) -> Float[Tensor, "_ channels near"]:
    """Every other one of the 5x5 cells around each; beyond the border its last cell stands."""
    around = F.unfold(F.pad(x, (2, 2, 2, 2), mode="replicate"), 5)
    near = around.view(len(x), x.shape[1], 25, -1)[:, :, ::2]
    return near.permute(0, 3, 1, 2).flatten(0, 1)


def _blended(cells: Cells, owner: Grid, hidden: Chosen) -> Cells:
    """Mean of what the 3x3 windows over a cell copy to it, each the more the nearer its middle."""
    rows, width = owner.shape[1:]
    owners = F.pad(owner, (1, 1, 1, 1), value=-1)
    total, told, windows = cells.new_zeros(len(hidden), cells.shape[1]), [], _windows(cells)
    for (down, right), window in zip(AROUND, windows, strict=True):
        middle = owners[:, 1 - down :, 1 - right :][:, :rows, :width].flatten()[hidden]
        copy = cells.index_select(0, (middle + (down * width + right)).clamp(0, len(cells) - 1))
        told.append((middle >= 0).to(cells.dtype))
        total.addcmul_(copy.mul_(told[-1][:, None]), window)
    return total.div_(torch.stack(told, 1) @ windows[:, 0])


def _windows(like: Cells) -> Float[Tensor, "9 1 values"]:
    """The part of a tent, three cells wide, that lies on each of its nine cells."""
    ramp = torch.arange(1, 3 * CELL // 2 + 1, device=like.device, dtype=like.dtype)
    tent = torch.cat([ramp, ramp.flip(0)]).view(3, CELL)
    both = torch.einsum("iy,jx->ijyx", tent, tent)
    return both.reshape(9, 1, CELL * CELL).repeat(1, 1, like.shape[1] // CELL**2)
