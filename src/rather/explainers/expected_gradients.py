"""Expected gradients: integrated gradients over many baselines, one random point on each way.

Source: Erion et al., Improving Performance of Deep Learning Models with Axiomatic Attribution
Priors, 2019, arXiv:1906.10670; one class against another as in Shih, Tien and Karnin, GANMEX, ICML
2021, arXiv:2011.06015. Differs: it explains the question's score (the authors of GANMEX let it
explain the predicted class alone); points are shared by all images.
"""

from dataclasses import dataclass

import torch

from rather.classifier import Classifier, gradient
from rather.explainers.baselines import start
from rather.explainers.removal import Output
from rather.infiller import Infiller, chosen
from rather.progress import track
from rather.question import Question
from rather.types import Heatmaps, Images, PerImage
from rather.variants import check_batch, check_choice


@dataclass(frozen=True)
class ExpectedGradients:
    """Rates pixels so that they sum, but for noise, to the score's change from the mean baseline.

    Args:
        baseline: draws baselines: `FoilDonor(bank)` real images of the foil, `Donor(bank)` any.
        draws: baselines and points, one gradient each; more, less noise.
        output: "logit" explains the question's score; "probability" the difference of the two
            probabilities, which saturates.
        seed: of baselines and points.
        batch: gradients at once; None: what the classifier is fastest with. Changes no result.
    """

    baseline: Infiller
    draws: int = 200
    output: Output = "logit"
    seed: int = 0
    batch: int | None = None

    def __post_init__(self) -> None:
        if self.draws < 1:
            raise ValueError(f"draws must be at least 1, but is {self.draws}")
        check_choice("output", self.output, ("logit", "probability"))
        check_batch(self.batch)

    def __call__(self, classifier: Classifier, images: Images, question: Question) -> Heatmaps:
        points = torch.rand(self.draws, generator=torch.Generator().manual_seed(self.seed))
        at_once = max(1, (self.batch or classifier.batch) // len(images))
        rows = torch.arange(len(images), device=images.device)
        total = torch.zeros_like(images)
        for some in track(torch.arange(self.draws).split(at_once), "expected gradients"):
            begun = [start(self.baseline, images, self.seed, draw) for draw in some.tolist()]
            share = points[some].to(images).repeat_interleave(len(images))
            every = rows.repeat(len(some))
            task = chosen(images, every), torch.cat(begun), question.at(every)
            total += self.parts(classifier, *task, share).view(-1, *images.shape).sum(0)
        return (total / self.draws).sum(1)

    def parts(
        self,
        classifier: Classifier,
        images: Images,
        begun: Images,
        question: Question,
        share: PerImage,
    ) -> Images:
        """What each draw adds, no more than `batch` gradients at a time."""
        between = torch.lerp(begun, images, share[:, None, None, None])
        slopes = [
            gradient(classifier, between[row], question.at(row), self.output == "probability")
            for row in torch.arange(len(images)).split(self.batch or classifier.batch)
        ]
        return torch.cat(slopes) * (images - begun)
