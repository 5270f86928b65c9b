"""Metrics of counterfactuals: do they flip the answer, surely, elsewhere too, and by how little?

Source: ACE, arXiv:2303.09962, and Khorram and Fuxin, Cycle-Consistent Counterfactuals by Latent
Transformations, CVPR 2022, arXiv:2203.15064 (COUT). Every number makes sense on all images, and
again on those that flipped: means over the latter alone reward refusing hard cases.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch

from rather.classifier import Classifier
from rather.editor import Counterfactual
from rather.infillers import Paste
from rather.metrics.curve import Answers, area, rank, shares
from rather.models import load
from rather.question import Question
from rather.types import Flags, Logits, PerImage
from rather.variants import check_choice


@dataclass(frozen=True)
class FlipRate:
    """Validity: 1 where the classifier, asked again, answers the class wanted; else 0.

    NaN for an image that was of that class before.
    """

    higher_is_better: ClassVar[bool] = True

    def __call__(self, classifier: Classifier, result: Counterfactual) -> PerImage:
        return result.flipped.float().where(~result.already, torch.nan)


@dataclass(frozen=True)
class Confidence:
    """How sure the classifier is of the class wanted, after the edit.

    Args:
        of: "probability", or "margin": its logit less the largest other, which does not saturate.
    """

    of: Literal["probability", "margin"] = "probability"
    higher_is_better: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_choice("of", self.of, ("probability", "margin"))

    def __call__(self, classifier: Classifier, result: Counterfactual) -> PerImage:
        asked = Question(result.target)
        if self.of == "probability":
            return asked.probability(result.after)
        others = result.after.scatter(1, result.target[:, None], -torch.inf)
        return asked.score(result.after) - others.amax(1)


@dataclass(frozen=True)
class TransferValidity:
    """1 where a classifier that the editor never met answers the class wanted; else 0.

    Far below `FlipRate`, edits are adversarial: they fool the network, and change nothing else.

    Args:
        judge: the other classifier, with the same classes, or its name for `rather.models.load`.
    """

    judge: Classifier | str = field(repr=False)
    higher_is_better: ClassVar[bool] = True

    def __repr__(self) -> str:
        name = self.judge if isinstance(self.judge, str) else self.judge.name
        return f"TransferValidity(judge={name!r})"

    def __call__(self, classifier: Classifier, result: Counterfactual) -> PerImage:
        judge = load(self.judge) if isinstance(self.judge, str) else self.judge
        logits = answers(judge, result.edited.to(judge.device))
        if logits.shape[1] != result.after.shape[1]:
            raise ValueError(
                f"the judge {judge.name} knows {logits.shape[1]} classes, the classifier "
                f"{result.after.shape[1]}; take a judge of the same classes"
            )
        return (logits.argmax(1).to(result.target) == result.target).float()


@dataclass(frozen=True)
class ChangedShare:
    """Sparsity: which share of the pixels was changed.

    Args:
        by: "share" counts pixels of which a channel changed by more than `least`; "mass" is the
            area of the smallest set of pixels that holds 90 % of the change.
        least: change of a channel, on the [0, 1] scale.
    """

    by: Literal["share", "mass"] = "share"
    least: float = 0.05
    higher_is_better: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_choice("by", self.by, ("share", "mass"))

    def __call__(self, classifier: Classifier, result: Counterfactual) -> PerImage:
        change = (result.edited - result.images).abs()
        if self.by == "share":
            return (change.amax(1) > self.least).float().mean((1, 2))
        flat = change.mean(1).flatten(1).sort(dim=1, descending=True).values
        held = flat.cumsum(1) < 0.9 * flat.sum(1, keepdim=True)
        return (held.sum(1) + (flat[:, 0] > 0)) / flat.shape[1]


@dataclass(frozen=True)
class Cout:
    """Do the pixels that changed most make the change? From -1 to 1, 1 for an early, sure flip.

    Edited pixels are pasted into the image, those that changed most first; area of the probability
    of the class wanted, less that of the answer before.

    Args:
        steps: equal steps from nothing to everything.
        seed: breaks ties between pixels.
        batch: images classified at once; None leaves it to the classifier.
    """

    steps: int = 50
    seed: int = 0
    batch: int | None = None
    higher_is_better: ClassVar[bool] = True

    def __post_init__(self) -> None:
        shares(self.steps)

    def __call__(self, classifier: Classifier, result: Counterfactual) -> PerImage:
        ranks = rank(result.change, seed=self.seed)
        fractions = shares(self.steps)
        counts = [round(share * ranks[0].numel()) for share in fractions]
        points = torch.tensor(counts, device=ranks.device).expand(len(ranks), -1)
        asked = Question(result.target, result.before.argmax(1))
        paste = Answers(Paste(result.edited), seed=self.seed, batch=self.batch, value="lead")
        return area(paste(classifier, asked, result.images, ranks, points), fractions)


def survives_8bit(classifier: Classifier, pair: Counterfactual) -> Flags:
    """Whether an edit still has the answer of the class wanted, stored with 8 bits a channel."""
    stored = (pair.edited * 255).round() / 255
    return answers(classifier, stored).argmax(1) == pair.target


@torch.no_grad()
def answers(classifier: Classifier, images: torch.Tensor) -> Logits:
    """Logits of any number of images, a batch at a time."""
    return torch.cat([classifier(part) for part in images.split(classifier.batch)])
