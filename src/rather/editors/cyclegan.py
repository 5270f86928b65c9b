"""`CycleGan`: an image of one of two classes as it might look in the other.

Source: Zhu et al., arXiv:1703.10593, as used by Eckstein et al., arXiv:2109.13412.
"""

from dataclasses import dataclass

import torch

from rather.classifier import Classifier
from rather.editors.ganmex import places, shipped
from rather.networks.chosen import chosen
from rather.networks.cyclegan import CyclePair
from rather.types import Images, Labels


@dataclass(frozen=True)
class CycleGan:
    """One pass of the generator into the class wanted; the classifier is not asked.

    Args:
        weights: shipped is "mnist-3-8" (threes and eights); or the path of the file that
            `rather fit CycleGanRecipe ...` wrote.
        batch: images at a time; it changes memory, no result.
    """

    weights: str
    batch: int = 64

    @torch.no_grad()
    def __call__(self, classifier: Classifier, images: Images, target: Labels) -> Images:
        net = chosen(CyclePair, shipped(self.weights, "cyclegan"), images)
        wanted = places(target, net.labels)
        parts = zip(images.split(self.batch), wanted.split(self.batch), strict=True)
        return torch.cat([net(part.float(), one) for part, one in parts]).to(images.dtype)
