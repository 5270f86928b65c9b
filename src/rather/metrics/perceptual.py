"""Distances between images as a network sees them: of an edit, and between several edits.

Source: the form of LPIPS, Zhang et al., CVPR 2018, arXiv:1801.03924, and the diversity of Jeanneret
et al., DiME, ACCV 2022, arXiv:2203.15636. Differs: the network is our own, and no layer is weighted
by learned numbers; so neither must be called LPIPS.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar, Literal

import torch

from rather.classifier import Classifier
from rather.editor import Counterfactual, edit
from rather.metrics.features import distance, features
from rather.models import load
from rather.settling import reseeded
from rather.types import Images, PerImage
from rather.variants import check_choice


@dataclass(frozen=True)
class Perceptual:
    """How far the edit is from the image in the feature spaces of a network.

    Args:
        net: name of the network for `rather.models.load`; empty: the classifier itself, which an
            adversarial edit fools.
        layers: which of its resolutions count, the finest being 0; empty: all.
    """

    net: str = ""
    layers: tuple[int, ...] = ()
    higher_is_better: ClassVar[bool] = False

    def __call__(self, classifier: Classifier, result: Counterfactual) -> PerImage:
        return self.between(classifier, result.images, result.edited)

    def between(self, classifier: Classifier, one: Images, other: Images) -> PerImage:
        """The distance of two sets of images, one by one."""
        net = load(self.net) if self.net else classifier
        parts = zip(one.split(net.batch), other.split(net.batch), strict=True)
        return torch.cat([self._part(net, *part) for part in parts])

    def _part(self, net: Classifier, one: Images, other: Images) -> PerImage:
        first, second = (features(net, images)[0] for images in (one, other))
        chosen = self.layers or range(len(first))
        return distance([first[at] for at in chosen], [second[at] for at in chosen])


@dataclass(frozen=True)
class Diversity:
    """Mean distance between edits of one image from several seeds; 0 for editors without a seed.

    Args:
        count: edits of each image; each is made anew.
        by: "l1" is the mean absolute difference, "features" that of `perceptual`.
        perceptual: which network and layers.
    """

    count: int = 4
    by: Literal["l1", "features"] = "features"
    perceptual: Perceptual = Perceptual()
    higher_is_better: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_choice("by", self.by, ("l1", "features"))
        if self.count < 2:
            raise ValueError(f"count is {self.count}; the distance of edits needs at least 2")

    def __call__(self, classifier: Classifier, result: Counterfactual) -> PerImage:
        if getattr(result.editor, "seed", None) is None:
            return torch.zeros_like(result.images[:, 0, 0, 0])
        task = classifier, result.images, result.target
        made = [edit(each, *task).edited for each in reseeded(result.editor, self.count)]
        pairs = [self._distance(classifier, *pair) for pair in combinations(made, 2)]
        return torch.stack(pairs).mean(0)

    def _distance(self, classifier: Classifier, one: Images, other: Images) -> PerImage:
        if self.by == "l1":
            return (one - other).abs().mean((1, 2, 3))
        return self.perceptual.between(classifier, one, other)
