"""Other images as in-fill: real pixels, but of another scene.

Source: the conditional and marginal imputers by donor of R-OMS (Bluecher et al., arXiv:2401.06654)
and of sampling-based attribution in general. Banks are held with 8 bits a value; which donors are
drawn is the same for the whole batch.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from rather.infillers.bank import Bank, Donors, banked, opened
from rather.infillers.noise import uniform
from rather.types import Images, Keep

SPARE = 32  # candidates beside the k nearest, so that copies and rounding cannot hide one
COPY = 1e-8  # mean square below which a donor is the image itself


@dataclass(frozen=True)
class Donor:
    """One random image of a bank, pasted whole.

    Args:
        bank: path of a folder or zip file, or `DonorFolder`, read on the first call, or images.
        count: at most so many photos are read from a path; memory is linear in it.
    """

    bank: Donors
    count: int = 1000

    reads_hidden: ClassVar[bool] = False
    uses_keep: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check(self)

    def arrays(self) -> dict[str, Tensor]:
        """What a record must keep beside the `repr`, by field."""
        return _arrays(self.bank)

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        bank = _opened(self, images)
        chosen = picks((1,), len(bank), images, generator)
        return bank.at(chosen, images).expand_as(images).clone()


@dataclass(frozen=True)
class NearestDonor:
    """The bank image that is most like the shown pixels, or one of the k most alike.

    Exact copies of the image come last, so that it never fills itself while there is another.

    Args:
        bank: path of a folder or zip file, or `DonorFolder`, read on the first call, or images.
        k: nearest images to draw from; 1 is deterministic.
        count: at most so many photos are read from a path; memory is linear in it.
        batch: bank images compared at once; memory is linear in it.
    """

    bank: Donors
    k: int = 1
    count: int = 1000
    batch: int = 64

    reads_hidden: ClassVar[bool] = False
    uses_keep: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check(self)
        if self.k < 1 or self.batch < 1:
            raise ValueError(f"k={self.k}, batch={self.batch}; both must be at least 1")

    @property
    def stochastic(self) -> bool:
        return self.k > 1

    def arrays(self) -> dict[str, Tensor]:
        """What a record must keep beside the `repr`, by field."""
        return _arrays(self.bank)

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        bank = _opened(self, images)
        seen = (keep > 0.5).to(images)
        nearest = self.ranked(bank, images.where(seen > 0, 0), seen)[:, : self.k]
        pick = picks((1,), nearest.shape[1], images, generator) if self.k > 1 else 0
        return bank.at(nearest[:, pick].flatten(), images)

    def ranked(self, bank: Bank, images: Images, seen: Keep) -> Tensor:
        """The k nearest of the bank, nearest first: screened by products, then measured exactly."""
        screened = torch.cat(
            [self._products(bank, part, images, seen) for part in _parts(self, bank)]
        )
        candidates = screened.topk(min(self.k + SPARE, len(bank)), 0, largest=False).indices.T
        distances = torch.stack(
            [_exact(bank, *row) for row in zip(candidates, images, seen, strict=True)]
        )
        shown = seen.mean((1, 2, 3))[:, None] > 0
        order = (distances + ((distances < COPY) & shown)).argsort(stable=True, dim=1)
        return candidates.gather(1, order)

    def _products(self, bank: Bank, rows: Tensor, images: Images, seen: Keep) -> Tensor:
        """Sum of seen (b^2 - 2 x b), which orders donors as their distance does."""
        donors = bank.at(rows, images) - 0.5
        centred = ((images - 0.5) * seen).flatten(1)
        weights = seen.expand_as(images).flatten(1)
        return donors.flatten(1) ** 2 @ weights.T - 2 * donors.flatten(1) @ centred.T


@dataclass(frozen=True)
class MarginalDonor:
    """Every tile from its own random bank image: right in each place, without any correlation.

    Args:
        bank: path of a folder or zip file, or `DonorFolder`, read on the first call, or images.
        tile: side of the tiles in pixels; 1 lets every pixel choose on its own.
        count: at most so many photos are read from a path; memory is linear in it.
    """

    bank: Donors
    tile: int = 1
    count: int = 1000

    reads_hidden: ClassVar[bool] = False
    uses_keep: ClassVar[bool] = False
    stochastic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check(self)
        if self.tile < 1:
            raise ValueError(f"tile is {self.tile}; tiles need a side of at least 1 pixel")

    def arrays(self) -> dict[str, Tensor]:
        """What a record must keep beside the `repr`, by field."""
        return _arrays(self.bank)

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        bank = _opened(self, images)
        height, width = images.shape[2:]
        tiles = (-(-height // self.tile), -(-width // self.tile))
        chosen = picks(tiles, len(bank), images, generator)
        chosen = chosen.repeat_interleave(self.tile, 0).repeat_interleave(self.tile, 1)
        donors = bank.images
        rows, columns = torch.arange(height)[:, None], torch.arange(width)
        pixels = donors[chosen[:height, :width].to(donors.device), :, rows, columns]
        return (pixels.permute(2, 0, 1).to(images) / 255).expand_as(images).clone()


def picks(shape: tuple[int, ...], count: int, like: Images, generator: torch.Generator) -> Tensor:
    """Random places in a list."""
    return (uniform(shape, like, generator) * count).long().clamp(max=count - 1)


def _check(infiller: Donor | NearestDonor | MarginalDonor) -> None:
    if infiller.count < 1:
        raise ValueError(f"count is {infiller.count}; a bank needs at least 1 image")
    object.__setattr__(infiller, "bank", banked(infiller.bank))


def _opened(infiller: Donor | NearestDonor | MarginalDonor, images: Images) -> Bank:
    bank = banked(infiller.bank)
    return opened(bank, infiller.count, images.shape[2], images.shape[3])


def _arrays(donors: Donors) -> dict[str, Tensor]:
    bank = banked(donors)
    return {"bank": bank.images} if isinstance(bank, Bank) else {}


def _parts(infiller: NearestDonor, bank: Bank) -> tuple[Tensor, ...]:
    return torch.arange(len(bank)).split(infiller.batch)


def _exact(bank: Bank, rows: Tensor, image: Tensor, seen: Tensor) -> Tensor:
    """Mean square distance over the shown values."""
    gaps = (bank.at(rows, image[None]) - image) ** 2 * seen
    return gaps.sum((1, 2, 3)) / (3 * seen.sum()).clamp(min=1)
