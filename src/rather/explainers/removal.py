"""Removal: fill many variants of each image, and ask the classifier what is left of the answer.

What `Occlusion`, `Lime` and `Rise` share; they differ in which pixels go and in how they sum up.
Source: the common interface of Agarwal and Nguyen, ACCV 2020, arXiv:1910.04256.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import torch

from rather.classifier import Classifier
from rather.infiller import Infiller, filler, stochastic
from rather.notes import note
from rather.question import Question
from rather.together import Same, Values, asked_with, known_as
from rather.types import Images, Keep, Labels, Logits, PerImage
from rather.variants import check_batch, check_choice, variants

Output: TypeAlias = Literal["logit", "probability"]
Keeps: TypeAlias = Callable[[Labels, Labels], Keep]  # (row, number of the variant) to keep masks


@runtime_checkable
class Remover(Protocol):
    """The fields of an explainer that removes."""

    @property
    def infiller(self) -> Infiller: ...
    @property
    def output(self) -> Output: ...
    @property
    def draws(self) -> int: ...
    @property
    def seed(self) -> int: ...
    @property
    def batch(self) -> int | None: ...


@dataclass(frozen=True)
class Removed:
    """A batch of variants: of which images, which ones, what they keep, and their values."""

    row: Labels
    number: Labels
    keep: Keep
    value: PerImage


def check_remover(method: Remover) -> None:
    """Raise a `ValueError` unless the shared fields make sense."""
    if method.draws < 1:
        raise ValueError(f"draws must be at least 1, but is {method.draws}")
    check_choice("output", method.output, ("logit", "probability"))
    check_batch(method.batch)


def value(output: Output, question: Question, logits: Logits) -> PerImage:
    """What is explained: the question's score, or its probability."""
    return question.score(logits) if output == "logit" else question.probability(logits)


def removed(
    method: Remover,
    classifier: Classifier,
    images: Images,
    question: Question,
    keeps: Keeps,
    each: int,
    label: str,
) -> Iterator[Removed]:
    """Yield the values of all variants, a batch at a time; those of several draws are averaged.

    What variants keep must not depend on the question: those asked `together` share the passes. It
    notes how much is hidden at once: an infiller may not have been trained for so much; and, of
    several draws, how far the value of one variant spreads over them (standard deviation).
    """
    asked, key = asked_with(question), (known_as(method), Same(classifier), each)
    mine, known = asked.index(question), asked.values(key, images)
    ask = None if known is not None else _asking(method, classifier, images, asked.questions)
    count, shape = len(asked.questions), (len(images), each)
    values = images.new_zeros(2 * count, len(images) * each) if known is None else known
    hidden = torch.zeros_like(images[:, 0, 0, 0])
    for row, number in variants(images, each, method.batch or classifier.batch, label):
        keep, place = keeps(row, number), row * each + number
        if ask is not None:
            values[:, place] = ask(row, keep)
        hidden.index_add_(0, row, (1 - keep.mean((1, 2, 3))).to(images))
        yield Removed(row, number, keep, values[mine, place])
    asked.keep(key, images, values)
    note("share hidden at once, mean", hidden / each)
    if _draws(method) > 1:
        note("spread over draws, mean", values[count + mine].view(shape).mean(1))


def _asking(
    method: Remover, classifier: Classifier, images: Images, questions: Sequence[Question]
) -> Callable[[Labels, Keep], Values]:
    """What every question makes of chosen rows with parts filled in: the mean over the draws, for
    all questions, and then the spread."""
    draws = _draws(method)
    fills = [filler(method.infiller, images, method.seed, draw) for draw in range(draws)]

    def ask(row: Labels, keep: Keep) -> Values:
        answers = [classifier(fill(row, keep)) for fill in fills]
        values = [
            torch.stack([value(method.output, question.at(row), logits) for logits in answers])
            for question in questions
        ]
        every = torch.stack(values)
        return torch.cat((every.sum(1) / draws, every.std(1, correction=min(1, draws - 1))))

    return ask


def _draws(method: Remover) -> int:
    return method.draws if stochastic(method.infiller) else 1
