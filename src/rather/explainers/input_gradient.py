"""Input times gradient: what the image has beyond the baseline, by the score's slope at the image.

Source: Shrikumar et al., Not Just a Black Box, 2016, arXiv:1605.01713; against a counterfactual
D-InGrad of Eckstein, Bates, Jefferis and Funke, Discriminative Attribution from Counterfactuals,
2021, arXiv:2109.13412. Differs: signed, and the slope is that of the question's score at the
image (published: of the foil's logit at the counterfactual).
"""

from dataclasses import dataclass

from rather.classifier import Classifier, gradient
from rather.explainers.baselines import SIDES, Side, start, turned
from rather.explainers.cells import by_images
from rather.explainers.removal import Output
from rather.infiller import Infiller
from rather.infillers import Constant
from rather.question import Question
from rather.types import Heatmaps, Images
from rather.variants import check_batch, check_choice


@dataclass(frozen=True)
class InputGradient:
    """The first step of integrated gradients, and all of it where the network is linear.

    Args:
        baseline: fills the whole frame; black makes it the plain input times gradient.
        output: "logit" explains the question's score; "probability" the difference of the two
            probabilities, which saturates.
        side: "both" explains the question; "image" the target alone, as QuAC does; "baseline" why
            the baseline is the foil, as DAPI does.
        signed: False takes the absolute value in each colour, as published.
        seed: for baselines that draw at random.
        batch: images at once; None: what the classifier is fastest with. Changes no result.
    """

    baseline: Infiller = Constant(0.0)
    output: Output = "logit"
    side: Side = "both"
    signed: bool = True
    seed: int = 0
    batch: int | None = None

    def __post_init__(self) -> None:
        check_choice("output", self.output, ("logit", "probability"))
        check_choice("side", self.side, SIDES)
        check_batch(self.batch)

    @classmethod
    def as_published(cls, baseline: Infiller | None = None) -> "InputGradient":
        """As in DAPI: without sign, by the slope of the foil's logit at the counterfactual."""
        return cls(Constant(0.0) if baseline is None else baseline, side="baseline", signed=False)

    def __call__(self, classifier: Classifier, images: Images, question: Question) -> Heatmaps:
        def part(method: "InputGradient", images: Images, question: Question) -> Heatmaps:
            begun = start(method.baseline, images, method.seed)
            there, here, asked = turned(method.side, images, begun, question)
            slope = gradient(classifier, there, asked, softmax=method.output == "probability")
            product = slope * (there - here)
            return (product if method.signed else product.abs()).sum(1)

        return by_images(self, part, images, question, self.batch or classifier.batch)
