"""DAC: the score of a heatmap between an image and its counterfactual.

Source: Eckstein, Bates, Jefferis and Funke, Discriminative Attribution from Counterfactuals, 2021,
arXiv:2109.13412. Differs: see `Hybrids`, whose `as_published()` has the published arithmetic.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from rather.classifier import Classifier
from rather.editor import Counterfactual
from rather.explainer import Explanation
from rather.metrics.hybrids import HybridCurves, Hybrids
from rather.types import PerImage


@dataclass(frozen=True)
class Dac:
    """Area under the gain in probability over the share of the image that was pasted.

    1 where a single pixel makes the class, 0.5 where gains grow evenly; more than the gain at full
    size only where hybrids are surer than the image itself. NaN for maps that rank nothing.

    Args:
        hybrids: how masks are made, in which direction they lead, and what a size is. Read the
            score beside that of `Hybrids(closing=1, blur=0.0)`, as closing favours smooth maps,
            and beside those of `Residual` and `RandomBlurred`, its floors.
        pair: images and counterfactuals; None: those that the explainer made, by `Edited`.
    """

    hybrids: Hybrids = Hybrids()
    pair: Counterfactual | None = field(default=None, repr=False, compare=False)
    higher_is_better: ClassVar[bool] = True

    @classmethod
    def as_published(cls, pair: Counterfactual | None = None) -> "Dac":
        """DAPI's arithmetic."""
        return cls(Hybrids.as_published(), pair)

    @classmethod
    def as_in_quac(cls, pair: Counterfactual | None = None) -> "Dac":
        """The score of QuAC: the other direction."""
        return cls(Hybrids.as_in_quac(), pair)

    def __call__(self, classifier: Classifier, explanation: Explanation) -> PerImage:
        return self.curves(classifier, explanation).score

    def curves(self, classifier: Classifier, explanation: Explanation) -> HybridCurves:
        """The curves themselves, with the hybrids that stand out."""
        return self.hybrids(classifier, explanation, self.pair)
