"""The perturbation test, and average drop and increase: how the answer fares on black.

Source: `Pos`, `Neg`: Chefer, Gur and Wolf, Transformer Interpretability Beyond Attention
Visualization, CVPR 2021, arXiv:2012.09838, as LTX uses them, arXiv:2310.16584. `Adp`, `Pic`:
Chattopadhyay et al., Grad-CAM++, WACV 2018, arXiv:1710.11063. Differs: any infiller; with a foil,
an answer is right where the target is above it.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from rather.classifier import Classifier
from rather.explainer import Explanation
from rather.infiller import Infiller, fill, seeded
from rather.infillers import Constant
from rather.metrics.curve import Curves, Order, Steps, area, curve, shares
from rather.types import Heatmaps, PerImage
from rather.variants import check_choice

TENTHS = tuple(step / 10 for step in range(10))


@dataclass(frozen=True)
class Pos:
    """How long the answer stays right while the best-rated pixels go, in per cent of the way.

    Args:
        infiller: what stands where a pixel was.
        steps: equal steps from nothing to everything, or the shares themselves.
        seed: breaks ties, and feeds infillers that draw at random.
        batch: images classified at once; None leaves it to the classifier.
    """

    infiller: Infiller = Constant(0.0)
    steps: Steps = 10
    seed: int = 0
    batch: int | None = None
    higher_is_better: ClassVar[bool] = False

    def __post_init__(self) -> None:
        shares(self.steps)

    @classmethod
    def as_published(cls) -> "Pos":
        """The axis ends at nine tenths, so that 90 is the largest value."""
        return cls(steps=TENTHS)

    def __call__(self, classifier: Classifier, explanation: Explanation) -> PerImage:
        return 100 * area(right(self, classifier, explanation, "morf"), shares(self.steps))


@dataclass(frozen=True)
class Neg:
    """How long the answer stays right while the worst-rated pixels go, in per cent of the way.

    Args:
        infiller: what stands where a pixel was.
        steps: equal steps from nothing to everything, or the shares themselves.
        seed: breaks ties, and feeds infillers that draw at random.
        batch: images classified at once; None leaves it to the classifier.
    """

    infiller: Infiller = Constant(0.0)
    steps: Steps = 10
    seed: int = 0
    batch: int | None = None
    higher_is_better: ClassVar[bool] = True

    def __post_init__(self) -> None:
        shares(self.steps)

    @classmethod
    def as_published(cls) -> "Neg":
        """The axis ends at nine tenths, so that 90 is the largest value."""
        return cls(steps=TENTHS)

    def __call__(self, classifier: Classifier, explanation: Explanation) -> PerImage:
        return 100 * area(right(self, classifier, explanation, "lerf"), shares(self.steps))


def right(
    metric: Pos | Neg, classifier: Classifier, explanation: Explanation, order: Order
) -> Curves:
    """Whether the answer is right at each share of hidden pixels."""
    asked = (classifier, explanation, metric.infiller, shares(metric.steps), order)
    return curve(*asked, seed=metric.seed, batch=metric.batch, value="right")


@dataclass(frozen=True)
class Adp:
    """Average drop: what share of the target's probability is lost on the map's part, in per cent.

    Args:
        infiller: what stands where the map keeps nothing.
        keep: "shifted" keeps a pixel by its rating plus one half, as mask methods mean it;
            "scaled" stretches each map to [0, 1], for all others.
        seed: feeds infillers that draw at random.
    """

    infiller: Infiller = Constant(0.0)
    keep: Literal["shifted", "scaled"] = "scaled"
    seed: int = 0
    higher_is_better: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_choice("keep", self.keep, ("shifted", "scaled"))

    def __call__(self, classifier: Classifier, explanation: Explanation) -> PerImage:
        whole, part = before_and_after(self, classifier, explanation)
        return 100 * (whole - part).relu() / whole


@dataclass(frozen=True)
class Pic:
    """Increase: 100 where the target's probability is larger on the map's part, else 0.

    Args:
        infiller: what stands where the map keeps nothing.
        keep: "shifted" keeps a pixel by its rating plus one half, as mask methods mean it;
            "scaled" stretches each map to [0, 1], for all others.
        seed: feeds infillers that draw at random.
    """

    infiller: Infiller = Constant(0.0)
    keep: Literal["shifted", "scaled"] = "scaled"
    seed: int = 0
    higher_is_better: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_choice("keep", self.keep, ("shifted", "scaled"))

    def __call__(self, classifier: Classifier, explanation: Explanation) -> PerImage:
        whole, part = before_and_after(self, classifier, explanation)
        return 100 * (part > whole).to(whole)


def before_and_after(
    metric: Adp | Pic, classifier: Classifier, explanation: Explanation
) -> tuple[PerImage, PerImage]:
    """The target's probability on the image, and on the part that the map keeps."""
    images, question = explanation.batch.images, explanation.question
    keep = kept(explanation.heatmaps, metric.keep)[:, None]
    part = fill(metric.infiller, images, keep.to(images), seeded(metric.seed, images))
    return question.probability(explanation.logits), question.probability(classifier(part))


def kept(heat: Heatmaps, how: Literal["shifted", "scaled"]) -> Heatmaps:
    """How much of each pixel a map keeps; one that is flat keeps nothing if it is scaled."""
    if how == "shifted":
        return (heat + 0.5).clamp(0, 1)
    low, high = heat.amin((1, 2), True), heat.amax((1, 2), True)
    return (heat - low) / (high - low).clamp(min=1e-12)
