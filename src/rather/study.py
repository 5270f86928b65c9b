"""A study: what speaks for the target, for the foil, and for the one rather than the other.

It also tries the answer out: does the classifier change its mind when the best-rated part of the
image is replaced, and stay when the worst-rated part is?
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

import torch

from rather.batch import Batch
from rather.classifier import Classifier
from rather.cost import Cost
from rather.explainer import Explainer, Explanation, explain
from rather.inference import tracked
from rather.infiller import Infiller, filler
from rather.metrics.curve import rank
from rather.question import Question
from rather.region import Kind, Region, smallest
from rather.together import together
from rather.types import Images, Keep, Labels, Logits

Part: TypeAlias = Literal["most", "least", "rest"]


@dataclass(frozen=True, eq=False)
class Removal:
    """The images with a part filled in, and what the classifier says of what is left.

    `part` is what went: the pixels that speak "most" for the target, those that speak "least" for
    it, or the "rest", which leaves only the most; `share` is how many of all pixels "most" and
    "least" are.
    """

    part: Part
    share: float
    images: Images
    logits: Logits
    infiller: Infiller


@dataclass(frozen=True, eq=False)
class Study:
    """The explanation of a question, those of its two sides alone, and trials of the answer.

    `target` and `foil` ask why either class at all; they are None where there is no foil.
    `regions` are the smallest that suffices for the answer, and the smallest that costs it.
    """

    answer: Explanation
    target: Explanation | None = None
    foil: Explanation | None = None
    removals: tuple[Removal, ...] = ()
    regions: tuple[Region, ...] = ()

    def __post_init__(self) -> None:
        if any(part.batch is not self.answer.batch for part in self.explanations().values()):
            raise ValueError("the explanations of a study are of one batch; give each the same")

    def explanations(self) -> dict[str, Explanation]:
        """Those that there are, by the names of the fields."""
        found = {"answer": self.answer, "target": self.target, "foil": self.foil}
        return {name: part for name, part in found.items() if part is not None}

    @property
    def cost(self) -> Cost:
        """What all explanations cost together."""
        costs = [part.cost for part in self.explanations().values()]
        return Cost(
            sum(cost.forward for cost in costs),
            sum(cost.backward for cost in costs),
            sum(cost.seconds for cost in costs),
        )


@torch.inference_mode(False)
@torch.no_grad()
def contrast(
    explainer: Explainer,
    classifier: Classifier,
    batch: Batch,
    question: Question | None = None,
    infiller: Infiller | None = None,
    share: float = 0.2,
    regions: bool = True,
) -> Study:
    """Explain a question and its two sides, and try the answer out.

    Args:
        explainer: answers the questions.
        classifier: who is asked.
        batch: images and what is known of them.
        question: by default why the class that the classifier answers.
        infiller: fills what the trials remove; by default the explainer's own, and no trials are
            made where it has none.
        share: share of the pixels that a trial removes; a larger one moves the answer further and
            the image further from a photo.
        regions: whether the smallest regions are found, for some 100 passes more an image.
    """
    batch, question = tracked(batch), tracked(question)
    questions = [] if question is None else [question, *sides_of(question)]
    with together(questions):
        answer = explain(explainer, classifier, batch, question)
        sides = [explain(answer.ran, classifier, batch, side) for side in questions[1:]]
    alone = [replace(side, explainer=explainer) for side in sides]
    settled = answer.ran
    fills = infiller_of(settled) if infiller is None else infiller
    removals = tuple(_removals(answer, classifier, fills, share))
    found = tuple(_regions(answer, classifier, fills)) if regions else ()
    return Study(answer, *alone, removals=removals, regions=found)


def sides_of(question: Question) -> list[Question]:
    """Why its target, and why its foil, alone; nothing where there is no foil."""
    return [] if question.foil is None else [Question(question.target), Question(question.foil)]


def infiller_of(explainer: Explainer) -> Infiller | None:
    """What an explainer fills with, if it fills at all."""
    found = getattr(explainer, "infiller", getattr(explainer, "baseline", None))
    return found if isinstance(found, Infiller) else None


def _removals(
    answer: Explanation, classifier: Classifier, infiller: Infiller | None, share: float
) -> Iterator[Removal]:
    if not 0 < share < 1:
        raise ValueError(f"share is {share}, but a part of the image lies between 0 and 1")
    if infiller is None:
        return
    images = answer.batch.images
    filled = filler(infiller, images, answer.seed or 0)
    rows = torch.arange(len(images), device=images.device)
    for part in get_args(Part):
        left = filled(rows, kept(answer, part, share))
        yield Removal(part, share, left, _answers(classifier, left), infiller)


def _regions(
    answer: Explanation, classifier: Classifier, infiller: Infiller | None
) -> Iterator[Region]:
    if infiller is not None:
        for kind in get_args(Kind):
            yield smallest(answer, classifier, kind, infiller)


def kept(answer: Explanation, part: Part, share: float) -> Keep:
    """1 where pixels stay when a part goes; ties are broken by the explainer's seed."""
    order = "lerf" if part == "least" else "morf"
    ranks = rank(answer.heatmaps, order, answer.seed or 0)[:, None]
    first = ranks < max(1, round(share * ranks[0].numel()))
    return (first if part == "rest" else ~first).to(answer.batch.images)


def _answers(classifier: Classifier, images: Images) -> Logits:
    rows: tuple[Labels, ...] = torch.arange(len(images)).split(classifier.batch)
    return torch.cat([classifier(images[part]) for part in rows])
