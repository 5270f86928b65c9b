"""The removal curve of FIDO: how much evidence goes with the best-rated pixels.

Source: Chang et al., Explaining Image Classifiers by Counterfactual Generation, ICLR 2019,
arXiv:1807.08024. Differs: the published grid of shares is not known; ours has 21 points.
"""

from dataclasses import dataclass
from typing import ClassVar

from rather.classifier import Classifier
from rather.explainer import Explanation
from rather.infiller import Infiller
from rather.infillers import Inpainter
from rather.metrics.curve import Curves, Steps, area, curve, shares
from rather.types import PerImage


@dataclass(frozen=True)
class RemovalCurve:
    """Mean fall of the target's log-odds while the best-rated pixels are filled in.

    Log-odds fall as far as evidence goes, where a probability stops at 0; so one image with a sure
    answer weighs more than in `Deletion`.

    Args:
        infiller: what stands where a pixel was; a generative one makes the curve FIDO's.
        steps: equal steps from nothing to everything, or the shares themselves; more cost more.
        draws: proposals that each point is averaged over, where the infiller is random.
        seed: breaks ties, and feeds infillers that draw at random.
        batch: images classified at once; None leaves it to the classifier.
    """

    infiller: Infiller = Inpainter()
    steps: Steps = 20
    draws: int = 5
    seed: int = 0
    batch: int | None = None
    higher_is_better: ClassVar[bool] = True

    def __post_init__(self) -> None:
        shares(self.steps)

    def __call__(self, classifier: Classifier, explanation: Explanation) -> PerImage:
        return area(self.curve(classifier, explanation), shares(self.steps))

    def curve(self, classifier: Classifier, explanation: Explanation) -> Curves:
        """How far the log-odds have fallen at each share of hidden pixels."""
        left = curve(
            classifier,
            explanation,
            self.infiller,
            shares(self.steps),
            draws=self.draws,
            seed=self.seed,
            batch=self.batch,
            value="log_odds",
        )
        return explanation.question.log_odds(explanation.logits)[:, None] - left
