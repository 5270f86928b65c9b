"""Curves: what the classifier answers while pixels go, or come, in order of their rating.

All hybrids of all images run in batches; every share of an image is filled from the same seed, so
that a curve moves with the pixels and not with the noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rather.classifier import Classifier
from rather.explainer import Explanation
from rather.infiller import Infiller, filler, stochastic
from rather.question import Question
from rather.types import Heatmaps, Images, Logits, PerImage
from rather.variants import check_batch, variants

Order: TypeAlias = Literal["morf", "lerf", "random"]  # most, least relevant first, or neither
Start: TypeAlias = Literal["image", "hidden"]  # hide more and more of it, or show more and more
Ranks: TypeAlias = Int[Tensor, "n h w"]  # 0 for what goes first
Segments: TypeAlias = Int[Tensor, "n h w"]  # regions, numbered from 0
Counts: TypeAlias = Int[Tensor, "n points"]  # how many ranks are hidden, or shown
Value: TypeAlias = Literal["probability", "log_odds", "score", "lead", "right"]
Steps: TypeAlias = int | tuple[float, ...]
Curves: TypeAlias = Float[Tensor, "n points"]


def curve(
    classifier: Classifier,
    explanation: Explanation,
    infiller: Infiller,
    fractions: Sequence[float],
    order: Order = "morf",
    start: Start = "image",
    *,
    segments: Segments | None = None,
    draws: int = 1,
    seed: int = 0,
    batch: int | None = None,
    value: Value = "probability",
) -> Curves:
    """The question's probability once each fraction of the pixels is hidden, or shown.

    Args:
        classifier: who is asked.
        explanation: its heatmaps rank the pixels, its question is what is asked.
        infiller: what hidden pixels are filled with.
        fractions: rising shares of the image, in [0, 1].
        order: which pixels go (or come) first.
        start: "image" hides the fraction, "hidden" shows it and hides the rest.
        segments: regions that are ranked by their mean heat and go as a whole.
        draws: proposals that every point is averaged over, where the infiller is random.
        seed: breaks ties between pixels, the same for all methods, and feeds the infiller.
        batch: images filled and classified at once; None leaves it to the classifier.
        value: "log_odds" in place of the probability, where it does not flatten near 0 and 1; the
            question's "score"; the "lead" of the target's probability over the foil's; or whether
            the answer is "right": the target, or above the foil.
    """
    ranks = rank(explanation.heatmaps, order, seed, segments)
    images, question = explanation.batch.images, explanation.question
    answers = Answers(infiller, start, draws, seed, batch, value)
    return answers(classifier, question, images, ranks, _counts(ranks, fractions))


@dataclass(frozen=True)
class Answers:
    """The question's probability, or log-odds, for images of which a part is filled in.

    Args:
        infiller: what hidden pixels are filled with.
        start: "image" hides the first ranks, "hidden" shows them and hides the rest.
        draws: proposals that every answer is averaged over, where the infiller is random.
        seed: feeds the infiller; the same for every part.
        batch: images filled and classified at once; None leaves it to the classifier.
        value: what is answered: "probability", "log_odds", "score", "lead" or "right".
    """

    infiller: Infiller
    start: Start = "image"
    draws: int = 1
    seed: int = 0
    batch: int | None = None
    value: Value = "probability"

    def __post_init__(self) -> None:
        check_batch(self.batch)
        if self.draws < 1:
            raise ValueError(f"draws must be at least 1, but is {self.draws}")

    def __call__(
        self,
        classifier: Classifier,
        question: Question,
        images: Images,
        ranks: Ranks,
        counts: Counts,
    ) -> Curves:
        answers = torch.zeros(counts.shape, device=images.device)
        draws = self.draws if stochastic(self.infiller) else 1
        size = self.batch or classifier.batch
        for draw in range(draws):
            filled = filler(self.infiller, images, self.seed, draw)
            for row, point in variants(images, counts.shape[1], size, "hybrids"):
                keep = self._keep(ranks[row], counts[row, point]).to(images)
                made = filled(row, keep)
                answers[row, point] += self._value(question.at(row), classifier(made))
        return answers / draws

    def _value(self, question: Question, logits: Logits) -> PerImage:
        if self.value == "lead":
            return lead(question, logits)
        if self.value == "right":
            return question.answered(logits).to(logits)
        if self.value == "score":
            return question.score(logits)
        likely = self.value == "probability"
        return question.probability(logits) if likely else question.log_odds(logits)

    def _keep(self, ranks: Ranks, counts: Int[Tensor, " n"]) -> Bool[Tensor, "n 1 h w"]:
        first = ranks[:, None] < counts[:, None, None, None]
        return first if self.start == "hidden" else ~first


def lead(question: Question, logits: Logits) -> PerImage:
    """The target's probability among all classes, less the foil's.

    >>> lead(Question(torch.tensor([0]), torch.tensor([1])), torch.tensor([[0.0, 0.0]]))
    tensor([0.])
    """
    return question.score(logits.softmax(1))


def area(values: Curves, fractions: Sequence[float]) -> PerImage:
    """Area under each curve, by the trapezoid rule."""
    return torch.trapezoid(values, torch.tensor(fractions, device=values.device))


def shares(steps: Steps) -> tuple[float, ...]:
    """The fractions that a number of equal steps stands for, or those given.

    >>> shares(4)
    (0.0, 0.25, 0.5, 0.75, 1.0)
    """
    found = (
        tuple(i / steps for i in range(steps + 1 if steps > 0 else 0))
        if isinstance(steps, int)
        else steps
    )
    if len(found) < 2 or min(found) < 0 or max(found) > 1 or list(found) != sorted(set(found)):
        raise ValueError(
            f"steps is {steps}; give a number of at least 1, or two or more rising shares in [0, 1]"
        )
    return found


def rank(
    heatmaps: Heatmaps, order: Order = "morf", seed: int = 0, segments: Segments | None = None
) -> Ranks:
    """When each pixel's turn comes; ties are broken by one seeded permutation of the pixels.

    >>> rank(torch.tensor([[[0.1, 0.3, 0.2]]])).tolist()
    [[[2, 0, 1]]]
    """
    if segments is None:
        return torch.stack([_rank(heat.flatten(), order, seed).view_as(heat) for heat in heatmaps])
    pairs = zip(heatmaps, segments, strict=True)
    return torch.stack([_rank(means(heat, part), order, seed)[part] for heat, part in pairs])


def means(heat: Float[Tensor, "h w"], part: Int[Tensor, "h w"]) -> Float[Tensor, " k"]:
    """Mean heat of each region."""
    size = torch.bincount(part.flatten())
    total = torch.zeros(len(size), device=heat.device).index_add_(0, part.flatten(), heat.flatten())
    return total / size.clamp(min=1)


def _rank(values: Float[Tensor, " k"], order: Order, seed: int) -> Int[Tensor, " k"]:
    # On the CPU, so that every device breaks ties alike.
    mixed = torch.randperm(len(values), generator=torch.Generator().manual_seed(seed))
    mixed = mixed.to(values.device)
    if order != "random":
        mixed = mixed[values[mixed].argsort(descending=True, stable=True)]
    turns = torch.arange(len(mixed), device=mixed.device)
    return torch.empty_like(mixed).scatter_(0, mixed.flip(0) if order == "lerf" else mixed, turns)


def _counts(ranks: Ranks, fractions: Sequence[float]) -> Counts:
    totals = (ranks.flatten(1).amax(1) + 1).tolist()
    counts = [[round(share * total) for share in fractions] for total in totals]
    return torch.tensor(counts, device=ranks.device)
