"""`VaeInpainter`: the convolutional VAE of FIDO as an in-fill.

Source: Chang et al., Explaining Image Classifiers by Counterfactual Generation (FIDO),
arXiv:1807.08024. Differs: see the network and the recipe; the shipped weights are small, and were
trained here.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from rather.networks.chosen import chosen
from rather.networks.vae import VaeNet, code_noise
from rather.types import Images, Keep

SHIPPED = "rather-vae-v1"


@dataclass(frozen=True)
class VaeInpainter:
    """Proposes the decoder's mean: smooth, cheap, and with `sample` different in every draw.

    Args:
        weights: a shipped name, or the path of weights that `rather fit VaeRecipe ...` wrote.
        sample: draw the latent code; False takes its mean, so that the fill is deterministic.
    """

    weights: str = SHIPPED
    sample: bool = True

    reads_hidden: ClassVar[bool] = False
    uses_keep: ClassVar[bool] = True

    @property
    def stochastic(self) -> bool:
        return self.sample

    @torch.no_grad()
    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        net = chosen(VaeNet, self.weights, images)
        noise = code_noise(net.latent_channels, images, generator) if self.sample else None
        pixels, _ = net(images, keep, noise)
        return pixels.mean.clamp(0, 1)
