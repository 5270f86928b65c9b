"""A region, not only a map: how little must be kept for the answer, or go to lose it.

Source: the smallest sufficient and the smallest destroying region of Chang et al., ICLR 2019,
arXiv:1807.08024, here for the ranking of any explanation.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from rather.classifier import Classifier
from rather.explainer import Explanation
from rather.infiller import Infiller, filler
from rather.metrics.curve import rank
from rather.metrics.kept_area import Kind, kept
from rather.metrics.search import Areas, smallest_share
from rather.question import Question
from rather.types import Flags, Images, Keep, Logits, PerImage
from rather.variants import variants


@dataclass(frozen=True, eq=False)
class Region:
    """The smallest tested part of the ranking that suffices ("kept"), or costs the answer.

    `area` is its share of the pixels, `images` what is left with the rest filled in, and `logits`
    the classifier's answer to it. Where no tested area did, `found` is False, and the region is
    the largest that was tested.
    """

    kind: Kind
    area: PerImage
    keep: Keep
    images: Images
    logits: Logits
    question: Question
    infiller: Infiller

    @property
    def probability(self) -> PerImage:
        """Of the target, against the foil where there is one."""
        return self.question.probability(self.logits)

    @property
    def found(self) -> Flags:
        """Whether the region does what it should, by the classifier's own answer."""
        return reached(self.kind, self.question, self.logits)


def reached(kind: Kind, question: Question, logits: Logits) -> Flags:
    """Whether the target is the answer ("kept"), or no longer ("removed"): lost to a foil.

    What is kept must beat all classes: a little that leans from the foil to the target explains
    nothing while the classifier sees a third thing in it.
    """
    if kind == "removed" and question.foil is not None:
        return question.score(logits) <= 0
    holds = logits.argmax(1) == question.target
    return holds if kind == "kept" else ~holds


@torch.no_grad()
def smallest(
    explanation: Explanation,
    classifier: Classifier,
    kind: Kind,
    infiller: Infiller,
    areas: int = 24,
    batch: int | None = None,
) -> Region:
    """Find the smallest region of the explanation's ranking that decides the answer.

    First `areas` log-spaced shares from 0.2 % to all of the pixels are tried, then as many between
    the smallest that worked and the next smaller one: twice `areas` passes an image, and two. The
    answer may change back as the area grows; the smallest area that was tried and worked counts. It
    is 0 where nothing need be kept, as the fill alone gives the answer, or nothing need be removed,
    as it is not the answer to begin with.

    Args:
        explanation: its heatmaps rank the pixels; ties are broken by its seed.
        classifier: who decides.
        kind: "kept": the region is shown and the rest filled; "removed": the other way round.
        infiller: fills what is not shown.
        areas: per round; more find smaller regions.
        batch: variants at once; changes no result.

    Raises:
        ValueError: fewer than 2 areas.
    """
    images, asked = explanation.batch.images, explanation.question
    ranks = rank(explanation.heatmaps, "morf", explanation.seed or 0)
    fills = filler(infiller, images, explanation.seed or 0)

    def tried(shares: Areas) -> Bool[Tensor, "n areas"]:
        works = torch.zeros_like(shares, dtype=torch.bool)
        for row, number in variants(
            images, shares.shape[1], batch or classifier.batch, f"region {kind}"
        ):
            logits = classifier(fills(row, kept(ranks[row], shares[row, number], kind)))
            works[row, number] = reached(kind, asked.at(row), logits)
        return works

    at_once = tried(torch.zeros_like(images[:, 0, 0, :1]))[:, 0]
    area = smallest_share(tried, images, areas) * ~at_once
    rows = torch.arange(len(images), device=images.device)
    keep = kept(ranks, area, kind)
    area = (keep if kind == "kept" else 1 - keep).mean((1, 2, 3))
    left = fills(rows, keep)
    parts = [classifier(part) for part in left.split(batch or classifier.batch)]
    return Region(kind, area, keep, left, torch.cat(parts), asked, infiller)
