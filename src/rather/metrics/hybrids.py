"""Hybrids of an image and its counterfactual: how little of the difference makes the class?

Source: Eckstein, Bates, Jefferis and Funke, Discriminative Attribution from Counterfactuals (DAPI),
2021, arXiv:2109.13412; its successor QuAC, bioRxiv 10.1101/2024.11.26.625505.

Differs: masks are of given areas rather than of given values, which crowd near 0; they are closed
by a disc of odd diameter that grows with the image (an even one shifts them, and loses pixels); a
size counts what is shown, once (published: before the blur, and once for each colour); signed maps
are ranked as they are. Closing a threshold set is thresholding the closed map, so that one grey
closing serves all masks. The blur's kernel is not cut at 11 pixels.
"""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rather.classifier import Classifier
from rather.editor import Counterfactual
from rather.explainer import Explanation
from rather.infiller import chosen
from rather.infillers.blur import smoother
from rather.metrics.closing import closed
from rather.metrics.curve import rank
from rather.metrics.mixing import Ends, Masks, Sweep, area, paired
from rather.types import Flags, Heatmaps, Images, Keep, Labels, PerImage
from rather.variants import check_batch, check_choice, variants

Points: TypeAlias = Float[Tensor, "n s"]
Answered: TypeAlias = Bool[Tensor, "n s"]
Anchors: TypeAlias = Float[Tensor, "n 2 k"]
Answers: TypeAlias = Float[Tensor, "n s k"]  # logits, which weigh less than the images
WEAK = 0.05  # gain at full size below which it is no measure of others


@dataclass(frozen=True, eq=False)
class Hybrid:
    """One hybrid of each image: where the original is kept, what that looks like, and its gain.

    `found` is whether the classifier, asked, answers the class that the direction wants.
    """

    size: PerImage
    gain: PerImage
    keep: Keep
    images: Images
    found: Flags


@dataclass(frozen=True, eq=False)
class HybridCurves:
    """What `Hybrids` returns: gains over sizes, the score, and two hybrids that stand out.

    `best` trades size against gain; `flip` is the smallest tested one that has the answer of the
    class wanted, and has size NaN where none had (it then shows the largest).
    """

    explanation: Explanation
    pair: Counterfactual
    sizes: Points
    gains: Points
    full: PerImage
    answered: Answered
    score: PerImage
    best: Hybrid
    flip: Hybrid
    settings: "Hybrids"


@dataclass(frozen=True)
class Hybrids:
    """Pastes the best-rated parts of one image into the other, from few to all, and asks again.

    Args:
        sweep: "area": so many shares of the pixels, evenly in their logarithm; "value": thresholds
            from -1 to 1 on the map divided by its largest absolute value, which sample few areas.
        steps: points of the curve, one pass each.
        closing: diameter in pixels of the disc that closes masks; 1: none; None: 0.08 of the
            height, odd. It favours smooth maps: see the score without, too.
        blur: deviation in pixels of the masks' blur; 0: none; None: 2 at a height of 128.
        size: what a mask's size is: the mean of the mask that is shown ("soft"), of the closed one
            before the blur ("closed"), or the latter once for each colour ("closed_sum").
        direction: "restore" pastes the original into the counterfactual and wants the target,
            "edit" pastes the counterfactual into the original and wants the foil.
        optimum: the best hybrid has the least size^2 + (1 - gain)^2 ("dapi") or size - gain
            ("quac").
        normalise: divides gains by the gain at full size, which parts the map's merit from the
            edit's; NaN where that is below 0.05.
        pair: whether probabilities are of target and foil alone.
        confident: pairs are NaN unless image and counterfactual have their classes by more.
        seed: breaks ties between pixels.
        batch: hybrids at once; None: what the classifier is fastest with. Changes no result.
    """

    sweep: Literal["area", "value"] = "area"
    steps: int = 100
    closing: int | None = None
    blur: float | None = None
    size: Literal["soft", "closed", "closed_sum"] = "soft"
    direction: Literal["restore", "edit"] = "restore"
    optimum: Literal["dapi", "quac"] = "dapi"
    normalise: bool = False
    pair: bool = False
    confident: float = 0.0
    seed: int = 0
    batch: int | None = None

    def __post_init__(self) -> None:
        check_choice("sweep", self.sweep, ("area", "value"))
        check_choice("size", self.size, ("soft", "closed", "closed_sum"))
        check_choice("direction", self.direction, ("restore", "edit"))
        check_choice("optimum", self.optimum, ("dapi", "quac"))
        check_batch(self.batch)
        if self.steps < 2 or (self.closing or 1) < 1 or (self.blur or 0.0) < 0:
            raise ValueError(
                f"steps={self.steps} must be at least 2, closing={self.closing} at least 1, and "
                f"blur={self.blur} not negative"
            )

    @classmethod
    def as_published(cls) -> "Hybrids":
        """DAPI's arithmetic: areas of all colours summed, an even kernel, thresholds on values."""
        even = cls("value", 201, closing=10, blur=2.0, size="closed_sum")
        return replace(even, confident=0.8, batch=1)

    @classmethod
    def as_in_quac(cls) -> "Hybrids":
        """QuAC's: the foil is pasted into the original."""
        even = cls("value", 201, closing=10, blur=2.0, size="closed")
        return replace(even, direction="edit", optimum="quac")

    @torch.no_grad()
    def __call__(
        self, classifier: Classifier, explanation: Explanation, pair: Counterfactual | None = None
    ) -> HybridCurves:
        """Measure the curve of every image.

        Args:
            classifier: who is asked.
            explanation: its heatmaps are judged, by its own question.
            pair: images and counterfactuals; None: the explanation's own.

        Raises:
            ValueError: there is no pair, or it is not of these images and this question.
        """
        pair = paired(explanation, pair)
        sweep = self.swept(explanation.heatmaps)
        sizes, anchors, logits = self.points(classifier, pair, sweep)
        restore = self.direction == "restore"
        edited, whole = (anchors if restore else anchors.flip(1)).unbind(1)
        ends = Ends(explanation.question, whole, edited, restore, self.pair)
        gains, answered = ends.gains(logits), ends.answered(logits)
        cost = self.optimal(sizes, gains)
        reached = sizes.where(answered, torch.inf)
        best, flip = (
            self.hybrid(pair, sweep, cut.argmin(1), sizes, gains, answered)
            for cut in (cost, reached.where(answered.any(1)[:, None], -sizes))
        )
        flip = replace(flip, size=flip.size.where(flip.found, torch.nan))
        known = self.known(explanation.heatmaps, ends)
        score = area(sizes, gains, ends.full) / (ends.full if self.normalise else 1)
        return HybridCurves(
            explanation,
            pair,
            sizes,
            gains,
            ends.full,
            answered,
            score.where(known, torch.nan),
            best,
            flip,
            self,
        )

    def points(
        self, classifier: Classifier, pair: Counterfactual, sweep: Sweep
    ) -> tuple[Points, Anchors, Answers]:
        """Size of every hybrid; what is answered to nothing and all pasted; and to each hybrid."""
        images, batch = pair.images, self.batch or classifier.batch
        anchors = sweep.cuts.new_tensor([-torch.inf, torch.inf])
        every = replace(sweep, cuts=torch.cat([anchors, sweep.cuts]))
        sizes = images.new_zeros(len(images), len(every.cuts))
        logits = []
        for row, point in variants(images, len(every.cuts), batch, "hybrids"):
            masks = every.closed(row, point)
            soft = every.soft(masks)
            sizes[row, point] = self.measure(masks, soft)
            keep = self.keep(soft)
            hybrids = torch.lerp(chosen(pair.edited, row), chosen(images, row), keep)
            logits.append(classifier(hybrids))
        answers = torch.cat(logits).unflatten(0, (len(images), -1))
        return sizes[:, 2:], answers[:, :2], answers[:, 2:]

    def measure(self, masks: Masks, soft: Masks) -> PerImage:
        """What counts as a mask's size."""
        share = (soft if self.size == "soft" else masks).mean((1, 2))
        return 3 * share if self.size == "closed_sum" else share

    def keep(self, soft: Masks) -> Keep:
        """Where the original stays."""
        return (soft if self.direction == "restore" else 1 - soft)[:, None]

    def optimal(self, sizes: Points, gains: Points) -> Points:
        """What the best hybrid has least of."""
        return sizes**2 + (1 - gains) ** 2 if self.optimum == "dapi" else sizes - gains

    def hybrid(
        self,
        pair: Counterfactual,
        sweep: Sweep,
        point: Labels,
        sizes: Points,
        gains: Points,
        answered: Answered,
    ) -> Hybrid:
        """One point of every curve, as an image."""
        rows = torch.arange(len(point), device=point.device)
        keep = self.keep(sweep.soft(sweep.closed(rows, point)))
        images = torch.lerp(pair.edited, pair.images, keep)
        size, gain, found = (each[rows, point] for each in (sizes, gains, answered))
        return Hybrid(size, gain, keep, images, found)

    def known(self, heatmaps: Heatmaps, ends: Ends) -> Flags:
        """Where a score makes sense: maps that rank, classes that are sure, gains to divide by."""
        ranks = heatmaps.amax((1, 2)) > heatmaps.amin((1, 2))
        strong = ends.full >= WEAK if self.normalise else torch.ones_like(ranks)
        return ranks & strong & ends.sure(self.confident)

    def swept(self, heatmaps: Heatmaps) -> Sweep:
        """Levels of which masks are what lies below a cut, closed; and the cuts, rising."""
        height, width = heatmaps.shape[1:]
        if self.sweep == "area":
            shares = torch.logspace(0, 1, self.steps, height * width, device=heatmaps.device)
            cuts, levels = shares.round().unique(), rank(heatmaps, seed=self.seed).float()
        else:
            cuts = torch.linspace(-1, 1, self.steps, device=heatmaps.device)
            largest = heatmaps.abs().amax((1, 2), keepdim=True).clamp(min=1e-30)
            levels = -heatmaps / largest
        diameter = 2 * round((0.08 * height - 1) / 2) + 1 if self.closing is None else self.closing
        return Sweep(closed(levels, max(1, diameter)), cuts, self._smoothers(height, width))

    def _smoothers(self, height: int, width: int) -> tuple[Tensor, Tensor] | None:
        sigma = 2 * height / 128 if self.blur is None else self.blur
        return (smoother(height, sigma), smoother(width, sigma)) if sigma else None
