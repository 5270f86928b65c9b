"""DeepLIFT: the score's change from a baseline, handed back layer by layer; exact in one pass.

Source: Shrikumar, Greenside and Kundaje, Learning Important Features Through Propagating Activation
Differences, ICML 2017, arXiv:1704.02685, rescale rule; `DeepShap` after Lundberg and Lee, A Unified
Approach to Interpreting Model Predictions, NIPS 2017, arXiv:1705.07874. With
`baseline=Edited(editor)` as in GANMEX, arXiv:2011.06015, and as D-DL in DAPI, arXiv:2109.13412.

Differs: activations are replaced in a copy of the network rather than hooked (as captum does, which
has no rule for ReLU6 and refuses modules that run twice); of a max-pool's two winners, the
image's and the baseline's, the larger takes the change, so that sums hold there too; a heatmap that
does not sum to the score's change is an error, not a warning.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rather.classifier import Classifier
from rather.explainers.baselines import SIDES, Side, scored, start, starts, turned
from rather.explainers.cells import by_images
from rather.explainers.interception import check_sums, with_rule
from rather.explainers.layers import check_open
from rather.explainers.removal import Output
from rather.infiller import Infiller
from rather.infillers import MeanColour, Paste
from rather.question import Question
from rather.types import Heatmaps, Images
from rather.variants import check_batch, check_choice

ELEMENTWISE = frozenset(
    [
        "CELU",
        "ELU",
        "GELU",
        "GELUTanh",
        "HardSigmoid",
        "HardSwish",
        "Hardsigmoid",
        "Hardswish",
        "Hardtanh",
        "LeakyReLU",
        "LogSigmoid",
        "Mish",
        "PReLU",
        "QuickGELU",
        "ReLU",
        "ReLU6",
        "SELU",
        "SiLU",
        "Sigmoid",
        "Softplus",
        "Softsign",
        "Swish",
        "Tanh",
        "Tanhshrink",
    ]
)
POOLS = frozenset({"MaxPool2d"})
POOLING = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
TINY = 1e-6  # of a change below which the derivative stands for the ratio of changes
SLACK = 0.01  # of the score's change that a heatmap may miss


@dataclass(frozen=True)
class DeepLift:
    """Rates pixels so that they sum to the score's change from baseline to image, in one pass.

    Probabilities cost a second pass back, as it is the logits that show whether every rule held.

    Args:
        baseline: fills the whole frame to make the reference.
        output: "logit" explains the question's score; "probability" the difference of the two
            probabilities, as published, without a rule for the softmax: sums do not hold there.
        side: "both" explains the question; "image" the target alone, as QuAC does; "baseline" why
            the baseline is the foil, with the image as its reference, as DAPI does.
        seed: for baselines that draw at random.
        batch: images and references at once; None: what the classifier is fastest with.

    Raises:
        ValueError: the network has what the method has no rule for, such as attention, gates,
            layer norms, or activations that are functions rather than modules.
    """

    baseline: Infiller = MeanColour()
    output: Output = "logit"
    side: Side = "both"
    seed: int = 0
    batch: int | None = None

    def __post_init__(self) -> None:
        check_choice("output", self.output, ("logit", "probability"))
        check_choice("side", self.side, SIDES)
        check_batch(self.batch)

    @classmethod
    def as_published(cls, baseline: Infiller | None = None) -> "DeepLift":
        """As GANMEX runs it: on probabilities."""
        return cls(MeanColour() if baseline is None else baseline, output="probability")

    @classmethod
    def as_in_dapi(cls, baseline: Infiller | None = None) -> "DeepLift":
        """As DAPI runs it: why the counterfactual is the foil, from the image on."""
        return cls(MeanColour() if baseline is None else baseline, side="baseline")

    def __call__(self, classifier: Classifier, images: Images, question: Question) -> Heatmaps:
        check_open(classifier)
        rescaled = with_rule(classifier, {ELEMENTWISE: Rescaled, POOLS: Pooled})

        def part(method: "DeepLift", images: Images, question: Question) -> Heatmaps:
            begun = start(method.baseline, images, method.seed)
            task = turned(method.side, images, begun, question)
            return method.differences(classifier, rescaled, *task)

        return by_images(self, part, images, question, (self.batch or classifier.batch) // 2)

    def differences(
        self,
        classifier: Classifier,
        rescaled: Classifier,
        images: Images,
        begun: Images,
        question: Question,
    ) -> Heatmaps:
        """The maps of a few images; that logits sum is checked whatever is explained."""
        rows = torch.arange(len(images), device=images.device)
        asked = question.at(torch.cat([rows, rows]))
        with torch.enable_grad():
            leaf = images.detach().requires_grad_()
            logits = rescaled(torch.cat([leaf, begun]))
            kinds = dict.fromkeys(("logit", self.output))
            scores = [scored(kind, asked, logits) for kind in kinds]
            totals = [values.chunk(2)[0].sum() for values in scores]
        slopes = [torch.autograd.grad(total, leaf, retain_graph=True)[0] for total in totals]
        heat = [(slope * (images - begun)).sum(1) for slope in slopes]
        image, baseline = scores[0].detach().chunk(2)
        check_sums("DeepLift", classifier, heat[0].sum((1, 2)), image - baseline, SLACK)
        return heat[-1]


@dataclass(frozen=True)
class DeepShap:
    """The mean of `DeepLift` over several references.

    Args:
        baseline: fills the whole frame to make references: `Edited(editor, samples=k)`, or an
            in-fill that draws at random.
        draws: references, where the in-fill is random; published: 1.
        output: as for `DeepLift`.
        side: as for `DeepLift`.
        seed: for baselines that draw at random.
        batch: images and references at once; None: what the classifier is fastest with.
    """

    baseline: Infiller = MeanColour()
    draws: int = 8
    output: Output = "logit"
    side: Side = "both"
    seed: int = 0
    batch: int | None = None

    def __post_init__(self) -> None:
        if self.draws < 1:
            raise ValueError(f"draws must be at least 1, but is {self.draws}")
        DeepLift(self.baseline, self.output, self.side, self.seed, self.batch)

    @classmethod
    def as_published(cls, baseline: Infiller | None = None) -> "DeepShap":
        """As GANMEX runs it: one reference, on probabilities."""
        return cls(MeanColour() if baseline is None else baseline, draws=1, output="probability")

    def __call__(self, classifier: Classifier, images: Images, question: Question) -> Heatmaps:
        maps = [
            DeepLift(Paste(begun), self.output, self.side, self.seed, self.batch)(
                classifier, images, question
            )
            for begun in starts(self.baseline, images, self.seed, self.draws)
        ]
        return torch.stack(maps).mean(0)


class Rescaled(nn.Module):
    """An activation of images and their references, one half each; its slope is that of the change.

    The value is the activation's own.
    """

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, inputs: Tensor) -> Tensor:
        leaf = inputs.detach().requires_grad_()
        outputs = self.activation(leaf)
        (slope,) = torch.autograd.grad(outputs.sum(), leaf)
        outputs = outputs.detach()
        ratio = _ratio(_change(outputs), _change(leaf.detach()), slope.chunk(2)[0])
        return _with_slope(outputs, inputs, torch.cat([ratio, ratio]))


class Pooled(nn.Module):
    """A max-pool of images and their references; its change goes to the larger of both winners."""

    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, inputs: Tensor) -> Tensor:
        flat = inputs.flatten(2)
        settings = {name: getattr(self.pool, name) for name in POOLING}
        outputs, places = F.max_pool2d(inputs.detach(), **settings, return_indices=True)
        (image, reference), (here, there) = outputs.chunk(2), places.chunk(2)
        winner = torch.where(image >= reference, here, there).flatten(2)
        change = _change(flat.detach()).gather(2, winner)
        ratio = _ratio(_change(outputs).flatten(2), change, torch.ones_like(change))
        won = flat.gather(2, torch.cat([winner, winner]))
        return _with_slope(
            outputs, won.view_as(outputs), torch.cat([ratio, ratio]).view_as(outputs)
        )


def _change(both: Tensor) -> Tensor:
    image, reference = both.chunk(2)
    return image - reference


def _ratio(outputs: Tensor, inputs: Tensor, slope: Tensor) -> Tensor:
    tiny = inputs.abs() < TINY
    return torch.where(tiny, slope, outputs / inputs.where(~tiny, 1))


def _with_slope(values: Tensor, inputs: Tensor, slope: Tensor) -> Tensor:
    return values + slope * (inputs - inputs.detach())  # the bracket is exactly 0
