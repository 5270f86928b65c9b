"""`DenoiserRecipe`: trains the denoiser that `Diffusion` samples from.

Source: Karras et al., Elucidating the Design Space of Diffusion-Based Generative Models,
arXiv:2206.00364, table 1: noise levels, weights and preconditioning. Differs: levels are halved,
since images lie in [0, 1]; no class condition; flips are the business of `Crop`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch.optim import Adam, Optimizer

from rather.data.folder import stepped
from rather.data.holes import HoleMixture
from rather.fitting.recipe import Loss, Nets
from rather.infillers.diffusion import Denoiser, Diffusion
from rather.networks.denoiser import SPREAD, DenoiserNet
from rather.types import Images, PerImage

SHOWN_LEVELS = (0.02, 0.1, 0.5, 2.0)  # noise levels that validation reports


@dataclass(frozen=True)
class DenoiserRecipe:
    """What is trained, at which noise levels.

    Args:
        base: channels at full resolution; cost grows with its square.
        multipliers: channels of each level, as multiples of `base`; each halves the resolution.
        blocks: residual blocks a level.
        attention: levels at which every place looks at every other; 16 px and less is usual.
        dropout: share of features dropped; helps where pictures are few.
        centre: mean logarithm of the noise level on [-1, 1]; larger learns more about layout.
        spread: standard deviation of that logarithm.
        rate: learning rate.
    """

    product: ClassVar[str] = "denoiser"

    base: int = 64
    multipliers: tuple[int, ...] = (1, 2, 2, 4)
    blocks: int = 2
    attention: tuple[int, ...] = (2, 3)
    dropout: float = 0.1
    centre: float = -1.2
    spread: float = 1.2
    rate: float = 2e-4

    def networks(self) -> Nets:
        net = DenoiserNet(self.base, self.multipliers, self.blocks, self.attention, self.dropout)
        return {"denoiser": net}

    def optimisers(self, nets: Nets) -> dict[str, Optimizer]:
        return {"denoiser": Adam(nets["denoiser"].parameters(), self.rate)}

    def losses(
        self, nets: Nets, images: Images, generator: torch.Generator, step: int
    ) -> Iterator[tuple[str, Loss]]:
        drawn = torch.randn(len(images), generator=generator, device=generator.device)
        sigma = (self.centre + self.spread * drawn).exp().to(images) / 2
        noise = _noise(images, generator)
        clean = nets["denoiser"](images + _column(sigma) * noise, sigma, generator)
        yield "denoiser", weighted(clean, images, sigma).mean()

    def validate(self, nets: Nets, images: Images) -> dict[str, float]:
        """Weighted error over some noise levels, and the plain error at each."""
        noise = _noise(images, stepped(0, 0))
        figures, total = {}, 0.0
        for level in SHOWN_LEVELS:
            sigma = images.new_full((len(images),), level)
            clean = nets["denoiser"](images + level * noise, sigma)
            total += weighted(clean, images, sigma).mean().item() / len(SHOWN_LEVELS)
            figures[f"RMSE, noise {level}"] = (clean - images).square().mean().sqrt().item()
        return {"loss": total, **figures}

    def samples(self, nets: Nets, images: Images) -> tuple[Images, ...]:
        """What is shown, a fill, the truth, and a picture out of nothing."""
        keep = HoleMixture()(images, stepped(0, 1))
        fast = Diffusion(cast(Denoiser, nets["denoiser"]), steps=20, method="replace")
        made, dreamt = (fast(images, k, _on(images)) for k in (keep, torch.zeros_like(keep)))
        shown = torch.where(keep > 0, images, 0.5)
        return shown, torch.lerp(made, images, keep), images, dreamt


def weighted(clean: Images, images: Images, sigma: PerImage) -> PerImage:
    """Squared error on [-1, 1], weighted so that all noise levels count alike at the start."""
    level = 2 * sigma
    weight = (level**2 + SPREAD**2) / (level * SPREAD) ** 2
    return weight * (2 * (clean - images)).square().mean((1, 2, 3))


def _column(sigma: PerImage) -> torch.Tensor:
    return sigma.view(-1, 1, 1, 1)


def _noise(images: Images, generator: torch.Generator) -> Images:
    return torch.randn(images.shape, generator=generator, device=generator.device).to(images)


def _on(images: Images) -> torch.Generator:
    return torch.Generator(images.device).manual_seed(0)
