"""Coarse cells: what mask optimisers train, how it becomes a mask, and the price of roughness."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal, TypeAlias, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from rather.question import Question
from rather.settling import at_rows
from rather.types import Heatmaps, Images, PerImage

Grid: TypeAlias = Float[Tensor, "n 1 _ _"]
Method = TypeVar("Method")


def grid_size(images: Images, cell: int) -> tuple[int, int]:
    """Rows and columns of cells of so many pixels; those at the end may be cut."""
    height, width = images.shape[2:]
    return -(-height // cell), -(-width // cell)


def grids(images: Images, cell: int, levels: int) -> list[Grid]:
    """Grids of zeros to be learned: of cells of so many pixels, and of cells ever twice as large.

    >>> [tuple(grid.shape) for grid in grids(torch.zeros(1, 3, 20, 12), 4, 3)]
    [(1, 1, 5, 3), (1, 1, 3, 2), (1, 1, 2, 1)]
    """
    sizes = [grid_size(images, cell * 2**level) for level in range(levels)]
    return [images.new_zeros(len(images), 1, *size).requires_grad_() for size in sizes]


def summed(parts: Sequence[Grid]) -> Grid:
    """The grids at the size of the first, added up."""
    return torch.stack([upsampled(part, parts[0]) for part in parts]).sum(0)


def upsampled(
    grid: Grid,
    like: Tensor,
    mode: Literal["bilinear", "nearest"] = "bilinear",
    corners: bool = False,
) -> Grid:
    """Cells at the size of `like`; rounding may leave [0, 1] by a little, see `bounded`.

    Two matrix products, whose gradient costs a tenth of that of torch's interpolation.
    """
    if mode == "nearest":
        return F.interpolate(grid, like.shape[2:], mode="nearest")
    (rows, columns), (height, width) = grid.shape[2:], like.shape[2:]
    kind = corners, grid.dtype, grid.device
    return _tents(rows, height, *kind) @ grid @ _tents(columns, width, *kind).T


@lru_cache(64)
@torch.inference_mode(False)
def _tents(
    cells: int, side: int, corners: bool, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "side cells"]:
    """How much of each cell is in each pixel along one side, as torch interpolates."""
    eye = torch.eye(cells, dtype=torch.double)[None]
    table = F.interpolate(eye, side, mode="linear", align_corners=corners)[0].T
    return table.to(dtype).to(device).contiguous()


def swollen(grid: Grid, like: Tensor) -> Grid:
    """Cells at the size of `like`, smooth and yet as strong as the strongest cell.

    A Gaussian as wide as a cell lowers a lone cell; its maximum is therefore raised again to that
    of the cells. After the smooth maximum convolution of Fong, Patrick and Vedaldi, Understanding
    Deep Networks via Extremal Perturbations and Smooth Masks, arXiv:1910.08485, whose kernel is
    another.
    """
    (rows, columns), (height, width) = grid.shape[2:], like.shape[2:]
    kind = grid.dtype, grid.device
    wide = _bells(rows, height, *kind) @ grid @ _bells(columns, width, *kind).T
    most, left = (part.amax((2, 3), keepdim=True) for part in (grid, wide))
    return wide * (most / left.clamp(min=1e-6))


@lru_cache(64)
@torch.inference_mode(False)
def _bells(
    cells: int, side: int, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "side cells"]:
    """How much of each cell is in each pixel along one side: a Gaussian of a cell's width."""
    pixels = (torch.arange(side, dtype=torch.double) + 0.5) * cells / side
    away = pixels[:, None] - (torch.arange(cells, dtype=torch.double) + 0.5)
    weights = torch.exp(-away.square() / 2)
    return (weights / weights.sum(1, keepdim=True)).to(dtype).to(device)


def bounded(keep: Grid) -> Grid:
    """In [0, 1] in spite of rounding; torch's clamp has no slope at the ends, where masks start.

    >>> keep = torch.tensor([[[[0.25, 1.0000001]]]], requires_grad=True)
    >>> made = bounded(keep)
    >>> made.flatten().tolist(), torch.autograd.grad(made.sum(), keep)[0].flatten().tolist()
    ([0.25, 1.0], [1.0, 1.0])
    """
    return straight_through(keep, keep.clamp(0, 1))


def roughness(grid: Grid, exponent: float) -> PerImage:
    """Sum over neighbours of their absolute difference to a power, per image."""
    neighbours = (grid.diff(dim=2), grid.diff(dim=3))
    down, right = (part.abs().pow(exponent).sum((1, 2, 3)) for part in neighbours)
    return down + right


def straight_through(soft: Tensor, hard: Tensor) -> Tensor:
    """`hard` in value, exactly, and `soft` in gradient.

    >>> soft = torch.tensor([0.3, 0.7], requires_grad=True)
    >>> hard = straight_through(soft, soft > 0.5)
    >>> hard.tolist(), torch.autograd.grad(hard.sum(), soft)[0].tolist()
    ([0.0, 1.0], [1.0, 1.0])
    """
    return hard.detach().to(soft.dtype) + (soft - soft.detach())  # the bracket is exactly 0


def by_images(
    method: Method,
    part: Callable[[Method, Images, Question], Heatmaps],
    images: Images,
    question: Question,
    at_once: int,
) -> Heatmaps:
    """Explain a few images at a time, so that memory is bounded."""
    if len(images) <= max(1, at_once):
        return part(method, images, question)
    rows = torch.arange(len(images), device=images.device).split(max(1, at_once))
    return torch.cat([part(at_rows(method, row), images[row], question.at(row)) for row in rows])
