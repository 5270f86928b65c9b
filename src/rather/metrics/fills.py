"""Metrics of fills: each rates an infiller on the images of a batch.

Source: R-OMS is of Bluecher, Vielhaben and Strodthoff, TMLR 2024, arXiv:2401.06654. Differs: the
reference is the answer to the untouched image, and the area is divided by the range of shares that
were sampled, so that a fill that restores the image scores its probability. The other three are our
own definitions.

No number depends on the other images of a batch: holes and orders are drawn from each image's own
content and the seed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from rather.batch import Batch
from rather.classifier import Classifier
from rather.data.holes import HoleMixture
from rather.data.segments import slic
from rather.infiller import Infiller, fill, seeded
from rather.infillers import MeanColour
from rather.metrics.curve import Answers, Curves, Ranks, rank
from rather.metrics.features import distance, features
from rather.metrics.likeness import inside
from rather.question import Question
from rather.types import Images, Keep, Labels, PerImage
from rather.variants import image_seeds

Holes = Callable[[Images, torch.Generator], Keep]


@dataclass(frozen=True)
class Roms:
    """R-OMS: how long the answer lives while random superpixels are filled in; 1 is for ever.

    A fill that reads hidden pixels or draws the object again scores high too, so read it beside
    `HiddenLeak` and `Recreation`.

    Args:
        infiller: the fill that is judged.
        segments: about how many superpixels an image has.
        counts: how many numbers of hidden superpixels are tried, from one to all.
        reference: whose probability counts: the answer to the untouched "image", or, as published,
            the answer when the "first" superpixel is filled.
        draws: proposals that each point is averaged over, where the infiller is random.
        seed: chooses the superpixels, and feeds infillers that draw at random.
        batch: images classified at once; None leaves it to the classifier.
    """

    infiller: Infiller = MeanColour()
    segments: int = 200
    counts: int = 10
    reference: Literal["image", "first"] = "image"
    draws: int = 1
    seed: int = 0
    batch: int | None = None
    higher_is_better: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.counts < 2 or self.segments < self.counts:
            raise ValueError(
                f"Roms needs 2 counts or more and as many segments, but counts is {self.counts} "
                f"and segments {self.segments}"
            )

    @classmethod
    def as_published(cls) -> "Roms":
        return cls(reference="first")

    def __call__(self, classifier: Classifier, batch: Batch) -> PerImage:
        images = batch.images
        ranks = self._ranks(images)
        totals = ranks.flatten(1).amax(1).tolist()
        counts = torch.stack([_linear(total + 1, self.counts) for total in totals]).to(ranks)
        hidden = ranks[:, None] < counts[:, :, None, None]
        question = self._question(classifier, images, (~hidden[:, :1]).to(images))
        answers = Answers(self.infiller, "image", self.draws, self.seed, self.batch)
        return span_mean(
            answers(classifier, question, images, ranks, counts), hidden.float().mean((2, 3))
        )

    def _ranks(self, images: Images) -> Ranks:
        parts, seeds = slic(images, self.segments), image_seeds(images, self.seed)
        nothing = torch.zeros_like(images[:1, 0])
        pairs = zip(parts[:, None], seeds, strict=True)
        return torch.cat([rank(nothing, "random", seed, part) for part, seed in pairs])

    def _question(self, classifier: Classifier, images: Images, first: Keep) -> Question:
        if self.reference == "first":
            images = fill(self.infiller, images, first, seeded(self.seed, images))
        return Question(_ask(classifier, images, self.batch or classifier.batch).argmax(1))


@dataclass(frozen=True)
class HiddenLeak:
    """Largest change of the fill when hidden pixels change; 0 unless it declares `reads_hidden`.

    Args:
        infiller: the fill that is judged.
        holes: which pixels are hidden.
        tries: how often hidden pixels are replaced by noise; more find rarer leaks.
        seed: draws holes and noise, and feeds infillers that draw at random.
    """

    infiller: Infiller = MeanColour()
    holes: Holes = HoleMixture()
    tries: int = 3
    seed: int = 0
    higher_is_better: ClassVar[bool] = False

    def __call__(self, classifier: Classifier, batch: Batch) -> PerImage:
        images = batch.images
        keep = drawn(self.holes, images, self.seed)
        before = fill(self.infiller, images, keep, seeded(self.seed, images))
        worst = torch.zeros(len(images), device=images.device)
        for turn in range(1, self.tries + 1):
            noise = seeded(self.seed, images, turn)
            noise = torch.rand(images[:1].shape, generator=noise, device=images.device)
            changed = torch.where(keep > 0, images, noise)
            after = fill(self.infiller, changed, keep, seeded(self.seed, images))
            worst = torch.maximum(worst, (after - before).abs().amax((1, 2, 3)))
        return worst


@dataclass(frozen=True)
class FillError:
    """How far a fill is from what truly stands in the hole; NaN where nothing is hidden.

    Args:
        infiller: the fill that is judged.
        by: "l1" is the mean absolute difference of hidden pixels; "features" the distance in the
            classifier's feature space; "log_odds" the absolute change of the log-odds of the label,
            or of the classifier's own answer where the label is unknown.
        holes: which pixels are hidden.
        seed: draws the holes, and feeds infillers that draw at random.
    """

    infiller: Infiller = MeanColour()
    by: Literal["l1", "features", "log_odds"] = "l1"
    holes: Holes = HoleMixture()
    seed: int = 0
    higher_is_better: ClassVar[bool] = False

    def __call__(self, classifier: Classifier, batch: Batch) -> PerImage:
        keep = drawn(self.holes, batch.images, self.seed)
        filled = fill(self.infiller, batch.images, keep, seeded(self.seed, batch.images))
        error = self._error(classifier, batch, filled, keep)
        return torch.where((keep < 1).flatten(1).any(1), error, torch.nan)

    def _error(self, classifier: Classifier, batch: Batch, filled: Images, keep: Keep) -> PerImage:
        if self.by == "l1":
            return inside((filled - batch.images).abs(), keep)
        if self.by == "features":
            before, after = (features(classifier, both)[0] for both in (batch.images, filled))
            return distance(before, after)
        before = classifier(batch.images)
        question = asked(batch.labels, before.argmax(1))
        return (question.log_odds(classifier(filled)) - question.log_odds(before)).abs()


@dataclass(frozen=True)
class Recreation:
    """Does the fill bring the object back? NaN for images without a region.

    The whole region is hidden; the probability of the label (of the classifier's own answer where
    the label is unknown) with this fill, less that with the mean colour. Above 0 the fill leaves
    evidence that was to be taken away; it has no good direction of its own.

    Args:
        infiller: the fill that is judged.
        seed: feeds infillers that draw at random.
    """

    infiller: Infiller = MeanColour()
    seed: int = 0
    higher_is_better: ClassVar[bool] = False

    def __call__(self, classifier: Classifier, batch: Batch) -> PerImage:
        if batch.regions is None:
            raise ValueError(
                "Recreation hides the object, but this dataset has no regions; "
                "give Batch(..., regions=...) one (h, w) mask of the object per image"
            )
        keep = (~batch.regions[:, None]).to(batch.images)
        question = asked(batch.labels, classifier(batch.images).argmax(1))
        with_fill, with_grey = (
            question.probability(
                classifier(fill(infiller, batch.images, keep, seeded(self.seed, batch.images)))
            )
            for infiller in (self.infiller, MeanColour())
        )
        return torch.where(batch.regions.flatten(1).any(1), with_fill - with_grey, torch.nan)


def span_mean(values: Curves, share: Curves) -> PerImage:
    """Mean height of each curve over the range of shares that it was sampled at."""
    return torch.trapezoid(values, share) / (share[:, -1] - share[:, 0])


def asked(labels: Labels, answers: Labels) -> Question:
    """About the label where it is known, and about the classifier's own answer elsewhere."""
    return Question(torch.where(labels >= 0, labels, answers))


def drawn(holes: Holes, images: Images, seed: int) -> Keep:
    """A hole for each image, whatever the other images of the batch are."""
    pairs = zip(images[:, None], image_seeds(images, seed), strict=True)
    return torch.cat([holes(image, seeded(own, image)) for image, own in pairs])


def _linear(total: int, counts: int) -> torch.Tensor:
    return torch.linspace(1, total, counts).round().long()


def _ask(classifier: Classifier, images: Images, batch: int) -> torch.Tensor:
    return torch.cat([classifier(part) for part in images.split(batch)])
