"""What methods with a baseline share: the starting image, and which of the two is explained."""

from collections.abc import Iterator
from typing import Literal, TypeAlias

import torch

from rather.explainers.removal import Output
from rather.infiller import Infiller, fill, seeded, stochastic
from rather.infillers import Pastes
from rather.question import Question
from rather.types import Images, Logits, PerImage

SIDES = ("both", "image", "baseline")
Side: TypeAlias = Literal["both", "image", "baseline"]
Task: TypeAlias = tuple[Images, Images, Question]  # what is explained, from where, and why


def start(baseline: Infiller, images: Images, seed: int, draw: int = 0) -> Images:
    """The whole frame, filled."""
    nothing = torch.zeros_like(images[:, :1])
    return fill(baseline, images, nothing, seeded(seed, images, draw))


def starts(baseline: Infiller, images: Images, seed: int, draws: int) -> Iterator[Images]:
    """Every baseline: each of several edits, or so many draws of a fill that is random."""
    if isinstance(baseline, Pastes):
        yield from (pasted.to(images) for pasted in baseline.sets)
        return
    for draw in range(draws if stochastic(baseline) else 1):
        yield start(baseline, images, seed, draw)


def turned(side: Side, images: Images, begun: Images, question: Question) -> Task:
    """What is explained, from where, and why; what `side` says of it.

    For methods that integrate, what "image" and "baseline" give adds up to what "both" gives.
    """
    ends = (begun, images) if side == "baseline" else (images, begun)
    return *ends, asked(side, question)


def asked(side: Side, question: Question) -> Question:
    """The question, or why either of its classes at all.

    Raises:
        ValueError: the baseline's side is asked for without a foil.
    """
    if side == "both":
        return question
    if side == "image":
        return Question(question.target)
    if question.foil is None:
        raise ValueError(
            'side="baseline" explains the foil at the baseline, and the question has no foil; ask '
            'Question(target, foil), or take side="both"'
        )
    return Question(question.foil)


def scored(output: Output, question: Question, logits: Logits) -> PerImage:
    """The question's score, of logits or of probabilities."""
    return question.score(logits if output == "logit" else logits.softmax(1))
