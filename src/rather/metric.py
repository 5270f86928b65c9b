"""Measuring: one number per image, of an explanation or of a counterfactual."""

from typing import ClassVar, Protocol, TypeVar, runtime_checkable

import torch

from rather.classifier import Classifier
from rather.types import PerImage

Result = TypeVar("Result", contravariant=True)


@runtime_checkable
class Metric(Protocol[Result]):
    """Rates results, one number per image; NaN where the question makes no sense."""

    higher_is_better: ClassVar[bool]

    def __call__(self, classifier: Classifier, result: Result, /) -> PerImage: ...


@torch.no_grad()
def measure(metric: Metric[Result], classifier: Classifier, result: Result) -> PerImage:
    """Rate every image's result; averaging is left to whoever reports."""
    scores = metric(classifier, result)
    if scores.isinf().any():
        raise ValueError(f"{metric} gave infinite scores; a metric answers with numbers or NaN")
    return scores
