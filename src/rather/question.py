"""The question: why this class, rather than that one?"""

from dataclasses import dataclass

import torch

from rather.types import Flags, Labels, Logits, PerImage


@dataclass(frozen=True, eq=False)
class Question:
    """Why `target`, rather than `foil`? Without a foil: why `target` at all?

    Fact and foil are the terms of Lipton, Contrastive Explanation, 1990: an answer cites what
    tells the two apart, and leaves out what they share.

    >>> logits = torch.tensor([[2.0, 1.0, 5.0]])
    >>> one, two = torch.tensor([0]), torch.tensor([1])
    >>> Question(one).score(logits), Question(one, two).score(logits)
    (tensor([2.]), tensor([1.]))
    """

    target: Labels
    foil: Labels | None = None

    def score(self, logits: Logits) -> PerImage:
        """What explainers explain: the logit of `target`, less the foil's where there is one."""
        score = _at(logits, self.target)
        return score if self.foil is None else score - _at(logits, self.foil)

    def log_odds(self, logits: Logits) -> PerImage:
        """The logarithm of the odds of `target` against all others, or against the foil alone.

        >>> logits = torch.tensor([[2.0, 1.0, -9.0]])
        >>> ask = Question(torch.tensor([0]))
        >>> torch.allclose(ask.probability(logits).logit(), ask.log_odds(logits))
        True
        """
        if self.foil is not None:
            return self.score(logits)
        others = logits.scatter(1, self.target[:, None], -torch.inf)
        return self.score(logits) - others.logsumexp(1)

    def probability(self, logits: Logits) -> PerImage:
        """What curves report: the probability of `target`, or of it against the foil alone."""
        if self.foil is None:
            return _at(logits.softmax(1), self.target)
        return torch.sigmoid(self.score(logits))

    def answered(self, logits: Logits) -> Flags:
        """Whether the target is the answer, or is above the foil where there is one.

        >>> logits = torch.tensor([[2.0, 1.0, 5.0]])
        >>> one, two = torch.tensor([0]), torch.tensor([1])
        >>> Question(one).answered(logits), Question(one, two).answered(logits)
        (tensor([False]), tensor([True]))
        """
        if self.foil is not None:
            return self.score(logits) > 0
        return logits.argmax(1) == self.target

    def at(self, rows: Labels) -> "Question":
        """The same question for chosen rows, repeated at will: one row per variant of an image."""
        return Question(self.target[rows], None if self.foil is None else self.foil[rows])

    def check(self, images: int, classes: int) -> None:
        """Raise a `ValueError` unless it asks once per image, for classes that there are."""
        for word, labels in (("target", self.target), ("foil", self.foil)):
            if labels is None:
                continue
            if not isinstance(labels, torch.Tensor) or labels.dim() != 1 or _no_labels(labels):
                raise ValueError(
                    f"{word} is {labels!r}, but must be a tensor of integers, one per image, such "
                    "as torch.tensor([281])"
                )
            if len(labels) != images:
                raise ValueError(f"{len(labels)} {word} labels for {images} images; give one each")
            wrong = labels[(labels < 0) | (labels >= classes)]
            if len(wrong):
                raise ValueError(
                    f"{word} {int(wrong[0])} is no class of this classifier: it knows {classes}, "
                    f"numbered 0 to {classes - 1}"
                )
        if self.foil is not None and (self.target == self.foil).any():
            row = int((self.target == self.foil).nonzero()[0, 0])
            raise ValueError(
                f"target and foil of image {row} are both {int(self.target[row])}; ask for two "
                "classes that differ"
            )


def _no_labels(labels: Labels) -> bool:
    return labels.is_floating_point() or labels.dtype == torch.bool


def _at(values: Logits, label: Labels) -> PerImage:
    return values.gather(1, label[:, None])[:, 0]
