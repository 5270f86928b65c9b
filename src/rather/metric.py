"""Measuring: one number per image, of an explanation or of a counterfactual."""

from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

import torch

from rather.classifier import Classifier
from rather.given import check_given
from rather.types import PerImage

Result = TypeVar("Result", contravariant=True)


@runtime_checkable
class Metric(Protocol[Result]):
    """Rates results, one number per image; NaN where the question makes no sense."""

    higher_is_better: ClassVar[bool]

    def __call__(self, classifier: Classifier, result: Result, /) -> PerImage: ...


@torch.inference_mode(False)
@torch.no_grad()
def measure(metric: Metric[Result], classifier: Classifier, result: Result) -> PerImage:
    """Rate every image's result; averaging is left to whoever reports.

    Raises:
        ValueError: the metric answered with something else than a finite number, or NaN, an image.
    """
    check_given(metric, classifier)
    scores = metric(classifier, result)
    if not isinstance(scores, torch.Tensor) or tuple(scores.shape) != (_count(result),):
        said = tuple(scores.shape) if isinstance(scores, torch.Tensor) else type(scores).__name__
        raise ValueError(
            f"{metric} answered with {said}; a metric gives a tensor of one number for each of the "
            f"{_count(result)} images"
        )
    if scores.isinf().any():
        raise ValueError(f"{metric} gave infinite scores; a metric answers with numbers or NaN")
    return scores


def _count(result: Any) -> int:
    """How many images a result is of."""
    return len(result.images if hasattr(result, "images") else result.batch.images)
