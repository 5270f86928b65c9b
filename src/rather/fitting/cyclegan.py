"""`CycleGanRecipe`: trains a generator into each of two classes, from unpaired images.

Source: Zhu et al., arXiv:1703.10593, as used by Eckstein et al., Discriminative Attribution from
Counterfactuals, arXiv:2109.13412. Differs: `class_weight` may put the classifier into the loss
(published: it only filters later); both classes stand in one network; weights are averaged; `fit`
lowers the rates by half a cosine; 6 residual blocks below 128 px.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn import functional as F
from torch.optim import Adam, Optimizer

from rather.batch import Batch
from rather.fitting.ganmex import judge
from rather.fitting.labels import check_numbered
from rather.fitting.recipe import Loss, Nets, frozen
from rather.networks.cyclegan import CriticPair, CyclePair, Fakes
from rather.types import Images, Labels


@dataclass(frozen=True)
class CycleGanRecipe:
    """Which two classes are turned into each other, and what counts how much.

    Args:
        classifier: the one that judges held-out edits, as `rather.models.load` takes it.
        labels: its numbers of the two classes of the data, in the data's order. Empty: of the
            classes that are called as the class folders are.
        side: of the images; the crops of `fit` must have it.
        channels: 1 makes grey images, 3 colour.
        width: of the generators.
        blocks: residual blocks of each.
        critic_width: of the critics' first layers.
        cycle: weight of the distance to the original after the way back.
        identity: weight of the distance that an image of a class moves in its own generator.
        class_weight: of the classifier's opinion; 0 keeps it out, as published.
        rate: learning rate.
    """

    product: ClassVar[str] = "pair"
    labelled: ClassVar[bool] = True  # learns from class folders

    classifier: str
    labels: tuple[int, ...] = ()
    side: int = 64
    channels: int = 3
    width: int = 64
    blocks: int = 6
    critic_width: int = 64
    cycle: float = 10.0
    identity: float = 5.0
    class_weight: float = 0.0
    rate: float = 2e-4

    def __post_init__(self) -> None:
        if self.labels and (len(self.labels) != 2 or self.labels[0] == self.labels[1]):
            raise ValueError(f"labels={self.labels}; give two different classes")

    @classmethod
    def as_published(cls, classifier: str, labels: tuple[int, int]) -> "CycleGanRecipe":
        """For 256 px and `Plan(batch=2, average=0.0, clip=inf)`: one image of each class."""
        return cls(classifier, labels, side=256, blocks=9)

    def networks(self) -> Nets:
        check_numbered(self.labels)
        return {
            "pair": CyclePair(self.labels, self.width, self.blocks, self.channels),
            "critics": CriticPair(self.critic_width, self.channels),
            "fakes": Fakes(self.side),
        }

    def optimisers(self, nets: Nets) -> dict[str, Optimizer]:
        trained = ("pair", "critics")
        return {name: Adam(nets[name].parameters(), self.rate, (0.5, 0.999)) for name in trained}

    def losses(
        self, nets: Nets, given: Batch, generator: torch.Generator, step: int
    ) -> Iterator[tuple[str, Loss]]:
        pair, images, own = nets["pair"], given.images, given.labels
        made = pair(images, 1 - own)
        back, same = pair(made, own), pair(images, own)
        with frozen(nets["critics"]) as critics:
            real = judged(critics, made, 1 - own, 1.0)
        lost, moved = (2 * (images - other).abs().mean() for other in (back, same))
        said = self.class_weight * self._opinion(made, 1 - own) if self.class_weight else 0.0
        yield "pair", real + self.cycle * lost + self.identity * moved + said
        shown, critics = remembered(nets["fakes"], made, 1 - own, generator), nets["critics"]
        told = judged(critics, images, own, 1.0) + judged(critics, shown, 1 - own, 0.0)
        yield "critics", told / 2

    def validate(self, nets: Nets, given: Batch) -> dict[str, float]:
        """Share of edits that the classifier does not follow; L1 there, and there and back."""
        wanted = 1 - given.labels
        made = nets["pair"](given.images, wanted)
        answers = judge(self.classifier, str(made.device))(made).argmax(1)
        back = nets["pair"](made, given.labels)
        return {
            "missed": (answers != self._asked(wanted)).float().mean().item(),
            "L1": (made - given.images).abs().mean().item(),
            "L1, way back": (back - given.images).abs().mean().item(),
        }

    def samples(self, nets: Nets, given: Batch) -> tuple[Images, ...]:
        """The original, its edit, and the way back."""
        made = nets["pair"](given.images, 1 - given.labels)
        return given.images, made, nets["pair"](made, given.labels)

    def _opinion(self, made: Images, wanted: Labels) -> Loss:
        logits = judge(self.classifier, str(made.device))(made)
        return F.cross_entropy(logits, self._asked(wanted))

    def _asked(self, wanted: Labels) -> Labels:
        return torch.tensor(self.labels, device=wanted.device)[wanted]


def judged(critics: torch.nn.Module, images: Images, places: Labels, truth: float) -> Loss:
    """Least squares between a truth and what each class's critic says of the images shown to it."""
    parts = [
        ((critics(images[places == place], place) - truth) ** 2).mean()
        for place in places.unique().tolist()
    ]
    return torch.stack(parts).mean()


def remembered(
    fakes: torch.nn.Module, made: Images, places: Labels, generator: torch.Generator
) -> Images:
    """The fakes that the critics are shown: new ones, or past ones of the same class."""
    if not isinstance(fakes, Fakes):
        raise TypeError(f"{type(fakes).__name__} remembers nothing; give Fakes")
    shown = made.detach().clone()
    for place in places.unique().tolist():
        shown[places == place] = fakes.swapped(made[places == place], place, generator)
    return shown
