"""Parts of hybrids: masks from a map, what the two ends answer, and the area under a curve."""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rather.editor import Counterfactual
from rather.explainer import Explanation
from rather.question import Question
from rather.types import Flags, Heatmaps, Labels, Logits, PerImage

Masks: TypeAlias = Float[Tensor, "m h w"]
GRID = 101  # points that curves are interpolated at
STRIP = 32  # rows of a blur's matrix that are taken at once

Strip: TypeAlias = tuple[slice, Float[Tensor, "_ _"]]  # what some rows read, and their weights


@dataclass(frozen=True, eq=False)
class Sweep:
    """Masks are where closed levels lie below a cut; cuts rise; then both axes are blurred."""

    levels: Heatmaps
    cuts: Float[Tensor, " s"]
    blur: tuple[Tensor, Tensor] | None

    def closed(self, row: Labels, point: Labels) -> Masks:
        """Binary masks of some images at some cuts; one image's levels are never copied."""
        levels = self.levels if len(self.levels) == 1 else self.levels[row]
        masks = levels.new_empty(len(row), *levels.shape[1:])
        return torch.lt(levels, self.cuts[point][:, None, None], out=masks)

    def soft(self, masks: Masks) -> Masks:
        """Masks as they are shown."""
        if self.strips is None:
            return masks
        rows, columns = self.strips
        across = torch.cat([masks[:, :, near] @ part.T for near, part in columns], 2)
        return torch.cat([part @ across[:, near] for near, part in rows], 1).clamp_(0, 1)

    @cached_property
    def strips(self) -> tuple[list[Strip], list[Strip]] | None:
        """The blur of each axis without most of its zeros."""
        if self.blur is None:
            return None
        rows, columns = (strips(part.to(self.levels)) for part in self.blur)
        return rows, columns


def strips(blur: Float[Tensor, "side side"]) -> list[Strip]:
    """A matrix in strips of rows, each with the columns that are not 0 throughout.

    >>> [(near.start, near.stop) for near, _ in strips(torch.eye(40))]
    [(0, 32), (32, 40)]
    """
    found = []
    for part in blur.split(STRIP):
        there = part.any(0).nonzero()[:, 0]
        near = slice(int(there[0]), int(there[-1]) + 1)
        found.append((near, part[:, near].contiguous()))
    return found


@dataclass(frozen=True, eq=False)
class Ends:
    """What the classifier says of the image and of its counterfactual.

    Hybrids lead to the image and its class if they `restore`, else to the counterfactual and the
    foil; probabilities are against the other class alone if they are of the `pair`.
    """

    question: Question
    whole: Logits
    edited: Logits
    restore: bool
    pair: bool

    @property
    def wanted(self) -> Question:
        """About the class that hybrids lead to."""
        target, foil = self.question.target, self.question.foil
        if foil is None:
            raise ValueError("hybrids lead from one class to another; ask Question(target, foil)")
        one, other = (target, foil) if self.restore else (foil, target)
        return Question(one, other if self.pair else None)

    @property
    def full(self) -> PerImage:
        """The gain of the whole way."""
        end = self.whole if self.restore else self.edited
        return self.gains(end[:, None])[:, 0]

    def gains(self, logits: Float[Tensor, "n s k"]) -> Float[Tensor, "n s"]:
        """How much more of the class wanted there is than where the way begins."""
        begun = self.edited if self.restore else self.whole
        row = torch.arange(len(begun), device=begun.device).repeat_interleave(logits.shape[1])
        chances = self.wanted.at(row).probability(logits.flatten(0, 1)).view(logits.shape[:2])
        return chances - self.wanted.probability(begun)[:, None]

    def answered(self, logits: Float[Tensor, "n s k"]) -> Bool[Tensor, "n s"]:
        """Whether the class wanted leads among all."""
        return logits.argmax(2) == self.wanted.target[:, None]

    def sure(self, least: float) -> Flags:
        """Whether both have their class by more than so much, among all classes."""
        target, foil = self.question.target, self.question.foil
        if foil is None or not least:
            return torch.ones_like(target, dtype=torch.bool)
        one, other = Question(target), Question(foil)
        return (one.probability(self.whole) > least) & (other.probability(self.edited) > least)


def paired(explanation: Explanation, pair: Counterfactual | None) -> Counterfactual:
    """The pair to be judged by.

    Raises:
        ValueError: there is none, or it is not of these images and this question.
    """
    pair = explanation.counterfactual if pair is None else pair
    if pair is None:
        raise ValueError(
            "hybrids need a counterfactual, and the explainer made none; explain with "
            "baseline=Edited(editor), or give Dac(pair=edit(...))"
        )
    images, foil = explanation.batch.images, explanation.question.foil
    if not torch.equal(pair.images, images):
        raise ValueError("the pair is not of the explanation's images; edit those, in their order")
    if foil is None or not torch.equal(pair.target, foil):
        raise ValueError(
            f"the pair was edited towards {pair.target.tolist()}, and the question's foil is "
            f"{None if foil is None else foil.tolist()}; both must be the same"
        )
    return pair


def area(sizes: Float[Tensor, "n s"], gains: Float[Tensor, "n s"], full: PerImage) -> PerImage:
    """Area under gains over sizes from 0 to 1, where the gain is 0 at 0 and `full` at 1.

    Points are joined by straight lines, which are summed at 101 places.

    >>> area(torch.tensor([[0.5]]), torch.tensor([[1.0]]), torch.tensor([1.0]))
    tensor([0.7500])
    """
    sizes = torch.nn.functional.pad(sizes, (1, 0))
    x = torch.cat([sizes, torch.ones_like(full)[:, None]], 1)
    y = torch.cat([torch.nn.functional.pad(gains, (1, 0)), full[:, None]], 1)
    order = x.argsort(dim=1, stable=True)
    x, y = x.gather(1, order), y.gather(1, order)
    grid = torch.linspace(0, 1, GRID, device=x.device).expand(len(x), -1).contiguous()
    after = torch.searchsorted(x, grid, right=True).clamp(1, x.shape[1] - 1)
    left, right = (x.gather(1, at) for at in (after - 1, after))
    share = ((grid - left) / (right - left).clamp(min=1e-12)).clamp(0, 1)
    heights = torch.lerp(y.gather(1, after - 1), y.gather(1, after), share)
    return torch.trapezoid(heights, dx=1 / (GRID - 1))
