"""LTX: a mask network that was trained once, fine-tuned on the image at hand.

Source: Barkan, Asher, Eshel, Elisha and Koenigstein, Learning to Explain: A Model-Agnostic
Framework for Explaining Black Box Models, ICDM 2023, arXiv:2310.16584. Without fine-tuning
(`steps=0`) it is pLTX.

Differs: the best step is chosen by the loss (published: by a metric that is reported afterwards,
against the label); the moments and the schedule of the training are not taken over, but `rates`
gives what they came to; an infiller in place of black, a foil, and cheaper things to fine-tune.
"""

import copy
import warnings
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import torch
from torch import Tensor, nn

from rather.classifier import Classifier
from rather.explainers.cells import Grid, upsampled
from rather.explainers.mask_loss import MaskLoss, Penalty
from rather.explainers.survival import survival
from rather.explainers.trained import trained
from rather.explainers.trunk import fresh, loaded
from rather.infiller import Infiller, seeded
from rather.infillers import Constant
from rather.networks.masker import MaskNet
from rather.progress import track
from rather.question import Question
from rather.settling import at_rows
from rather.types import Heatmaps, Images, PerImage
from rather.variants import check_choice

Tune: TypeAlias = Literal["all", "head", "logits"]


@dataclass(frozen=True)
class Ltx:
    """Rates pixels by how much of them a mask network keeps; above 0, more than half.

    One that learned a ranking (`MaskRecipe.as_ranking`) rates about half of the pixels above 0.

    Args:
        weights: the path of a safetensors file that `MaskRecipe` made of this classifier, or a
            shipped name, such as "ltx-efficientnet-lite0"; `as_trained` has its settings for the
            fine-tuning; empty: the classifier's trunk with a head that knows nothing.
        infiller: what stands where the mask lets go; the network was trained with one of its own.
        steps: of fine-tuning, the last of which only looks; 0 takes the network as it is, whose
            mask is that of its answer, whatever the question.
        rates: step size of AdamW at the first step, and at the others.
        decay: weight decay.
        tune: "all" of the network, its "head", or "logits": the coarse mask itself, which is
            quick, as images share batches, and needs rates near 0.1.
        select: the step that is kept: that of the least "loss"; or, as published, of the least
            "pos" (share of the image's hiding, best-rated first, that the answer survives) or the
            largest "neg" (worst-rated first).
        enough: stop once "pos" falls below, or "neg" rises above it; None: never.
        area: price of the whole image.
        area_penalty: "mean"; the "square" of an image's mean; as published "softplus"; "bce", as
            was meant there; "drawn": each step's mask keeps a share that is drawn (`MaskLoss`).
        inverse: weight of the answer's being lost where the mask's opposite is kept.
        temperature: of near-binary masks that are drawn from the shares; 0: the shares themselves.
        layer: whose map a fresh network reads; empty: the last that answers with a feature map.
        tokens: how many tokens come before the grid's, where a layer answers with tokens.
        seed: of fresh heads and infillers.
    """

    nothing: ClassVar[float] = -0.5  # the rating of what has no part in the region

    weights: str
    infiller: Infiller = Constant(0.0)
    steps: int = 25
    rates: tuple[float, float] = (1e-5, 1e-5)
    decay: float = 0.01
    tune: Tune = "all"
    select: Literal["loss", "pos", "neg"] = "loss"
    enough: float | None = None
    area: float = 31.0
    area_penalty: Penalty = "mean"
    inverse: float = 0.0
    temperature: float = 0.0
    layer: str = ""
    tokens: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("tune", self.tune, ("all", "head", "logits"))
        check_choice("select", self.select, ("loss", "pos", "neg"))
        self.loss()
        if self.steps < 0:
            raise ValueError(f"steps must be at least 0, but is {self.steps}")
        if self.enough is not None and self.select == "loss":
            raise ValueError(f"enough={self.enough} is a level of select='pos' or 'neg'")
        if self.loss().sized and self.select == "loss" and self.steps > 1:
            raise ValueError("steps whose masks differ in size need select='pos' or 'neg'")

    @classmethod
    def as_published(cls, weights: str) -> "Ltx":
        """For CNNs; transformers' first rate was 1.9e-4. What is reported chooses the step."""
        made = cls(weights, rates=(1.2e-4, 4.5e-6), select="pos", enough=6.0, area=50.0)
        return cls(**{**vars(made), "area_penalty": "softplus"})

    @classmethod
    def as_trained(cls, weights: str) -> "Ltx":
        """Fine-tunes by the loss that the network was trained with, as its file says.

        Of masks of a drawn size, the step with the largest "neg" is kept.

        Raises:
            ValueError: there is no such file, or it is damaged.
        """
        aim = trained(weights)
        select = "neg" if aim.area_penalty == "drawn" else "loss"
        return cls(weights, select=select, **aim.settings())

    def __call__(self, classifier: Classifier, images: Images, question: Question) -> Heatmaps:
        net = self.network(classifier, images)
        if self.tune == "logits":
            return self.tuned(net, classifier, images, question)[:, 0] - 0.5
        rows = torch.arange(len(images), device=images.device).split(1)
        found = [
            at_rows(self, row).tuned(net, classifier, images[row], question.at(row))
            for row in track(rows, "LTX")
        ]
        return torch.cat([images.new_zeros(0, 1, *images.shape[2:]), *found])[:, 0] - 0.5

    def network(self, classifier: Classifier, images: Images) -> MaskNet:
        """The network that every image starts from."""
        if self.weights:
            self.check_aim()
            return loaded(self.weights, classifier, images)
        return fresh(classifier, images, self.layer, self.tokens, seed=self.seed)

    def check_aim(self) -> None:
        """Warn if the fine-tuning wants something else than the training did."""
        other = trained(self.weights).missed(self) if self.steps > 1 else {}
        if other:
            said = ", ".join(f"{name}={value!r}" for name, value in other.items())
            warnings.warn(
                f"{self.weights} was trained with {said}, but is fine-tuned otherwise; "
                f"Ltx.as_trained({self.weights!r}) takes the same",
                stacklevel=2,
            )

    @torch.enable_grad()
    def tuned(
        self, net: MaskNet, classifier: Classifier, images: Images, question: Question
    ) -> Grid:
        """The best masks on the way; all that is learned is each image's own."""
        model = Tuned(net, images, question, self.tune)
        if self.steps <= 1:  # the network as it is, and nobody need be asked
            return upsampled(model().detach(), images).clamp(0, 1)
        adam = torch.optim.AdamW(model.parts, lr=self.rates[0], weight_decay=self.decay)
        best, kept = torch.full_like(images[:, 0, 0, 0], torch.inf), images[:, :1].detach()
        for step in range(self.steps):
            grid = model()
            loss = self.loss()(classifier, images, question, grid, seeded(self.seed, images, step))
            mask = upsampled(grid.detach(), images).clamp(0, 1)
            value = self.value(classifier, images, question, mask, loss.detach())
            kept = torch.where((value < best)[:, None, None, None], mask, kept)
            best = best.minimum(value)
            if step + 1 == self.steps or self.suffices(best):
                break
            adam.param_groups[0]["lr"] = self.rates[0 if step == 0 else 1]
            learn(adam, model.parts, loss.sum())
        return kept

    def loss(self) -> MaskLoss:
        return MaskLoss(self.infiller, self.area, self.area_penalty, self.inverse, self.temperature)

    def value(
        self,
        classifier: Classifier,
        images: Images,
        question: Question,
        mask: Grid,
        loss: PerImage,
    ) -> PerImage:
        """What the best step has least of."""
        if self.select == "loss":
            return loss
        order = "morf" if self.select == "pos" else "lerf"
        with torch.no_grad():
            lived = survival(classifier, images, question, mask[:, 0], order, self.seed)
        return lived if self.select == "pos" else -lived

    def suffices(self, best: PerImage) -> bool:
        """Whether all images have come as far as they must."""
        if self.enough is None:
            return False
        return bool((best < (self.enough if self.select == "pos" else -self.enough)).all())


class Tuned:
    """A mask network of which a part is to be learned, for these images alone."""

    def __init__(self, net: MaskNet, images: Images, question: Question, tune: Tune) -> None:
        self.net = copy.deepcopy(net)
        self.images, self.target = images, question.target
        with torch.no_grad():
            self.maps = None if tune == "all" else self.net.trunk(images)
            self.start = None if tune != "logits" else self.net.head(self.maps)
        free = images.new_zeros(())
        if self.start is not None:
            free = torch.zeros_like(self.net.chosen(self.start, self.target)).requires_grad_()
        self.free = free
        every = {"all": self.net.parameters(), "head": self.net.head.parameters()}
        self.parts = [part for part in every.get(tune, [free]) if part.requires_grad]

    def __call__(self) -> Grid:
        """The mask's shares as they are now."""
        if self.start is not None:
            return (self.net.chosen(self.start, self.target) + self.free).sigmoid()
        maps = self.net.trunk(self.images) if self.maps is None else self.maps
        return self.net.chosen(self.net.head(maps), self.target).sigmoid()


def learn(
    adam: torch.optim.Optimizer, parts: list[nn.Parameter] | list[Tensor], loss: Tensor
) -> None:
    """One step; parts behind the mask's layer have no part in it."""
    slopes = torch.autograd.grad(loss, parts, allow_unused=True)
    for part, slope in zip(parts, slopes, strict=True):
        part.grad = slope
    adam.step()
