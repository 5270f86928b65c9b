"""An in-fill of your own is any function; what it declares decides what it is shown.

python examples/your_own_infiller.py
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from rather import fill
from rather.infillers import FromCallable


@dataclass(frozen=True)
class LeftNeighbour:
    """Every hidden pixel takes the colour of the nearest shown one to its left; grey if none.

    Frozen, so that `repr` tells what was done; fields would be its settings.
    """

    reads_hidden: ClassVar[bool] = False  # `fill` greys the hidden pixels before we see them
    uses_keep: ClassVar[bool] = True  # another hole, another proposal
    stochastic: ClassVar[bool] = False  # the generator is not used

    def __call__(
        self, images: torch.Tensor, keep: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        places = torch.arange(images.shape[3]).expand_as(keep)
        left = (places * keep.long()).cummax(3).values
        return images.gather(3, left.expand_as(images))


def paler(images: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """A plain function does too; reading what is hidden has to be declared."""
    return 0.5 + 0.5 * (images - 0.5)


images, keep = torch.rand(1, 3, 4, 6), torch.ones(1, 1, 4, 6)
keep[..., 2:5] = 0
print("before:         ", images[0, 0, 0].numpy().round(2))
for infiller in (LeftNeighbour(), FromCallable(paler, reads_hidden=True)):
    filled = fill(infiller, images, keep, torch.Generator())
    print(f"{infiller}:", filled[0, 0, 0].numpy().round(2))
