"""The saliency metric: how small a crop around the map the classifier still knows the class by.

Source: Dabkowski and Gal, Real Time Image Saliency for Black Box Classifiers, NeurIPS 2017,
arXiv:1705.07857. Differs: the crop is scaled in [0, 1] and clamped, published on normalised pixels;
half-open boxes.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from rather.classifier import Classifier
from rather.explainer import Explanation
from rather.metrics.box import BoxFrom
from rather.types import Images, PerImage


@dataclass(frozen=True)
class SaliencyMetric:
    """Logarithm of the crop's area, less that of the target's probability in it, scaled up.

    Args:
        box: makes a box of a map; a map that leaves none costs a whole black image.
        least: smallest area that counts, as a share of the image; smaller rewards tiny crops more.
        batch: crops classified at once; None leaves it to the classifier. Changes no result.
    """

    box: BoxFrom = BoxFrom()
    least: float = 0.05
    batch: int | None = None
    higher_is_better: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 < self.least <= 1:
            raise ValueError(f"least is {self.least}, but must be a share of the image above 0")

    def __call__(self, classifier: Classifier, explanation: Explanation) -> PerImage:
        images, boxes = explanation.batch.images, self.box(explanation.heatmaps)
        height, width = images.shape[2:]
        area = (boxes[:, 1] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 2]) / (height * width)
        area = area.where(area > 0, 1)
        size = self.batch or classifier.batch
        parts = [classifier(part) for part in cropped(images, boxes).split(size)]
        odds = explanation.question.log_odds(torch.cat(parts))
        return area.clamp(min=self.least).log() - F.logsigmoid(odds)


def cropped(images: Images, boxes: Tensor) -> Images:
    """Each image's box at the size of the image; black where there is no box."""
    found = torch.zeros_like(images)
    for made, image, (top, bottom, left, right) in zip(found, images, boxes.tolist(), strict=True):
        if top < bottom:
            part = image[None, :, top:bottom, left:right]
            made.copy_(F.interpolate(part, image.shape[1:], mode="bicubic")[0].clamp(0, 1))
    return found
