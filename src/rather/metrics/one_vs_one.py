"""One against one: what deletion does to the lead over the foil, and whether sums hold.

Source: after Shih, Tien and Karnin, GANMEX, ICML 2021, arXiv:2011.06015, whose perturbation metric
is not known in detail: this one is our definition.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from rather.classifier import Classifier
from rather.explainer import Explanation
from rather.explainers.baselines import starts
from rather.infiller import Infiller
from rather.infillers import MeanColour
from rather.metrics.curve import Curves, Steps, area, curve, shares
from rather.types import PerImage
from rather.variants import check_choice


@dataclass(frozen=True)
class OneVsOneDeletion:
    """Area under the lead of the target over the foil while the best-rated pixels are filled in.

    With the explainer's own counterfactual as the fill it is circular, as that flips the answer by
    construction: judge by several fixed fills, and report `Paste(pair.edited)` apart.

    Args:
        infiller: what stands where a pixel was.
        of: "probability": the target's less the foil's, among all classes; "score": of logits.
        steps: equal steps from nothing to everything, or the shares themselves; more cost more.
        draws: proposals that each point is averaged over, where the infiller is random.
        seed: breaks ties, and feeds infillers that draw at random.
        batch: images classified at once; None leaves it to the classifier.
    """

    infiller: Infiller = MeanColour()
    of: Literal["probability", "score"] = "probability"
    steps: Steps = 20
    draws: int = 1
    seed: int = 0
    batch: int | None = None
    higher_is_better: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_choice("of", self.of, ("probability", "score"))
        shares(self.steps)

    def __call__(self, classifier: Classifier, explanation: Explanation) -> PerImage:
        return area(self.curve(classifier, explanation), shares(self.steps))

    def curve(self, classifier: Classifier, explanation: Explanation) -> Curves:
        """The lead at each share of hidden pixels."""
        if explanation.question.foil is None:
            raise ValueError("OneVsOneDeletion compares two classes; ask Question(target, foil)")
        return curve(
            classifier,
            explanation,
            self.infiller,
            shares(self.steps),
            draws=self.draws,
            seed=self.seed,
            batch=self.batch,
            value="lead" if self.of == "probability" else "score",
        )


@dataclass(frozen=True)
class Completeness:
    """By how much a map's sum misses the score's change from baseline to image, over that change.

    Changes below 1 count as 1. It says whether integrated gradients had steps enough; maps that are
    not meant to sum are not worse for missing.
    """

    higher_is_better: ClassVar[bool] = False

    def __call__(self, classifier: Classifier, explanation: Explanation) -> PerImage:
        ran = explanation.ran
        baseline = getattr(ran, "baseline", None)
        if not isinstance(baseline, Infiller):
            raise ValueError(f"{ran} has no baseline, so there is nothing that its maps sum to")
        images, score = explanation.batch.images, explanation.question.score
        begun = starts(baseline, images, explanation.seed or 0, getattr(ran, "draws", 1))
        ends = torch.stack([score(classifier(each)) for each in begun]).mean(0)
        change = score(classifier(images)) - ends
        missed = (explanation.heatmaps.sum((1, 2)) - change).abs()
        return missed / change.abs().clamp(min=1)
