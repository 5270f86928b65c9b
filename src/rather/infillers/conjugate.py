"""Smooth interpolation across holes: a positive definite system on the hidden pixels of each image.

Conjugate gradients start from the pull-push guess, and a sum over scales preconditions them: the
residual is averaged down a pyramid of quadratic B-splines, divided on every level by the energy of
one spline, and summed up again. It makes the number of steps all but independent of the hole's size
(10 instead of 150 for a box of 112 pixels). Energies count the links to shown pixels, so that
scales larger than a hole do nothing.

Source: Bramble, Pasciak and Xu, Parallel Multilevel Preconditioners, Mathematics of Computation
1990 (no arXiv id). Differs: splines instead of hats, which serves the fourth order as well; levels
are masked by the hole.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from rather.networks.pyramid import pull_push
from rather.types import Images, Keep

MARGIN = 3  # shown pixels around a hole that the fourth order looks at
CACHED = 2**18  # values an array may have on a processor, so that the working set stays in cache
DEEPEST = 5  # halvings; 32 px
PRODUCTS = 128  # side up to which halving is a matrix product
SPLINE = (0.25, 0.75, 0.75, 0.25)


@dataclass(frozen=True)
class Smoothness:
    """What is minimised: squared differences of neighbours, or squared Laplacians.

    Args:
        corner: weight of diagonal neighbours, beside 1 of the others.
        fourth: minimise curvature instead of slope.
        tolerance: where to stop: largest difference of a pixel from what its neighbours demand.
        iterations: most steps for an image.
    """

    corner: float
    fourth: bool
    tolerance: float
    iterations: int

    @torch.no_grad()
    def fill(self, images: Images, keep: Keep) -> Images:
        """Solve for the hidden pixels of each image; the rest stays as it is."""
        seen = (keep > 0.5).to(images)
        filled = pull_push(images, seen)
        for part, shown in _chunks(filled, seen):
            box = _box(shown)
            if box is not None:
                system = System(self, shown[..., *box])
                part[..., *box] = system.solved(part[..., *box])
        return filled


@dataclass(frozen=True, eq=False)
class System:
    """One system for a few images of one size, padded to a multiple of the coarsest cell."""

    smoothness: Smoothness
    seen: Keep

    def solved(self, start: Images) -> Images:
        """Step until every image has come to rest; those that have are left alone."""
        x = F.pad(start, self._padding)
        rest = -self.applied(x)
        z = self.preconditioned(rest)
        way, power = z.clone(), _dot(rest, z)
        for _ in range(self.smoothness.iterations):
            moving = self._error(rest) > self.smoothness.tolerance
            if not moving.any():
                break
            pull = self.applied(way)
            length = torch.where(moving, power / _dot(way, pull).clamp(min=1e-30), 0)
            x.addcmul_(length, way)
            rest.addcmul_(length, pull, value=-1)
            z = self.preconditioned(rest)
            before, power = power, _dot(rest, z)
            way.mul_(power / before.clamp(min=1e-30)).add_(z)
        return x[..., : start.shape[2], : start.shape[3]]

    def applied(self, x: Tensor) -> Tensor:
        y = self._degree * x - self._near(x)
        if self.smoothness.fourth:
            y = y * self._inside
            y = self._degree * y - self._near(y)
        return y * self._hidden

    def preconditioned(self, rest: Tensor) -> Tensor:
        """Approximate the inverse: every scale answers on its own, and the answers are added."""
        pyramid = [rest]
        for _ in self._gains:
            pyramid.append(_down(pyramid[-1]))
        z = torch.zeros_like(pyramid[-1])
        for gain in reversed(self._gains):
            z = _up(z.addcmul_(gain, pyramid.pop()))
        return z.addcmul_(self._sharpest, rest).mul_(self._hidden)

    def _near(self, x: Tensor) -> Tensor:
        """Weighted sum of the neighbours inside the image."""
        total = torch.zeros_like(x)
        total[..., 1:] += x[..., :-1]
        total[..., :-1] += x[..., 1:]
        rows = torch.add(x, total, alpha=self.smoothness.corner) if self.smoothness.corner else x
        total[..., 1:, :] += rows[..., :-1, :]
        total[..., :-1, :] += rows[..., 1:, :]
        return total

    def _error(self, rest: Tensor) -> Tensor:
        return (rest.abs() * self._sharpest).amax((2, 3), keepdim=True)

    @cached_property
    def _depth(self) -> int:
        """Halvings up to half the largest cell that lies in a hole as a whole; more do not pay."""
        hidden, depth = 1 - self.seen, -1
        while depth < DEEPEST and min(hidden.shape[2:]) > 1:
            hidden = -F.max_pool2d(-hidden, 2)
            if not hidden.any():
                break
            depth += 1
        return max(depth, 0)

    @cached_property
    def _padding(self) -> tuple[int, int, int, int]:
        cell = 2**self._depth
        return (0, -self.seen.shape[3] % cell, 0, -self.seen.shape[2] % cell)

    @cached_property
    def _hidden(self) -> Keep:
        return F.pad(1 - self.seen, self._padding)

    @cached_property
    def _inside(self) -> Keep:
        return F.pad(torch.ones_like(self.seen), self._padding)

    @cached_property
    def _degree(self) -> Keep:
        return self._near(self._inside) * self._inside

    @cached_property
    def _sharpest(self) -> Tensor:
        """One over the diagonal of the system."""
        degree = self._degree.clamp(min=1)
        return 1 / (degree**2 + degree) if self.smoothness.fourth else 1 / degree

    @cached_property
    def _gains(self) -> list[Tensor]:
        """One over the energy of a spline, by level and place: its own, and its links to pixels."""
        own = 8.6 if self.smoothness.fourth else 1.1 * (1 + 2 * self.smoothness.corner)
        shrink = 0.25 if self.smoothness.fourth else 1.0
        links = self._near(self._inside - self._hidden) * self._hidden
        links = links * 2 if self.smoothness.fourth else links
        gains: list[Tensor] = []
        for _ in range(self._depth):
            own, links = own * shrink, _down(links)
            gains.append(1 / (own + links))
        return gains


def _chunks(images: Images, seen: Keep) -> Iterator[tuple[Images, Keep]]:
    """Images that fit into cache together; a graphics card takes all that there are."""
    most = CACHED if images.device.type == "cpu" else 512 * CACHED
    count = max(1, most // max(1, images[:1].numel()))
    return zip(images.split(count), seen.split(count), strict=True)


def _box(seen: Keep) -> tuple[slice, slice] | None:
    """Rows and columns that hold all hidden pixels, with a margin of shown ones."""
    hidden = (seen == 0).any(0)[0]
    if not hidden.any():
        return None
    return _span(hidden.any(1)), _span(hidden.any(0))


def _span(flags: Tensor) -> slice:
    places = flags.nonzero()
    return slice(max(0, int(places[0]) - MARGIN), int(places[-1]) + 1 + MARGIN)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((2, 3), keepdim=True)


def _down(x: Tensor) -> Tensor:
    """Average to half the size; in small images as products, which is much faster."""
    if max(x.shape[2:]) > PRODUCTS:
        return F.conv2d(x, _spline(x), stride=2, padding=1, groups=x.shape[1])
    rows, columns = (_halving(side, x.dtype, x.device) for side in x.shape[2:])
    return rows @ x @ columns.T


def _up(x: Tensor) -> Tensor:
    """The transpose of `_down`, so that the preconditioner is symmetric."""
    if 2 * max(x.shape[2:]) > PRODUCTS:
        return F.conv_transpose2d(x, _spline(x), stride=2, padding=1, groups=x.shape[1])
    rows, columns = (_halving(2 * side, x.dtype, x.device) for side in x.shape[2:])
    return rows.T @ x @ columns


def _spline(x: Tensor) -> Tensor:
    row = x.new_tensor(SPLINE)
    return (row[:, None] * row).expand(x.shape[1], 1, 4, 4)


@lru_cache(64)
def _halving(side: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Averages of one axis, as a matrix: weights 1, 3, 3, 1 over 4; they vanish at the border."""
    row = torch.tensor([[SPLINE]], dtype=dtype, device=device)
    return F.conv1d(torch.eye(side, dtype=dtype, device=device)[:, None], row, None, 2, 1)[:, 0].T
