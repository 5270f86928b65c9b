"""Does a map depend on the question? What other classes' maps look like.

Source: the idea of CASE, 2025, arXiv:2506.07327; the definitions are ours.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from rather.classifier import Classifier
from rather.explainer import Explanation
from rather.metrics.curve import rank
from rather.metrics.similarity import spearman
from rather.question import Question
from rather.types import Heatmaps, PerImage


@dataclass(frozen=True)
class ClassSensitivity:
    """1 less the rank correlation of the maps of two classes, each asked about alone.

    The classes are the question's target and foil, or without a foil the target and the likeliest
    other class. 0 for a map that ignores the question; unlike maps score 1.

    Args:
        seed: breaks ties of `overlap`.
    """

    seed: int = 0
    higher_is_better: ClassVar[bool] = True

    def __call__(self, classifier: Classifier, explanation: Explanation) -> PerImage:
        return 1 - spearman(*self.both(classifier, explanation)).clamp(min=0)

    def overlap(
        self, classifier: Classifier, explanation: Explanation, share: float = 0.1
    ) -> PerImage:
        """Intersection over union of the best-rated pixels of both maps."""
        one, other = (
            rank(heat, seed=self.seed) < round(share * heat[0].numel())
            for heat in self.both(classifier, explanation)
        )
        return (one & other).sum((1, 2)) / (one | other).sum((1, 2))

    def both(self, classifier: Classifier, explanation: Explanation) -> tuple[Heatmaps, Heatmaps]:
        """The maps of target and other class."""
        target, foil = explanation.question.target, explanation.question.foil
        if foil is None:
            foil = explanation.logits.scatter(1, target[:, None], -torch.inf).argmax(1)
        one, other = (again(classifier, explanation, Question(each)) for each in (target, foil))
        return one, other


@dataclass(frozen=True)
class Antisymmetry:
    """How far the map is from turning its sign when target and foil change places; 0: it does.

    The norm of the sum of both maps, over the sum of their norms; baselines stay. 0 for whatever is
    linear in the score, 1 for a map that ignores the question. NaN without a foil.
    """

    higher_is_better: ClassVar[bool] = False

    def __call__(self, classifier: Classifier, explanation: Explanation) -> PerImage:
        target, foil = explanation.question.target, explanation.question.foil
        if foil is None:
            return torch.full_like(explanation.heatmaps[:, 0, 0], torch.nan)
        heat = explanation.heatmaps
        turned = again(classifier, explanation, Question(foil, target))
        return norm(heat + turned) / (norm(heat) + norm(turned))


def again(classifier: Classifier, explanation: Explanation, question: Question) -> Heatmaps:
    """The maps of the same explainer, with the same counterfactuals, of another question."""
    return explanation.ran(classifier, explanation.batch.images, question)


def norm(heat: Heatmaps) -> PerImage:
    return heat.flatten(1).norm(dim=1)
