"""`MaskRecipe`: trains the mask network of LTX, which explains in one pass, or fine-tuned.

Source: Barkan et al., Learning to Explain: A Model-Agnostic Framework for Explaining Black Box
Models (LTX), ICDM 2023, arXiv:2310.16584. Differs: the classifier is asked what it sees in each
crop (or the label is taken, as in the paper's "target" networks); area costs in proportion, or the
mask's size is drawn, so that a ranking is learned; `fit` warms up, then lowers the rate by half a
cosine, and keeps averaged weights (published: a schedule planned for many times the steps that were
made, and the checkpoint with the best metric).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import torch
from torch.optim import AdamW, Optimizer

from rather.batch import Batch
from rather.classifier import Classifier
from rather.data.folder import stepped
from rather.explainers.cells import upsampled
from rather.explainers.mask_loss import MaskLoss, Penalty
from rather.explainers.trunk import fresh
from rather.fitting.recipe import Loss, Nets
from rather.infiller import Infiller, fill
from rather.infillers import Constant
from rather.models import load
from rather.question import Question
from rather.types import Images, Labels


@dataclass(frozen=True)
class MaskRecipe:
    """Whose answers are to be kept, by how little.

    Args:
        classifier: the one to be explained, as `rather.models.load` takes it.
        side: of the images; the crops of `fit` must have it.
        labels: the classifier's number of each class of the data, in the data's order, to keep
            the label; empty: what the classifier answers is kept, and data need no labels.
        layer: whose map is read; empty: the last that answers with a feature map.
        tokens: how many tokens come before the grid's, where the layer answers with tokens.
        hidden: width of the head's tanh layer; 0: none, as published for CNNs.
        classes: that the head tells apart; 0: none, as published, so that without fine-tuning a
            map does not depend on the question.
        infiller: what stands where the mask lets go.
        area: price of the whole image, in nats.
        anneal: steps over which `area` rises; one that counts before the network has seen what pays
            leaves masks that keep nothing.
        start: the share of `area` that it rises from.
        area_penalty: "mean"; the "square" of an image's mean, which leaves no mask that keeps
            nothing or all; as published "softplus"; "bce" is what was meant there; "drawn": no
            price, but each mask keeps a share that is drawn anew (`MaskRecipe.as_ranking`).
        inverse: weight of the answer's being lost where the mask's opposite is kept.
        temperature: of near-binary masks that are drawn from what the network says, without which
            it may learn to dim the whole image; 0: its answer is the mask, as published.
        rate: learning rate.
        decay: weight decay.
    """

    product: ClassVar[str] = "masker"

    classifier: str
    side: int = 224
    labels: tuple[int, ...] = ()
    layer: str = ""
    tokens: int | None = None
    hidden: int = 0
    classes: int = 0
    infiller: Infiller = Constant(0.0)
    area: float = 31.0
    anneal: int = 300
    start: float = 0.0
    area_penalty: Penalty = "mean"
    inverse: float = 0.0
    temperature: float = 0.0
    rate: float = 2e-4
    decay: float = 0.01

    def __post_init__(self) -> None:
        self.loss()
        if not 0 <= self.start <= 1:
            raise ValueError(f"start is a share of `area`, from 0 to 1, but is {self.start}")

    @classmethod
    def as_published(cls, classifier: str, labels: tuple[int, ...] = ()) -> "MaskRecipe":
        """The price and the rate that its schedule reaches; for `Plan(batch=32)`, 30 epochs."""
        return cls(
            classifier, labels=labels, area=50.0, anneal=0, area_penalty="softplus", rate=1.9e-4
        )

    @classmethod
    def as_ranking(cls, classifier: str, labels: tuple[int, ...] = ()) -> "MaskRecipe":
        """Masks of a drawn size, which keep the answer while their opposites lose it."""
        settings = {"area": 0.1, "area_penalty": "drawn", "inverse": 1.0, "temperature": 0.3}
        return cls(classifier, labels=labels, anneal=0, **settings)

    @property
    def labelled(self) -> bool:
        """Whether it learns from class folders."""
        return bool(self.labels)

    def networks(self) -> Nets:
        blank = torch.zeros(1, 3, self.side, self.side)
        seed = int(torch.randint(2**31, ()))
        sizes = (self.layer, self.tokens, self.hidden, self.classes)
        return {"masker": fresh(judge(self.classifier, "cpu"), blank, *sizes, seed=seed)}

    def optimisers(self, nets: Nets) -> dict[str, Optimizer]:
        parts = [part for part in nets["masker"].parameters() if part.requires_grad]
        return {"masker": AdamW(parts, self.rate, weight_decay=self.decay)}

    def losses(
        self, nets: Nets, given: Images | Batch, generator: torch.Generator, step: int
    ) -> Iterator[tuple[str, Loss]]:
        images, target = self.asked(given)
        risen = min(1.0, (step + 1) / max(self.anneal, 1))
        loss = self.loss(self.start + (1 - self.start) * risen)
        yield "masker", loss(*self.judged(nets, images, target), generator).mean()

    def validate(self, nets: Nets, given: Images | Batch) -> dict[str, float]:
        """Loss, kept area, and share of answers that survive on what is kept."""
        images, target = self.asked(given)
        classifier, images, question, grid = self.judged(nets, images, target)
        loss = self.loss()(classifier, images, question, grid, stepped(0, 0))
        shown = self.shown(images, grid)
        kept = (classifier(shown).argmax(1) == target).float().mean()
        area = self.loss().region(grid) if self.loss().sized else grid
        figures = {"loss": loss.mean(), "kept area": area.mean(), "answers lost": 1 - kept}
        return {name: float(value) for name, value in figures.items()}

    def samples(self, nets: Nets, given: Images | Batch) -> tuple[Images, ...]:
        """The original, the mask, and what it keeps."""
        images, target = self.asked(given)
        *_, grid = self.judged(nets, images, target)
        return images, upsampled(grid, images).expand_as(images), self.shown(images, grid)

    def loss(self, share: float = 1.0) -> MaskLoss:
        """What is minimised while so much of the price counts."""
        price = share * self.area
        return MaskLoss(self.infiller, price, self.area_penalty, self.inverse, self.temperature)

    def shown(self, images: Images, grid: torch.Tensor) -> Images:
        """What the mask keeps, on what the infiller puts behind it."""
        keep = self.loss().region(upsampled(grid, images).clamp(0, 1))
        return fill(self.infiller, images, keep, stepped(0, 0))

    def judged(
        self, nets: Nets, images: Images, target: Labels
    ) -> tuple[Classifier, Images, Question, torch.Tensor]:
        """What the loss is asked about."""
        grid = nets["masker"](images, target).sigmoid()
        return judge(self.classifier, str(images.device)), images, Question(target), grid

    @torch.no_grad()
    def asked(self, given: Images | Batch) -> tuple[Images, Labels]:
        """Images, and the answers that are to be kept."""
        if isinstance(given, Batch):
            numbers = torch.tensor(self.labels, device=given.labels.device)
            return given.images, numbers[given.labels]
        return given, judge(self.classifier, str(given.device))(given).argmax(1)


@cache
def judge(name: str, device: str) -> Classifier:
    """The frozen classifier of a training, prepared; loaded once."""
    return load(name, device=device).prepare()
