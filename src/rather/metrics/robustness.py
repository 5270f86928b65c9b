"""Robustness: do the maps stay when a setting that should not matter changes?

Source: Bansal, Agarwal and Nguyen, SAM: The Sensitivity of Attribution Methods to Hyperparameters,
CVPR 2020, arXiv:2003.08754. Differs: any field of the explainer, and signed ranks.
"""

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, ClassVar

import torch

from rather.classifier import Classifier
from rather.explainer import Explainer, Explanation
from rather.metrics.similarity import MEASURES, By, similarity
from rather.settling import settle
from rather.types import PerImage
from rather.variants import check_choice


@dataclass(frozen=True)
class Robustness:
    """Mean similarity of the map to those of the same explainer with one field changed.

    The explainer runs again for every value. A method that draws at random differs by its seed
    alone: divide by `Robustness(field="seed")` for the share that is not noise.

    Args:
        field: which of the explainer's fields changes, such as "seed" or "size".
        values: what it becomes, one map each.
        by: "spearman", "ssim" or "hog"; see `similarity`.
    """

    field: str = "seed"
    values: tuple[Any, ...] = (1,)
    by: By = "spearman"
    higher_is_better: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_choice("by", self.by, tuple(MEASURES))
        if not self.values:
            raise ValueError("values is empty; give at least one value that the field becomes")

    def __call__(self, classifier: Classifier, explanation: Explanation) -> PerImage:
        task = classifier, explanation.batch.images, explanation.question
        changed = [settle(self.changed(explanation.ran, each), *task)[0] for each in self.values]
        found = [
            similarity(explanation.heatmaps, explainer(*task), self.by) for explainer in changed
        ]
        return torch.stack(found).mean(0)

    def changed(self, explainer: Explainer, value: Any) -> Any:
        """The explainer with another value of the field."""
        if not is_dataclass(explainer) or isinstance(explainer, type):
            raise ValueError(f"{explainer} has no fields to change; give a dataclass")
        known = [each.name for each in fields(explainer)]
        check_choice("field", self.field, tuple(known))
        return replace(explainer, **{self.field: value})
