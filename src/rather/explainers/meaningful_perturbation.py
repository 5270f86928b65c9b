"""Meaningful perturbation: the smallest part whose removal takes the answer away.

Source: Fong and Vedaldi, Interpretable Explanations of Black Boxes by Meaningful Perturbation,
ICCV 2017, arXiv:1704.03296 (MP); with a generative infiller MP-G of Agarwal and Nguyen, ACCV 2020,
arXiv:1910.04256; the area constraint of Fong, Patrick and Vedaldi, arXiv:1910.08485.

Differs: the mask is binarised at every step with a straight-through gradient, so that an infiller
never sees half a pixel (published: for MP-G only); it moves along with the jittered image.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from rather.classifier import Classifier
from rather.explainers.cells import (
    Grid,
    bounded,
    by_images,
    roughness,
    straight_through,
    swollen,
    upsampled,
)
from rather.explainers.circle import circle
from rather.explainers.removal import Output, value
from rather.infiller import Infiller, filler, proposer, seeded, uses_keep
from rather.infillers import Blur
from rather.notes import note
from rather.progress import track
from rather.question import Question
from rather.types import Heatmaps, Images, Keep, PerImage
from rather.variants import check_batch, check_choice

SHARE = 300.0  # price of another share than the one asked for, squared
SPREAD = {"random": 1.0, "even": 0.02}  # of the first mask's cells


@dataclass(frozen=True)
class MeaningfulPerturbation:
    """Learns a coarse mask that hides little and takes much; rates pixels by how hidden they are.

    Args:
        infiller: what stands where the mask hides.
        cells: the mask is `cells` by `cells`; more draw finer parts.
        upsample: of the mask, "bilinear" or "nearest"; "smooth" as extremal perturbations have it.
        init: "random" cells, "circle" hides the smallest disc that takes the answer, "ones" keeps
            everything, "even" hides half of each cell, give or take a little.
        steps: steps of Adam, a forward and a backward pass each.
        rate: step size of Adam.
        area: price of the whole image, against a probability of 1.
        fraction: hide this share of the image instead of paying for area.
        smooth: price of differences between neighbouring cells, to the power `exponent`.
        exponent: larger lets edges be sharper than noise.
        jitter: the image is shifted at random by less than so many pixels; below 2: not at all.
        jitter_keep: whether the mask is shifted with it.
        binary: whether the mask is binarised in each forward pass.
        threshold: above which a cell is kept whole; "midrange" is the middle of the mask's values,
            at least one half.
        output: what is lowered: the "probability", or the "logit".
        batch: images at once; changes no result.
        seed: of the first mask, the jitter and the infiller.
    """

    infiller: Infiller = Blur(sigma=10.0)
    cells: int = 28
    upsample: Literal["bilinear", "nearest", "smooth"] = "bilinear"
    init: Literal["random", "circle", "ones", "even"] = "random"
    steps: int = 300
    rate: float = 0.1
    area: float = 0.0784
    fraction: float | None = None
    smooth: float = 0.01
    exponent: float = 3.0
    jitter: int = 4
    jitter_keep: bool = True
    binary: bool = True
    threshold: float | Literal["midrange"] = 0.5
    output: Output = "probability"
    batch: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("upsample", self.upsample, ("bilinear", "nearest", "smooth"))
        check_choice("init", self.init, ("random", "circle", "ones", "even"))
        check_choice("output", self.output, ("logit", "probability"))
        check_batch(self.batch)
        if self.cells < 2 or self.steps < 1:
            raise ValueError(
                f"cells={self.cells} must be at least 2 and steps={self.steps} at least 1"
            )
        if self.fraction is not None and not 0 < self.fraction < 1:
            raise ValueError(f"fraction is {self.fraction}, but must lie between 0 and 1")

    @classmethod
    def as_published(cls, infiller: Infiller | None = None) -> "MeaningfulPerturbation":
        """Every value as published; MP-G, which binarises, where the infiller reads the mask.

        But for the blur, which there acts before the photo is resized, and so varies in strength.
        """
        filled = infiller or Blur(sigma=10.0)
        return cls(
            infiller=filled,
            upsample="nearest",
            jitter_keep=False,
            binary=uses_keep(filled),
            threshold="midrange",
        )

    def __call__(self, classifier: Classifier, images: Images, question: Question) -> Heatmaps:
        def part(method: "MeaningfulPerturbation", images: Images, question: Question) -> Heatmaps:
            grid = method.learned(classifier, images, question)
            return 1 - method.mask(grid, images)[:, 0]

        heat = by_images(self, part, images, question, self.batch)
        note("share hidden at once, at the end", heat.mean((1, 2)))
        return heat

    @torch.enable_grad()
    def learned(self, classifier: Classifier, images: Images, question: Question) -> Grid:
        """The mask's cells, 1 where they are kept."""
        grid = self.started(classifier, images, question).requires_grad_()
        adam = torch.optim.Adam([grid], lr=self.rate)
        proposed = proposer(self.infiller, images, self.seed)
        for step in track(range(self.steps), "meaningful perturbation"):
            hidden = self.hidden(images, grid, step, proposed)
            left = value(self.output, question, classifier(hidden))
            loss = (left + self.price(grid, (step + 1) / self.steps)).sum()
            (grid.grad,) = torch.autograd.grad(loss, grid)
            adam.step()
            with torch.no_grad():
                grid.clamp_(0, 1)
        return grid.detach()

    def hidden(
        self, images: Images, grid: Grid, step: int, proposed: Callable[[Keep, int], Images]
    ) -> Images:
        """The images with what the mask hides filled in, shifted by this step's jitter."""
        top, left = self.shift(step)
        soft = bounded(self.mask(grid, images))
        keep = straight_through(soft, soft > self.cut(soft)) if self.binary else soft
        shifted = self.moved(images, top, left)
        if self.jitter_keep or not uses_keep(self.infiller):
            behind = self.moved(proposed(keep, step), top, left)
        else:
            behind = proposer(self.infiller, shifted, self.seed)(keep, step)
        if self.jitter_keep:
            keep = self.moved(keep, top, left)
        return torch.lerp(behind, shifted, keep)

    def mask(self, grid: Grid, like: Tensor) -> Grid:
        """The mask at the size of images, or of its own cells."""
        if self.upsample == "smooth":
            return 1 - swollen(1 - grid, like)
        return upsampled(grid, like, self.upsample)

    def shift(self, step: int) -> tuple[int, int]:
        generator = torch.Generator().manual_seed(self.seed + 104_729 * (step + 1))
        top, left = torch.randint(max(1, self.jitter), (2,), generator=generator).tolist()
        return top, left

    def moved(self, images: Tensor, top: int, left: int) -> Tensor:
        height, width = images.shape[2:]
        if not (top or left):
            return images
        room = max(top, left)
        padded = F.pad(images, (0, room, 0, room), mode="reflect")
        return padded[..., top : top + height, left : left + width]

    def cut(self, soft: Tensor) -> Tensor | float:
        """Above which a pixel is kept, per image."""
        if self.threshold != "midrange":
            return self.threshold
        middle = (soft.amax((1, 2, 3), True) + soft.amin((1, 2, 3), True)) / 2
        return middle.detach().clamp(0.5, 1 - 1e-6)  # a mask of ones keeps all

    def price(self, grid: Grid, risen: float = 1.0) -> PerImage:
        """What the mask costs; the price of another share than `fraction` rises step by step."""
        rough = self.smooth * roughness(grid, self.exponent)
        if self.fraction is None:
            return rough + self.area * (1 - grid).mean((1, 2, 3))
        gone = (1 - self.mask(grid, grid)).flatten(1).sort(1).values
        rank = torch.arange(gone.shape[1], device=gone.device)
        wanted = (rank >= round((1 - self.fraction) * gone.shape[1])).to(gone)
        return rough + risen * SHARE * (gone - wanted).square().mean(1)

    def started(self, classifier: Classifier, images: Images, question: Question) -> Grid:
        """The first mask; random cells are the same for every image."""
        shape = (len(images), 1, self.cells, self.cells)
        if self.init == "ones":
            return images.new_ones(shape)
        if self.init in SPREAD:
            generator = seeded(self.seed, images)
            one = torch.rand(shape[1:], generator=generator, device=images.device)
            return (0.5 + SPREAD[self.init] * (one - 0.5)).to(images).expand(shape).clone()

        rows = torch.arange(len(images), device=images.device)
        filled = filler(self.infiller, images, self.seed)

        def left(keep: Tensor) -> PerImage:
            return value(self.output, question, classifier(filled(rows, keep)))

        with torch.no_grad():
            return F.interpolate(circle(images, left), shape[2:], mode="area").clone()
