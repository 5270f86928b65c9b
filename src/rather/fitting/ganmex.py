"""`GanmexRecipe`: trains one generator that turns images of any class into any other.

The classifier that is to be explained stands in the loss, frozen; the critic and the distance to
the original keep the generator from deceiving it with noise. Whether they do so must be looked up
with another classifier (transfer validity).

Source: Shih, Tien and Karnin, GANMEX: One-vs-One Attributions Guided by GAN-based Counterfactual
Explanation Baselines, ICML 2021, arXiv:2011.06015; Choi et al., StarGAN, arXiv:1711.09020;
Gulrajani et al., arXiv:1704.00028. Differs: the class is told behind the norms of the residual
blocks (published: a constant plane, which the first norm all but takes away, so that what is drawn
in large images hardly depends on it); an image is seldom asked to stay in its own class
(published: as often as to become any other); weights are averaged; `fit` lowers the rates by half
a cosine; the critic's steps see the same images with fresh requests; the last average is kept
(published: chosen by eye).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import torch
from torch.nn import functional as F
from torch.optim import Adam, Optimizer

from rather.batch import Batch
from rather.classifier import Classifier
from rather.fitting.labels import check_numbered
from rather.fitting.recipe import Loss, Nets, frozen
from rather.fitting.wasserstein import critic_gap, slope_penalty
from rather.models import load
from rather.networks.ganmex import StarCritic, StarGenerator
from rather.types import Images, Labels, Logits


@dataclass(frozen=True)
class GanmexRecipe:
    """Whose classes are turned into each other, and what counts how much.

    Args:
        classifier: the one to be explained, as `rather.models.load` takes it.
        labels: its number of each class of the data, in the data's order. Empty: of the classes
            that are called as the class folders are.
        side: of the images; the crops of `fit` must have it.
        channels: 1 makes grey images, 3 colour.
        width: of the generator; 64 as published, 32 is a quarter of the cost.
        blocks: residual blocks of the generator.
        critic_width: of the critic's first layer.
        class_weight: of the classifier's opinion; more flips more, at last by noise.
        similarity: of the distance to the original; more changes less.
        cycle: of the distance to the original after the way back.
        penalty: of the critic's slope.
        critic_steps: of the critic before each of the generator.
        own_share: how often an image is asked to stay what it is; None: as often as to become any
            other class, as published.
        target_probability: the classifier is convinced at this probability, and what goes beyond
            it is no gain; None: never.
        rate: learning rate of the generator; 1e-4 is faster up to 64 px.
        critic_rate: learning rate of the critic.
        momentum: first moment of Adam; 0.5 steadies a critic that oscillates.
        drawn_at: side at which generator and critic look, while the classifier sees whole images;
            the generator then draws a change, enlarged if need be. None: it draws the image.
        revised: the generator is told the class where no norm takes it away, and enlarges without
            transposed convolutions; False as published.
        shaken: the classifier looks at images that are resized by up to this share of their side,
            moved by up to half of it, and noisy by a fifth: what deceives does not survive that.
    """

    product: ClassVar[str] = "generator"
    labelled: ClassVar[bool] = True  # learns from class folders

    classifier: str
    labels: tuple[int, ...] = ()
    side: int = 28
    channels: int = 3
    width: int = 64
    blocks: int = 6
    critic_width: int = 64
    class_weight: float = 100.0
    similarity: float = 20.0
    cycle: float = 10.0
    penalty: float = 10.0
    critic_steps: int = 2
    own_share: float | None = 0.1
    target_probability: float | None = None
    rate: float = 2e-5
    critic_rate: float = 1e-4
    momentum: float = 0.9
    drawn_at: int | None = None
    revised: bool = True
    shaken: float = 0.0

    def __post_init__(self) -> None:
        if self.labels and len(set(self.labels)) < 2:
            raise ValueError(f"labels={self.labels}; give at least two classes to turn around")
        if not 0 <= self.shaken < 0.5:
            raise ValueError(f"shaken={self.shaken}; give a share of the side, from 0 to below 0.5")

    @classmethod
    def as_published(cls, classifier: str, labels: tuple[int, ...], side: int) -> "GanmexRecipe":
        """For `Plan(steps=50_000, batch=6 * classes, average=0.0, clip=inf)`."""
        return cls(classifier, labels, side, own_share=None, revised=False)

    def networks(self) -> Nets:
        check_numbered(self.labels)
        return {
            "generator": StarGenerator(
                self.labels, self.width, self.blocks, self.channels, self.drawn_at, self.revised
            ),
            "critic": StarCritic(self.drawn_at or self.side, self.critic_width, self.channels),
        }

    def optimisers(self, nets: Nets) -> dict[str, Optimizer]:
        rates, betas = {"generator": self.rate, "critic": self.critic_rate}, (self.momentum, 0.999)
        return {name: Adam(nets[name].parameters(), rate, betas) for name, rate in rates.items()}

    def losses(
        self, nets: Nets, given: Batch, generator: torch.Generator, step: int
    ) -> Iterator[tuple[str, Loss]]:
        make, images = nets["generator"], given.images
        for _ in range(self.critic_steps):
            with torch.no_grad():
                made = make(images, self.requests(given.labels, generator))
            gap = critic_gap(nets["critic"], images, made)
            slope = slope_penalty(nets["critic"], images, made, generator)
            yield "critic", gap + self.penalty * slope
        wanted = self.requests(given.labels, generator)
        made = make(images, wanted)
        back = make(made, given.labels)
        with frozen(nets["critic"]) as critic:
            real = critic(made).mean()
        far, lost = (2 * (images - other).abs().mean() for other in (made, back))
        seen = shaken(made, self.shaken, generator) if self.shaken else made
        said = self.class_weight * self.opinion(seen, wanted)
        yield "generator", said + self.similarity * far + self.cycle * lost - real

    def requests(self, labels: Labels, generator: torch.Generator) -> Labels:
        """Draw what every image is to become: a place in `self.labels`."""
        count = len(self.labels)
        own = 1 / count if self.own_share is None else self.own_share
        dice = torch.rand(2, len(labels), generator=generator, device=generator.device)
        dice = dice.to(labels.device)
        other = (labels + 1 + (dice[1] * (count - 1)).long().clamp(max=count - 2)) % count
        return torch.where(dice[0] < own, labels, other)

    def opinion(self, made: Images, wanted: Labels) -> Loss:
        """Cross-entropy of the classifier's answers, beyond what counts as convinced."""
        surprise = F.cross_entropy(self._answers(made), wanted, reduction="none")
        if self.target_probability is None:
            return surprise.mean()
        enough = torch.tensor(self.target_probability).log().to(surprise)
        return (surprise + enough).relu().mean()

    def validate(self, nets: Nets, given: Batch) -> dict[str, float]:
        """Share of edits into all other classes that the classifier does not follow; mean change.

        The last figure is the change where an image is asked to stay what it is.
        """
        wanted = [(given.labels + turn) % len(self.labels) for turn in range(len(self.labels))]
        made = [nets["generator"](given.images, one) for one in wanted]
        missed = [
            (self._answers(x).argmax(1) != one).float().mean()
            for x, one in zip(made[1:], wanted[1:], strict=True)
        ]
        moved = [(x - given.images).abs().mean() for x in made]
        return {
            "missed": torch.stack(missed).mean().item(),
            "L1": torch.stack(moved[1:]).mean().item(),
            "L1, own class": moved[0].item(),
        }

    def samples(self, nets: Nets, given: Batch) -> tuple[Images, ...]:
        """The original, and what it became in the first ten classes."""
        places = (torch.full_like(given.labels, place) for place in range(len(self.labels))[:10])
        return given.images, *(nets["generator"](given.images, place) for place in places)

    def _answers(self, images: Images) -> Logits:
        """The classifier's logits of the classes that are turned into each other, in order."""
        return judge(self.classifier, str(images.device))(images)[:, list(self.labels)]


@cache
def judge(name: str, device: str) -> Classifier:
    """The frozen classifier of a training; loaded once."""
    return load(name, device=device)


def shaken(images: Images, share: float, generator: torch.Generator) -> Images:
    """The images, each resized by up to `share`, moved by up to half of it, noisy by a fifth."""
    drawn = torch.rand(3, len(images), generator=generator, device=generator.device)
    size, right, down = share * (2 * drawn - 1).to(images)
    zero = torch.zeros_like(size)
    rows = [torch.stack(row, 1) for row in ((1 + size, zero, right), (zero, 1 + size, down))]
    grid = F.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    moved = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    noise = torch.randn(images.shape, generator=generator, device=generator.device).to(images)
    return (moved + share / 5 * noise).clamp(0, 1)
