"""`VaeRecipe`: trains the convolutional VAE of FIDO to say how likely the hidden pixels are.

Source: Chang et al., Explaining Image Classifiers by Counterfactual Generation (FIDO),
arXiv:1807.08024; Kingma and Welling, arXiv:1312.6114. Differs: the KL term counts (as published it
is divided by the number of training images, so almost off); the log-variance is clamped (the
published code clamps a copy); `fit` lowers the learning rate by half a cosine instead of on a
plateau, and clips the gradient's length instead of its values.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch.optim import Adam, Optimizer

from rather.data.folder import stepped
from rather.data.holes import HoleMixture
from rather.fitting.boxes import OneBox
from rather.fitting.inpainter import hidden_error
from rather.fitting.recipe import Loss, Nets
from rather.networks.vae import Gaussian, VaeNet, code_noise
from rather.types import Images, Keep, PerImage


@dataclass(frozen=True)
class VaeRecipe:
    """What is trained, on which holes, towards what.

    Args:
        width: channels at full resolution; cost grows with its square.
        beta: weight of the KL term; more makes draws differ, less makes them faithful.
        anneal: steps over which `beta` rises from 0.
        clamp: bound of all log-variances; None lets them diverge.
        rate: learning rate.
        holes: the distribution of masks.
    """

    product: ClassVar[str] = "vae"

    width: int = 32
    beta: float = 0.01
    anneal: int = 500
    clamp: float | None = 8.0
    rate: float = 2e-4
    holes: HoleMixture | OneBox = field(default_factory=HoleMixture)

    @classmethod
    def as_published(cls) -> "VaeRecipe":
        """Full width, half boxes and half noise; the KL of a batch of 16 over all of ImageNet."""
        return cls(width=64, beta=16 / 1_281_167, anneal=0, clamp=None, holes=OneBox(noise=0.5))

    def networks(self) -> Nets:
        return {"vae": VaeNet(self.width, self.clamp)}

    def optimisers(self, nets: Nets) -> dict[str, Optimizer]:
        return {"vae": Adam(nets["vae"].parameters(), self.rate)}

    def losses(
        self, nets: Nets, images: Images, generator: torch.Generator, step: int
    ) -> Iterator[tuple[str, Loss]]:
        keep = self.holes(images, generator)
        noise = code_noise(4 * self.width, images, generator, draws=len(images))
        pixels, latent = nets["vae"](images, keep, noise)
        beta = self.beta * min(1.0, (step + 1) / max(self.anneal, 1))
        yield "vae", (surprise(pixels, images, keep) + beta * divergence(latent)).mean()

    def validate(self, nets: Nets, images: Images) -> dict[str, float]:
        """Surprise at the hidden pixels, each, at the mean code; L1 in the hole."""
        keep = self.holes(images, stepped(0, 0))
        pixels, latent = nets["vae"](images, keep)
        return {
            "nats a hidden value": (
                surprise(pixels, images, keep).sum() / (1 - keep).sum() / 3
            ).item(),
            "L1": hidden_error(pixels.mean.clamp(0, 1), images, keep).item(),
            "KL": divergence(latent).mean().item(),
        }

    def samples(self, nets: Nets, images: Images) -> tuple[Images, ...]:
        """What is shown, the fill at the mean code, a draw, and the truth."""
        keep = self.holes(images, stepped(0, 1))
        noise = code_noise(4 * self.width, images, stepped(0, 2))
        means = (nets["vae"](images, keep, code)[0].mean.clamp(0, 1) for code in (None, noise))
        fills = [torch.lerp(mean, images, keep) for mean in means]
        return torch.where(keep > 0, images, 0.5), *fills, images


def surprise(pixels: Gaussian, images: Images, keep: Keep) -> PerImage:
    """Negative log-likelihood of the hidden pixels, in nats, but for its constant."""
    error = (images - pixels.mean) ** 2
    each = (pixels.log_var + error * (-pixels.log_var).exp()) / 2
    return (each * (1 - keep)).sum((1, 2, 3))


def divergence(latent: Gaussian) -> PerImage:
    """KL divergence from the standard normal distribution, in nats."""
    each = latent.mean**2 + latent.log_var.exp() - 1 - latent.log_var
    return each.sum((1, 2, 3)) / 2
