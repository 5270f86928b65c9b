"""`Inpainter`: fills by a network that was trained by `fit`; the default of everything here.

Source: the network is `FourierUNet` (see `rather.networks.inpainter`), the recipe
`rather.fitting.inpainter`; after Suvorov et al., arXiv:2109.07161. Weights of other recipes
have infillers of their own, and are refused by name.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from rather.networks.chosen import chosen
from rather.networks.inpainter import FourierUNet
from rather.types import Images, Keep

SHIPPED = "rather-inpainter-v2"


@dataclass(frozen=True)
class Inpainter:
    """Proposes what could plausibly stand in the hole; never sees what did.

    Args:
        weights: a shipped name, or the path of a safetensors file that `fit` wrote; read on the
            first call.
        copying: added to the network's log-odds of copying fine detail from shown places instead of
            drawing it; less is smoother, more has more texture, true or out of place, and -inf
            copies nothing. Networks that were trained without copies take no notice.
        batch: images at a time; more is not faster beyond 32 on a processor, and takes memory.
    """

    reads_hidden: ClassVar[bool] = False
    uses_keep: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False

    weights: str = SHIPPED
    copying: float = 1.5
    batch: int = 16

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        net = chosen(FourierUNet, self.weights, images)
        parts = zip(images.split(self.batch), keep.split(self.batch), strict=True)
        with torch.no_grad():
            made = [self._made(net, *part) for part in parts]
        return torch.cat(made).to(images.dtype) if made else images

    def _made(self, net: FourierUNet, images: Images, keep: Keep) -> Images:
        return net(images.float(), keep.float(), self.copying).whole.clamp(0, 1)


def default() -> Inpainter:
    """The shipped in-painter."""
    return Inpainter()
