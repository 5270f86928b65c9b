"""Guided Grad-CAM: the fine lines of guided backpropagation where Grad-CAM is warm.

Source: Springenberg et al., Striving for Simplicity, 2014, arXiv:1412.6806 (guided
backpropagation); Selvaraju et al., Grad-CAM, ICCV 2017, arXiv:1610.02391; against a counterfactual
D-GGC of Eckstein, Bates, Jefferis and Funke, Discriminative Attribution from Counterfactuals, 2021,
arXiv:2109.13412.

Differs: ReLUs are replaced in a copy of the network rather than hooked, so that ReLU6 counts and
modules may run twice; the sign is that of Grad-CAM, and lines are taken by their size (published:
the other way round). A line's sign says whether a pixel should be brighter, not whether it speaks
for the target: signed lines rate the pixels last that the image rightly has darker than its
counterfactual. Guided gradients are not linear in the score, so that swapping target and foil
changes more than the sign.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from rather.classifier import Classifier, gradient
from rather.explainers.baselines import SIDES, Side, asked, start
from rather.explainers.cells import by_images
from rather.explainers.grad_cam import GradCam
from rather.explainers.interception import with_rule
from rather.explainers.layers import check_open
from rather.infiller import Infiller
from rather.question import Question
from rather.types import Heatmaps, Images
from rather.variants import check_batch, check_choice

GUIDED = frozenset({"ReLU", "ReLU6"})


@dataclass(frozen=True)
class GuidedGradCam:
    """Rates pixels by their guided gradient times the Grad-CAM at their place.

    Args:
        baseline: fills the whole frame, for Grad-CAM; None: the plain one.
        layer: dotted name of Grad-CAM's layer; empty: the last that answers with a feature map.
        grid: turns the layer's answer into (n, c, h, w), where it is not so.
        pooled: with a baseline, whether Grad-CAM averages gradients over the layer's map.
        side: "both" explains the question, "image" the target alone, "baseline" why the baseline,
            whose lines are then drawn, is the foil.
        sign: the factor that gives the map its sign: the "cam", with lines by their size, or the
            "lines", with a Grad-CAM as published: without what is negative, or with a baseline by
            its size.
        seed: for baselines that draw at random.
        batch: images at once; None: what the classifier is fastest with. Changes no result.

    Raises:
        ValueError: no module of the network is a ReLU or ReLU6, so there is nothing to guide.
    """

    baseline: Infiller | None = None
    layer: str = ""
    grid: Callable[[Tensor], Tensor] | None = None
    pooled: bool = False
    side: Side = "both"
    sign: Literal["cam", "lines"] = "cam"
    seed: int = 0
    batch: int | None = None

    def __post_init__(self) -> None:
        check_choice("side", self.side, SIDES)
        check_choice("sign", self.sign, ("cam", "lines"))
        check_batch(self.batch)

    @classmethod
    def as_published(cls, baseline: Infiller | None = None, layer: str = "") -> "GuidedGradCam":
        """The plain one as published; with a baseline, as in DAPI, which names the last conv."""
        side: Side = "image" if baseline is None else "baseline"
        return cls(baseline, layer, side=side, sign="lines")

    def __call__(self, classifier: Classifier, images: Images, question: Question) -> Heatmaps:
        check_open(classifier)
        if not any(type(each).__name__ in GUIDED for each in classifier.net.modules()):
            raise ValueError(
                f"GuidedGradCam guides the gradient of ReLU and ReLU6 modules, and "
                f"{classifier.name} has none; take GradCam or IntegratedGradients"
            )
        guided = with_rule(classifier, {GUIDED: Guided})

        def part(method: "GuidedGradCam", images: Images, question: Question) -> Heatmaps:
            cam = method.cam()(classifier, images, question)
            lines = gradient(guided, method.drawn(images), asked(method.side, question))
            return (lines if method.sign == "lines" else lines.abs()).sum(1) * cam

        return by_images(self, part, images, question, self.batch or classifier.batch)

    def drawn(self, images: Images) -> Images:
        """What lines are drawn of."""
        if self.baseline is None or self.side != "baseline":
            return images
        return start(self.baseline, images, self.seed)

    def cam(self) -> GradCam:
        """The Grad-CAM that is multiplied."""
        signed = self.sign == "cam"
        return GradCam(
            self.layer, self.grid, signed, self.baseline, self.pooled, self.side, self.seed
        )


class Guided(nn.Module):
    """A ReLU that hands no negative gradient back."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = self.activation(inputs)
        if outputs.requires_grad:
            outputs.register_hook(lambda slope: slope.clamp(min=0))
        return outputs
