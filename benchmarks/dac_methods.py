"""What the benchmark of DAC ranks pixels by: plain and discriminative maps, floors and ceilings.

Plain maps explain the target's logit from mid-grey; those that are told the foil, the question;
discriminative ones, named D-, the question from the counterfactual.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from rather import Batch, Classifier, Counterfactual, Explainer, Explanation, Question, explain
from rather.editors import CellSwap
from rather.explainers import (
    DeepLift,
    GradCam,
    GuidedGradCam,
    InputGradient,
    IntegratedGradients,
    RandomBlurred,
    Residual,
)
from rather.explainers.layers import hooks, is_map, last_feature_map
from rather.infillers import Constant, Paste
from rather.infillers.blur import smoother
from rather.types import Heatmaps, Images, Keep

GREY = Constant(0.5)
SEEN = 0.1  # change of a square's pixels, summed over colours, below which it is left alone
Maker: TypeAlias = Callable[[Paste], Explainer]


@dataclass(frozen=True)
class Method:
    """A row of the tables.

    Args:
        make: the explainer, of the pasted counterfactual.
        alone: asks why the target at all, as plain maps do.
        first: only so many images; None: all.
    """

    make: Maker
    alone: bool = False
    first: int | None = None

    def explained(
        self, classifier: Classifier, batch: Batch, pair: Counterfactual, asked: Question
    ) -> Explanation:
        """The maps, of the question that they will be judged by."""
        own = Question(asked.target) if self.alone else asked
        made = explain(self.make(Paste(pair.edited)), classifier, batch, own)
        return replace(made, question=asked)


PLAIN: dict[str, Maker] = {
    "IG": lambda _: IntegratedGradients(GREY),
    "DL": lambda _: DeepLift(GREY),
    "InGrad": lambda _: InputGradient(GREY),
    "GC": lambda _: GradCam(signed=True),
    "GGC": lambda _: GuidedGradCam(),
}
DISCRIMINATIVE: dict[str, Maker] = {
    "D-IG": IntegratedGradients,
    "D-DL": DeepLift,
    "D-InGrad": InputGradient,
    "D-GC": lambda paste: GradCam(baseline=paste),
    "D-GGC": GuidedGradCam,
}
FLOORS = ("residual", "random")
CELLS = "cell swaps"
FINER = "GC, finer"
SIGNED = "D-GGC, signed lines"


def methods(across: int, cells: int) -> dict[str, Method]:
    """All rows.

    Args:
        across: squares of the greedy maps along a side.
        cells: images that cells are swapped of.
    """
    found = {name: Method(make, alone=True) for name, make in PLAIN.items()}
    found |= {f"{name}, foil": Method(make) for name, make in PLAIN.items()}
    found |= {name: Method(make) for name, make in DISCRIMINATIVE.items()}
    found |= {FINER: Method(lambda _: Finer(), alone=True), f"D-{FINER}": Method(Finer)}
    found |= {SIGNED: Method(lambda paste: GuidedGradCam(paste, sign="lines"))}
    found |= {"residual": Method(Residual), "random": Method(lambda _: RandomBlurred())}
    found |= {CELLS: Method(CellSwaps, first=cells)} if cells else {}
    for name, restore in (("greedy, restore", True), ("greedy, edit", False)):
        found[name] = Method(lambda paste, way=restore: Greedy(paste, across, way))
    return found


@dataclass(frozen=True)
class Finer:
    """Grad-CAM of the last layer whose map is at least twice as fine as the last one."""

    paste: Paste | None = None

    def __call__(self, classifier: Classifier, images: Images, question: Question) -> Heatmaps:
        layer = finer(classifier, images[:1])
        return GradCam(layer, signed=True, baseline=self.paste)(classifier, images, question)


def finer(classifier: Classifier, image: Images) -> str:
    """The last layer with twice as many rows as the last map.

    Raises:
        ValueError: there is none.
    """
    rows: dict[str, int] = {}

    def note(name: str, answer: object) -> None:
        if isinstance(answer, Tensor) and is_map(answer, image):
            rows.pop(name, None)  # so that the last comes last
            rows[name] = answer.shape[2]

    def noting(name: str) -> Callable[..., None]:
        return lambda _module, _inputs, answer: note(name, answer)

    named = [(name, module) for name, module in classifier.net.named_modules() if name]
    with hooks(*(module.register_forward_hook(noting(name)) for name, module in named)):
        classifier.through_net(image)
    last = rows[last_feature_map(classifier, image)]
    found = [name for name, count in rows.items() if count >= 2 * last]
    if not found:
        raise ValueError(f"{classifier.name} has no map of {2 * last} rows or more")
    return found[-1]


@dataclass(frozen=True)
class CellSwaps:
    """Rates cells of the last feature map by how early they were swapped for the counterfactual's.

    Cells are swapped for the best of any place, as published; hybrids then paste in place.
    """

    paste: Paste

    def __call__(self, classifier: Classifier, images: Images, question: Question) -> Heatmaps:
        if question.foil is None:
            raise ValueError("cells are swapped until the foil is answered; ask for one")
        layer = last_feature_map(classifier, images[:1])
        swap = CellSwap.as_published(images[:1], layer, question.foil[:1])
        maps = []
        for image, other, foil in zip(images, self.paste.images, question.foil, strict=True):
            swaps, grid = swap.swapped(classifier, image, other, int(foil))
            heat = torch.zeros(grid).flatten()
            for turn, (cell, _) in enumerate(swaps):
                heat[cell] = len(heat) - turn
            maps.append(F.interpolate(heat.view(1, 1, *grid), images.shape[2:])[0, 0])
        return torch.stack(maps)


@dataclass(frozen=True)
class Greedy:
    """Squares in the order in which each helps most, a ceiling that looks at every hybrid.

    What comes after the best hybrid does harm, and is rated below what is alike in both images.
    Pixels of a square are in the order of their change.

    Args:
        paste: the counterfactuals.
        across: squares along a side.
        restore: whether squares of the original are pasted, or of the counterfactual.
    """

    paste: Paste
    across: int
    restore: bool

    def __call__(self, classifier: Classifier, images: Images, question: Question) -> Heatmaps:
        size = (images.shape[2], images.shape[3])
        ends = (self.paste.images, images) if self.restore else (images, self.paste.images)
        if question.foil is None:
            raise ValueError("squares lead from one class to another; ask for a foil")
        wanted = question.target if self.restore else question.foil
        change = (images - self.paste.images).abs().sum(1)
        heats = [
            self.order(classifier, begun[None], end[None], int(label))
            for begun, end, label in zip(*ends, wanted, strict=True)
        ]
        coarse = F.interpolate(torch.stack(heats)[:, None], size)[:, 0]
        return coarse + 0.9 * change / change.amax((1, 2), keepdim=True).clamp(min=1e-12)

    def order(self, classifier: Classifier, begun: Images, end: Images, wanted: int) -> Tensor:
        """The squares' heat: falling from turn to turn, below 0 after the best turn."""
        change = (begun - end).abs().sum(1, keepdim=True)
        there = F.adaptive_max_pool2d(change, self.across).flatten()
        squares = (there > SEEN).nonzero()[:, 0]
        heat, taken = torch.zeros(self.across**2), torch.zeros(self.across**2)
        path: list[float] = []
        turns: list[int] = []
        while len(squares):
            tried = taken.repeat(len(squares), 1)
            tried[torch.arange(len(squares)), squares] = 1
            chances = self.chances(classifier, begun, end, wanted, tried)
            best = int(chances.argmax())
            path.append(float(chances[best]))
            turns.append(int(squares[best]))
            taken[turns[-1]] = 1
            squares = squares[squares != turns[-1]]
        top = path.index(max(path)) if path else 0
        for turn, square in enumerate(turns):
            heat[square] = top + 1 - turn if turn <= top else top - turn
        return heat.view(self.across, self.across)

    def chances(
        self, classifier: Classifier, begun: Images, end: Images, wanted: int, tried: Tensor
    ) -> Tensor:
        """How sure the classifier is of hybrids with some squares pasted."""
        found = []
        for part in tried.split(classifier.batch):
            keep = self.keep(part, begun)
            mixed = torch.lerp(begun.expand(len(part), -1, -1, -1), end, keep)
            asked = Question(torch.full((len(part),), wanted))
            found.append(asked.probability(classifier(mixed)))
        return torch.cat(found)

    def keep(self, squares: Tensor, like: Images) -> Keep:
        """Squares at the size of the image."""
        grid = squares.view(-1, 1, self.across, self.across)
        return F.interpolate(grid, (like.shape[2], like.shape[3]))


def blurred(explanation: Explanation, sigma: float) -> Explanation:
    """The same maps, smooth: what of a score is owed to smoothness."""
    heat = explanation.heatmaps
    rows, columns = (smoother(side, sigma).to(heat) for side in heat.shape[1:])
    return replace(explanation, heatmaps=rows @ heat @ columns.T)


def rivals() -> Iterator[tuple[str, str]]:
    """Which map should be above which."""
    for name in PLAIN:
        yield f"D-{name}", name
        yield f"D-{name}", f"{name}, foil"
    yield f"D-{FINER}", FINER
    for name in (*DISCRIMINATIVE, f"D-{FINER}"):
        for floor in (*FLOORS, CELLS):
            yield name, floor
    yield "D-GGC", SIGNED
