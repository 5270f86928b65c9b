"""From a map to a box: the pixels above a threshold, and the tightest box around them.

Source: the three thresholds of Fong and Vedaldi, arXiv:1704.03296, section 5, which FIDO,
arXiv:1807.08024, takes over. Differs: boxes are half-open pixel intervals; by default only the
largest connected part counts.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rather.batch import Batch
from rather.types import Boxes, Heatmaps, Regions
from rather.variants import check_choice

Rule: TypeAlias = Literal["value", "energy", "mean"]
RULES: tuple[Rule, ...] = ("value", "energy", "mean")
ROUNDING = 1e-6  # share by which a constant map may miss its own mean


@dataclass(frozen=True)
class BoxFrom:
    """Which pixels of a map count, and the box around them; a map may leave none.

    Args:
        rule: "value" takes what is at least `alpha` of the way from the least to the most heat;
            "energy" the fewest best-rated pixels that hold `alpha` of the positive heat, with all
            their equals; "mean" what is at least `alpha` times the mean. Negative heat counts as 0
            for the last two.
        alpha: larger takes fewer pixels by "value" and "mean", more by "energy".
        largest: whether only the largest part counts whose pixels touch side by side.
    """

    rule: Rule = "mean"
    alpha: float = 1.0
    largest: bool = True

    def __post_init__(self) -> None:
        check_choice("rule", self.rule, RULES)
        if not self.alpha >= 0:
            raise ValueError(f"alpha is {self.alpha}, but must be at least 0")

    def __call__(self, heatmaps: Heatmaps) -> Int[Tensor, "n 4"]:
        """Top, bottom, left and right of each map's box; all 0 where no pixel counts."""
        return torch.stack([tightest(region) for region in self.regions(heatmaps)])

    def regions(self, heatmaps: Heatmaps) -> Regions:
        """The pixels that count."""
        found = torch.stack([self.above(heat) for heat in heatmaps])
        return torch.stack([largest(region) for region in found]) if self.largest else found

    def above(self, heat: Float[Tensor, "h w"]) -> Bool[Tensor, "h w"]:
        """The pixels of one map that pass the threshold."""
        if self.rule == "value":
            low, high = heat.aminmax()
            return heat - low >= self.alpha * (high - low)
        positive = heat.clamp(min=0)
        if self.rule == "mean":
            return positive >= self.alpha * positive.mean() * (1 - ROUNDING)
        ordered = positive.flatten().sort(descending=True).values
        held = ordered.cumsum(0) / ordered.sum().clamp(min=1e-12)
        if self.alpha <= 0 or not ordered[0] > 0:
            return torch.zeros_like(heat, dtype=torch.bool)
        last = int((held < self.alpha * (1 - ROUNDING)).sum().clamp(max=len(held) - 1))
        return (positive >= ordered[last]) & (positive > 0)


def tightest(region: Bool[Tensor, "h w"]) -> Int[Tensor, "4"]:
    """The smallest box around a region; all 0 around nothing.

    >>> tightest(torch.tensor([[False, False], [False, True]])).tolist()
    [1, 2, 1, 2]
    """
    if not region.any():
        return torch.zeros(4, dtype=torch.int64, device=region.device)
    rows, columns = (region.any(axis).nonzero()[:, 0] for axis in (1, 0))
    return torch.stack([rows[0], rows[-1] + 1, columns[0], columns[-1] + 1])


def largest(region: Bool[Tensor, "h w"]) -> Bool[Tensor, "h w"]:
    """The part with the most pixels, of those that touch side by side; the upper one of equals."""
    parts = connected(region)
    sizes = torch.bincount(parts.flatten())[1:]
    return parts == sizes.argmax() + 1 if len(sizes) else region


def connected(region: Bool[Tensor, "h w"]) -> Int[Tensor, "h w"]:
    """Number the parts of a region from 1; 0 is none of them."""
    from skimage.measure import label  # half a second that few callers need

    parts = label(region.cpu().numpy(), connectivity=1)
    return torch.from_numpy(parts).to(device=region.device, dtype=torch.int64)


def painted(box: Int[Tensor, "4"], like: Tensor) -> Bool[Tensor, "h w"]:
    """The pixels of a box."""
    found = torch.zeros(like.shape[-2:], dtype=torch.bool, device=like.device)
    top, bottom, left, right = box.tolist()
    found[top:bottom, left:right] = True
    return found


def overlap(one: Bool[Tensor, "h w"], other: Bool[Tensor, "h w"]) -> Float[Tensor, ""]:
    """Intersection over union of two regions; NaN where both are empty."""
    return (one & other).sum() / (one | other).sum()


def true_regions(batch: Batch, metric: object) -> Regions:
    """The regions of a batch.

    Raises:
        ValueError: it has none.
    """
    if batch.regions is None:
        raise ValueError(
            f"{type(metric).__name__} needs the true regions, but this dataset has none; "
            "give Batch(..., regions=...) one (h, w) mask of the object per image"
        )
    return batch.regions


def true_boxes(batch: Batch, metric: object) -> tuple[Boxes, ...]:
    """The boxes of a batch, or where it has none those around the connected parts of its regions.

    Raises:
        ValueError: it has neither.
    """
    if batch.boxes is not None:
        return batch.boxes
    return tuple(_around(connected(region)) for region in true_regions(batch, metric))


def _around(parts: Int[Tensor, "h w"]) -> Boxes:
    found = [tightest(parts == number) for number in range(1, int(parts.max()) + 1)]
    return torch.stack(found) if found else torch.zeros(0, 4, dtype=torch.int64)
