"""`LatentShift`: a step in the code of an autoencoder, along the gradient of the answer.

Source: Cohen et al., Gifsplanation via Latent Shift, arXiv:2102.09475. Differs: it answers one
class against another; the gradient has unit root mean square an image; the step is the smallest
that flips, found by doubling and bisection (published: ever longer steps until the output stops
falling, which jump over small ones); what the autoencoder loses is added back.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from rather.classifier import Classifier
from rather.networks.autoencoder import Autoencoder
from rather.networks.chosen import chosen
from rather.types import Flags, Images, Labels, PerImage

FIRST = 2.0**-6  # the shortest step that is tried, in root mean squares of the code


@dataclass(frozen=True)
class LatentShift:
    """Moves the code until the answer flips.

    Args:
        weights: path of the weights that `rather fit AutoencoderRecipe ...` wrote.
        residual: add back what decoding the unmoved code loses; False explains the blurred image.
        doublings: how often the step is doubled at most.
        bisections: how finely it is shortened again.
        limit: largest change, as a share of the image's sum; no step goes beyond it.
    """

    weights: str
    residual: bool = True
    doublings: int = 14
    bisections: int = 8
    limit: float = 0.5

    @torch.no_grad()
    def __call__(self, classifier: Classifier, images: Images, target: Labels) -> Images:
        path = Way.of(self, classifier, images, target)
        step = torch.full_like(images[:, 0, 0, 0], FIRST)
        for _ in range(self.doublings):
            grows = ~path.flipped(step) & (path.change(2 * step) < self.limit)
            step = torch.where(grows, 2 * step, step)
            if not grows.any():
                break
        low, high = torch.zeros_like(step), step
        for _ in range(self.bisections):
            middle = (low + high) / 2
            enough = path.flipped(middle)
            low, high = torch.where(enough, low, middle), torch.where(enough, middle, high)
        return path.at(torch.where(path.flipped(high), high, step))

    def frames(
        self, classifier: Classifier, images: Images, target: Labels, count: int = 10
    ) -> Iterator[Images]:
        """The way from the image to its edit, in equal steps."""
        made = self(classifier, images, target)
        for place in range(count):
            yield torch.lerp(images, made, place / max(count - 1, 1))


@dataclass(frozen=True, eq=False)
class Way:
    """Images along a direction in the code."""

    classifier: Classifier
    net: Autoencoder
    images: Images
    code: Tensor
    slope: Tensor
    lost: Images
    target: Labels

    @classmethod
    def of(
        cls, editor: LatentShift, classifier: Classifier, images: Images, target: Labels
    ) -> "Way":
        net = chosen(Autoencoder, editor.weights, images)
        code = net.encode(images)
        lost = images - net.decode(code, images) if editor.residual else torch.zeros_like(images)
        with torch.enable_grad():
            leaf = code.detach().requires_grad_()
            logits = classifier((net.decode(leaf, images) + lost).clamp(0, 1))
            now = logits.detach().scatter(1, target[:, None], -torch.inf).argmax(1)
            gap = (logits.gather(1, target[:, None]) - logits.gather(1, now[:, None])).sum()
            (slope,) = torch.autograd.grad(gap, leaf)
        size = slope.square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=1e-12)
        return cls(classifier, net, images, code, slope / size, lost, target)

    def at(self, step: PerImage) -> Images:
        """The images after a step of this length."""
        code = self.code + step[:, None, None, None] * self.slope
        return (self.net.decode(code, self.images) + self.lost).clamp(0, 1)

    def flipped(self, step: PerImage) -> Flags:
        return self.classifier(self.at(step)).argmax(1) == self.target

    def change(self, step: PerImage) -> PerImage:
        far = (self.at(step) - self.images).abs().sum((1, 2, 3))
        return far / self.images.sum((1, 2, 3)).clamp(min=1e-6)
