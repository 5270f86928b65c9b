"""`ContextualAttention`: DeepFill v1, the in-painter that FIDO and the -G methods used.

Source: Yu et al., Generative Image Inpainting with Contextual Attention, arXiv:1801.07892.
Differs: runs at the image's own size, padded to a multiple of 8, in float32 and RGB; the published
use resizes to 256 px and back, rounds to 8 bit, and thresholds by the whole batch. The shipped
weights are small, and were trained here.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from rather.networks.chosen import chosen
from rather.networks.contextual import ContextualNet
from rather.types import Images, Keep

SHIPPED = "rather-contextual-v1"


@dataclass(frozen=True)
class ContextualAttention:
    """Copies shown patches into the hole; good at texture, at the price of stray copies.

    Args:
        weights: a shipped name, or the path of what `rather fit ContextualRecipe ...` wrote.
    """

    weights: str = SHIPPED

    reads_hidden: ClassVar[bool] = False
    uses_keep: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False

    @torch.no_grad()
    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        _, refined = chosen(ContextualNet, self.weights, images)(images, keep)
        return refined.clamp(0, 1)
