"""What the benchmarks of claims measure of one map; each gives numbers by name."""

from dataclasses import dataclass
from typing import Literal, Protocol

import torch

from rather import Classifier, Explanation, Metric, measure
from rather.metrics import BoxError, BoxFrom, KeptArea, SaliencyMetric, SamLocalisation
from rather.metrics.box import Rule
from rather.metrics.kept_area import kept
from rather.metrics.sam_localisation import ALPHAS
from rather.metrics.variation import variation

# The grids of the specification; the whole image, alpha 0, is among them.
STEPS: dict[Rule, tuple[float, ...]] = {
    "value": tuple(step / 20 for step in range(20)),
    "energy": tuple(step / 20 for step in range(20)),
    "mean": tuple(step / 2 for step in range(21)),
}


class Measure(Protocol):
    """Numbers of the map of one image, by name."""

    def __call__(self, classifier: Classifier, explanation: Explanation, /) -> dict[str, float]: ...


@dataclass(frozen=True)
class One:
    """A metric under a name."""

    name: str
    metric: Metric[Explanation]

    def __call__(self, classifier: Classifier, explanation: Explanation) -> dict[str, float]:
        return {self.name: float(measure(self.metric, classifier, explanation)[0])}


@dataclass(frozen=True)
class BoxGrid:
    """Box errors by every threshold; `largest`: of the largest part alone."""

    largest: bool = False

    def __call__(self, classifier: Classifier, explanation: Explanation) -> dict[str, float]:
        return {
            f"box {rule} {alpha}": float(measure(self.metric(rule, alpha), classifier, explanation))
            for rule, alphas in STEPS.items()
            for alpha in alphas
        }

    def metric(self, rule: Rule, alpha: float) -> BoxError:
        return BoxError(BoxFrom(rule, alpha, self.largest))


@dataclass(frozen=True)
class SamGrid:
    """SAM's localisation error by every threshold."""

    def __call__(self, classifier: Classifier, explanation: Explanation) -> dict[str, float]:
        errors = {alpha: SamLocalisation(alpha) for alpha in ALPHAS}
        return {
            f"sam {alpha}": float(measure(metric, classifier, explanation))
            for alpha, metric in errors.items()
        }


@dataclass(frozen=True)
class SaliencyGrid:
    """The saliency metric by thresholds at multiples of the mean, of the largest part."""

    alphas: tuple[float, ...] = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0)

    def __call__(self, classifier: Classifier, explanation: Explanation) -> dict[str, float]:
        metrics = {alpha: SaliencyMetric(BoxFrom("mean", alpha)) for alpha in self.alphas}
        return {
            f"saliency {alpha}": float(measure(metric, classifier, explanation))
            for alpha, metric in metrics.items()
        }


@dataclass(frozen=True)
class Compact:
    """Area, and border over pixels, of the region that reaches a level of log-odds."""

    name: str
    area: KeptArea

    def __call__(self, classifier: Classifier, explanation: Explanation) -> dict[str, float]:
        ranks = self.area.ranks(explanation)
        with torch.no_grad():
            share = self.area.share(classifier, explanation, ranks)
        border = variation(kept(ranks, share, self.area.kind)[:, 0]).where(
            ~share.isnan(), torch.nan
        )
        return {f"area, {self.name}": float(share), f"border, {self.name}": float(border)}


@dataclass(frozen=True)
class Heat:
    """The map's own mean, or peak."""

    by: Literal["mean", "peak"]

    def __call__(self, classifier: Classifier, explanation: Explanation) -> dict[str, float]:
        heat = explanation.heatmaps
        return {f"{self.by} heat": float(heat.mean() if self.by == "mean" else heat.max())}
