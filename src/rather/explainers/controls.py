"""Controls: heatmaps that no classifier had a say in, for scores to be read beside.

Source: the floors of Eckstein, Bates, Jefferis and Funke, Discriminative Attribution from
Counterfactuals, 2021, arXiv:2109.13412. Differs: summed over colours, unscaled; the noise is one
map an image.
"""

from dataclasses import dataclass

import torch

from rather.classifier import Classifier
from rather.explainers.baselines import start
from rather.infiller import Infiller, seeded
from rather.infillers import MeanColour
from rather.infillers.blur import smoother
from rather.question import Question
from rather.types import Heatmaps, Images
from rather.variants import image_seeds


@dataclass(frozen=True)
class Residual:
    """How far each pixel is from the baseline, whatever that means to the classifier.

    Args:
        baseline: fills the whole frame; `Edited(editor)` shows where the edit was.
        seed: for baselines that draw at random.
    """

    baseline: Infiller = MeanColour()
    seed: int = 0

    def __call__(self, classifier: Classifier, images: Images, question: Question) -> Heatmaps:
        return (images - start(self.baseline, images, self.seed)).abs().sum(1)


@dataclass(frozen=True)
class RandomBlurred:
    """Blurred noise: as smooth as a heatmap, and right only by chance.

    Args:
        sigma: deviation of the blur in pixels; larger blots.
        seed: of the noise; that of an image depends on the image and on nothing else.
    """

    sigma: float = 4.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.sigma >= 0:
            raise ValueError(f"sigma is {self.sigma}; a blur needs 0 pixels or more")

    def __call__(self, classifier: Classifier, images: Images, question: Question) -> Heatmaps:
        rows, columns = (smoother(side, self.sigma).to(images) for side in images.shape[2:])
        size = images.shape[2:]
        noise = torch.stack(
            [
                torch.randn(size, generator=seeded(seed, images), device=images.device)
                for seed in image_seeds(images, self.seed)
            ]
        )
        return rows @ noise.abs() @ columns.T
