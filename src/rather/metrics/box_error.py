"""Localisation error: does the box around a map miss the object?

Source: weakly supervised localisation as in Fong and Vedaldi, arXiv:1704.03296, section 5, and
Chang et al. (FIDO), arXiv:1807.08024. Differs: the threshold is a field, to be fixed on images that
are not reported; by default only the map's largest part counts.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from rather.classifier import Classifier
from rather.explainer import Explanation
from rather.metrics.box import BoxFrom, Rule, overlap, painted, true_boxes
from rather.types import Boxes, PerImage


@dataclass(frozen=True)
class BoxError:
    """1 if the map's box overlaps no true box by half or more, else 0; NaN without a true box.

    The true boxes are those of the labelled class (`Batch.boxes`), so the question's target should
    be the label. Where a batch has regions alone, the boxes around their connected parts stand in:
    right for one object or several apart, but two that overlap become one.

    Args:
        box: makes a box of a map; where no pixel counts, the box is the whole image.
        overlap: least intersection over union of a hit; larger is stricter.
    """

    box: BoxFrom = BoxFrom()
    overlap: float = 0.5
    higher_is_better: ClassVar[bool] = False

    @classmethod
    def as_published(cls, rule: Rule = "value", alpha: float = 0.5) -> "BoxError":
        """All parts of the map count; `rule` and `alpha` were chosen on 5,000 training images."""
        return cls(BoxFrom(rule, alpha, largest=False))

    def __call__(self, classifier: Classifier, explanation: Explanation) -> PerImage:
        best = self.best(explanation)
        return (best < self.overlap).to(best).where(~best.isnan(), torch.nan)

    def best(self, explanation: Explanation) -> PerImage:
        """Overlap with the true box that fits best; NaN without one."""
        found = self.box(explanation.heatmaps)
        pairs = zip(found, true_boxes(explanation.batch, self), explanation.heatmaps, strict=True)
        return torch.stack([_best(*pair) for pair in pairs])


def _best(box: Tensor, boxes: Boxes, heat: Tensor) -> Tensor:
    own = painted(box, heat)
    own = own if own.any() else ~own
    every = [overlap(own, painted(true, heat)) for true in boxes]
    return torch.stack(every).max() if every else heat.new_tensor(torch.nan)
