"""LIME: a linear model of what each segment adds, fitted to images with random segments hidden.

Source: Ribeiro, Singh and Guestrin, "Why Should I Trust You?", KDD 2016, arXiv:1602.04938; with a
generative infiller LIME-G of Agarwal and Nguyen, ACCV 2020, arXiv:1910.04256.

Differs: rows come in pairs with their complements, which share their noise; the score
is explained, not the probability; coefficients can be averaged over seeds; superpixels are those of
the photo as it is, not smoothed before.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from rather.classifier import Classifier
from rather.explainers.removal import Output, check_remover, removed
from rather.explainers.segmenters import Segmenter, Slic
from rather.infiller import Infiller, seeded
from rather.infillers import MeanColour
from rather.notes import note
from rather.question import Question
from rather.types import Heatmaps, Images, Keep, Labels, PerImage


@dataclass(frozen=True, eq=False)
class LimeFit:
    """A linear model per image: what each segment adds where it is shown, and how well that fits.

    `r2` is the weighted share of the variance that the model explains; images with fewer segments
    than the others have coefficients 0 at the end.
    """

    segments: Int[Tensor, "n h w"]
    coefficients: Float[Tensor, "n k"]
    r2: PerImage

    def heatmaps(self) -> Heatmaps:
        """Each pixel has its segment's coefficient."""
        flat = self.segments.flatten(1)
        return self.coefficients.gather(1, flat).view(self.segments.shape)


@dataclass(frozen=True)
class Lime:
    """Hides random halves of the segments, and rates a segment by its share in the answer.

    Args:
        infiller: what stands in all hidden segments at once.
        segmenter: parts of the image; smaller ones are rated with more noise.
        samples: images with hidden segments, the whole image among them; more, less noise.
        antithetic: every second row hides what the one before shows.
        kernel_width: how fast images count less as more of them is hidden; larger is flatter.
        ridge: pulls coefficients to 0; larger tames noise and shrinks maps.
        output: "logit" explains the question's score; "probability" hides drops near 1.
        draws: fills per row, averaged, where the infiller is random.
        seeds: fits that are averaged, each with samples of its own.
        seed: the first of them.
        batch: variants at once; None: what the classifier is fastest with. Changes no result.
    """

    infiller: Infiller = MeanColour()
    segmenter: Segmenter = Slic()
    samples: int = 1000
    antithetic: bool = True
    kernel_width: float = 0.25
    ridge: float = 1.0
    output: Output = "logit"
    draws: int = 1
    seeds: int = 1
    seed: int = 0
    batch: int | None = None

    def __post_init__(self) -> None:
        if self.samples < 3:
            raise ValueError(f"samples is {self.samples}, but a fit needs at least 3 images")
        if self.seeds < 1:
            raise ValueError(f"seeds is {self.seeds}, but there must be at least 1 fit")
        if not (self.kernel_width > 0 and self.ridge >= 0):
            raise ValueError(
                f"kernel_width={self.kernel_width} must be above 0, ridge={self.ridge} not below"
            )
        check_remover(self)

    @classmethod
    def as_published(cls) -> "Lime":
        """Every value as published: 500 independent samples of the probability."""
        smooth = Slic(sigma=3.0)
        return cls(segmenter=smooth, samples=500, antithetic=False, output="probability")

    def __call__(self, classifier: Classifier, images: Images, question: Question) -> Heatmaps:
        fit = self.fit(classifier, images, question)
        note("weighted R2 of the fit", fit.r2)
        return fit.heatmaps()

    @torch.no_grad()
    def fit(self, classifier: Classifier, images: Images, question: Question) -> LimeFit:
        """The linear models themselves, with the share of variance that they explain."""
        segments = numbered(self.segmenter(images))
        fits = [
            replace(self, seed=self.seed + extra, seeds=1)._fit(
                segments, classifier, images, question
            )
            for extra in range(self.seeds)
        ]
        coefficients, r2 = (torch.stack(part).mean(0) for part in zip(*fits, strict=True))
        return LimeFit(segments, coefficients, r2)

    def _fit(
        self,
        segments: Int[Tensor, "n h w"],
        classifier: Classifier,
        images: Images,
        question: Question,
    ) -> tuple[Float[Tensor, "n k"], PerImage]:
        counts = segments.flatten(1).amax(1) + 1
        rows = torch.stack(list(self.rows(counts)))
        flat = segments.flatten(1)

        def keeps(row: Labels, number: Labels) -> Keep:
            painted = rows[row, number].gather(1, flat[row]).to(images.dtype)
            return painted.view(-1, 1, *images.shape[2:])

        values = images.new_zeros(rows.shape[:2])
        for part in removed(self, classifier, images, question, keeps, self.samples, "lime"):
            values[part.row, part.number] = part.value
        shown = rows.to(images.dtype)
        weights = kernel(shown.sum(2) / counts[:, None], self.kernel_width)
        return weighted_ridge(shown, values, weights, self.ridge)

    def rows(self, counts: Labels) -> Iterator[UInt8[Tensor, "samples k"]]:
        """Which segments each sample shows, per image; a first row shows all."""
        widest = int(counts.max())
        for count in counts.tolist():
            generator = seeded(self.seed, counts)
            size = (self.samples, count)
            drawn = torch.rand(size, generator=generator, device=counts.device) < 0.5
            if self.antithetic:
                half = drawn[: self.samples // 2]
                drawn = torch.stack([half, ~half], 1).flatten(0, 1)
            first = torch.ones(1, count, dtype=torch.bool, device=counts.device)
            row = torch.cat([first, drawn])[: self.samples]
            yield torch.nn.functional.pad(row.to(torch.uint8), (0, widest - count))


def numbered(segments: Int[Tensor, "n h w"]) -> Int[Tensor, "n h w"]:
    """Labels from 0 without gaps, in each image."""
    return torch.stack([one.unique(return_inverse=True)[1] for one in segments])


def kernel(share: Float[Tensor, "n samples"], width: float) -> Float[Tensor, "n samples"]:
    """Weights of samples by the share of segments that they show; 1 where all are shown."""
    distance = 1 - share.sqrt()
    return torch.exp(-((distance / width) ** 2)).sqrt()


def weighted_ridge(
    shown: Float[Tensor, "n samples k"],
    values: Float[Tensor, "n samples"],
    weights: Float[Tensor, "n samples"],
    ridge: float,
) -> tuple[Float[Tensor, "n k"], PerImage]:
    """Coefficients and weighted R2; the intercept is free of the penalty."""
    share = (weights / weights.sum(1, keepdim=True))[..., None]
    x = shown - (share * shown).sum(1, keepdim=True)
    y = (values[..., None] - (share * values[..., None]).sum(1, keepdim=True)).to(x)
    across = x.mT @ (weights[..., None] * x)
    penalty = max(ridge, 1e-6) * torch.eye(x.shape[2], device=x.device)
    found = torch.linalg.solve(across + penalty, x.mT @ (weights[..., None] * y))
    spread, missed = ((share * part**2).sum((1, 2)) for part in (y, y - x @ found))
    return found[..., 0], 1 - missed / spread.clamp(min=1e-12)
