"""Several draws of a stochastic in-fill.

What matters is the mean answer over draws, not the answer to the mean image: prefer the `draws`
field of explainers and metrics, and `draws` here to look at the samples themselves.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from rather.infiller import Infiller, fill, reads_hidden, seeded, stochastic, uses_keep
from rather.types import Images, Keep


@dataclass(frozen=True)
class Samples:
    """Mean of several proposals: a blurred fill, right only where the answer is linear in it.

    Args:
        infiller: what is drawn from; a deterministic one is asked once.
        k: number of draws; cost is linear in it.
    """

    infiller: Infiller
    k: int = 4

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"k is {self.k}; the mean needs at least 1 draw")

    @property
    def reads_hidden(self) -> bool:
        return reads_hidden(self.infiller)

    @property
    def uses_keep(self) -> bool:
        return uses_keep(self.infiller)

    @property
    def stochastic(self) -> bool:
        return stochastic(self.infiller)

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        total = self.infiller(images, keep, generator)
        count = self.k if self.stochastic else 1
        for _ in range(count - 1):
            total = total + self.infiller(images, keep, generator)
        return (total / count).clamp(0, 1)


def draws(
    infiller: Infiller, images: Images, keep: Keep, count: int, seed: int = 0
) -> Iterator[Images]:
    """Fill the same holes several times; draw i is what an explainer's draw i sees.

    A deterministic in-fill is yielded once, since further draws would be the same.
    """
    for draw in range(count if stochastic(infiller) else 1):
        yield fill(infiller, images, keep, seeded(seed, images, draw))
