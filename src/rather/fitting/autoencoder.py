"""`AutoencoderRecipe`: trains the autoencoder in whose code `LatentShift` moves.

Source: Cohen et al., arXiv:2102.09475 (what it is for); Kingma and Welling, arXiv:1312.6114.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn import functional as F
from torch.optim import Adam, Optimizer

from rather.fitting.features import distance, features, squeezenet
from rather.fitting.recipe import Loss, Nets
from rather.networks.autoencoder import Autoencoder
from rather.types import Images


@dataclass(frozen=True)
class AutoencoderRecipe:
    """What is kept of an image, and what counts.

    Args:
        widths: channels at a half, a quarter and an eighth of the size.
        code: channels of the code; more keep more, and leave less to the decoder.
        features: weights of SqueezeNet 1.1 (torchvision's state dict); None trains without.
        perceptual: weight of the distance of features; more makes texture.
        prior: weight of the divergence from the standard normal distribution.
        rate: learning rate.
    """

    product: ClassVar[str] = "autoencoder"

    widths: tuple[int, int, int] = (64, 128, 256)
    code: int = 8
    features: str | None = None
    perceptual: float = 1.0
    prior: float = 1e-6
    rate: float = 2e-4

    def networks(self) -> Nets:
        return {"autoencoder": Autoencoder(self.widths, self.code)}

    def optimisers(self, nets: Nets) -> dict[str, Optimizer]:
        return {"autoencoder": Adam(nets["autoencoder"].parameters(), self.rate)}

    def losses(
        self, nets: Nets, given: Images, generator: torch.Generator, step: int
    ) -> Iterator[tuple[str, Loss]]:
        shape = (len(given), self.code, *(-(-side // 8) for side in given.shape[2:]))
        noise = torch.randn(shape, generator=generator, device=generator.device).to(given)
        made, mean, spread = nets["autoencoder"](given, noise)
        divergence = (mean**2 + spread.exp() - 1 - spread).sum((1, 2, 3)).mean() / 2
        loss = F.l1_loss(made, given) + self.prior * divergence
        yield "autoencoder", loss + self.perceptual * self._unlike(made, given)

    def validate(self, nets: Nets, given: Images) -> dict[str, float]:
        """Mean absolute error."""
        return {"L1": F.l1_loss(nets["autoencoder"](given)[0], given).item()}

    def samples(self, nets: Nets, given: Images) -> tuple[Images, ...]:
        return given, nets["autoencoder"](given)[0]

    def _unlike(self, made: Images, given: Images) -> Loss:
        if self.features is None:
            return made.new_zeros(())
        net = squeezenet(self.features, str(given.device))
        with torch.no_grad():
            truth = features(net, given)
        return distance(features(net, made), truth).mean()
